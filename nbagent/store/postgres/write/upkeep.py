"""Operations that ask before they write, each in a transaction of its own: deletions, costs, imports, dead processes' runs.

On the writer thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import orjson

from nbagent.store.duckdb.tables import COLUMNS
from nbagent.store.duckdb.write.delete import delete_runs
from nbagent.store.duckdb.write.known_state import REQUEST_LIFE
from nbagent.store.duckdb.write.orphans import STALE, end_of_orphan
from nbagent.store.postgres.dialect import postgres_sql
from nbagent.store.postgres.write.apply import (
    APPLIED,
    AlreadyAppliedError,
    Sender,
    channel,
    lock_sql,
    transaction,
)
from nbagent.store.postgres.write.operations import Operation, row_json
from nbagent.store.process_id import PLACED, is_alive

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

FREE_S = 45.0  # without a word of a process whose lock is free: it has died, or has been cut off
SILENT_S = 90.0  # without a word of a process whose lock is held: it is frozen, or its machine is gone
SETTLED_S = 30.0  # after a server's start: until then processes come back, and a free lock says nothing

_COSTS = """
update model_calls c set {column} = r.cost_usd
from json_to_recordset($1::json) as r(run_id text, attempt integer, step integer, try_no integer,
                                      cost_usd double precision, estimated boolean)
where c.run_id = r.run_id and c.attempt = r.attempt and c.step = r.step and c.try_no = r.try_no
  and r.estimated = {estimated} and c.cost_usd is null and c.{column} is null"""
_IMPORT = """
insert into answers ({columns}) select {columns} from json_populate_recordset(null::answers, $1::json)"""
_IMPORTED_BEFORE = """
delete from answers a using json_populate_recordset(null::answers, $1::json) r
where a.recording is not null and a.since < r.since and a.cache_key = r.cache_key and a.run_id = r.run_id"""
# of runs on workers, workers end what a dead one has left, as they go on with it
_UNFINISHED = f"""
select a.run_id, a.attempt, a.owner, a.started_at, a.partial_text, a.mode_effective, a.response_id,
       a.last_sequence_number, a.paused_s, coalesce(a.heartbeat_at, a.created_at) as last_seen
from attempts a join launches l on l.run_id = a.run_id
where a.finished_at is null and a.status <> 'paused' and a.owner <> $1
  and l.details ->> 'placement' is distinct from '{PLACED}'
  and not exists (select from attempt_starts s where s.run_id = a.run_id and s.attempt > a.attempt)"""  # noqa: S608 - a name of ours
# the lock of a process that lives is held by its connection; whoever gets it gives it back at once
_LEASES = """
select o.owner, min(extract(epoch from timezone('utc', clock_timestamp()) - o.beat_at))::double precision as silent_s,
       bool_and(not exists (
           select from pg_locks l where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
           and l.database = (select oid from pg_database where datname = current_database())
           and l.classid = ((o.lock_key >> 32) & 4294967295)::oid and l.objid = (o.lock_key & 4294967295)::oid
       )) as is_free
from writers o where o.owner = any($1::text[]) group by o.owner"""
_STARTED = "select extract(epoch from clock_timestamp() - pg_postmaster_start_time())::double precision, timezone('utc', now())"
_STILL = """
select r.run_id, r.attempt from json_to_recordset($1::json) as r(run_id text, attempt integer)
where not exists (select from attempt_ends e where e.run_id = r.run_id and e.attempt = r.attempt)
  and not exists (select from attempt_starts s where s.run_id = r.run_id and s.attempt > r.attempt)
  and not exists (select from attempt_progress p where p.run_id = r.run_id and p.attempt = r.attempt and p.status = 'paused')"""


def apply_alone(connection: Connection, sender: Sender, one: Operation, schema: str) -> Any:
    """Do one such operation of a process and return its result. Raises as `apply.apply`."""
    with transaction(connection):
        connection.execute("begin")
        if connection.execute(APPLIED, [sender.writer, one.number, one.number]).fetchone() is None:
            raise AlreadyAppliedError
        result = _DO[one.kind](connection, sender.owner, one)
        notice = orjson.dumps({"owner": sender.owner, "wishes": 0, "for": []}).decode()
        connection.execute("select pg_notify($1, $2)", [channel(schema), notice])
        connection.execute("commit")
    return result


def _import(connection: Connection, _owner: str, one: Operation) -> int:
    rows = one.rows.get("answers", [])
    text = f"[{','.join(rows)}]"
    connection.execute(_IMPORTED_BEFORE, [text])
    connection.execute(_IMPORT.format(columns=", ".join(COLUMNS["answers"])), [text])
    return len(rows)


def _costs(connection: Connection, _owner: str, one: Operation) -> int:
    text = orjson.dumps(one.args["costs"]).decode()
    for column, estimated in (("cost_usd", "false"), ("estimated_cost_usd", "true")):
        connection.execute(_COSTS.format(column=column, estimated=estimated), [text])
    return len(one.args["costs"])


def _forget(connection: Connection, _owner: str, one: Operation) -> int:
    return delete_runs(cast("Any", _Speaking(connection)), one.args["run_ids"], one.args["batch_ids"])


class _Speaking:
    """A connection for statements in the words of `duckdb/`, inside a transaction that is under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """Execute a statement; beginning and ending are the caller's."""
        if sql in ("begin", "commit", "rollback"):
            return None
        return self._connection.execute(postgres_sql(sql), params)


def _sweep(connection: Connection, owner: str, one: Operation) -> int:
    """End the attempts whose process is gone, drop expired requests; return how many ended."""
    for table in ("cancel_requests", "decision_requests", "sent_messages"):
        connection.execute(
            f"delete from {table} where created_at < timezone('utc', now()) - $1::interval",  # noqa: S608
            [REQUEST_LIFE],
        )
    rows = connection.execute(_UNFINISHED, [owner]).fetchall()
    if not rows:
        return 0
    gone = _gone_owners(connection, rows).union(one.args["gone"])
    left = {(row[0], row[1]): row for row in rows if row[2] in gone}
    if not left:
        return 0
    connection.execute(lock_sql("' run '"), [sorted({run_id for run_id, _ in left})])
    named = [{"run_id": run_id, "attempt": attempt} for run_id, attempt in left]
    still = connection.execute(_STILL, [orjson.dumps(named).decode()]).fetchall()
    ends = [row_json("attempt_ends", end_of_orphan(left[run_id, attempt])) for run_id, attempt in still]
    if ends:
        columns = ", ".join(COLUMNS["attempt_ends"])
        connection.execute(
            f"insert into attempt_ends ({columns}) select {columns}"  # noqa: S608 - names of ours
            " from json_populate_recordset(null::attempt_ends, $1::json)",
            [f"[{','.join(ends)}]"],
        )
    return len(ends)


def _gone_owners(connection: Connection, rows: Sequence[Any]) -> set[str]:
    """Which of these attempts' processes are gone, by the server's clock."""
    last_seen: dict[str, datetime] = {}
    for row in rows:
        last_seen[row[2]] = max(row[-1], last_seen.get(row[2], row[-1]))
    started_s, now = connection.execute(_STARTED).fetchall()[0]
    leases = {
        name: (silent_s, free) for name, silent_s, free in connection.execute(_LEASES, [list(last_seen)])
    }
    return {
        owner
        for owner, seen in last_seen.items()
        if _is_gone(is_alive(owner), leases.get(owner), now - seen, settled=started_s > SETTLED_S)
    }


def _is_gone(
    alive: bool | None,  # noqa: FBT001 - three values
    lease: tuple[float, bool] | None,
    quiet: timedelta,
    *,
    settled: bool,
) -> bool:
    if alive is False:
        return True
    if lease is None:  # its rows came from another record
        return alive is None and quiet > STALE
    silent_s, is_free = lease
    return settled and silent_s > (FREE_S if is_free else SILENT_S)


_DO = {"import": _import, "costs": _costs, "forget": _forget, "sweep": _sweep}
