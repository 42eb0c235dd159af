"""Delete runs: which ones a wish means, and all their rows at once.

`find_deletable` is called on any thread but the writer's, `delete_runs` on the writer thread, inside a turn. What is at work
is never deleted: an unfinished run stays, with the runs above and below it, as long as its process may live.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbagent.store.duckdb.codec import aware, naive
from nbagent.store.duckdb.read.metrics_sql import OF_BATCHES, RunFilter
from nbagent.store.duckdb.write.orphans import nobody_works_on

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from nbagent.store.ports import Reader

# a run that was given messages of another record keeps them (attempt 0): no run of this one wrote them
_TABLES = {
    "launches": "true",
    "attempt_starts": "true",
    "attempt_progress": "true",
    "attempt_ends": "true",
    "model_calls": "true",
    "tool_calls": "true",
    "messages": "attempt > 0",
    "cancel_requests": "true",
    "decision_requests": "true",
    "sent_messages": "true",
    "answers": "recording is null",
    "scores": "true",
}
_FAMILIES = """
with recursive family as (
    select run_id as root, run_id from launches where run_id in (select unnest(?::varchar[]))
    union
    select f.root, l.run_id from launches l join family f on l.parent_run_id = f.run_id
)
select f.root, r.run_id, r.status, r.finished_at, r.owner, coalesce(r.heartbeat_at, r.created_at) as last_seen
from family f join runs r using (run_id)
"""
_ROOTS = """
select l.run_id from launches l
where {where} and l.created_at < ?
and not exists (select 1 from launches p where p.run_id = l.parent_run_id)
order by l.created_at, l.run_id
"""
_BATCHES_OF = """
select batch_id, owner, created_at, finished_at from batches where batch_id in (select unnest(?::varchar[]))
or batch_id in (select batch_id from launches where run_id in (select unnest(?::varchar[])))"""
# a batch whose rows were all answered from earlier, or could not be asked, has no run of its own
_WITHOUT_RUNS = """
select batch_id from batches l where {where} and created_at < ?
and batch_id not in (select batch_id from launches where batch_id is not null)"""
_EMPTY = "batch_id in (select unnest(?::varchar[])) and batch_id not in (select batch_id from launches where batch_id is not null)"
_BATCHES_GONE = (
    f"delete from batch_rows where {_EMPTY}",  # noqa: S608 - text of ours alone
    f"delete from batches where {_EMPTY}",  # noqa: S608 - text of ours alone
)
_FAR = datetime(9999, 1, 1)  # noqa: DTZ001 - as the store has its times
_COUNTS = """
select status, count(*)::bigint as runs, min(created_at) as first_at, max(created_at) as last_at
from runs where run_id in (select unnest(?::varchar[])) group by status order by status
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletableRuns:
    """What a wish to clear means now: runs that go, those of them that other runs started, and runs that stay.

    `statuses` counts what goes by status; `first_at` and `last_at` are when the first and last of it was launched.
    """

    run_ids: tuple[str, ...]
    batch_ids: tuple[str, ...] = ()  # batches without a run
    below: int = 0
    at_work: int = 0
    statuses: dict[str, int]
    first_at: datetime | None = None
    last_at: datetime | None = None


def find_deletable(store: Reader, chosen: RunFilter, *, before: datetime | None = None) -> DeletableRuns:
    """Which runs, launched before a time, could be deleted; whole teams, never a member alone. Raises StoreError."""
    where, params = chosen.where()
    until = naive(before) or _FAR  # DuckDB compares an aware time with a stored one by the machine's zone
    with store.reader() as ask:
        found = ask(_ROOTS.format(where=where), [*params, until])
        roots = [row["run_id"] for row in found]
        rows = ask(_FAMILIES, [roots]) if roots else []
        gone = _gone(rows)
        of_gone = [row["root"] for row in rows if row["root"] in gone]
        alone = _without_runs(chosen)
        batches = ask(_WITHOUT_RUNS.format(where=alone[0]), [*alone[1], until]) if alone else []
        counted = ask(_COUNTS, [list(gone)]) if gone else []
    times = [row[name] for row in counted for name in ("first_at", "last_at")]
    return DeletableRuns(
        run_ids=tuple(run_id for run_id in roots if run_id in gone),
        batch_ids=tuple(row["batch_id"] for row in batches),
        below=len(of_gone) - len(gone),
        at_work=len(roots) - len(gone),
        statuses={row["status"]: row["runs"] for row in counted},
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def _without_runs(chosen: RunFilter) -> tuple[str, list[Any]] | None:
    """The condition on batches that a wish means besides runs; None where it can mean no batch without runs."""
    by_run = (chosen.run_ids, chosen.sessions, chosen.statuses, chosen.tags, chosen.agents, chosen.owner)
    if any(by_run):
        return None
    conditions: list[str] = []
    params: list[Any] = []
    if chosen.labels:
        conditions.append("l.label in (select unnest(?::varchar[]))")
        params.append(list(chosen.labels))
    if chosen.batches:
        conditions.append(f"l.{OF_BATCHES}")
        params.append(list(chosen.batches))
    return " and ".join(conditions) or "true", params


def delete_runs(con: DuckDBPyConnection, run_ids: Sequence[str], batch_ids: Sequence[str] = ()) -> int:
    """Delete runs with all runs below them, in one transaction; return how many went. Looks again what is at work.

    A batch goes with the last of its runs; `batch_ids` are batches without any.
    """
    cursor = con.execute(_FAMILIES, [list(run_ids)])
    names = [column[0] for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    gone = _gone(rows)
    ids = sorted({row["run_id"] for row in rows if row["root"] in gone})
    batches = con.execute(_BATCHES_OF, [list(batch_ids), ids]).fetchall()
    left = [
        batch_id
        for batch_id, owner, created_at, finished_at in batches
        if finished_at is not None or nobody_works_on(owner, _utc(created_at))
    ]
    con.execute("begin")
    try:
        for table, condition in _TABLES.items():
            con.execute(
                f"delete from {table} where {condition} and run_id in (select unnest(?::varchar[]))",  # noqa: S608 - names of ours
                [ids],
            )
        for sql in _BATCHES_GONE:
            con.execute(sql, [left])
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return len(ids)


def _gone(rows: Iterable[dict[str, Any]]) -> Collection[str]:
    """The roots under which nothing may be at work."""
    roots: dict[str, None] = {}
    busy: set[str] = set()
    for row in rows:
        roots[row["root"]] = None
        if row["finished_at"] is None and not nobody_works_on(row["owner"], _utc(row["last_seen"])):
            busy.add(row["root"])
    return {root: None for root in roots if root not in busy}


def _utc(at: datetime) -> datetime:
    found = at if at.tzinfo is not None else aware(at)
    assert found is not None
    return found.astimezone(UTC)
