"""Each table's columns, in the order of a row: what inserts and readers of rows agree on. Pure."""

from __future__ import annotations

from typing import Any

Row = tuple[Any, ...]

# table -> column -> DuckDB type; the order is that of the rows
COLUMNS: dict[str, dict[str, str]] = {
    "launches": {
        "run_id": "varchar",
        "session_id": "varchar",
        "turn": "integer",
        "created_at": "timestamp",
        "owner": "varchar",
        "agent_name": "varchar",
        "label": "varchar",
        "parent_run_id": "varchar",
        "batch_id": "varchar",
        "kind": "varchar",
        "cached_from": "varchar",
        "details": "json",
    },
    "attempt_starts": {
        "run_id": "varchar",
        "attempt": "integer",
        "owner": "varchar",
        "created_at": "timestamp",
    },
    "attempt_progress": {
        "run_id": "varchar",
        "attempt": "integer",
        "status": "varchar",
        "started_at": "timestamp",
        "heartbeat_at": "timestamp",
        "partial_text": "varchar",
        "response_id": "varchar",
        "last_sequence_number": "bigint",
        "mode_effective": "varchar",
        "pending_approvals": "json",
        "paused_s": "double",
    },
    "attempt_ends": {
        "run_id": "varchar",
        "attempt": "integer",
        "status": "varchar",
        "stop_reason": "varchar",
        "content": "varchar",
        "content_type": "varchar",
        "output_valid": "boolean",
        "error_type": "varchar",
        "error": "varchar",
        "traceback": "varchar",
        "started_at": "timestamp",
        "finished_at": "timestamp",
        "partial_text": "varchar",
        "mode_effective": "varchar",
        "response_id": "varchar",
        "last_sequence_number": "bigint",
        "content_source": "varchar",
        "paused_s": "double",
        "error_fields": "varchar",
    },
    "model_calls": {
        "run_id": "varchar",
        "attempt": "integer",
        "step": "integer",
        "try_no": "integer",
        "role": "varchar",
        "provider": "varchar",
        "request_model": "varchar",
        "response_model": "varchar",
        "response_id": "varchar",
        "status": "varchar",
        "finish_reason": "varchar",
        "started_at": "timestamp",
        "ttft_s": "double",
        "duration_s": "double",
        "input_tokens": "bigint",
        "output_tokens": "bigint",
        "total_tokens": "bigint",
        "cache_read_tokens": "bigint",
        "cache_write_tokens": "bigint",
        "reasoning_tokens": "bigint",
        "usage_source": "varchar",
        "cost_usd": "double",
        "provider_cost_usd": "double",
        "error_type": "varchar",
        "error": "varchar",
        "large_counts": "json",
        "server_finish_reason": "varchar",
    },
    "tool_calls": {
        "run_id": "varchar",
        "attempt": "integer",
        "step": "integer",
        "tool_call_id": "varchar",
        "name": "varchar",
        "arguments": "varchar",
        "result": "varchar",
        "status": "varchar",
        "error_type": "varchar",
        "error": "varchar",
        "started_at": "timestamp",
        "duration_s": "double",
    },
    "messages": {
        "session_id": "varchar",
        "turn": "integer",
        "run_id": "varchar",
        "attempt": "integer",
        "seq": "integer",
        "role": "varchar",
        "content": "varchar",
        "name": "varchar",
        "tool_call_id": "varchar",
        "tool_requests": "json",
        "reasoning": "varchar",
        "files": "json",
        "provider_items": "json",
    },
    "answers": {
        "cache_key": "varchar",
        "session_key": "varchar",
        "run_id": "varchar",
        "since": "timestamp",
        "recording": "json",
    },
    "batches": {
        "batch_id": "varchar",
        "batch_key": "varchar",
        "created_at": "timestamp",
        "owner": "varchar",
        "label": "varchar",
        "agent_name": "varchar",
        "total": "bigint",
        "reused": "bigint",
        "details": "json",
        "finished_at": "timestamp",
        "definition": "json",
    },
    "batch_rows": {
        "batch_id": "varchar",
        "position": "bigint",
        "created_at": "timestamp",
        "row_key": "json",
        "answer_key": "varchar",
        "outcome": "json",
    },
    "cancel_requests": {"run_id": "varchar", "created_at": "timestamp"},
    "decision_requests": {
        "run_id": "varchar",
        "step": "integer",
        "tool_call_id": "varchar",
        "approved": "boolean",
        "reason": "varchar",
        "arguments": "json",
        "created_at": "timestamp",
    },
}


def seconds_between(begin: str, end: str) -> str:
    """SQL for the seconds between two columns; none where the clock was set back meanwhile, NULL where one is."""
    return f"(case when {end} < {begin} then 0 else epoch_us({end}) - epoch_us({begin}) end / 1e6)"


def work_seconds(begin: str, end: str, paused_s: str) -> str:
    """SQL for the seconds between two columns in which no person was waited for; NULL where a time is."""
    lasted = seconds_between(begin, end)
    # greatest() would leave out a NULL
    return f"(case when {lasted} < {paused_s} then 0 else {lasted} - coalesce({paused_s}, 0) end)"
