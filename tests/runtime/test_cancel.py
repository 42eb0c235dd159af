"""Cancel is hard and prompt, before the start and during it; what came until then is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import nbagent as nb
from nbagent import Agent, RunError, RunStatus, cancel_run
from nbagent.runtime import current
from nbagent.store import CancelRequest, Store
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait

Until = Callable[[Callable[[], bool]], None]


def test_cancel_of_a_streaming_run_is_final_at_once(
    agent: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """When `cancel` returns the status is final; the server sees the connection close; the text is kept."""
    provider.reply((*text("Once upon"), Silence()))
    run = agent.start("Write a story")
    until(lambda: run.text == "Once upon")
    assert run.cancel() is True
    assert run.status is RunStatus.cancelled
    (request,) = provider.requests
    assert request.disconnected.wait(60)
    output = run.wait(timeout=60)
    assert (output.content, output.stop_reason) == ("Once upon", "cancelled")
    assert output.metrics.input_tokens is None
    assert [call.status for call in output.model_calls] == ["cancelled"]
    assert current().stored(run.run_id).content == "Once upon"
    with pytest.raises(RunError, match="cancelled"):
        run.result(timeout=60)


def test_cancel_before_launch_makes_no_call(agent: Agent, provider: ScriptedProvider) -> None:
    """An id cancelled before it is launched ends `cancelled`; the model is not asked; the wish is used up."""
    assert cancel_run("later") is True
    output = agent.start("Never", run_id="later").wait(timeout=60)
    assert output.status is RunStatus.cancelled
    assert provider.requests == []
    assert current().store.read("select * from cancel_requests") == []


def test_cancel_before_launch_from_another_process(agent: Agent, provider: ScriptedProvider) -> None:
    """The wish may come from anybody who shares the store."""
    other = Store(current().store.path)
    other.submit(CancelRequest("later")).result(60)
    other.close()
    assert agent.start("Never", run_id="later").wait(timeout=60).status is RunStatus.cancelled
    assert provider.requests == []


def test_cancel_of_a_running_run_from_another_process(agent: Agent, provider: ScriptedProvider) -> None:
    """The owner sees a wish of another process within about a second."""
    provider.reply((*text("Once"), Silence()))
    run = agent.start("Write a story")
    other = Store(current().store.path)
    other.submit(CancelRequest(run.run_id)).result(60)
    other.close()
    assert run.wait(timeout=60).status is RunStatus.cancelled


def test_cancel_while_waiting_for_a_slot(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queued run ends without a model call, and the slot goes to the next one."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("yes")))
    first = agent.start("First")
    provider.wait_for_requests(1)
    second, third = agent.start("Second"), agent.start("Third")
    assert second.cancel() is True
    assert second.status is RunStatus.cancelled
    gate.open()
    assert [run.wait(timeout=60).status for run in (first, third)] == [RunStatus.completed] * 2
    assert len(provider.requests) == 2


def test_cancel_of_a_finished_run_changes_nothing(agent: Agent, provider: ScriptedProvider) -> None:
    """It is False, and leaves no wish behind; the same for a run that only the file knows."""
    provider.reply(text_reply("yes"))
    run = agent.start("Well?")
    run.result(timeout=60)
    assert run.cancel() is False
    assert cancel_run(run.run_id) is False
    assert run.status is RunStatus.completed
    assert current().store.read("select * from cancel_requests") == []


@pytest.mark.parametrize("stubborn", [False, True])
def test_nothing_starts_after_a_cancel_during_a_tool(
    agent: Agent, provider: ScriptedProvider, *, stubborn: bool
) -> None:
    """Neither an async tool nor one that swallows its cancellation keeps the run from ending; no call follows."""
    began = Gate()

    async def slow() -> str:
        """Wait for ever."""
        began.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not stubborn:
                raise
        return "late"

    provider.reply(tool_reply(("slow", {})))
    provider.otherwise(text_reply("never"))
    run = Agent(model=agent.model, tools=[slow]).start("Go")
    assert began.reached.wait(60)
    run.cancel()
    assert run.status is RunStatus.cancelled
    assert run.wait(timeout=60).status is RunStatus.cancelled
    assert len(provider.requests) == 1


def test_a_sync_tool_is_abandoned(agent: Agent, provider: ScriptedProvider) -> None:
    """A sync tool cannot be killed: the run ends at once, the call is recorded as abandoned, its result unused."""
    gate, began = Gate(), Gate()

    def slow() -> str:
        """Block."""
        began.reached.set()
        gate.opened.wait(60)
        return "late"

    provider.reply(tool_reply(("slow", {})))
    run = Agent(model=agent.model, tools=[slow]).start("Go")
    assert began.reached.wait(60)
    run.cancel()
    output = run.wait(timeout=60)
    gate.open()
    assert output.status is RunStatus.cancelled
    assert [call.status for call in output.tool_calls] == ["abandoned"]


def test_cancelling_a_foreground_arun_cancels_its_run(agent: Agent, provider: ScriptedProvider) -> None:
    """A task inside `await agent.arun(...)` owns its run."""
    provider.reply((*text("Once"), Silence()))

    async def scenario() -> None:
        task = asyncio.create_task(agent.arun("Write a story", run_id="mine"))
        await asyncio.to_thread(provider.wait_for_requests, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert nb.get("mine").wait(timeout=60).status is RunStatus.cancelled
