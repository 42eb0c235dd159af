"""Compute where the next attempt of a stopped run begins, from its stored rows. Pure; called by `resume.py`.

A tool request without a recorded result has an unknown outcome (the request is durable before the tool
starts), unless it was waiting for approval: then it never started. A step without its assistant message was
not finished and is asked again, so that the k-th assistant message of a run is always that of step k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nbagent.core import utc_now
from nbagent.events import (
    Event,
    Message,
    MessageAdded,
    ModelCallFinished,
    NoticeGiven,
    PendingApproval,
    ToolCall,
    ToolCallFinished,
    ToolRequest,
)
from nbagent.loop import Decision, LoopState, tool_names
from nbagent.models import ReplyFinished, ResumePoint
from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime.execution.history import OUTCOME_UNKNOWN
from nbagent.spec import AgentSpec, TeamSpec
from nbagent.store import StoredRun

_TOLD = "tool {name!r} was at work when the run was cut off: its outcome is unknown, it was not run again"
# after these the provider has no word of ours that its response was given up
_STILL_THERE = frozenset(
    {"KernelDied", "ProviderUnreachableError", "ProviderSilentError", "ProviderOverloadedError"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """Where a resumed attempt begins: the loop's state without its session's history, and what to say first.

    `members` says which run each tool call of a team, by its step and id, had started. `decided` is what a
    person said to the calls that a paused run waited for, when they adopted it.
    """

    state: LoopState
    events: tuple[Event, ...] = ()
    members: Mapping[tuple[int, str], str] = field(default_factory=dict)
    decided: Mapping[str, tuple[PendingApproval, Decision]] = field(default_factory=dict)


def next_launch(
    stopped: StoredRun, spec: AgentSpec, resumed_at: datetime, *, ended: Mapping[str, Any] | None = None
) -> RunLaunch:
    """Return what is known of the run's next attempt; `ended` is the end that the last one gets only now."""
    output, row = stopped.output, stopped.row
    earlier = stopped.times
    if ended is not None:
        earlier = (*earlier[:-1], replace(earlier[-1], finished_at=ended["finished_at"]))
    return RunLaunch(
        run_id=output.run_id,
        session_id=output.session_id,
        created_at=row["created_at"],
        agent_name=output.agent_name,
        kind=row["kind"] or "agent",
        label=output.label,
        parent_run_id=output.parent_run_id,
        provider=output.provider,
        model=output.model,
        prompt=output.prompt,
        cell_id=row["cell_id"],
        tags=stopped.tags,
        output_schema=spec.output_schema,
        attempt=output.attempt + 1,
        resumed_at=resumed_at,
        earlier=earlier,
        keeps_texts=stopped.output.prompt is not None,
    )


def record_of(stopped: StoredRun, launch: RunLaunch) -> RunRecord:
    """Return the live record of the next attempt, which shows what the earlier ones did."""
    record = RunRecord(launch)
    for call in stopped.output.model_calls:
        record.apply(ModelCallFinished(call=call))
    for tool_call in stopped.output.tool_calls:
        record.apply(ToolCallFinished(call=tool_call))
    for message in stopped.output.messages:
        record.apply(MessageAdded(message=message))
    for member in stopped.output.member_responses:
        record.join(member)
    return record


def resume_state(stopped: StoredRun, spec: AgentSpec, *, from_partial: bool) -> ResumeState:
    """Return where the loop goes on, and what it says first.

    A model call that lives at the provider is taken up again; else, with `from_partial`, the unfinished step
    goes on from its partial text; else it is asked again.
    """
    events: list[Event] = []
    messages = list(stopped.output.messages)
    if not messages:  # cut off before its first step was finished
        messages.append(Message(role="user", content=stopped.output.prompt or ""))
        events.append(MessageAdded(message=messages[0]))
    step = sum(message.role == "assistant" for message in messages)
    state = LoopState(messages=messages, step=step, steps_before=step)
    last = messages[-1]
    if last.role == "assistant" and last.tool_requests:
        answered = _answered(stopped, spec, last.tool_requests, step, events)
        if any(request.tool_call_id not in answered for request in last.tool_requests):
            state.reply, state.answered = _reply(last, "tool_calls"), answered
            state.held = _held(stopped, step) - answered.keys()
        else:  # its tools are through: the next step may have begun
            told = [answered[request.tool_call_id] for request in last.tool_requests]
            messages += told
            events += [MessageAdded(message=message) for message in told]
            _open_step(stopped, spec, state, events, from_partial=from_partial)
    elif last.role == "assistant" and _is_repairable(stopped, spec):
        state.reply = _reply(last, "stop")
    else:
        state.messages = _without_answers_at_the_end(messages)
        _open_step(stopped, spec, state, events, from_partial=from_partial)
    return ResumeState(state=state, events=tuple(events), members=stopped.started)


def _reply(message: Message, finish_reason: str) -> ReplyFinished:
    """The reply that the loop has yet to act on, as its message tells of it."""
    return ReplyFinished(
        text=message.content,
        finish_reason="tool_calls" if finish_reason == "tool_calls" else "stop",
        reasoning=message.reasoning,
        tool_requests=message.tool_requests,
        provider_items=message.provider_items,
    )


def _is_repairable(stopped: StoredRun, spec: AgentSpec) -> bool:
    """Whether the last answer did not fit its schema and may be sent back: it was whole, and meant as one."""
    asked_again = stopped.output.stop_reason in {
        "refusal",
        "content_filter",
        "context_exceeded",
        "max_output_tokens",
    }
    return spec.output_schema is not None and spec.limits.output_retries > 0 and not asked_again


def _without_answers_at_the_end(messages: Sequence[Message]) -> list[Message]:
    """What the model is shown when it is asked again: not the answer that the run stopped at."""
    kept = list(messages)
    while len(kept) > 1 and kept[-1].role == "assistant":
        kept.pop()
    return kept


def _answered(
    stopped: StoredRun, spec: AgentSpec, requests: Sequence[ToolRequest], step: int, events: list[Event]
) -> dict[str, Message]:
    """The tools' messages that need no call: finished calls, and those that must not be run again.

    A tool that the spec does not name (a server's, or one that never was) may have left traces too. Work that
    was handed to a member is never lost: its run is found again by the call.
    """
    known = {call.tool_call_id: call for call in stopped.output.tool_calls if call.step == step}
    repeatable = {tool.name for tool in spec.tools if tool.options.idempotent}
    if isinstance(spec, TeamSpec):
        repeatable.update(tool_names(spec))
    answered: dict[str, Message] = {}
    files = {message.tool_call_id: message.files for message in stopped.output.messages if message.files}
    for request in requests:
        call = known.get(request.tool_call_id)
        result = call.result if call is not None else None
        if result is None and (request.name in repeatable or request.tool_call_id in _held(stopped, step)):
            continue
        if result is None:
            result = OUTCOME_UNKNOWN.format(name=request.name)
            events.append(NoticeGiven(text=_TOLD.format(name=request.name)))
            if call is None:
                events.append(ToolCallFinished(call=_abandoned(stopped, request, step, result)))
        answered[request.tool_call_id] = Message(
            role="tool",
            content=result,
            tool_call_id=request.tool_call_id,
            name=request.name,
            files=files.get(request.tool_call_id, ()),
        )
    return answered


def _held(stopped: StoredRun, step: int) -> frozenset[str]:
    """The ids of the step's calls that waited for a person."""
    return frozenset(call.tool_call_id for call in stopped.held if call.step == step)


def _abandoned(stopped: StoredRun, request: ToolRequest, step: int, told: str) -> ToolCall:
    """The row of a call that nobody saw end."""
    return ToolCall(
        step=step,
        tool_call_id=request.tool_call_id,
        name=request.name,
        arguments=request.arguments,
        status="abandoned",
        started_at=stopped.times[-1].finished_at or utc_now(),
        duration_s=0.0,
        result=told,
        error_type="Interrupted",
        error="the run was cut off while the tool was at work",
    )


def _open_step(
    stopped: StoredRun, spec: AgentSpec, state: LoopState, events: list[Event], *, from_partial: bool
) -> None:
    """Set how the unfinished step's model call begins: taken up, continued, or asked again."""
    row = stopped.row
    text = row["partial_text"] or ""
    if any(message.role == "assistant" and message.content == text for message in stopped.output.messages):
        text = ""  # the text of the last finished step: the open one had given none
    if _lives_at_provider(stopped):
        state.attached = ResumePoint(
            response_id=row["response_id"], sequence_number=row["last_sequence_number"], text=text
        )
    elif from_partial and spec.output_schema is not None:
        events.append(
            NoticeGiven(text="half a structured answer cannot be continued: the step is asked again")
        )
    elif from_partial and not text:
        events.append(NoticeGiven(text="there is no partial text to go on from: the step is asked again"))
    elif from_partial:
        state.partial = text


def _lives_at_provider(stopped: StoredRun) -> bool:
    """Whether the last attempt left a response at the provider that nobody has read to its end."""
    row = stopped.row
    if row["response_id"] is None or row["mode_effective"] != "provider":
        return False
    read = {call.response_id for call in stopped.output.model_calls if call.status == "completed"}
    return row["response_id"] not in read and row["error_type"] in _STILL_THERE
