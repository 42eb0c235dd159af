"""A run's rows on their way to the store: launch, progress, end. Pure: builds the writes, sends nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nbagent.run import RunLaunch, RunRecord
from nbagent.spec import AgentSpec
from nbagent.store import Finish, Launch, Progress


def launch_write(launch: RunLaunch, spec: AgentSpec, *, own_session: bool, mode_requested: str) -> Launch:
    """The row that makes a launch durable; a session made for this run needs no numbering."""
    return Launch(
        row={
            "run_id": launch.run_id,
            "label": launch.label,
            "parent_run_id": launch.parent_run_id,
            "session_id": launch.session_id,
            "turn": 1 if own_session else None,
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
        }
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
    )


def finish_write(record: RunRecord, *, turn: int | None) -> Finish:
    """The end of an attempt and every row that belongs to it, for one transaction."""
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
        "partial_text": (record.text or None) if end.content is None else None,
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
        model_calls=tuple(record.model_calls),
        tool_calls=tuple(record.tool_calls),
        messages=tuple(enumerate(record.messages)),
    )


def _mode(record: RunRecord) -> str:
    """Where the run's last model call really lived."""
    return "notebook" if record.response_id is None else "provider"


def now() -> datetime:
    """The time now, UTC."""
    return datetime.now(UTC)
