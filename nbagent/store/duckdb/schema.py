"""Bring a file's schema up to date: numbered steps, each applied once and never edited.

Called by `file.py` at the start of each turn, on the writer thread: a file may be swapped, deleted, or
migrated by a newer release between two turns.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbagent.errors import StoreForeignError, StoreTooNewError
from nbagent.store.duckdb.codec import utc_now

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# beside this module; the first is number 1. A table that is altered cannot be written in the same transaction
MIGRATIONS: Sequence[str] = (
    "schema.sql",
    "answers.sql",
    "first_days.sql",
    "first_days_filled.sql",
    "batches.sql",
    "fuller_rows.sql",
)


@functools.cache
def _script(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def migrate(con: DuckDBPyConnection, path: Path) -> None:
    """Apply what is missing. Raises StoreTooNewError, and writes nothing, for a newer release's file."""
    have = version_of(con)
    if have > len(MIGRATIONS):
        raise StoreTooNewError(
            f"the record {str(path)!r} has schema {have}, this nbagent knows {len(MIGRATIONS)}; it is left untouched",
            "update nbagent-jupyter, or set NBAGENT_STORE to another file",
        )
    if not have:
        _check_empty(con, path)
    for number in range(have + 1, len(MIGRATIONS) + 1):
        script = _script(MIGRATIONS[number - 1])
        con.execute("begin")
        try:
            con.execute(script)
            con.execute("insert into schema_version values (?, ?)", [number, utc_now()])
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise


def _check_empty(con: DuckDBPyConnection, path: Path) -> None:
    """Begin no record in a database that holds something else. Raises StoreError."""
    found = con.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and not internal limit 1"
    ).fetchone()
    if found:
        raise StoreForeignError(
            f"{str(path)!r} is a DuckDB file of another program: it has a table {found[0]!r}; it is left untouched",
            "set NBAGENT_STORE to another file",
        )


def version_of(con: DuckDBPyConnection) -> int:
    """The number of the last migration that the open file has; 0 for a new file."""
    import duckdb

    try:
        row = con.execute("select max(version) from schema_version").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        return 0
    return (row[0] if row else 0) or 0
