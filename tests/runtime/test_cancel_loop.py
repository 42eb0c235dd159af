"""Cancel in the phases of the loop between and around its model calls; those of a call are in `test_cancel_phases.py`.

Each time the run is final when `cancel` returns, and neither the server's nor the tools' log shows anything that began after.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import threading

import pytest

from nbagent import Agent, Limits, Run, RunStatus, tool
from nbagent.runtime import current
from tests.harness.waiting import until
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait, error

QUIET_S = 0.3  # as long as nothing may begin


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """The SDK's import is no part of the times."""
    importlib.import_module("aiohttp")


def cancelled_at_once(run: Run) -> None:
    """Cancel, and hold that it is final at once."""
    assert run.cancel() is True
    assert run.status is RunStatus.cancelled
    assert run.wait(timeout=60).stop_reason == "cancelled"


def nothing_follows(provider: ScriptedProvider, requests: int) -> None:
    """Hold that no more requests than these come."""
    with pytest.raises(AssertionError):
        provider.wait_for_requests(requests + 1, timeout=QUIET_S)


def test_while_it_waits_for_its_sessions_turn(agent: Agent, provider: ScriptedProvider) -> None:
    """The run ends without a call; the run before it goes on, and the one behind it still comes after that one."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")))
    provider.otherwise(text_reply("three"))
    first, second, third = (agent.start(prompt, session_id="s") for prompt in "123")
    assert gate.reached.wait(60)
    cancelled_at_once(second)
    nothing_follows(provider, 1)
    assert (first.status, third.status) == (RunStatus.running, RunStatus.pending)
    gate.open()
    assert [run.result(timeout=60).content for run in (first, third)] == ["one", "three"]
    assert [one["content"] for one in provider.bodies[1]["messages"]] == ["1", "one", "3"]


def test_a_failed_wait_is_passed_on_through_many(agent: Agent, provider: ScriptedProvider) -> None:
    """However many of those who wait are cancelled, in whatever order, the last one waits for who is at work."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")))
    provider.otherwise(text_reply("last"))
    runs = [agent.start(str(number), session_id="s") for number in range(6)]
    assert gate.reached.wait(60)
    for number in (3, 1, 2, 4):
        cancelled_at_once(runs[number])
    nothing_follows(provider, 1)
    gate.open()
    assert runs[5].result(timeout=60).content == "last"


def test_a_launch_after_a_cancel_in_the_queue_waits_for_who_is_at_work(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """The session is busy as long as its first run is, though the last one of its queue is gone."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")))
    provider.otherwise(text_reply("three"))
    first, second = (agent.start(prompt, session_id="s") for prompt in "12")
    assert gate.reached.wait(60)
    cancelled_at_once(second)
    third = agent.start("3", session_id="s")
    nothing_follows(provider, 1)
    gate.open()
    assert [run.result(timeout=60).content for run in (first, third)] == ["one", "three"]


def test_a_launch_that_clears_its_session(agent: Agent, provider: ScriptedProvider) -> None:
    """`on_busy="cancel"` ends whoever is at work and all who wait; none of those begins in between."""
    provider.reply((Silence(),))
    provider.otherwise(text_reply("new"))
    others = [agent.start(prompt, session_id="s") for prompt in "123"]
    provider.wait_for_requests(1)
    agent.on_busy = "cancel"
    assert agent.start("4", session_id="s").result(timeout=60).content == "new"
    assert [run.wait(timeout=60).status for run in others] == [RunStatus.cancelled] * 3
    assert len(provider.requests) == 2


def test_a_run_that_waited_keeps_nobody_in_memory(agent: Agent, provider: ScriptedProvider) -> None:
    """A session's queue is gone with its last run, and holds none of them."""
    provider.otherwise(text_reply("ok"))
    runs = [agent.start("Well?", session_id="s") for _ in range(4)]
    for run in runs:
        run.result(timeout=60)
    assert current().sessions._queues == {}


def test_between_steps(agent: Agent, provider: ScriptedProvider) -> None:
    """Cancelled by its own tool in the moment of its end, a run asks the model no more and calls no other tool."""
    called: list[str] = []

    async def last() -> str:
        """Cancel the run that this is part of, and return as if nothing were."""
        called.append("last")
        agent_run[0].cancel()
        return "done"

    gate, agent_run = Gate(), []
    provider.reply((Wait(gate), *tool_reply(("last", {}))))
    provider.otherwise(tool_reply(("last", {})))
    run = Agent(model=agent.model, tools=[last]).start("Go")
    agent_run.append(run)
    gate.open()
    assert run.wait(timeout=60).stop_reason == "cancelled"
    nothing_follows(provider, 1)
    assert called == ["last"]


def test_while_a_tools_request_is_made_durable(agent: Agent, provider: ScriptedProvider) -> None:
    """A run that waits for the store before its tool starts ends, and the tool never does."""
    called: list[str] = []

    def buy() -> str:
        """Buy it."""
        called.append("buy")
        return "bought"

    gate = Gate()
    provider.reply((Wait(gate), *tool_reply(("buy", {}))))
    run = Agent(model=agent.model, tools=[buy]).start("Go")
    assert gate.reached.wait(60)
    with current().store.path.with_name("runs.duckdb.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process that has its turn
        gate.open()
        until(lambda: bool(run.output.messages[1:]))
        assert run.cancel() is True
        assert run.status is RunStatus.cancelled
    assert run.wait(timeout=60).stop_reason == "cancelled"
    nothing_follows(provider, 1)
    assert called == []


def test_in_the_pause_before_a_tools_next_try(agent: Agent, provider: ScriptedProvider) -> None:
    """A tool that failed and would be called again is not."""
    failed = threading.Event()
    called: list[str] = []

    @tool(retries=5)
    def fails() -> str:
        """Fail."""
        called.append("fails")
        failed.set()
        raise ValueError("not now")

    provider.reply(tool_reply(("fails", {})))
    run = Agent(model=agent.model, tools=[fails]).start("Go")
    assert failed.wait(60)
    cancelled_at_once(run)
    before = list(called)
    nothing_follows(provider, 1)
    assert called == before


@pytest.mark.parametrize("sync", [True, False])
def test_one_of_several_tools_is_at_work(agent: Agent, provider: ScriptedProvider, *, sync: bool) -> None:
    """The finished ones are kept, the one at work is recorded as cut off, and the model is not asked again."""
    gate, began = Gate(), threading.Event()

    def quick() -> str:
        """Answer."""
        return "quick"

    def slow() -> str:
        """Block in a thread."""
        began.set()
        gate.opened.wait(60)
        return "late"

    async def slow_awaited() -> str:
        """Wait on the loop."""
        began.set()
        await asyncio.Event().wait()
        return "never"

    at_work = slow if sync else slow_awaited
    provider.reply(tool_reply(("quick", {}), (at_work.__name__, {})))
    run = Agent(model=agent.model, tools=[quick, at_work]).start("Go")
    assert began.wait(60)
    until(lambda: run.output.tool_calls)  # a finished call has no event for another thread
    cancelled_at_once(run)
    gate.open()
    nothing_follows(provider, 1)
    calls = {call.name: call.status for call in run.output.tool_calls}
    assert calls == {"quick": "completed", at_work.__name__: "abandoned" if sync else "cancelled"}


def test_while_a_main_thread_tool_waits_for_the_main_thread(agent: Agent, provider: ScriptedProvider) -> None:
    """A call that the busy main thread has not taken up yet is never made."""
    called: list[str] = []

    @tool(main_thread=True)
    def here() -> str:
        """Work on the main thread."""
        called.append("here")
        return "done"

    provider.reply(tool_reply(("here", {})))
    run = Agent(model=agent.model, tools=[here]).start("Go")
    record = run.record
    assert record is not None
    until(lambda: record.running_tools)  # a tool that begins has no event for another thread
    cancelled_at_once(run)
    nothing_follows(provider, 1)
    assert called == []


def test_in_the_pause_before_another_try_of_a_later_step(agent: Agent, provider: ScriptedProvider) -> None:
    """Also after a tool: the run ends in the pause, its slot is free, the try is never made."""

    def price() -> float:
        """Price it."""
        return 1.0

    provider.reply(tool_reply(("price", {})), error(429, "slow", headers={"retry-after": "20"}))
    run = Agent(model=agent.model, tools=[price], limits=Limits(model_retries=3)).start("Go")
    *_, sent = provider.wait_for_requests(2)
    assert sent.answered.wait(60)
    record = run.record
    assert record is not None
    until(lambda: record.retry_in_s is not None)  # a pause has no event for another thread
    until(lambda: current().slots.held == 0)  # the pause is announced first, in the same step of the loop
    cancelled_at_once(run)
    nothing_follows(provider, 2)


def test_many_at_once(agent: Agent, provider: ScriptedProvider) -> None:
    """Fifty runs, at work and in the queue, are final soon after each other, and none of the queue begins."""
    provider.otherwise((Silence(),))
    runs = [agent.start("Well?", session_id=f"s{number % 25}") for number in range(50)]
    provider.wait_for_requests(25)
    for run in reversed(runs):
        cancelled_at_once(run)
    nothing_follows(provider, 25)
