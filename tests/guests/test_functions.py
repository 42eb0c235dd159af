"""Plain async functions and generators as guests, and what every guest has; no framework is needed."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

import nbagent as nb
from nbagent import Limits, RunStatus, Team
from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.magics.launch_options import agent_named
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.runtime.scripted_team import Cast, asks, model

T = 30


async def shout(prompt: str) -> str:
    """Shout."""
    return prompt.upper()


async def words(prompt: str) -> AsyncIterator[str]:
    """Give word after word."""
    for word in prompt.split():
        yield f"{word} "


class Backwards:
    """An object that is called as an async function is."""

    async def __call__(self, prompt: str) -> str:
        """Say it backwards."""
        return prompt[::-1]


@dataclass
class City:
    """A typed answer."""

    name: str
    people: int


@pytest.mark.parametrize(
    ("function", "name", "answer"),
    [
        (shout, "shout", "A B"),
        (words, "words", "a b "),
        (Backwards(), "Backwards", "b a"),
        (functools.partial(shout), "shout", "A B"),
        (Backwards().__call__, "__call__", "b a"),
    ],
)
def test_whatever_is_called_as_an_async_function_runs(function: Any, name: str, answer: str) -> None:
    """It has the verbs of an agent, and its run is in the record as a guest's."""
    guest = nb.guest(function)
    run = guest.start("a b")
    output = run.result(timeout=T)
    assert (output.content, output.kind, output.agent_name, run.text) == (answer, "guest", name, answer)
    assert nb.get(run.run_id).output.content == answer
    assert output.metrics.model_calls == 0
    assert output.metrics.total_tokens is None
    assert [message.role for message in output.messages] == ["user", "assistant"]


@pytest.mark.parametrize("wrong", [str.upper, lambda prompt: prompt, 5, "agent", None, object(), dict, City])
def test_what_cannot_be_a_guest_is_refused(wrong: Any) -> None:
    """Two lines: what it is, and what to give instead."""
    with pytest.raises(ConfigurationError) as caught:
        nb.guest(wrong)
    assert len(str(caught.value).splitlines()) == 2


def test_text_of_a_generator_comes_as_it_comes() -> None:
    """Each piece is an event before the next one is there."""
    gate = threading.Event()

    async def slow(prompt: str) -> AsyncIterator[str]:
        yield "first "
        await asyncio.to_thread(gate.wait, T)
        yield prompt

    run = nb.guest(slow).start("second")
    for event in run.events():
        if isinstance(event, nb.events.TextAdded):
            assert run.text in {"first ", "first second"}
            gate.set()
    assert run.output.content == "first second"


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ("text", "text"),
        (5, 5),
        (None, ""),
        ({"a": [1, 2]}, {"a": [1, 2]}),
        (["é", "\U0001f600"], ["é", "\U0001f600"]),
    ],
)
def test_whatever_a_function_gives_is_its_answer(given: Any, content: Any) -> None:
    """Data stays data; what is no text is shown as text too."""

    async def give(_prompt: str) -> Any:
        return given

    assert nb.guest(give).run("?").content == content


@pytest.mark.parametrize(
    "given", [City("Lima", 10), {"name": "Lima", "people": 10}, '{"name": "Lima", "people": 10}']
)
def test_typed_answers(given: Any) -> None:
    """A value of the class is kept as it is, data and JSON text are read."""

    async def give(_prompt: str) -> Any:
        return given

    run = nb.guest(give).start("?", output_schema=City)
    assert run.result(timeout=T).content == City("Lima", 10)
    assert run.to_frame().to_dict("records") == [{"name": "Lima", "people": 10}]


@pytest.mark.parametrize("given", ["no JSON", {"name": "Lima"}, 5, None])
def test_an_answer_that_does_not_fit_is_not_sent_back(given: Any) -> None:
    """The run is an error that says so; what was given is kept."""
    asked = []

    async def give(prompt: str) -> Any:
        asked.append(prompt)
        return given

    output = nb.guest(give).run("?", output_schema=City)
    assert (output.status, output.stop_reason, output.output_valid) == (
        RunStatus.error,
        "invalid_output",
        False,
    )
    assert "is not sent back" in (output.error or "")
    assert asked == ["?"]


def test_history_is_given_to_whoever_takes_it() -> None:
    """A second argument gets the session as messages; `input` is given the same."""
    seen: list[Any] = []

    async def chat(prompt: str, history: list[dict[str, Any]]) -> str:
        seen.append([(message["role"], message["content"]) for message in history])
        return f"heard {prompt}"

    guest = nb.guest(chat)
    guest.run("one", session="s")
    guest.run("two", session="s")
    assert seen == [[], [("user", "one"), ("assistant", "heard one")]]
    shaped = nb.guest(
        shout, input=lambda prompt, history: f"{prompt} after {len(history)}", output=lambda text: text + "!"
    )
    assert shaped.run("three", session="s").content == "THREE AFTER 4!"


def test_what_a_function_raises_is_the_runs_error() -> None:
    """Its type, its text and its traceback are on the run."""

    async def fail(prompt: str) -> str:
        raise LookupError(prompt)

    output = nb.guest(fail).run("gone")
    assert (output.status, output.error_type, output.error) == (RunStatus.error, "LookupError", "gone")
    assert "async def" not in (output.traceback or "")
    assert "LookupError" in (output.traceback or "")


def test_cancel_is_its_cancellation() -> None:
    """The function is cancelled where it awaits, and cleans up."""
    at_work, cleaned = threading.Event(), threading.Event()

    async def wait(_prompt: str) -> AsyncIterator[str]:
        try:
            yield "part"
            at_work.set()
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    run = nb.guest(wait).start("?")
    assert at_work.wait(T)
    assert run.cancel()
    assert cleaned.wait(T)
    output = run.wait(timeout=T)
    assert (output.status, output.content) == (RunStatus.cancelled, "part")


def test_a_function_is_a_teams_member_and_a_contender(provider: ScriptedProvider) -> None:
    """It is taken as it is wherever an agent is."""
    Cast(provider, leader=[asks(("shout", "abc")), text_reply("done")])
    leader = model(provider.base_url, "leader")
    output = Team(model=leader, members=[shout]).run("Go")
    assert [member.content for member in output.member_responses] == ["ABC"]
    frame = nb.compare({"a": shout, "b": words}, "x y")
    assert frame["answer"].tolist() == ["X Y", "x y "]
    assert agent_named("mine", {"mine": shout}).name == "mine"


def test_rows_of_a_table() -> None:
    """Each row is a run; rows that were asked before are asked again, as nobody knows what a guest reads."""
    asked = []

    async def count(prompt: str) -> str:
        asked.append(prompt)
        return prompt * 2

    for _ in range(2):
        assert nb.guest(count).map(["a", "b"], "{{ row }}").wait(timeout=T)["content"].tolist() == [
            "aa",
            "bb",
        ]
    assert sorted(asked) == ["a", "a", "b", "b"]
    with pytest.raises(UnknownOptionError, match="asks its model by itself"):
        nb.guest(count).map(["a"], "{{ row }}", mode="provider-batch")


def test_what_is_its_own_is_not_set_here() -> None:
    """Model, instructions, tools and settings stand on the framework's own object."""
    from dataclasses import replace

    for changes in (
        {"instructions": "Be brief."},
        {"tools": [len]},
        {"settings": nb.ModelSettings(temperature=0)},
    ):
        with pytest.raises(UnknownOptionError, match="has its own"):
            replace(nb.guest(shout), **changes).start("?")  # type: ignore[arg-type]


def test_limits_that_do_not_hold_are_said_at_launch(capsys: pytest.CaptureFixture[str]) -> None:
    """Once for each guest and limit, in one line."""

    async def quiet(prompt: str) -> str:
        return prompt

    guest = nb.guest(quiet, limits=Limits(max_total_tokens=5, model_retries=0))
    guest.run("?", cache="use")
    guest.run("?", cache="use")
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "model_retries has no effect" in line] == said[:1] or len(said) == 3
    assert all("'quiet'" in line for line in said)


def test_its_runs_are_retried_not_resumed() -> None:
    """A failed run says that it cannot go on; a retry finds the guest in the notebook or is given it."""
    failing = [True]

    async def once(prompt: str) -> str:
        if failing:
            failing.clear()
            raise OSError(prompt)
        return prompt

    guest = nb.guest(once)
    run = guest.start("?")
    assert run.wait(timeout=T).status is RunStatus.error
    with pytest.raises(ConfigurationError, match=r"cannot go on from where it stood\nstart its work anew"):
        run.resume()
    assert run.retry().result(timeout=T).content == "?"
    assert run.retry(agent=guest).result(timeout=T).content == "?"
    with pytest.raises(ConfigurationError, match="the run is one of a guest"):
        run.retry(agent=nb.Agent(model="demo:assistant"))


def test_a_timeout_ends_it() -> None:
    """A run's own time limit holds as for any other."""

    async def endless(_prompt: str) -> str:
        await asyncio.Event().wait()
        return ""

    assert nb.guest(endless).start("?", timeout=0.05).wait(timeout=T).status is RunStatus.timeout


_IMPORTS = """
import sys
import nbagent as nb
async def shout(prompt): return prompt.upper()
assert nb.guest(shout).run("a").content == "A"
print(sorted({"pydantic_ai", "agents", "agno", "agent_framework", "langgraph", "langchain_core"} & set(sys.modules)))
"""


def test_no_framework_is_imported_for_a_function() -> None:
    """A library is imported where an object of it is there, and not to find out whether one is."""
    done = subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
