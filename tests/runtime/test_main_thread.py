"""`@tool(main_thread=True)` in a plain Python process: the main thread does the call while it waits for a run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, RunStatus, tool
from nbagent.runtime import Run
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

Until = Callable[[Callable[[], bool]], None]


@tool(main_thread=True, timeout=60)
def where() -> str:
    """Say which thread this is."""
    return "main" if threading.current_thread() is threading.main_thread() else "another"


def ended(runs: list[Run]) -> None:
    nb.gather(*runs, timeout=60)


def last_event(runs: list[Run]) -> None:
    for run in runs:
        list(run.events())


def awaited(runs: list[Run]) -> None:
    async def scenario() -> None:
        await asyncio.wait_for(asyncio.gather(*runs), 60)

    asyncio.run(scenario())


def streamed(runs: list[Run]) -> None:
    async def scenario() -> None:
        for run in runs:
            async for _ in run.events():
                pass

    asyncio.run(scenario())


WAITS: dict[str, Callable[[list[Run]], Any]] = {
    "result": lambda runs: [run.result(timeout=60) for run in runs],
    "wait": lambda runs: [run.wait(timeout=60) for run in runs],
    "gather": ended,
    "for": last_event,
    "await": awaited,
    "async for": streamed,
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_waiting_does_the_work(
    agent: Agent, provider: ScriptedProvider, wait: Callable[[list[Run]], Any]
) -> None:
    """Every wait on the main thread does what is queued for it, for any run, so that none waits for itself."""
    agent.tools = [where]
    provider.reply(tool_reply(("where", {})), tool_reply(("where", {})))
    provider.otherwise(text_reply("ok"))
    runs = [agent.start("Go"), agent.start("Go")]
    wait(runs)
    outputs = [run.result(timeout=60) for run in runs]
    assert [output.tool_calls[0].result for output in outputs] == ["main", "main"]


def test_a_tool_may_wait_for_a_run_whose_tool_needs_the_main_thread(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """A call on the main thread that blocks in result() does the next call itself."""
    inner = Agent(model=agent.model, tools=[where])

    @tool(main_thread=True)
    def nested() -> str:
        """Run another agent and wait."""
        output = inner.start("Inner").result(timeout=60)
        return f"{where()} {output.tool_calls[0].result}"

    provider.reply(
        tool_reply(("nested", {})), tool_reply(("where", {})), text_reply("inner"), text_reply("outer")
    )
    output = Agent(model=agent.model, tools=[nested]).start("Go").result(timeout=60)
    assert output.tool_calls[0].result == "main main"


def test_a_main_thread_that_is_never_free_is_told_to_the_model(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """After the tool's timeout the model hears why; the call is taken back and never runs."""
    calls: list[str] = []

    @tool(main_thread=True, timeout=0.1)
    def late() -> str:
        """Note the call."""
        calls.append("late")
        return "done"

    provider.reply(tool_reply(("late", {})), text_reply("sorry"))
    run = Agent(model=agent.model, tools=[late]).start("Go")
    over = threading.Event()
    run.future().add_done_callback(lambda _: over.set())
    assert over.wait(60)  # a wait that is not ours: it does nothing for the tool
    (call,) = run.output.tool_calls
    assert (call.status, run.content) == ("error", "sorry")
    assert "waited 0.1 s for the main thread, which was busy" in (call.error or "")
    nb.gather(run)
    assert calls == []


def test_a_cancelled_call_never_reaches_the_main_thread(
    agent: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """It waited for its turn: it is recorded as cancelled, and the next wait does not run it."""
    calls: list[str] = []

    @tool(main_thread=True)
    def never() -> None:
        """Note the call."""
        calls.append("never")

    provider.reply(tool_reply(("never", {})))
    run = Agent(model=agent.model, tools=[never]).start("Go")
    assert run.record is not None
    until(lambda: bool(run.record and run.record.running_tools))
    run.cancel()
    output = run.wait(timeout=60)
    assert (output.status, [call.status for call in output.tool_calls], calls) == (
        RunStatus.cancelled,
        ["cancelled"],
        [],
    )


def test_a_failing_call_is_told_to_the_model(agent: Agent, provider: ScriptedProvider) -> None:
    """What it raises goes to the model, and the waiting thread is not hurt, whatever it is."""

    @tool(main_thread=True)
    def broken() -> None:
        """Fail."""
        raise SystemExit(3)

    provider.reply(tool_reply(("broken", {})), text_reply("sorry"))
    output = Agent(model=agent.model, tools=[broken]).start("Go").result(timeout=60)
    assert (output.content, output.tool_calls[0].error) == ("sorry", "SystemExit: 3")


def test_stop_during_a_call_ends_the_wait(agent: Agent, provider: ScriptedProvider) -> None:
    """An interrupt that hits the tool is also the waiting cell's: the wait ends, the run goes on."""

    @tool(main_thread=True)
    def interrupted() -> None:
        """Be stopped."""
        raise KeyboardInterrupt

    provider.reply(tool_reply(("interrupted", {})), text_reply("sorry"))
    run = Agent(model=agent.model, tools=[interrupted]).start("Go")
    with pytest.raises(KeyboardInterrupt):
        run.result(timeout=60)
    assert run.result(timeout=60).content == "sorry"
