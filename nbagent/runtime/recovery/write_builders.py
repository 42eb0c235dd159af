"""Build store commands from a run's record: launch, finished steps, progress, end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbagent.core import utc_now
from nbagent.events import Message, ToolCall
from nbagent.run import RunLaunch, RunRecord, without_texts
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, mode_requested
from nbagent.store import PARALLEL, AnswerKeys, AppendRows, Finish, Launch, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How many of a record's rows the store has been given: the next write begins there, none goes twice."""

    model_calls: int = 0
    tool_calls: int = 0
    messages: int = 0

    @classmethod
    def all_of(cls, record: RunRecord) -> Watermark:
        """Everything that the record holds now."""
        return cls(
            model_calls=len(record.model_calls),
            tool_calls=len(record.tool_calls),
            messages=len(record.messages),
        )


def launch_write(launch: RunLaunch, agent: ResolvedAgent, request: LaunchRequest) -> Launch:
    """The row that makes a launch durable; a session made for this run needs no numbering.

    A member's turn is its team's: it is no turn of its own in the session.
    """
    spec, own_session = agent.spec, not request.in_session
    turn = request.member_of_turn
    return Launch(
        minted=request.run_id is None,
        row={
            "run_id": launch.run_id,
            "label": launch.label,
            "parent_run_id": launch.parent_run_id,
            "session_id": launch.session_id,
            "turn": turn if turn is not None or not own_session else 1,
            "own_session": own_session or None,
            "on_busy": PARALLEL if request.on_busy == PARALLEL and request.in_session else None,
            "batch_id": launch.batch_id,
            "row_key": request.row_key,
            "cell_id": launch.cell_id,
            "agent_name": launch.agent_name,
            "kind": launch.kind,
            "provider": launch.provider,
            "model": launch.model,
            "model_settings": spec.settings.shown(),
            "mode_requested": mode_requested(agent.model),
            "prompt": launch.prompt if launch.keeps_texts else None,
            "output_schema": spec.output_schema.json_schema if spec.output_schema else None,
            "created_at": launch.created_at,
            "tags": dict(launch.tags),
            "spec": spec.to_data(),
            "started_by": list(launch.tool_call) if launch.tool_call is not None else None,
            "keeps_texts": None if launch.keeps_texts else False,
            "template": request.template if launch.keeps_texts else None,
            "forked_from": launch.forked[0] if launch.forked is not None else None,
            "forked_step": launch.forked[1] if launch.forked is not None else None,
        },
    )


def progress_write(record: RunRecord) -> Progress:
    """Where an unfinished run stands now."""
    return Progress(
        run_id=record.launch.run_id,
        attempt=record.launch.attempt,
        status=record.status.value,
        started_at=record.started_at,
        partial_text=(record.text or None) if record.launch.keeps_texts else None,
        response_id=record.response_id,
        last_sequence_number=record.sequence_number,
        mode_effective=_mode(record),
        pending_approvals=record.pending_approvals,
        paused_s=record.paused_s(utc_now()),
    )


def append_write(record: RunRecord, since: Watermark, *, waited: bool) -> AppendRows:
    """What a run has finished since the last write, while it goes on."""
    return AppendRows(
        run_id=record.launch.run_id,
        attempt=record.launch.attempt,
        session_id=record.launch.session_id,
        turn=record.turn,
        model_calls=tuple(record.model_calls[since.model_calls :]),
        tool_calls=_tool_calls(record, since),
        messages=_messages(record, since),
        waited=waited,
    )


def finish_write(record: RunRecord, since: Watermark, *, keys: AnswerKeys | None = None) -> Finish:
    """The end of an attempt and every row of it that was not written before, for one transaction."""
    end, launch = record.end, record.launch
    assert end is not None
    texts = launch.keeps_texts
    row: dict[str, Any] = {
        "status": record.status.value,
        "stop_reason": end.stop_reason,
        "content": end.content if texts else None,
        "content_type": record.content_type if texts else "text",
        "typed": end.typed if texts else None,
        "output_valid": end.output_valid,
        "error_type": end.error_type,
        "error": end.error,
        "error_fields": end.error_fields,
        "traceback": end.traceback,
        "started_at": record.started_at,
        "finished_at": end.finished_at,
        "paused_s": record.paused_s(end.finished_at),
        "partial_text": (record.text or None)
        if texts and end.content is None and not end.output_valid
        else None,
        "mode_effective": _mode(record),
        "response_id": record.response_id,
        "last_sequence_number": record.sequence_number,
    }
    return Finish(
        run_id=launch.run_id,
        attempt=launch.attempt,
        session_id=launch.session_id,
        turn=record.turn,
        end=row,
        model_calls=tuple(record.model_calls[since.model_calls :]),
        tool_calls=_tool_calls(record, since),
        messages=_messages(record, since),
        keys=keys,
        cached_from=record.cached_from,
    )


def _tool_calls(record: RunRecord, since: Watermark) -> tuple[ToolCall, ...]:
    calls = record.tool_calls[since.tool_calls :]
    return tuple(calls if record.launch.keeps_texts else map(without_texts, calls))


def _messages(record: RunRecord, since: Watermark) -> tuple[tuple[int, Message], ...]:
    return tuple(enumerate(record.messages))[since.messages :] if record.launch.keeps_texts else ()


def _mode(record: RunRecord) -> str:
    """Where the run's last model call really lived."""
    return "notebook" if record.response_id is None else "provider"
