"""Bring what is new on the server into the file of a mirror: each row once, none missed.

Every row carries the number of the transaction that wrote it last (`xid`, an xid8). In one snapshot of the server all
transactions below its horizon, `pg_snapshot_xmin`, have ended: what they wrote is seen by this snapshot, or never.
So a pull asks for the rows at or above the horizon of the pull before, replaces by `row_id` those that it has, and
remembers its own horizon. Rows above it are read anew by the next pull: more may come among them, from transactions
that were still open. A serial number instead would miss those: it is given before they are committed. The horizon
stands still while any transaction of the server that writes is open, in other databases too: nothing is missed then,
only more is read anew (`nb.doctor()` names one that is old).

Deleted rows have left tombstones, which are rows like the others. Called under the lock of `Mirror`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.store.duckdb.tables import COLUMNS
from nbagent.store.postgres.analysis.copied_rows import copied_rows
from nbagent.store.postgres.analysis.mirror_file import TABLES, TEXTS, MirrorFile, State

if TYPE_CHECKING:
    import psycopg
    from duckdb import DuckDBPyConnection

_CHUNK_BYTES = 64 << 20  # of rows on the disk at a time
_LINE_BYTES = 1 << 16  # a bound on lines, raised where a row is longer
_BUFFER_BYTES = 32 << 20  # what DuckDB reads at a time; where there are few rows less is made ready
_FAR_BEHIND = 10_000  # transactions
_TOMBSTONES = {"table_name": "varchar", "row_id": "bigint"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """One snapshot of the server: its horizon, the state of the record, and the tables that have something new."""

    horizon: int
    state: State
    changed: frozenset[str]


def pull(file: MirrorFile, server: psycopg.Connection[Any], *, messages: bool) -> bool:
    """Bring the file to the server's present state; give whether anything has changed. Raises psycopg's and DuckDB's errors.

    Without `messages` the texts of messages are not asked for, and those that are there go. A file of another state of the
    record begins anew.
    """
    tables = [name for name in TABLES if messages or name != TEXTS]
    with _snapshot(server):
        horizons = file.horizons()
        seen = _look(server, file.place.schema, tables, horizons)
        stands = file.state() in (None, seen.state) and max(horizons.values(), default=0) <= seen.horizon
        if not stands or (not messages and TEXTS in horizons):
            # what was deleted of a database stays in its file for a while: texts go with the file
            file.begin_anew()
            horizons = {}
            seen = _look(server, file.place.schema, tables, horizons)
        if not seen.changed and file.state() is not None:
            _keep_horizon(file, horizons, seen)
            return False
        with _transaction(file.con):
            for table in tables:
                if table in seen.changed:
                    rows = f'"{file.place.schema}".{table}'
                    _renew(server, file.con, table, rows, horizons.get(table, 0))
            if "tombstones" in seen.changed:
                _bury(server, file.con, file.place.schema, horizons.get("tombstones", 0))
            _remember(file.con, [*tables, "tombstones"], seen)
    file.keep_private()
    return True


def copy_messages(
    server: psycopg.Connection[Any], con: DuckDBPyConnection, schema: str, run_ids: Sequence[str] | None
) -> None:
    """Fill a temporary table `messages` of a connection, for one query: with those of some runs, or all."""
    listed = ", ".join(f"{name} {kind}" for name, kind in COLUMNS[TEXTS].items())
    con.execute(f"create or replace temp table {TEXTS} ({listed})")
    chosen = "true"
    if run_ids is not None:
        from psycopg import sql

        chosen = "run_id = any(" + sql.Literal(list(run_ids)).as_string(server) + "::text[])"
    copy_table(server, con, TEXTS, f'(select * from "{schema}".{TEXTS} where {chosen}) as chosen')  # noqa: S608 - a name of ours, values by psycopg


@contextlib.contextmanager
def _snapshot(server: psycopg.Connection[Any]) -> Iterator[None]:
    server.execute("begin isolation level repeatable read read only")
    yield  # an error leaves the connection in its transaction: `Mirror` throws it away
    server.execute("commit")


@contextlib.contextmanager
def _transaction(con: DuckDBPyConnection) -> Iterator[None]:
    con.execute("begin")
    try:
        yield
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")


def _look(
    server: psycopg.Connection[Any], schema: str, tables: Sequence[str], horizons: Mapping[str, int]
) -> _Seen:
    names = [*tables, "tombstones"]
    told = ", ".join(
        f"exists (select from \"{schema}\".{name} where xid >= '{horizons.get(name, 0)}'::xid8)"
        for name in names
    )
    row = server.execute(
        f"select pg_snapshot_xmin(pg_current_snapshot())::text, r.record_id::text, r.mirror_epoch,"  # noqa: S608 - names of ours
        f' (select timeline_id::text from pg_control_checkpoint()), array[{told}] from "{schema}".record r'
    ).fetchone()
    assert row is not None
    horizon, record_id, epoch, timeline, flags = row
    changed = frozenset(name for name, flag in zip(names, flags, strict=True) if flag)
    return _Seen(int(horizon), State(record_id=record_id, epoch=epoch, timeline=timeline), changed)


def _keep_horizon(file: MirrorFile, horizons: Mapping[str, int], seen: _Seen) -> None:
    """Move the horizon on where nothing was written below it, now and then: each time would be a write for nothing."""
    if seen.horizon - min(horizons.values(), default=0) > _FAR_BEHIND:
        _remember(file.con, list(horizons), seen)


def _remember(con: DuckDBPyConnection, tables: Sequence[str], seen: _Seen) -> None:
    con.execute("delete from pulled.horizons where table_name in (select unnest(?))", [list(tables)])
    con.execute("insert into pulled.horizons select unnest(?), ?", [list(tables), seen.horizon])
    con.execute("delete from pulled.state")
    con.execute(
        "insert into pulled.state values (?, ?, ?)",
        [seen.state.record_id, seen.state.epoch, seen.state.timeline],
    )


def copy_table(server: psycopg.Connection[Any], con: DuckDBPyConnection, table: str, rows: str) -> None:
    """Copy rows of a table of the server, by its name or a query's, into the table of that name of a database."""
    for read in _chunks(server, rows, COLUMNS[table], 0):
        _insert(con, table, COLUMNS[table], read)


def _renew(
    server: psycopg.Connection[Any], con: DuckDBPyConnection, table: str, rows: str, since: int
) -> None:
    """Copy the rows of a table since a transaction, in place of those that are there."""
    kinds = {**COLUMNS[table], "row_id": "bigint"}
    for read in _chunks(server, rows, kinds, since):
        if not since:
            _insert(con, f"pulled.{table}", kinds, read)
            continue
        con.execute(f"create or replace temp table incoming as {_select(kinds, read)}")
        con.execute(
            # row ids grow: the lowest leaves most of the table unread
            f"delete from pulled.{table} where row_id >= (select min(row_id) from incoming)"  # noqa: S608 - names of ours
            " and row_id in (select row_id from incoming)"
        )
        con.execute(f"insert into pulled.{table} by name from incoming")


def _insert(con: DuckDBPyConnection, into: str, kinds: Mapping[str, str], read: str) -> None:
    con.execute(f"insert into {into} ({', '.join(kinds)}) {_select(kinds, read)}")


def _select(kinds: Mapping[str, str], read: str) -> str:
    """Each column as its type; text that is no JSON, which only another program can have written, as a JSON string."""
    listed = (
        f"coalesce(try_cast({name} as json), to_json({name})) as {name}" if kind == "json" else name
        for name, kind in kinds.items()
    )
    return f"select {', '.join(listed)} from {read}"  # noqa: S608 - names of ours


def _bury(server: psycopg.Connection[Any], con: DuckDBPyConnection, schema: str, since: int) -> None:
    """Delete what tombstones name; there is nothing to delete in a file that has just begun."""
    if not since:
        return
    for read in _chunks(server, f'"{schema}".tombstones', _TOMBSTONES, since):
        for table in TABLES:
            con.execute(
                f"delete from pulled.{table} where row_id in (select row_id from {read} where table_name = '{table}')"  # noqa: S608 - names of ours
            )


def _chunks(
    server: psycopg.Connection[Any], rows: str, kinds: Mapping[str, str], since: int
) -> Iterator[str]:
    """Copy rows into a file of this user's alone, part by part, and give for each the table function that reads it."""
    columns = ", ".join(kinds)
    texts = ", ".join(name for name, kind in kinds.items() if kind in {"varchar", "json"})
    query = f"copy (select {columns} from {rows} where xid >= '{since}'::xid8) to stdout (format csv, force_quote ({texts}))"  # noqa: S608 - names of ours
    with tempfile.TemporaryDirectory(prefix="nbagent-") as folder:
        path = Path(folder) / "rows.csv"
        parts = copied_rows(server, query)
        while True:
            longest, size = _write(parts, path)
            if not size:
                return
            yield _reading(path, kinds, longest, size)


def _write(parts: Iterator[memoryview], path: Path) -> tuple[int, int]:
    """Write rows until there are many bytes; give the length of the longest, and of all."""
    longest = size = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as out:  # noqa: PTH123 - of a descriptor with its mode
        for part in parts:
            length = len(part)
            if length > longest:  # noqa: PLR1730 - a call for each of millions of rows is dear
                longest = length
            size += length
            out.write(part)
            if size >= _CHUNK_BYTES:
                break
    return longest, size


def _reading(path: Path, kinds: Mapping[str, str], longest: int, size: int) -> str:
    """The table function that reads a file of rows, of which the longest and all have so many bytes."""
    types = ", ".join(f"'{name}': '{'varchar' if kind == 'json' else kind}'" for name, kind in kinds.items())
    line = max(_LINE_BYTES, longest + 1)
    place = str(path).replace("'", "''")
    # NULL is nothing at all, an empty text is "": so COPY writes them, where all text that is known is quoted
    return (
        f"read_csv('{place}', auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"',"
        f" nullstr = '', allow_quoted_nulls = false, new_line = '\\n', max_line_size = {line},"
        f" buffer_size = {max(2 * line, min(size, _BUFFER_BYTES))},"
        f" columns = {{{types}}})"
    )
