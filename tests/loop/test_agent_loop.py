"""The loop performs what decide says: it asks, calls tools, asks again, and emits every fact once."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from nbagent.errors import ProviderOverloadedError, ProviderRefusedError, ProviderUnreachableError
from nbagent.events import (
    Event,
    MessageAdded,
    ModelCall,
    ModelCallFinished,
    ModelCallStarted,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
)
from nbagent.loop import LoopContext, LoopState, OpenGate, run_loop
from nbagent.models.protocol import ReplyStarted, TextDelta
from nbagent.run import RunLaunch, RunRecord, RunStatus
from nbagent.spec import AgentSpec, Limits
from nbagent.tools import tool, tools_of
from tests.loop.scripted_model import ScriptedModel, Step, perform, says, wants

QUICK = Limits(model_retries=2)


def spec_of(*tools: Any, **changes: Any) -> AgentSpec:
    return replace(AgentSpec(name="a", model="scripted:one", limits=QUICK, tools=tools_of(tools)), **changes)


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def calls(events: list[Event]) -> list[ModelCall]:
    return [event.call for event in events if isinstance(event, ModelCallFinished)]


def tool_calls(events: list[Event]) -> list[ToolCall]:
    return [event.call for event in events if isinstance(event, ToolCallFinished)]


def ending(events: list[Event]) -> RunFinished:
    (end,) = (event for event in events if isinstance(event, RunFinished))
    return end


def told(model: ScriptedModel) -> str:
    """What the model's last request says of the last tool."""
    return model.requests[-1].messages[-1].content


def test_a_plain_answer_emits_each_fact_in_order() -> None:
    """One call: started, asked, text, call ended, message, finished."""
    events = perform(spec_of(), ScriptedModel(says("Paris.")))
    assert kinds(events) == [
        cls.__name__
        for cls in (RunStarted, ModelCallStarted, TextAdded, ModelCallFinished, MessageAdded, RunFinished)
    ]
    assert ending(events).content == "Paris."
    assert calls(events)[0].ttft_s is not None


def test_instructions_are_sent_and_not_kept_in_history() -> None:
    """The system message goes with every request and is no part of the messages that a session keeps."""
    model = ScriptedModel(says("Yes."))
    events = perform(spec_of(instructions="Be brief."), model)
    assert model.requests[0].messages[0].content == "Be brief."
    assert [event.message.role for event in events if isinstance(event, MessageAdded)] == ["assistant"]


def test_sync_and_async_tools_run_with_checked_arguments() -> None:
    """Arguments reach a function in its own types; what it returns goes to the model."""

    def double(number: int) -> int:
        """Double a number."""
        return number * 2

    async def half(number: float) -> float:
        """Halve a number."""
        return number / 2

    model = ScriptedModel(wants(("double", '{"number": "21"}'), ("half", '{"number": 3}')), says("done"))
    events = perform(spec_of(double, half), model)
    assert [(call.name, call.result, call.status) for call in tool_calls(events)] == [
        ("half", "1.5", "completed"),
        ("double", "42", "completed"),
    ] or [call.result for call in tool_calls(events)] == ["42", "1.5"]
    assert [message.content for message in model.requests[1].messages[-2:]] == ["42", "1.5"]


def test_tools_asked_for_together_run_together() -> None:
    """Two sync tools that wait for each other both finish: each has a thread of its own."""
    barrier = threading.Barrier(2, timeout=60)

    def left() -> str:
        """Meet the other."""
        barrier.wait()
        return "l"

    def right() -> str:
        """Meet the other."""
        barrier.wait()
        return "r"

    events = perform(spec_of(left, right), ScriptedModel(wants(("left", "{}"), ("right", "{}")), says("ok")))
    assert {call.status for call in tool_calls(events)} == {"completed"}


def broken() -> None:
    """Always fail."""
    raise ValueError("no such ticker")


def leaving() -> None:
    """Try to leave the process."""
    raise SystemExit(3)


async def cancelling() -> None:
    """Raise what asyncio uses for cancellation."""
    raise asyncio.CancelledError


def iterating() -> None:
    """Raise what a future cannot carry."""
    raise StopIteration


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (broken, "{}", "ValueError: no such ticker"),
        (leaving, "{}", "SystemExit: 3"),
        (cancelling, "{}", "CancelledError"),
        (iterating, "{}", "StopIteration"),
        (broken, '{"unknown": 1}', "unknown"),
        (broken, "{not json", "JSON"),
    ],
)
def test_a_failing_tool_is_told_to_the_model(tool: Any, arguments: str, expected: str) -> None:
    """Whatever a tool raises goes to the model as text and the run goes on."""
    model = ScriptedModel(wants((tool.__name__, arguments)), says("sorry"))
    events = perform(spec_of(tool), model)
    assert told(model).startswith("Error: ")
    assert expected in told(model)
    assert tool_calls(events)[0].status == "error"
    assert ending(events).stop_reason == "end"


def test_an_unknown_tool_is_told_to_the_model() -> None:
    """A tool that does not exist is answered with the names of those that do."""
    model = ScriptedModel(wants(("brokn", "{}")), says("sorry"))
    perform(spec_of(broken), model)
    assert "there is no tool 'brokn' (did you mean 'broken'?)" in told(model)


def test_a_tool_that_takes_too_long_is_told_to_the_model() -> None:
    """A tool's own time limit ends the wait for it, not the run."""

    async def slow() -> None:
        """Never return."""
        await asyncio.Event().wait()

    model = ScriptedModel(wants(("slow", "{}")), says("sorry"))
    events = perform(spec_of(slow, limits=Limits(tool_timeout_s=0.02)), model)
    assert "longer than 0.02 s" in told(model)
    assert ending(events).stop_reason == "end"


class Flaky:
    """A tool that fails so many times, by raising or by taking too long."""

    def __init__(self, fails: int, *, slow: bool = False) -> None:
        self.fails = fails
        self.slow = slow
        self.calls = 0

    async def call(self) -> str:
        """Fail or answer."""
        self.calls += 1
        if self.calls > self.fails:
            return "done"
        if self.slow:
            await asyncio.Event().wait()
        raise ValueError(f"failure {self.calls}")


@pytest.mark.parametrize(
    ("options", "flaky", "calls_made", "status", "error"),
    [
        ({"retries": 2}, Flaky(1), 2, "completed", "try 1: ValueError: failure 1"),
        ({"retries": 1}, Flaky(5), 2, "error", "try 1: ValueError: failure 1\ntry 2: ValueError: failure 2"),
        ({"idempotent": True}, Flaky(1), 1, "error", "ValueError: failure 1"),
        (
            {"retries": 1, "timeout": 0.02},
            Flaky(1, slow=True),
            1,
            "error",
            "TimeoutError: tool 'flaky' took longer than 0.02 s",
        ),
        (
            {"retries": 1, "timeout": 0.02, "idempotent": True},
            Flaky(1, slow=True),
            2,
            "completed",
            "try 1: TimeoutError: tool 'flaky' took longer than 0.02 s",
        ),
    ],
)
def test_a_tool_is_tried_again_as_it_says(
    options: dict[str, Any], flaky: Flaky, calls_made: int, status: str, error: str
) -> None:
    """Exceptions are tried again `retries` times, a try that may still be at work only if idempotent; one call, one row."""

    @tool(name="flaky", **options)
    async def called() -> str:
        """Call it."""
        return await flaky.call()

    events = perform(spec_of(called), ScriptedModel(wants(("flaky", "{}")), says("ok")))
    (call,) = tool_calls(events)
    assert (flaky.calls, call.status, call.error) == (calls_made, status, error)


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit()])
def test_what_is_no_exception_is_not_tried_again(error: BaseException) -> None:
    """Retries are for exceptions; a tool that wants to leave is not asked twice."""
    calls_made: list[int] = []

    @tool(retries=3)
    def leaves() -> None:
        """Leave."""
        calls_made.append(1)
        raise error

    perform(spec_of(leaves), ScriptedModel(wants(("leaves", "{}")), says("ok")))
    assert len(calls_made) == 1


def test_wrong_arguments_are_not_tried_again() -> None:
    """They go back to the model at once: the same arguments stay wrong."""

    @tool(retries=3)
    def exact(number: int) -> int:
        """Take a number."""
        return number

    model = ScriptedModel(wants(("exact", '{"number": "x"}')), says("ok"))
    (call,) = tool_calls(perform(spec_of(exact), model))
    assert call.error is not None
    assert "try" not in call.error


def test_a_fault_that_may_pass_is_tried_again_and_each_try_is_a_row() -> None:
    """An overloaded provider is asked again after its Retry-After; the text of a broken try is void."""
    dropped: list[Step] = [
        ReplyStarted(),
        TextDelta("Par"),
        ProviderUnreachableError("dropped", retry_after_s=0.0),
    ]
    busy: list[Step] = [ProviderOverloadedError("busy", status_code=429, retry_after_s=0.0)]
    events = perform(spec_of(), ScriptedModel(busy, dropped, says("Paris.")))
    assert [(call.attempt, call.status, call.step) for call in calls(events)] == [
        (1, "error", 1),
        (2, "error", 1),
        (3, "completed", 1),
    ]
    record = RunRecord(RunLaunch(run_id="r", session_id="s", created_at=calls(events)[0].started_at))
    for event in events:
        record.apply(event)
    assert record.text == "Paris."


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ProviderOverloadedError("busy", "wait", retry_after_s=0.0), 3),
        (ProviderOverloadedError("busy", "wait", retry_after_s=10_000.0), 1),
        (ProviderRefusedError("no such model", "name another"), 1),
    ],
)
def test_a_fault_that_stays_ends_the_run_with_its_two_lines(error: Any, tries: int) -> None:
    """After the allowed tries, or at once where another cannot help, the run ends as error with the message."""
    model = ScriptedModel(*([[error]] * 3))
    end = ending(perform(spec_of(), model))
    assert (end.stop_reason, end.error, end.error_type) == ("error", str(error), type(error).__name__)
    assert len(model.requests) == tries


def test_nothing_starts_once_the_run_is_stopped() -> None:
    """A loop whose run has ended makes no call, even in a task that was not cancelled."""
    model = ScriptedModel(says("never"))
    with pytest.raises(asyncio.CancelledError):
        perform(spec_of(), model, stopped=lambda: True)
    assert model.requests == []


def test_cancelling_a_call_records_it() -> None:
    """A cancelled model call is a row too, and the text that came is kept."""
    events: list[Event] = []

    async def cancel_in_the_middle() -> None:
        model = ScriptedModel([ReplyStarted(), TextDelta("Par"), asyncio.Event()])
        context = LoopContext(emit=events.append, gate=OpenGate(), stopped=lambda: False)
        task = asyncio.create_task(run_loop(spec_of(), model, LoopState(), context))
        while not any(isinstance(event, TextAdded) for event in events):  # noqa: ASYNC110 - one step of the loop
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(cancel_in_the_middle())
    assert calls(events)[0].status == "cancelled"
    assert not any(isinstance(event, RunFinished) for event in events)


def test_the_record_keeps_its_first_end() -> None:
    """A final status is written once: what comes after it changes nothing."""
    events = perform(spec_of(), ScriptedModel(says("Paris.")))
    record = RunRecord(RunLaunch(run_id="r", session_id="s", created_at=calls(events)[0].started_at))
    for event in events:
        record.apply(event)
    version = record.version
    record.apply(TextAdded("more", 1))
    record.apply(RunFinished(stop_reason="cancelled", finished_at=calls(events)[0].started_at))
    assert (record.status, record.text, record.version) == (RunStatus.completed, "Paris.", version)


def test_started_tools_are_shown_until_they_end() -> None:
    """Between its start and its end a tool call is among the running ones."""
    model = ScriptedModel(wants(("broken", "{}")), says("sorry"))
    record, seen = None, []
    for event in perform(spec_of(broken), model):
        record = record or RunRecord(RunLaunch(run_id="r", session_id="s", created_at=event.started_at))  # type: ignore[union-attr]
        record.apply(event)
        seen.append((isinstance(event, ToolCallStarted), len(record.running_tools)))
    assert (True, 1) in seen
    assert seen[-1] == (False, 0)
