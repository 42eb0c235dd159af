"""A whole record from a DuckDB file to the server, and from the server to a new file; all ids are kept.

Each way is one transaction: all of it arrives, or nothing. Runs that the server has already stay as they are there, so
that an import can be repeated. Wishes of processes (to cancel, decisions) are not moved. On the caller's thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.store.duckdb.schema import migrate
from nbagent.store.duckdb.tables import COLUMNS
from nbagent.store.postgres.analysis.mirror_file import TABLES
from nbagent.store.postgres.analysis.pull import copy_table

if TYPE_CHECKING:
    import psycopg
    from duckdb import DuckDBPyConnection

_ROWS_AT_A_TIME = 5000
# rows of these belong to something else than a run
_CHOSEN = {
    "batches": "batch_id not in (select id from there.batches)",
    "batch_rows": "batch_id not in (select id from there.batches)",
    "answers": "run_id in (select run_id from launches where run_id not in (select id from there.runs))"
    " or (recording is not null and (cache_key, run_id) not in (select cache_key, id from there.answers))",
}
_BY_RUN = "run_id not in (select id from there.runs)"


def write_file(server: psycopg.Connection[Any], schema: str, path: Path) -> None:
    """Write the whole record into a new file, in one state of the server. Raises psycopg's and DuckDB's errors, OSError."""
    import duckdb

    with duckdb.connect(str(path)) as con:
        path.chmod(0o600)
        migrate(con, path)
        server.execute("begin isolation level repeatable read read only")
        con.execute("begin")
        for table in TABLES:
            copy_table(server, con, table, f'"{schema}".{table}')
        con.execute("commit")
        server.execute("commit")


def write_server(server: psycopg.Connection[Any], schema: str, con: DuckDBPyConnection) -> tuple[int, int]:
    """Write what a copy of a file's record has into the server's; give how many runs, and how many it had already.

    `con` may be written to; its file has this release's schema. Raises psycopg's and DuckDB's errors.
    """
    with server.transaction():
        server.execute(
            f"select pg_advisory_xact_lock(hashtextextended('nbagent import {schema}', 0))"
        )  # one at a time
        _note_what_is_there(server, con, schema)
        for table in TABLES:
            _insert(server, con, table, schema)
        counted = con.execute(
            "select count(*) filter (run_id not in (select id from there.runs)), count(*) from launches"
        ).fetchone()
    assert counted is not None
    return counted[0], counted[1] - counted[0]


def _note_what_is_there(server: psycopg.Connection[Any], con: DuckDBPyConnection, schema: str) -> None:
    con.execute("attach ':memory:' as there")
    for name, columns, query in (
        ("runs", "id varchar", f'select run_id from "{schema}".launches'),  # noqa: S608 - a name of ours
        ("batches", "id varchar", f'select batch_id from "{schema}".batches'),  # noqa: S608 - a name of ours
        (
            "answers",
            "cache_key varchar, id varchar",
            f'select cache_key, run_id from "{schema}".answers where recording is not null',  # noqa: S608 - a name of ours
        ),
    ):
        con.execute(f"create table there.{name} ({columns})")
        rows = server.execute(query).fetchall()
        if rows:
            lists = [list(column) for column in zip(*rows, strict=True)]
            unnested = ", ".join("unnest(?::varchar[])" for _ in lists)
            con.execute(f"insert into there.{name} select {unnested}", lists)


def _insert(server: psycopg.Connection[Any], con: DuckDBPyConnection, table: str, schema: str) -> None:
    columns = ", ".join(COLUMNS[table])
    found = con.execute(f"select {columns} from {table} where {_CHOSEN.get(table, _BY_RUN)}")  # noqa: S608 - names of ours
    with server.cursor() as cursor, cursor.copy(f'copy "{schema}".{table} ({columns}) from stdin') as copied:
        while rows := found.fetchmany(_ROWS_AT_A_TIME):
            for row in rows:
                copied.write_row([_held(value) for value in row])


def _held(value: Any) -> Any:
    """A value as Postgres can hold it: no text of its has a NUL."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value
