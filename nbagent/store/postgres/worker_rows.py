"""The workers of a record: who they are, what they serve, which of them are gone. On a connection of the caller's own.

A worker holds an advisory lock, which is free as soon as its process is dead, and writes once a second. A lock that is free
says nothing where the server has been started since it was taken: until its process is back, everybody's is free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.errors import StoreError
from nbagent.store.ports import RunStore
from nbagent.store.postgres.connect import is_pooled

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

QUIET_S = 2.0  # without a word, and its lock is free: it is dead
SILENT_S = 15.0  # without a word, whatever its lock says: it is frozen, or cut off
SETTLED_S = 15.0  # after a server's start, until workers are back

_NOW = "timezone('utc', clock_timestamp())"
_STATE = f"""
select w.*, extract(epoch from {_NOW} - w.beat_at)::double precision as quiet_s,
       exists (
           select from pg_locks l where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
           and l.database = (select oid from pg_database where datname = current_database())
           and l.classid = ((w.lock_key >> 32) & 4294967295)::oid and l.objid = (w.lock_key & 4294967295)::oid
       ) as is_held,
       w.held_at > timezone('utc', pg_postmaster_start_time()) as held_since_start,
       extract(epoch from clock_timestamp() - pg_postmaster_start_time())::double precision as server_s
from workers w order by w.began_at, w.worker"""  # noqa: S608 - text of ours
_JOIN = f"""
insert into workers (worker, owner, host, pid, addresses, lock_key, held_at, beat_at)
values ($1, $2, $3, $4, $5::json, $6, {_NOW}, {_NOW})
on conflict (owner) do update set worker = excluded.worker, addresses = excluded.addresses, lock_key = excluded.lock_key,
       held_at = excluded.held_at, beat_at = excluded.beat_at, left_at = null"""  # noqa: S608 - text of ours
_BEAT = f"update workers set beat_at = {_NOW}, running = $2, draining = $3 where owner = $1"  # noqa: S608 - text of ours
_LEAVE = f"update workers set left_at = {_NOW}, running = 0 where owner = $1"  # noqa: S608 - text of ours
# a process that is frozen between two statements that it sends in one go holds their locks, and no timeout ends that
_END_SESSIONS = """
select pg_terminate_backend(l.pid)
from (select lock_key from writers where owner = $1 union select lock_key from workers where owner = $1) k
join pg_locks l on l.locktype = 'advisory' and l.objsubid = 1 and l.granted
     and l.database = (select oid from pg_database where datname = current_database())
     and l.classid = ((k.lock_key >> 32) & 4294967295)::oid and l.objid = (k.lock_key & 4294967295)::oid
where l.pid <> pg_backend_pid()"""
# who had the id before has died: the lock was free
_BEFORE = f"update workers set beat_at = {_NOW} - interval '1 hour' where worker = $1 and owner <> $2 and left_at is null"  # noqa: S608 - text of ours
_OLD = f"delete from workers where beat_at < {_NOW} - interval '30 days'"  # noqa: S608 - text of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker as the record has it. `addresses` are what it serves, each with its fingerprint.

    `is_gone`: it has died, is frozen, or has ended; its runs are for others.
    """

    worker: str
    owner: str
    host: str
    pid: int
    addresses: Mapping[str, str]
    began_at: datetime
    beat_at: datetime
    running: int
    draining: bool
    is_gone: bool
    left: bool = False


def load_workers(store: RunStore) -> list[WorkerRow]:
    """Return the workers that a record has heard of and that have not ended in order, the first to begin first.

    None on a record in a file. Raises StoreError.
    """
    if store.mirror is None:
        return []
    with store.mirror.server() as connection:
        return [one for one in workers_of(connection) if not one.left]


def workers_of(connection: Connection) -> list[WorkerRow]:
    """Return all workers, also those that have ended."""
    cursor = connection.execute(_STATE)
    names = [column.name for column in cursor.description or ()]
    return [_row(dict(zip(names, values, strict=True))) for values in cursor.fetchall()]


def _row(row: Mapping[str, Any]) -> WorkerRow:
    return WorkerRow(
        addresses=orjson.loads(row["addresses"]),
        is_gone=_is_gone(row),
        left=row["left_at"] is not None,
        began_at=row["began_at"].replace(tzinfo=UTC),
        beat_at=row["beat_at"].replace(tzinfo=UTC),
        **{name: row[name] for name in ("worker", "owner", "host", "pid", "running", "draining")},
    )


def _is_gone(row: Mapping[str, Any]) -> bool:
    if row["left_at"] is not None:
        return True
    settled: bool = row["server_s"] > SETTLED_S
    if row["quiet_s"] > SILENT_S:
        return settled
    freed = not row["is_held"] and (row["held_since_start"] or settled)
    return bool(freed and row["quiet_s"] > QUIET_S)


def join_workers(connection: Connection, worker: str, owner: str, addresses: Mapping[str, str]) -> bool:
    """Take a worker's lock for this connection and say what it serves. False where another process has that id.

    Raises StoreError where there is a pooler between: the lock would be some other process's.
    """
    if is_pooled(connection):
        raise StoreError(
            "a pooler is between this worker and the server, which lends connections: a worker's lease needs one of its own",
            "give it the server's own address; notebooks may go through the pooler",
        )
    key = _lock_key(connection, worker)
    (taken,) = connection.execute("select pg_try_advisory_lock($1)", [key]).fetchone() or (False,)
    if not taken:
        return False
    # frozen in mid transaction it must not keep those waiting that take over from it
    connection.execute("set idle_in_transaction_session_timeout = '10s'")
    host, _, pid = [*owner.split(" "), "?", "0"][:3]
    connection.execute(_OLD)
    connection.execute(_BEFORE, [worker, owner])
    connection.execute(_JOIN, [worker, owner, host, int(pid), orjson.dumps(dict(addresses)).decode(), key])
    return True


def beat(connection: Connection, owner: str, *, running: int, draining: bool) -> None:
    """Say that a worker lives."""
    connection.execute(_BEAT, [owner, running, draining])


def end_sessions(connection: Connection, owner: str) -> None:
    """End what a worker that is gone still has at the server, so that nobody waits for its locks; it may be frozen."""
    connection.execute(_END_SESSIONS, [owner])


def leave_workers(connection: Connection, owner: str) -> None:
    """Say that a worker ends in order: what it has left is for others at once."""
    connection.execute(_LEAVE, [owner])


def _lock_key(connection: Connection, worker: str) -> int:
    (schema,) = connection.execute("select current_schema()").fetchone() or ("",)
    digest = hashlib.blake2b(f"worker {schema} {worker}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
