"""A run's rows on their way to the store: launch, finished steps, progress, end. Pure: builds the writes, sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime.launching import Launching
from nbagent.spec import AgentSpec
from nbagent.store import Append, Finish, Launch, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """How many of a record's rows the store has been given: the next write begins there, so that none goes twice."""

    model_calls: int = 0
    tool_calls: int = 0
    messages: int = 0

    @classmethod
    def all_of(cls, record: RunRecord) -> Handed:
        """Everything that the record holds now."""
        return cls(
            model_calls=len(record.model_calls),
            tool_calls=len(record.tool_calls),
            messages=len(record.messages),
        )


def launch_write(launch: RunLaunch, spec: AgentSpec, launching: Launching, *, mode_requested: str) -> Launch:
    """The row that makes a launch durable; a session made for this run needs no numbering."""
    own_session = launching.session_id is None
    return Launch(
        minted=launching.run_id is None,
        row={
            "run_id": launch.run_id,
            "label": launch.label,
            "parent_run_id": launch.parent_run_id,
            "session_id": launch.session_id,
            "turn": 1 if own_session else None,
            "own_session": own_session or None,
            "cell_id": launch.cell_id,
            "agent_name": launch.agent_name,
            "kind": launch.kind,
            "provider": launch.provider,
            "model": launch.model,
            "model_settings": spec.settings.given(),
            "mode_requested": mode_requested,
            "prompt": launch.prompt,
            "output_schema": spec.output_schema.json_schema if spec.output_schema else None,
            "created_at": launch.created_at,
            "tags": dict(launch.tags),
            "spec": spec.to_data(),
        },
    )


def progress_write(record: RunRecord) -> Progress:
    """Where an unfinished run stands now."""
    return Progress(
        run_id=record.launch.run_id,
        attempt=record.launch.attempt,
        status=record.status.value,
        started_at=record.started_at,
        partial_text=record.text or None,
        response_id=record.response_id,
        last_sequence_number=record.sequence_number,
        mode_effective=_mode(record),
        pending_approvals=record.pending_approvals,
    )


def append_write(record: RunRecord, since: Handed, *, turn: int | None, waited: bool) -> Append:
    """What a run has finished since the last write, while it goes on."""
    return Append(
        run_id=record.launch.run_id,
        attempt=record.launch.attempt,
        session_id=record.launch.session_id,
        turn=turn,
        model_calls=tuple(record.model_calls[since.model_calls :]),
        tool_calls=tuple(record.tool_calls[since.tool_calls :]),
        messages=tuple(enumerate(record.messages))[since.messages :],
        waited=waited,
    )


def finish_write(record: RunRecord, since: Handed, *, turn: int | None) -> Finish:
    """The end of an attempt and every row of it that was not written before, for one transaction."""
    end, launch = record.end, record.launch
    assert end is not None
    schema = launch.output_schema
    validated = schema is not None and bool(end.output_valid)
    row: dict[str, Any] = {
        "status": record.status.value,
        "stop_reason": end.stop_reason,
        "content": end.content if end.content is not None else None,
        "content_type": schema.content_type if schema is not None and validated else "text",
        "output_valid": end.output_valid,
        "error_type": end.error_type,
        "error": end.error,
        "traceback": end.traceback,
        "started_at": record.started_at,
        "finished_at": end.finished_at,
        "partial_text": (record.text or None) if end.content is None and not end.output_valid else None,
        "mode_effective": _mode(record),
        "response_id": record.response_id,
        "last_sequence_number": record.sequence_number,
    }
    return Finish(
        run_id=launch.run_id,
        attempt=launch.attempt,
        session_id=launch.session_id,
        turn=turn,
        end=row,
        model_calls=tuple(record.model_calls[since.model_calls :]),
        tool_calls=tuple(record.tool_calls[since.tool_calls :]),
        messages=tuple(enumerate(record.messages))[since.messages :],
    )


def _mode(record: RunRecord) -> str:
    """Where the run's last model call really lived."""
    return "notebook" if record.response_id is None else "provider"


def now() -> datetime:
    """The time now, UTC."""
    return datetime.now(UTC)
