"""Each limit ends a run with its own stop reason, and what the run had by then is kept. Through the whole runtime."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

import nbagent as nb
from nbagent import Agent, ConfigurationError, Limits, OpenAIChat, RunStatus
from nbagent.runtime import current
from nbagent.runtime.execution.pausable_timeout import PausableTimeout
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Script, Silence, Wait, error

Until = Callable[[Callable[[], bool]], None]
PRICED = "gpt-4o-mini"
CALL = tool_reply(("price", {"symbol": "AAPL"}), before=text("I will look."))


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One way to be stopped: the limits, the model's reply, and what the run is then."""

    reason: str
    limits: Limits
    reply: Script
    status: str = "error"
    content: str = "I will look."
    said: str = ""


STALLS = (*text("so far"), Silence())
STOPS = [
    Stop(
        reason="timeout",
        limits=Limits(timeout_s=1.0),
        reply=STALLS,
        status="timeout",
        content="so far",
        said="1 s",
    ),
    Stop(
        reason="idle_timeout",
        limits=Limits(idle_timeout_s=1.0),
        reply=STALLS,
        status="timeout",
        content="so far",
        said="1 s",
    ),
    Stop(reason="max_steps", limits=Limits(max_steps=1), reply=CALL, said="max_steps"),
    Stop(reason="max_total_tokens", limits=Limits(max_total_tokens=18), reply=CALL, said="18 tokens"),
    Stop(reason="max_cost", limits=Limits(max_cost_usd=1e-9), reply=CALL, said="max_cost"),
    Stop(
        reason="max_output_tokens",
        limits=Limits(max_output_tokens=7),
        reply=text_reply("cut of", finish="length"),
        status="completed",
        content="cut of",
    ),
]


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.reason)
def test_each_limit_has_its_stop_reason(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    """Status, stop reason, text, calls and usage are those of the work until then; the store has the same."""
    if stop.reason == "max_cost":
        monkeypatch.setenv("OPENAI_API_KEY", "not-needed")
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        agent.model = f"openai-chat:{PRICED}"
    provider.reply(text_reply("warm"))
    agent.run("Warm up")  # what is loaded at the first call takes its time
    agent.limits, agent.tools = replace(stop.limits, model_retries=0), [price]
    provider.reply(stop.reply)
    output = agent.start("Price of AAPL?").wait(timeout=60)
    assert (output.stop_reason, output.status.value) == (stop.reason, stop.status), output.error
    assert output.content == stop.content
    assert stop.said in (output.error or "")
    assert len(provider.requests) == 2
    assert output.metrics.total_tokens == (None if stop.status == "timeout" else 18)
    if stop.reason == "max_output_tokens":
        assert 7 in provider.bodies[1].values()
    assert current().stored(output.run_id) == output


def test_a_launch_brings_its_limits_once(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool's launch is begun a second time by its timer, 2 s later: limits that were set meanwhile stay."""
    provider.reply(text_reply("warm"), text_reply("a"), text_reply("b"))
    agent.run("Warm up.")
    runtime = current()

    async def on_the_loop() -> nb.Run:
        return agent.start("First")

    with monkeypatch.context() as at_once:
        at_once.setattr("nbagent.runtime.runtime.COMMIT_WAIT_S", 1.0)
        first = runtime.thread.submit(on_the_loop()).result(60)
        first.result(timeout=60)
        monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "3")
        agent.run("Second")
        timer_fired = threading.Event()
        runtime.thread.soon(lambda: runtime.thread.loop.call_later(1.1, timer_fired.set))
        assert timer_fired.wait(60)
    assert runtime.slots.limits.at_a_time == 3


def test_a_queue_timeout_ends_a_run_that_never_began(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends as timeout, without a model call; who is ahead of it goes on."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("yes")))
    first = agent.start("First")
    provider.wait_for_requests(1)
    agent.limits = Limits(queue_timeout_s=0.1)
    second = agent.start("Second").wait(timeout=60)
    assert (second.stop_reason, second.status, second.content) == ("queue_timeout", RunStatus.timeout, "")
    gate.open()
    assert first.result(timeout=60).content == "yes"
    assert len(provider.requests) == 1


def test_a_tool_timeout_is_told_to_the_model(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option tool_timeout bounds every tool call; the run goes on with what the model makes of it."""

    async def stuck() -> None:
        """Never return."""
        await asyncio.Event().wait()

    monkeypatch.setenv("NBAGENT_TOOL_TIMEOUT", "0.05")
    provider.reply(tool_reply(("stuck", {})), text_reply("sorry"))
    output = Agent(model=agent.model, tools=[stuck]).start("Go").result(timeout=60)
    assert output.content == "sorry"
    assert "longer than 0.05 s" in (output.tool_calls[0].error or "")


def test_a_cost_limit_needs_a_price(provider: ScriptedProvider) -> None:
    """Refused at launch, in two lines, and nothing is launched: such a limit would never stop anything."""
    model = OpenAIChat(id="nobody-knows", base_url=provider.base_url, api_key="not-needed")
    with pytest.raises(
        ConfigurationError, match=r"max_cost is set, but the price of .*nobody-knows"
    ) as caught:
        Agent(model=model, limits=Limits(max_cost_usd=1.0)).start("Well?")
    assert "price table" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
    assert nb.runs().empty


def test_a_resume_with_a_cost_limit_needs_a_price_too(agent: Agent, provider: ScriptedProvider) -> None:
    """Limits given to a resume are checked as those of a launch, before the run is claimed."""
    provider.reply(error(400), text_reply("yes"))
    run = agent.start("Well?")
    run.wait(timeout=60)
    with pytest.raises(ConfigurationError, match="price table"):
        run.resume(limits=Limits(max_cost_usd=1.0))
    assert run.resume().result(timeout=60).attempt == 2


def test_a_slot_is_given_back_between_tries(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run waits to try again, another one has the only slot."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    agent.limits = Limits(model_retries=1)
    gate = Gate()
    provider.reply(error(429, "slow down", headers={"retry-after": "1"}), (Wait(gate), *text_reply("second")))
    provider.otherwise(text_reply("first"))
    first = agent.start("First")
    provider.wait_for_requests(1)
    second = agent.start("Second")
    provider.wait_for_requests(2)
    assert provider.bodies[1]["messages"][0]["content"] == "Second"
    gate.open()
    assert [output.content for output in nb.gather(first, second, timeout=60)] == ["first", "second"]


def test_a_pending_run_shows_its_place(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """queue_position is 1 for the next one, moves as others end, and is None for who does not wait."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    gates = [Gate() for _ in range(4)]
    provider.reply(*((Wait(gate), *text_reply("yes")) for gate in gates))
    runs = []
    for n in range(4):
        runs.append(agent.start(f"Question {n}"))
        until(lambda n=n: (n == 0 and len(provider.requests) == 1) or runs[n].queue_position == n)
    assert [run.queue_position for run in runs] == [None, 1, 2, 3]
    runs[1].cancel()
    until(lambda: [run.queue_position for run in runs] == [None, None, 1, 2])
    gates[0].open()
    until(lambda: [run.queue_position for run in runs] == [None, None, None, 1])
    for gate in gates:
        gate.open()
    nb.gather(*runs, timeout=60)
    assert [run.queue_position for run in runs] == [None] * 4


def test_a_pause_stops_the_clock() -> None:
    """The clock of `timeout` counts the work only: it stands while it is paused, also when pauses overlap."""

    async def scenario() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        clock = PausableTimeout(0.1, over.set)
        clock.pause()
        clock.start()
        clock.pause()
        clock.resume()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(over.wait(), 0.3)
        clock.resume()
        began = loop.time()
        await asyncio.wait_for(over.wait(), 60)
        assert loop.time() - began > 0.09

    asyncio.run(scenario())


def test_a_paused_run_outlives_its_timeout(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """pause_clock and resume_clock of a live run hold its timeout; after that it runs out."""
    provider.reply((*text("so far"), Silence()))
    run = agent.start("Well?", timeout=1.5)
    live = current().live(run.run_id)
    assert live is not None
    current().thread.soon(live.node.pause_clocks)
    until(lambda: run.text == "so far")
    with pytest.raises(nb.WaitTimeout):
        run.wait(timeout=1.6)
    current().thread.soon(live.node.resume_clocks)
    assert run.wait(timeout=60).stop_reason == "timeout"


@pytest.mark.parametrize("name", ["max_cost_usd", "timeout_s", "max_total_tokens", "max_steps"])
@pytest.mark.parametrize("value", [float("nan"), "3", True, -1])
def test_a_limit_that_bounds_nothing_is_refused(name, value):
    """What is no number of at least 0 is an error where it is written: NaN would hold for nothing, a text fail late."""
    with pytest.raises(ConfigurationError, match=f"{name} is {value!r}\ngive a number of at least 0"):
        Limits(**{name: value})


@pytest.mark.parametrize("timeout", [float("nan"), "3", -1])
def test_a_timeout_that_is_no_time_is_refused_at_the_launch(timeout):
    """`start(timeout=...)` is held to the same."""
    with pytest.raises(ConfigurationError, match="timeout_s is"):
        Agent(model="demo:assistant").start("Hello", timeout=timeout)
