"""End the attempts whose process is gone, as `interrupted`, keeping their text. On the writer thread.

Runs once in each process, soon after its first turn, and again whenever the runtime asks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nbagent.store.duckdb.codec import utc_now
from nbagent.store.duckdb.tables import COLUMNS, Row
from nbagent.store.duckdb.write.insert import insert
from nbagent.store.process_id import PLACED, is_alive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STALE = timedelta(minutes=10)  # without a heartbeat, for an owner that cannot be asked
_UNFINISHED = """
    select run_id, attempt, owner, started_at, partial_text, mode_effective, response_id, last_sequence_number,
           paused_s,
           coalesce(heartbeat_at, created_at) as last_seen
    from attempts where finished_at is null and status <> 'paused' and owner not in (?, ?)
"""


def interrupt_orphans(con: DuckDBPyConnection, owner: str, request_life: timedelta) -> int:
    """End what nobody works on any more, drop expired requests, and return how many were ended."""
    for table in ("cancel_requests", "decision_requests", "sent_messages"):
        con.execute(f"delete from {table} where created_at < ?", [utc_now() - request_life])  # noqa: S608
    found = con.execute(_UNFINISHED, [owner, PLACED]).fetchall()
    alive: dict[str, bool | None] = {name: is_alive(name) for name in {row[2] for row in found}}
    now = utc_now()
    ends = [end_of_orphan(row) for row in found if _is_gone(alive=alive[row[2]], last_seen=row[-1], now=now)]
    insert(con, "attempt_ends", ends)
    return len(ends)


def nobody_works_on(owner: str, last_seen: datetime) -> bool:
    """Whether the process that an unfinished attempt belongs to is gone, or silent for too long. Any thread."""
    gone = _is_gone(alive=is_alive(owner), last_seen=last_seen, now=datetime.now(UTC))
    return gone and owner != PLACED


def _is_gone(*, alive: bool | None, last_seen: datetime, now: datetime) -> bool:
    return now - last_seen > STALE if alive is None else not alive


def end_of_orphan(row: Row) -> Row:
    """The end of an attempt that nobody saw: dated when its process was last heard of, so that dead time costs none."""
    run_id, attempt, _, started_at, text, mode, response_id, sequence, paused_s, last_seen = row
    given = {
        "run_id": run_id,
        "attempt": attempt,
        "status": "interrupted",
        "stop_reason": "kernel_died",
        "content_type": "text",
        "error_type": "KernelDied",
        "error": "the process that worked on this run is gone\ngo on from its last finished step with run.resume()",
        "started_at": started_at,
        "finished_at": last_seen,
        "partial_text": text,
        "mode_effective": mode,
        "response_id": response_id,
        "last_sequence_number": sequence,
        "paused_s": paused_s,
    }
    return tuple(given.get(name) for name in COLUMNS["attempt_ends"])
