"""Between records and rows: both ways of turning one into the other.

A row is a tuple in the order of `tables.py`. Times are stored without a zone, in UTC; `_utc` and `aware` are the
only places that know. Pure; called on the writer thread (to rows) and on a reader's (from rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nbagent.core import dump_json, load_json
from nbagent.events import FilePart, Message, ModelCall, PendingApproval, ToolCall, ToolRequest, Usage
from nbagent.store.commands import AddScore, BatchRecord, BatchRows, DecisionRequest, Progress
from nbagent.store.duckdb.tables import COLUMNS, Row

_BIGINT_MAX = 2**63 - 1
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_LAUNCH_SCALARS = frozenset(COLUMNS["launches"]) - {"details"}


def utc_now() -> datetime:
    """The time as the store holds it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def naive(at: datetime | None) -> datetime | None:
    """Turn an aware time into the store's form; a naive one is taken as UTC."""
    if at is None or at.tzinfo is None:
        return at
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).replace(tzinfo=None)


def aware(at: datetime | None) -> datetime | None:
    """Turn a stored time into an aware one."""
    return None if at is None else at.replace(tzinfo=UTC)


def to_json(data: Any) -> str:
    """JSON text of plain data; what is no JSON becomes its str()."""
    return dump_json(data).decode()


def clean(value: Any) -> Any:
    """Replace what DuckDB cannot hold, at any depth: each lone surrogate becomes U+FFFD."""
    if isinstance(value, str):
        return (
            value if value.isascii() else "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)
        )
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(clean, value))
    return value


def bigint(number: int | None) -> int | None:
    """Return a server's number for a position, None where no bigint holds it: then none is known."""
    return number if number is None or abs(number) <= _BIGINT_MAX else None


def launch_row(row: Mapping[str, Any], *, owner: str, turn: int | None) -> Row:
    """One row of `launches`; what has no column of its own goes into `details`."""
    details = {name: item for name, item in row.items() if name not in _LAUNCH_SCALARS and item is not None}
    return (
        row["run_id"],
        row["session_id"],
        turn,
        naive(row.get("created_at")) or utc_now(),
        row.get("owner") or owner,
        row.get("agent_name"),
        row.get("label"),
        row.get("parent_run_id"),
        row.get("batch_id"),
        row.get("kind"),
        row.get("cached_from"),
        to_json(details),
    )


def batch_row(write: BatchRecord) -> Row:
    """One row of `batches`."""
    return (
        write.batch_id,
        write.batch_key,
        naive(write.created_at),
        write.owner,
        write.label,
        write.agent_name,
        write.total,
        write.reused,
        to_json(dict(write.details)),
        naive(write.finished_at),
        to_json(dict(write.definition)) if write.definition else None,
    )


def batch_rows_rows(write: BatchRows) -> list[Row]:
    """Rows of `batch_rows`."""
    return [
        (
            write.batch_id,
            one.position,
            naive(one.created_at),
            to_json(one.row_key),
            one.answer_key,
            to_json(dict(one.outcome)),
        )
        for one in write.rows
    ]


def progress_row(write: Progress) -> Row:
    """One row of `attempt_progress`."""
    return (
        write.run_id,
        write.attempt,
        write.status,
        naive(write.started_at),
        utc_now(),
        write.partial_text,
        write.response_id,
        bigint(write.last_sequence_number),
        write.mode_effective,
        to_json(list(write.pending_approvals)) if write.pending_approvals else None,
        write.paused_s,
    )


def pending_approvals_of(row: Mapping[str, Any]) -> tuple[PendingApproval, ...]:
    """The calls that a row of the view `runs` says a person is waited for."""
    return tuple(PendingApproval(**call) for call in load_json(row["pending_approvals"] or "[]"))


def score_row(write: AddScore) -> Row:
    """One row of `scores`."""
    at = naive(write.created_at) or utc_now()
    return (write.run_id, write.name, to_json(write.value), write.author, write.comment, at)


def decision_row(write: DecisionRequest) -> Row:
    """One row of `decision_requests`."""
    arguments = None if write.arguments is None else to_json(write.arguments)
    return (
        write.run_id,
        write.step,
        write.tool_call_id,
        write.approved,
        write.reason,
        arguments,
        utc_now(),
    )


def decision_of(row: Row) -> DecisionRequest:
    """The request of a row of `decision_requests`, its time left out; a server adds whether another user made it."""
    run_id, step, tool_call_id, approved, reason, arguments, *by_other = row
    return DecisionRequest(
        run_id=run_id,
        step=step,
        tool_call_id=tool_call_id,
        approved=approved,
        reason=reason,
        arguments=None if arguments is None else load_json(arguments),
        by_other=any(by_other),
    )


def end_row(run_id: str, attempt: int, end: Mapping[str, Any]) -> Row:
    """One row of `attempt_ends`; a typed answer is its JSON as the model wrote it, other content that is no text becomes JSON."""
    content_type = end.get("content_type") or "text"
    content, typed = end.get("content"), end.get("typed")
    if typed is not None:
        content = typed.json
    elif content is not None and not (content_type == "text" and isinstance(content, str)):
        content = to_json(content)
    given = {
        **end,
        "run_id": run_id,
        "attempt": attempt,
        "status": str(getattr(end["status"], "value", end["status"])),
        "content": content,
        "content_type": content_type,
        "content_source": "answer" if typed is not None else None,
        "started_at": naive(end.get("started_at")),
        "finished_at": naive(end.get("finished_at")) or utc_now(),
        "last_sequence_number": bigint(end.get("last_sequence_number")),
    }
    return tuple(given.get(name) for name in COLUMNS["attempt_ends"])


def model_call_row(run_id: str, attempt: int, call: ModelCall) -> Row:
    """One row of `model_calls`; a count that no bigint holds is NULL in its column, and text in `large_counts`."""
    usage = call.usage
    counts = {name: getattr(usage, name) for name in _COUNTS}
    large = {name: str(count) for name, count in counts.items() if count is not None and count > _BIGINT_MAX}
    return (
        run_id,
        attempt,
        call.step,
        call.attempt,
        getattr(call, "role", None),
        call.provider,
        call.request_model,
        call.response_model,
        call.response_id,
        call.status,
        call.finish_reason,
        naive(call.started_at),
        call.ttft_s,
        call.duration_s,
        *(None if name in large else count for name, count in counts.items()),
        call.usage_source,
        call.cost_usd,
        usage.cost_usd,
        call.error_type,
        call.error,
        to_json(large) if large else None,
        call.server_finish_reason,
        call.estimated_input_tokens,
        call.estimated_output_tokens,
        call.estimated_cost_usd,
        call.fallback_reason,
    )


def model_call_of(row: Mapping[str, Any]) -> ModelCall:
    """The record of a row of `model_calls`, its times aware."""
    large = {name: int(count) for name, count in load_json(row["large_counts"] or "{}").items()}
    return ModelCall(
        step=row["step"],
        attempt=row["try_no"],
        provider=row["provider"],
        request_model=row["request_model"],
        status=row["status"],
        started_at=row["started_at"],
        duration_s=row["duration_s"],
        response_model=row["response_model"],
        response_id=row["response_id"],
        finish_reason=row["finish_reason"],
        ttft_s=row["ttft_s"],
        usage=Usage(
            **({name: row[name] for name in _COUNTS} | large),
            cost_usd=row["provider_cost_usd"],
        ),
        usage_source=row["usage_source"],
        cost_usd=row["cost_usd"],
        error_type=row["error_type"],
        error=row["error"],
        server_finish_reason=row["server_finish_reason"],
        estimated_input_tokens=row["estimated_input_tokens"],
        estimated_output_tokens=row["estimated_output_tokens"],
        estimated_cost_usd=row["estimated_cost_usd"],
        fallback_reason=row["fallback_reason"],
    )


def tool_call_row(run_id: str, attempt: int, call: ToolCall) -> Row:
    """One row of `tool_calls`."""
    return (
        run_id,
        attempt,
        call.step,
        call.tool_call_id,
        call.name,
        call.arguments,
        call.result,
        call.status,
        call.error_type,
        call.error,
        naive(call.started_at),
        call.duration_s,
    )


def tool_call_of(row: Mapping[str, Any]) -> ToolCall:
    """The record of a row of `tool_calls`, its times aware."""
    return ToolCall(**{name: row[name] for name in ToolCall.__slots__})


def message_row(session_id: str, turn: int, run_id: str, attempt: int, numbered: tuple[int, Message]) -> Row:
    """One row of `messages`."""
    seq, message = numbered
    requests = [
        {"tool_call_id": one.tool_call_id, "name": one.name, "arguments": one.arguments}
        for one in message.tool_requests
    ]
    files = [{"media_type": one.media_type, "data": one.data, "name": one.name} for one in message.files]
    return (
        session_id,
        turn,
        run_id,
        attempt,
        seq,
        message.role,
        message.content,
        message.name,
        message.tool_call_id,
        to_json(requests) if requests else None,
        message.reasoning,
        to_json(files) if files else None,
        to_json([dict(item) for item in message.provider_items]) if message.provider_items else None,
    )


def message_of(row: Mapping[str, Any]) -> Message:
    """The record of a row of `messages`."""
    return Message(
        role=row["role"],
        content=row["content"],
        name=row["name"],
        tool_call_id=row["tool_call_id"],
        tool_requests=tuple(ToolRequest(**item) for item in load_json(row["tool_requests"] or "[]")),
        reasoning=row["reasoning"],
        files=tuple(FilePart(**item) for item in load_json(row["files"] or "[]")),
        provider_items=tuple(load_json(row["provider_items"] or "[]")),
    )
