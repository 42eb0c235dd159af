"""What a late listener missed of a run, as few events that fold to the same record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nbagent.core import utc_now
from nbagent.events import (
    AnswerReused,
    ApprovalRequested,
    Event,
    MessageAdded,
    MessageSent,
    ModelCall,
    ModelCallFinished,
    ModelCallStarted,
    NoticeGiven,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
    TypedAnswer,
)
from nbagent.run.output import RunOutput
from nbagent.run.record import RunRecord


def catch_up_events(record: RunRecord) -> list[Event]:
    """Return a live run so far: its start, calls that ended with their starts, messages, the text as one piece, what is under way."""
    events: list[Event] = [RunStarted(started_at=record.started_at)] if record.started_at else []
    events += [AnswerReused(record.cached_from)] if record.cached_from else []
    events += [NoticeGiven(text=notice) for notice in record.notices]
    events += _calls(tuple(record.model_calls), record.tool_calls_as_asked(), retry_in_s=record.retry_in_s)
    events += [MessageAdded(message=message) for message in record.messages]
    events += [record.calling] if record.calling is not None else []
    if text := record.text:
        events.append(TextAdded(text, record.text_step))
    started_at = record.started_at or record.launch.created_at
    step = record.model_calls[-1].step if record.model_calls else 1
    events += [
        ToolCallStarted(step=step, request=request, started_at=started_at)
        for request in record.running_tools.values()
    ]
    events += [ApprovalRequested(call=call) for call in record.pending_approvals]
    events += [MessageSent(message_id=one, text=text) for one, text in tuple(record.sent.items())]
    return [*events, record.end] if record.end is not None else events


def text_of(output: RunOutput) -> str:
    """Return a stored run's text: the answer, or where that is typed the reply that it was read from."""
    if not output.output_valid and type(output.content) is str:
        return output.content
    said = [m.content for m in output.messages if m.role == "assistant" and m.content]
    return said[-1] if said else ""


class StoredEvents:
    """A run of another process as events, by looks at its snapshots: each gives what has come since the look before.

    The last event of a run that has ended is its `RunFinished`.
    """

    def __init__(self) -> None:
        self._told: set[object] = set()
        self._messages = 0
        self._text, self._step = "", 0

    def news(self, output: RunOutput) -> list[Event]:
        """Return what this snapshot has that the ones before had not."""
        events: list[Event] = []
        if output.started_at is not None and self._is_new("started"):
            events.append(RunStarted(started_at=output.started_at))
        if output.cached_from is not None and self._is_new("cached"):
            events.append(AnswerReused(output.cached_from))
        events += _calls(
            [one for one in output.model_calls if self._is_new((one.started_at, one.step, one.attempt))],
            [one for one in output.tool_calls if self._is_new((one.started_at, one.step, one.tool_call_id))],
        )
        events += [MessageAdded(message=message) for message in output.messages[self._messages :]]
        self._messages = max(self._messages, len(output.messages))
        events += self._new_text(output)
        events += [
            ApprovalRequested(call=call)
            for call in output.pending_approvals
            if self._is_new(("asks", call.step, call.tool_call_id))
        ]
        return [*events, _end_of(output)] if output.is_final else events

    def _is_new(self, key: object) -> bool:
        new = key not in self._told
        self._told.add(key)
        return new

    def _new_text(self, output: RunOutput) -> list[Event]:
        """Return the text that is more than before; another text than before is that of another step."""
        text, before = text_of(output), self._text
        if not text or text == before:
            return []
        self._text = text
        if before and text.startswith(before):
            return [TextAdded(text[len(before) :], self._step)]
        last = max((call.step for call in output.model_calls), default=0)
        self._step = max(last if output.is_final else last + 1, self._step + bool(before), 1)
        return [TextAdded(text, self._step)]


def _end_of(output: RunOutput) -> RunFinished:
    typed = None if output.answer_json is None else TypedAnswer(output.answer_json, output.content)
    return RunFinished(
        stop_reason=output.stop_reason or "error",
        content=output.content if typed is None else typed.data,
        typed=typed,
        output_valid=output.output_valid,
        error_type=output.error_type,
        error=output.error,
        traceback=output.traceback,
        finished_at=output.finished_at or output.created_at or utc_now(),
    )


def _calls(
    model_calls: Sequence[ModelCall], tool_calls: Sequence[ToolCall], *, retry_in_s: float | None = None
) -> list[Event]:
    """The calls that ended, each after its start, step by step; the last model call may be about to be tried again."""
    last = model_calls[-1] if model_calls else None
    events: list[tuple[int, int, Event]] = []
    for call in model_calls:
        wait_s = retry_in_s if call is last else None
        events += [
            (call.step, 0, _start_of(call)),
            (call.step, 0, ModelCallFinished(call=call, retry_in_s=wait_s)),
        ]
    for tool_call in tool_calls:
        started = ToolCallStarted(
            step=tool_call.step, request=_request_of(tool_call), started_at=tool_call.started_at
        )
        events += [(tool_call.step, 1, started), (tool_call.step, 1, ToolCallFinished(call=tool_call))]
    return [event for _, _, event in sorted(events, key=lambda one: one[:2])]


def _start_of(call: ModelCall) -> ModelCallStarted:
    return ModelCallStarted(
        step=call.step,
        attempt=call.attempt,
        provider=call.provider,
        request_model=call.request_model,
        started_at=call.started_at,
    )


def _request_of(call: ToolCall) -> ToolRequest:
    return ToolRequest(tool_call_id=call.tool_call_id, name=call.name, arguments=call.arguments)
