"""The schema on the server: made once, brought up to date, or left as it is where a newer release has made it.

Called with each new connection of the writer, and once by readers. It has the version of the DuckDB file's schema: a table or column
that `tables.py` has and the server lacks is added, and the views are made anew, which is what a step of the file does too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreError, StoreTooNewError
from nbagent.settings import ServerUrl
from nbagent.store.duckdb.schema import VERSION
from nbagent.store.duckdb.tables import COLUMNS

if TYPE_CHECKING:
    import psycopg

_TYPES = {
    "varchar": "text",
    "integer": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "json": "json",
}
_FOUND = "select to_regclass($1) is not null"
_COLUMNS = "select table_name, column_name from information_schema.columns where table_schema = $1"


def prepare(connection: psycopg.Connection[Any], url: ServerUrl) -> int:
    """Make the tables of a new record, or bring an earlier one up to date; return the version that is there.

    A newer release's record is left as it is. Raises StoreError where there is no record and none may be made.
    """
    import psycopg

    have = version_of(connection, url)
    if have >= VERSION:
        return have
    try:
        with connection.transaction():
            connection.execute(
                "select pg_advisory_xact_lock(hashtextextended($1, 7))", [f"nbagent {url.schema}"]
            )
            have = version_of(connection, url)
            if have < VERSION:
                _make(connection, url, have)
    except psycopg.errors.InsufficientPrivilege as error:
        made = f"is of an earlier nbagent (schema {have})" if have else "is not there yet"
        raise StoreError(
            f"the record {str(url)!r} {made}, and this user may not make it: {str(error).splitlines()[0]}",
            "let somebody who may create a schema in this database run nbagent once",
        ) from None
    return max(have, VERSION)


def check_version(version: int, url: ServerUrl) -> None:
    """Raise StoreTooNewError where an older nbagent would write to a newer record, which it can read."""
    if version > VERSION:
        raise StoreTooNewError(
            f"the record {str(url)!r} has schema {version}, this nbagent writes {VERSION}; it can only be read here",
            "update nbagent-jupyter to record runs in it; until then their rows wait in memory",
        )


def version_of(connection: psycopg.Connection[Any], url: ServerUrl) -> int:
    """Return the version of the schema on the server; 0 where there is none."""
    (there,) = connection.execute(_FOUND, [f'"{url.schema}".schema_version']).fetchone() or (False,)
    if not there:
        return 0
    row = connection.execute("select max(version) from schema_version").fetchone()
    return (row[0] if row else 0) or 0


def _make(connection: psycopg.Connection[Any], url: ServerUrl, have: int) -> None:
    if not have:
        connection.execute(f'create schema if not exists "{url.schema}"')
        _run(connection, "schema.sql")
    there = {(table, column) for table, column in connection.execute(_COLUMNS, [url.schema]).fetchall()}
    tables = {table for table, _ in there}
    for table, columns in COLUMNS.items():
        if table not in tables:
            connection.execute(f"create table {table} ()")
        for column, kind in columns.items():
            if (table, column) not in there:
                connection.execute(f'alter table {table} add column "{column}" {_TYPES[kind]}')
    _run(connection, "workers.sql")
    _run(connection, "views.sql")
    connection.execute(
        "insert into schema_version values ($1, timezone('utc', now())) on conflict do nothing", [VERSION]
    )


def _run(connection: psycopg.Connection[Any], script: str) -> None:
    import psycopg

    text = (Path(__file__).parent / script).read_text(encoding="utf-8")
    # several statements at once go by the simple protocol, which takes no parameters
    psycopg.ClientCursor(connection).execute(text.encode())
