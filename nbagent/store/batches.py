"""What the record holds of batches: the answers that earlier batches with the same key have, and batches as rows.

Called where a batch begins, on a thread that may wait for the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.run import seconds_between
from nbagent.store.queries import content_of

if TYPE_CHECKING:
    from nbagent.store.store import Store

_ANSWERED = """
with asked as (
    select l.run_id, l.created_at, l.details ->> '$.row_key' as row_key
    from launches l join batches b using (batch_id) where b.batch_key = ?
), paid as (
    select run_id, sum(cost_usd) as cost_usd, sum(total_tokens)::bigint as total_tokens
    from model_calls where run_id in (select run_id from asked) group by run_id
)
select a.run_id, a.row_key, e.content, e.content_type, e.output_valid, e.started_at, e.finished_at,
       paid.cost_usd, paid.total_tokens
from asked a join attempt_ends e using (run_id) left join paid using (run_id)
where e.status = 'completed' order by a.created_at"""
_DETAILS = "select details from batches where batch_key = ? order by created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A completed run of a batch: `content` is text or plain data; `row_key` says which row, or rows, it answers."""

    run_id: str
    row_key: str
    content: Any
    output_valid: bool | None
    duration_s: float | None
    cost_usd: float | None
    total_tokens: int | None


def answered_rows(store: Store, batch_key: str) -> list[Answered]:
    """Every completed run of the batches with this key, oldest first. Raises StoreError."""
    return [_answered(row) for row in store.read(_ANSWERED, [batch_key]) if row["row_key"]]


def batch_details(store: Store, batch_key: str) -> list[Mapping[str, Any]]:
    """The `details` of every batch with this key, oldest first. Raises StoreError."""
    return [orjson.loads(row["details"] or "{}") for row in store.read(_DETAILS, [batch_key])]


def _answered(row: Mapping[str, Any]) -> Answered:
    return Answered(
        run_id=row["run_id"],
        row_key=row["row_key"],
        content=content_of(row),
        output_valid=row["output_valid"],
        duration_s=seconds_between(row["started_at"], row["finished_at"]),
        cost_usd=row["cost_usd"],
        total_tokens=row["total_tokens"],
    )
