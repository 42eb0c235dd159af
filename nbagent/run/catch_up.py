"""What a late listener missed of a run, as few events that fold to the same record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

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


def catch_up_events_of_stored(output: RunOutput) -> list[Event]:
    """Return a run that ended in another kernel as events; the text is that of its answer."""
    events: list[Event] = [RunStarted(started_at=output.started_at)] if output.started_at else []
    events += [AnswerReused(output.cached_from)] if output.cached_from else []
    events += _calls(output.model_calls, output.tool_calls)
    events += [MessageAdded(message=message) for message in output.messages]
    content = output.content
    typed = None if output.answer_json is None else TypedAnswer(output.answer_json, content)
    if text := text_of(output):
        events.append(TextAdded(text, max((call.step for call in output.model_calls), default=1)))
    finished_at = output.finished_at or output.created_at
    if output.stop_reason is not None and finished_at is not None:
        events.append(
            RunFinished(
                stop_reason=output.stop_reason,
                content=content if typed is None else typed.data,
                typed=typed,
                output_valid=output.output_valid,
                error_type=output.error_type,
                error=output.error,
                traceback=output.traceback,
                finished_at=finished_at,
            )
        )
    return events


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
