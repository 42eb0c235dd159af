"""Answers that are given again: what a hit is, what misses, and what a launch says when it must not ask."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, Provider, RunStatus, runtime
from nbagent.errors import MissingKeyError, NoRecordedAnswerError, RunError
from nbagent.events import AnswerReused, RunFinished
from nbagent.store import load_run
from tests.provider.chat_wire import json_reply, text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Gate, Silence, Wait, error
from tests.runtime.scripted_team import Cast, asks, team

USED = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}


def price(symbol: str) -> float:
    """Say what a share costs."""
    return {"A": 1.5}.get(symbol, 2.5)


def asked_nothing(provider: ScriptedProvider, requests: int, connections: int) -> bool:
    """Whether no request and no connection came since."""
    return len(provider.requests) == requests and provider.connections_opened == connections


def test_a_hit_is_a_run_of_its_own_that_reads_like_the_first(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """Text, messages and tool calls are the first run's, live and read back; tokens and cost are 0, nothing is asked."""
    agent.tools = [price]
    provider.reply(tool_reply(("price", {"symbol": "A"})), text_reply("It ", "costs 1.5."))
    first = agent.start("Price of A?").result(timeout=60)
    before = len(provider.requests), provider.connections_opened
    run = agent.start("Price of A?", cache="use", label="again")
    live, stored = run.result(timeout=60), load_run(runtime.current().store, run.run_id)
    assert asked_nothing(provider, *before)
    assert stored is not None
    for output in (live, stored):
        assert output.run_id != first.run_id
        assert output.session_id != first.session_id
        assert (output.status, output.cached_from) == (RunStatus.completed, first.run_id)
        assert (output.content, output.stop_reason) == (first.content, first.stop_reason)
        assert output.messages == first.messages
        assert output.tool_calls == first.tool_calls
        assert output.model_calls == ()
        assert output.metrics.cost_usd == 0
        assert output.metrics.total_tokens == output.metrics.input_tokens == 0
        assert (output.metrics.model_calls, output.metrics.tool_calls) == (0, 0)
        assert "cached_from" in repr(output)
    assert run.text == "It costs 1.5."
    assert run.cached_from == first.run_id
    assert f"cached from {first.run_id}" in repr(run)
    assert first.cached_from is None


def test_nothing_is_counted_twice(agent: Agent, provider: ScriptedProvider) -> None:
    """Every frame and the session's metrics count the first run's calls once, and know the share that was reused."""
    agent.tools = [price]
    provider.reply(tool_reply(("price", {"symbol": "A"})), text_reply("1.5"), text_reply("Bye."))
    agent.start("Price of A?", session_id="s").result(timeout=60)
    agent.start("Price of A?", session_id="t", cache="use").result(timeout=60)
    assert nb.metrics.by_model()[["runs", "model_calls", "total_tokens"]].values.tolist() == [[1, 2, 36]]
    assert nb.metrics.by_tool()[["runs", "tool_calls"]].values.tolist() == [[1, 1]]
    sessions = nb.metrics.by_session().set_index("session_id")
    assert sessions.loc["t", ["cached_runs", "cached_rate", "model_calls", "tool_calls"]].tolist() == [
        1,
        1,
        0,
        0,
    ]
    runs = nb.runs()
    assert runs["total_tokens"].tolist() == [36, 0]
    assert runs["cost_usd"].isna().tolist() == [True, False]
    assert runs["tool_calls"].tolist() == [1, 0]
    assert runs["cached_from"].isna().tolist() == [True, False]
    assert agent.get_session_metrics("t").total_tokens == 0
    assert agent.get_session_metrics("t").tool_calls == 0
    # the session goes on from what it was given
    agent.start("Thanks", session_id="t").result(timeout=60)
    assert [m["role"] for m in provider.bodies[-1]["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert agent.get_session_metrics("t").total_tokens == 18


@pytest.mark.parametrize("cache", ["use", "replay"])
def test_a_typed_answer_is_typed_again(agent: Agent, provider: ScriptedProvider, cache: str) -> None:
    """The content of a hit is the value of its schema."""
    provider.reply(json_reply({"items": [{"city": "Rome"}]}))
    schema = list[dict[str, str]]
    first = agent.start("Cities?", output_schema=schema).result(timeout=60)
    run = agent.start("Cities?", output_schema=schema, cache=cache)
    assert run.result(timeout=60).content == first.content == [{"city": "Rome"}]
    assert run.to_frame()["city"].tolist() == ["Rome"]
    assert run.text == '{"items": [{"city": "Rome"}]}'


def changed(**changes: Any) -> Callable[[Agent], Agent]:
    """Return what changes an agent."""
    return lambda agent: replace(agent, **changes)


def other(symbol: str) -> float:
    """Say what a share costs."""
    return 2.5 if symbol else 0.0


other.__name__ = other.__qualname__ = "price"


@pytest.mark.parametrize(
    ("change", "prompt"),
    [
        (changed(), "Price of A!"),
        (changed(instructions="Be brief."), "Price of A?"),
        (changed(tools=[other]), "Price of A?"),
        (changed(output_schema=dict[str, str]), "Price of A?"),
        (changed(name="other"), "Price of A?"),
    ],
    ids=["prompt", "instructions", "a tool's body", "schema", "name"],
)
def test_what_decides_the_answer_misses(
    agent: Agent, provider: ScriptedProvider, change: Callable[[Agent], Agent], prompt: str
) -> None:
    """`use` asks anew for a changed prompt, tool body, schema, instruction or name; `replay` refuses."""
    agent.tools = [price]
    provider.otherwise(json_reply({"a": "b"}))
    agent.start("Price of A?").result(timeout=60)
    with pytest.raises(NoRecordedAnswerError):
        change(agent).start(prompt, cache="replay")
    assert len(provider.requests) == 1
    run = change(agent).start(prompt, cache="use")
    assert run.result(timeout=60).cached_from is None
    assert len(provider.requests) == 2


def test_tags_labels_ids_and_time_limits_do_not_miss(agent: Agent, provider: ScriptedProvider) -> None:
    """What says where and how long a run works is no part of what was asked."""
    provider.reply(text_reply("yes"))
    agent.start("Well?").result(timeout=60)
    agent.limits = Limits(timeout_s=3, model_retries=2)
    run = agent.start(
        "Well?", cache="use", run_id="mine", label="x", tags={"a": "b"}, timeout=9, session_id="s"
    )
    assert run.result(timeout=60).cached_from is not None


def test_the_newest_completed_run_answers(agent: Agent, provider: ScriptedProvider) -> None:
    """`refresh` asks again and is the answer from then on; what failed or was cut off is none."""
    provider.reply(text_reply("one"), text_reply("two"), error(400, "no"), (*text("thr"), Drop()))
    agent.start("Well?").result(timeout=60)
    assert agent.start("Well?", cache="refresh").result(timeout=60).content == "two"
    assert agent.start("Well?", cache="use").result(timeout=60).content == "two"
    for _ in range(2):
        assert agent.start("Well?", cache="refresh").wait(timeout=60).status is RunStatus.error
    assert agent.start("Well?", cache="replay").result(timeout=60).content == "two"
    assert len(provider.requests) == 4


def test_a_hit_is_no_answer_itself(agent: Agent, provider: ScriptedProvider) -> None:
    """A hit after a hit names the run that was asked."""
    provider.reply(text_reply("one"))
    first = agent.start("Well?").result(timeout=60)
    hits = [agent.start("Well?", cache="use").result(timeout=60) for _ in range(3)]
    assert {hit.cached_from for hit in hits} == {first.run_id}


def test_replay_says_what_is_missing_in_two_lines_and_touches_nothing(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """A miss raises in the launching cell; the run is there as a failed one; nothing was sent, no key was read."""
    with pytest.raises(NoRecordedAnswerError) as caught:
        agent.start("What is the capital of France?", cache="replay", run_id="mine")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "'What is the capital of France?'" in lines[0]
    assert 'cache="use"' in lines[1]
    assert asked_nothing(provider, 0, 0)
    run = nb.get("mine")
    assert (run.status, run.error_type) == (RunStatus.error, "NoRecordedAnswerError")
    with pytest.raises(RunError, match="no recorded answer"):
        run.result(timeout=60)


def test_no_key_is_needed_for_a_hit(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key gone a recorded answer is given and nothing is asked; a miss says that the key is missing."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
    provider.reply(text_reply("yes"))
    agent = Agent(model="openai-chat:m-1")
    agent.start("Well?").result(timeout=60)
    monkeypatch.delenv("OPENAI_API_KEY")
    for cache in ("use", "replay"):
        assert agent.start("Well?", cache=cache).result(timeout=60).content == "yes"
    assert len(provider.requests) == 1
    # a connection to this would fail the test: it leaves the machine
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.com/v1")
    with pytest.raises(MissingKeyError):
        agent.start("Other?", cache="use")
    with pytest.raises(NoRecordedAnswerError):
        agent.start("Other?", cache="replay")


def test_a_session_is_replayed_turn_by_turn(agent: Agent, provider: ScriptedProvider) -> None:
    """The history is part of the key: the same turns hit one after the other, also launched at once; another misses."""
    provider.reply(text_reply("Paris."), text_reply("Lyon."), text_reply("Berlin."))
    for prompt in ("Capital?", "And the second?"):
        agent.start(prompt, session_id="s").result(timeout=60)
    runs = [agent.start(prompt, session_id="t", cache="replay") for prompt in ("Capital?", "And the second?")]
    assert [output.content for output in nb.gather(*runs, timeout=60)] == ["Paris.", "Lyon."]
    late = agent.start("And the second?", session_id="u", cache="use").result(timeout=60)
    assert (late.content, late.cached_from) == ("Berlin.", None)


def test_a_launch_does_not_wait_for_the_run_before_it(agent: Agent, provider: ScriptedProvider) -> None:
    """In a busy session the look-up comes with the turn: the launch returns, a miss is the run's failure."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")))
    first = agent.start("One", session_id="s", cache="use")
    second = agent.start("Two", session_id="s", cache="replay")
    assert second.status is RunStatus.pending
    gate.open()
    assert first.result(timeout=60).content == "one"
    assert second.wait(timeout=60).error_type == "NoRecordedAnswerError"
    assert len(provider.requests) == 1


def test_a_team_is_answered_whole(provider: ScriptedProvider) -> None:
    """A team's hit starts no member; it shows the members' runs of the first, and costs nothing."""
    Cast(provider, leader=[asks(("ann", "think")), text_reply("done")], ann=text_reply("thought"))
    desk = team(provider.base_url, "ann")
    first = desk.start("Well?").result(timeout=60)
    hit = desk.start("Well?", cache="replay")
    for output in (hit.result(timeout=60), load_run(runtime.current().store, hit.run_id)):
        assert output is not None
        assert (output.content, output.cached_from) == ("done", first.run_id)
        assert [one.run_id for one in output.member_responses] == [
            one.run_id for one in first.member_responses
        ]
        assert output.metrics.total_tokens == 0
    assert len(provider.requests) == 3
    # a member's own run is no answer to whoever asks the same
    with pytest.raises(NoRecordedAnswerError):
        desk.members[0].start("think", cache="replay")


def test_listeners_hear_a_hit(agent: Agent, provider: ScriptedProvider) -> None:
    """`on_event` and `events()` hear whose answer it is, then what was, to the end."""
    provider.reply(text_reply("yes"))
    first = agent.start("Well?").result(timeout=60)
    heard: list[Any] = []
    run = agent.start("Well?", cache="use", on_event=heard.append)
    run.result(timeout=60)
    late = list(run.events())
    assert AnswerReused(first.run_id) in late
    assert isinstance(late[-1], RunFinished)


def test_the_mode_is_the_agents_or_the_configured_one(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call's mode wins over the agent's, that over the option; by default everything is asked."""
    provider.otherwise(text_reply("yes"))
    for _ in range(2):
        assert agent.start("Well?").result(timeout=60).cached_from is None
    monkeypatch.setenv("NBAGENT_CACHE", "use")
    assert agent.start("Well?").result(timeout=60).cached_from is not None
    agent.cache = "off"
    assert agent.start("Well?").result(timeout=60).cached_from is None
    assert agent.start("Well?", cache="replay").result(timeout=60).cached_from is not None


def test_a_hit_can_be_cancelled_retried_and_forecast_like_any_run(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """It has ended: cancelling it is False; retrying it asks."""
    provider.otherwise(text_reply("yes"))
    agent.start("Well?").result(timeout=60)
    run = agent.start("Well?", cache="use")
    run.result(timeout=60)
    assert run.cancel() is False
    assert run.retry(agent=agent).result(timeout=60).cached_from is None
    assert len(provider.requests) == 2


def test_a_run_cancelled_before_its_launch_is_given_no_answer(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """The cancel comes first, and the launch does not wait for an answer."""
    provider.reply(text_reply("yes"), (*text("a"), Silence()))
    agent.start("Well?").result(timeout=60)
    nb.cancel_run("mine")
    run = agent.start("Well?", cache="use", run_id="mine")
    assert run.wait(timeout=60).status is RunStatus.cancelled


def test_a_hit_is_quick(agent: Agent, provider: ScriptedProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """A launch that is a hit returns with its run ended, soon; the times are printed."""
    provider.reply(text_reply("yes"))
    agent.start("Well?").result(timeout=60)
    times = []
    for _ in range(30):
        began = time.perf_counter()
        run = agent.start("Well?", cache="use")
        times.append((time.perf_counter() - began) * 1000)
        assert run.status is RunStatus.completed
    with capsys.disabled():
        print(f"\na hit: median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms", end="")
    assert len(provider.requests) == 1


SERVERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "another server": lambda _: {"base_url": "http://127.0.0.1:9/v1"},
    "another deployment of one server": lambda url: {
        "base_url": f"{url.removesuffix('/v1')}/deployments/b/v1"
    },
    "another version by its query": lambda url: {"base_url": f"{url}?api-version=2"},
    "another provider's row": lambda url: {"base_url": url, "provider": Provider(name="house", base_url=url)},
}


@pytest.mark.parametrize("other", SERVERS)
def test_a_model_elsewhere_is_another_model(provider: ScriptedProvider, other: str) -> None:
    """Two servers may call two models alike: the answer of one is never given for the other, nor in a batch."""
    provider.reply(text_reply("yes"), text_reply("a"), text_reply("b"))
    here = Agent(
        model=OpenAIChat(id="m", base_url=provider.base_url, api_key="k"), limits=Limits(model_retries=0)
    )
    there = replace(here, model=OpenAIChat(id="m", api_key="k", **SERVERS[other](provider.base_url)))
    here.start("Well?").result(timeout=60)
    with pytest.raises(NoRecordedAnswerError):
        there.start("Well?", cache="replay")
    assert here.start("Well?", cache="replay").result(timeout=60).content == "yes"
    here.map(["x", "y"], "Label {{ row }}").result(timeout=60)
    assert not there.map(["x", "y"], "Label {{ row }}").result(timeout=60)["from_earlier"].any()
    assert here.map(["x", "y"], "Label {{ row }}").result(timeout=60)["from_earlier"].all()


@pytest.mark.parametrize("userinfo", ["", "ann:secret@", "bob@"])
def test_who_asks_is_no_part_of_where_a_model_is(provider: ScriptedProvider, userinfo: str) -> None:
    """User and password in a base URL, like a key, leave the answer's key as it is."""
    provider.reply(text_reply("yes"))
    Agent(model=OpenAIChat(id="m", base_url=provider.base_url, api_key="k")).start("Well?").result(timeout=60)
    url = provider.base_url.replace("://", f"://{userinfo}")
    asked = Agent(model=OpenAIChat(id="m", base_url=url, api_key="other")).start("Well?", cache="replay")
    assert asked.result(timeout=60).content == "yes"
