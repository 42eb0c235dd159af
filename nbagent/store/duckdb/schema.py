"""The schema of the file: `schema.sql` makes a new one; numbered steps bring an earlier one up to date.

Called by `database_file.py` at the start of each lease, on the writer thread: a file may be swapped, deleted, or
migrated by a newer release between two leases.

A change of the schema: edit `schema.sql`, raise `VERSION`, and add a step that brings a file of the version before to
the same tables. A step alters tables and is never edited; what it need not alter, new tables and the views, `schema.sql`
makes after it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from nbagent.errors import StoreError, StoreForeignError, StoreTooNewError
from nbagent.store.duckdb.codec import utc_now

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION = 10
# the version that a step leads to -> its file, in the folder of this module. A table that is altered cannot be written in the
# same transaction
STEPS: dict[int, str] = {
    6: "steps/step_6.sql",
    7: "steps/step_7.sql",
    8: "steps/step_8.sql",
    9: "steps/step_9.sql",
    10: "steps/step_10.sql",
}
OLDEST = min(STEPS) - 1


@functools.cache
def _script(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def views() -> str:
    """The statements that make the views `attempts` and `runs` over whatever has the names of the tables."""
    script = _script("schema.sql")
    return script[script.index("create or replace view") :]


def migrate(con: DuckDBPyConnection, path: Path) -> None:
    """Make the tables of a new file, or apply what an earlier one lacks; each step is one transaction.

    Raises StoreTooNewError for a newer release's file, StoreError for one of before the first release; both are left
    untouched.
    """
    have = version_of(con)
    if have == VERSION:
        return
    if have > VERSION:
        raise StoreTooNewError(
            f"the record {str(path)!r} has schema {have}, this nbagent knows {VERSION}; it is left untouched",
            "update nbagent-jupyter, or set NBAGENT_STORE to another file",
        )
    if not have:
        _check_empty(con, path)
        _apply(con, VERSION, "schema.sql")
        return
    if have < OLDEST:
        raise StoreError(
            f"the record {str(path)!r} has schema {have}, this nbagent reads {OLDEST} to {VERSION}; it is left untouched",
            "move it away, or set NBAGENT_STORE to another file",
        )
    for number in range(have + 1, VERSION + 1):
        _apply(con, number, STEPS[number], *(["schema.sql"] if number == VERSION else []))


def _apply(con: DuckDBPyConnection, number: int, *scripts: str) -> None:
    """Run scripts and note the version that they lead to, all or nothing."""
    con.execute("begin")
    try:
        for script in scripts:
            con.execute(_script(script))
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
    """Return the schema version of the open file; 0 for a new file."""
    import duckdb

    try:
        row = con.execute("select max(version) from schema_version").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        return 0
    return (row[0] if row else 0) or 0
