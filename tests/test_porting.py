"""What people who come from another library trip over: its words, its habits with futures, its dictionaries."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, ModelSettings, RunStatus, Team
from nbagent.errors import ConfigurationError, UnknownOptionError
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait
from tests.runtime.scripted_team import model

T = 30


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent whose model says yes."""
    provider.otherwise(text_reply("yes"))
    return Agent(model=model(provider.base_url, "m"))


@pytest.mark.parametrize(
    ("word", "here"),
    [
        ("description", "instructions="), ("role", "instructions="), ("system_prompt", "instructions="),
        ("output_type", "output_schema="), ("response_model", "output_schema="), ("temperature", "settings="),
        ("max_turns", "limits="), ("instuctions", "instructions="), ("db", "NBAGENT_STORE"),
        ("markdown", "leave it out"), ("deps", "closure"), ("num_history_runs", "history_runs="),
        ("frobnicate", "it takes model, instructions"),
    ],
)  # fmt: skip
def test_unknown_keywords_of_an_agent_say_what_they_are_called_here(word: str, here: str) -> None:
    """Two lines, for other libraries' words as for typing errors."""
    with pytest.raises(UnknownOptionError) as caught:
        Agent(**{word: 1})  # type: ignore[arg-type]
    assert f"Agent({word}=...)" in str(caught.value)
    assert here in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("word", "here"),
    [("agents", "members="), ("participants", "members="), ("leader", "leader's"), ("modes", "mode=")],
)
def test_unknown_keywords_of_a_team(word: str, here: str) -> None:
    """The same of a team, whose own fields are known."""
    with pytest.raises(UnknownOptionError, match=here):
        Team(**{word: 1})  # type: ignore[arg-type]
    assert replace(Team(members=[Agent(name="a")]), mode="route").mode == "route"


@pytest.mark.parametrize(
    ("options", "word", "here"),
    [
        (Limits, "timeout", "timeout_s="), (Limits, "max_cost", "max_cost_usd="), (Limits, "max_turns", "it takes"),
        (ModelSettings, "max_tokens", "max_output_tokens="), (ModelSettings, "reasoning", "reasoning_effort="),
    ],
)  # fmt: skip
def test_unknown_limits_and_settings(options: type, word: str, here: str) -> None:
    """A flag's or another library's word for a limit or a setting is told what it is called there."""
    with pytest.raises(UnknownOptionError, match=here):
        options(**{word: 1})


@pytest.mark.parametrize(
    ("verb", "word", "here"),
    [
        ("start", "thread_id", "session="), ("start", "output_type", "output_schema="), ("start", "metadata", "tags="),
        ("run", "images", "files="), ("start", "temperature", "it is the agent's"), ("start", "on_token", "on_text="),
        ("start", "background", "always is"), ("map", "concurrency", "max_concurrency="), ("map", "budget", "max_cost="),
        ("map", "n_jobs", "max_concurrency="),
    ],
)  # fmt: skip
def test_unknown_keywords_of_verbs(
    agent: Agent, provider: ScriptedProvider, verb: str, word: str, here: str
) -> None:
    """Nothing is asked before that is said."""
    given: tuple[Any, ...] = (["a"], "{{ row }}") if verb == "map" else ("?",)
    with pytest.raises(UnknownOptionError, match=here) as caught:
        getattr(agent, verb)(*given, **{word: 1})
    assert len(str(caught.value).splitlines()) == 2
    assert provider.requests == []


async def test_awaiting_run_is_refused_before_anything_is_paid(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """The error names arun; a call of run that nobody awaits works on a loop as elsewhere."""
    with pytest.raises(ConfigurationError, match=r"write await agent\.arun"):
        await agent.run("?")  # type: ignore[misc]
    with pytest.raises(ConfigurationError, match=r"write await agent\.arun"):
        print((await agent.run("?", session="s", label="x")).content)  # type: ignore[misc]
    assert provider.requests == []
    assert agent.run("?").content == "yes"
    assert (await agent.arun("?")).content == "yes"


def _on_a_loop(function: Any) -> Any:
    """Run an async test without a plugin."""

    def test(*args: Any, **kwargs: Any) -> None:
        asyncio.run(function(*args, **kwargs))

    test.__doc__, test.__name__ = function.__doc__, function.__name__
    test.__signature__ = __import__("inspect").signature(function)  # type: ignore[attr-defined]
    return test


test_awaiting_run_is_refused_before_anything_is_paid = _on_a_loop(
    test_awaiting_run_is_refused_before_anything_is_paid
)


def test_run_and_arun_stream_the_same(agent: Agent) -> None:
    """Both launch at once and give the run's events, by `for` and by `async for`."""
    here = [type(event) for event in agent.run("?", stream=True)]

    async def there() -> list[type]:
        return [type(event) async for event in agent.arun("?", stream=True)]

    there_too = asyncio.run(there())
    for told in (here, there_too):  # what was before it listens comes in short
        assert told[-1] is nb.events.RunFinished
        assert {nb.events.RunStarted, nb.events.TextAdded, nb.events.ModelCallFinished} <= set(told)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_asyncio_wait_takes_runs(agent: Agent, count: int) -> None:
    """Inside a running loop the callback comes on that loop."""

    async def wait() -> None:
        runs = {agent.start("?") for _ in range(count)}
        done, pending = await asyncio.wait(runs, timeout=T)
        assert (done, pending) == (runs, set())
        done, _ = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        assert done == runs

    asyncio.run(wait())


def test_a_callback_is_called_once_with_the_run(agent: Agent, provider: ScriptedProvider) -> None:
    """Off a loop on a thread of its own; a callback that was removed is not called; after the end at once."""
    gate, ended = Gate(), threading.Event()
    provider.reply((Wait(gate), *text_reply("late")))
    run = agent.start("?")
    seen: list[Any] = []

    def never(_: Any) -> None:
        seen.append("removed")

    def end(one: Any) -> None:
        seen.append((one, threading.current_thread() is threading.main_thread()))
        ended.set()

    run.add_done_callback(never)
    run.add_done_callback(end)
    assert run.remove_done_callback(never) == 1
    assert run.remove_done_callback(never) == 0
    gate.open()
    assert ended.wait(T)
    assert seen == [(run, False)]
    again = threading.Event()
    run.add_done_callback(lambda _: again.set())
    assert again.wait(T)


def test_a_batch_has_callbacks_too(agent: Agent) -> None:
    """The same for a batch, also one that has ended."""
    batch = agent.map(["a", "b"], "{{ row }}")
    ended = threading.Event()
    batch.add_done_callback(lambda one: ended.set() if one is batch else None)
    assert ended.wait(T)
    assert batch.done()

    async def wait() -> set[Any]:
        done, _ = await asyncio.wait({batch}, timeout=T)
        return done

    assert asyncio.run(wait()) == {batch}


def test_an_output_as_text_and_as_data(agent: Agent, provider: ScriptedProvider) -> None:
    """`text` is the answer's text, `to_dict` plain data, `is_cancelled` what it says."""
    output = agent.run("?")
    assert output.text == "yes"
    data = output.to_dict()
    assert (data["content"], data["status"], data["run_id"]) == ("yes", "completed", output.run_id)
    assert data["metrics"]["total_tokens"] == 18
    assert data["messages"][0]["role"] == "user"
    assert not output.is_cancelled
    provider.reply(text_reply('{"a": ', "1}"))
    typed = agent.run("?", output_schema={"type": "object", "properties": {"a": {"type": "integer"}}})
    assert (typed.content, typed.text) == ({"a": 1}, '{"a": 1}')
    gate = Gate()
    provider.reply((Wait(gate),))
    run = agent.start("?")
    assert run.cancel()
    assert run.wait(timeout=T).is_cancelled
    assert run.output.status is RunStatus.cancelled


def test_details_answer_to_keys_and_attributes(agent: Agent) -> None:
    """Of a live run and of one that is read from the record; what is not there is an AttributeError that says what is."""
    output = agent.run("?")
    for metrics in (output.metrics, nb.RunMetrics.model_validate(output.metrics.model_dump())):
        (entry,) = metrics.details["model"]
        assert entry["id"] == entry.id == "m"
        assert entry["total_tokens"] == entry.total_tokens == 18
        assert dict(entry) == entry
        with pytest.raises(AttributeError, match="it has provider, id"):
            _ = entry.nothing
