"""Insert rows, by the cheaper of two statements.

A few rows go as `values (?, ...)`, more as one list per column through `unnest` (measured: one row of ten columns
0.6 ms with its commit, 50 rows of 25 columns 2.4 ms; `executemany` and JSON cost more). On the writer thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from nbagent.store.duckdb.tables import COLUMNS, Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FEW = 3  # from here on the lists are cheaper
_REPLACED = frozenset({"attempt_progress", "batches"})


def insert(con: DuckDBPyConnection, table: str, rows: Sequence[Row], *, anew: bool = True) -> None:
    """Insert `rows`, in the order of COLUMNS[table].

    A row of `attempt_progress` or `batches` replaces its predecessor. Not `anew`: rows whose key is there already are
    left out.
    """
    if not rows:
        return
    if len(rows) <= _FEW:
        con.execute(
            _values(_into(table, anew=anew), len(COLUMNS[table]), len(rows)),
            [value for row in rows for value in row],
        )
    else:
        con.execute(
            _lists(_into(table, anew=anew), table), [list(column) for column in zip(*rows, strict=True)]
        )


@cache
def _into(table: str, *, anew: bool) -> str:
    # named, for a column that a migration has added is the last one, wherever it stands in a new file
    place = f"{table} ({', '.join(COLUMNS[table])})"
    if not anew:
        return f"insert or ignore into {place}"
    return f"insert or replace into {place}" if table in _REPLACED else f"insert into {place}"


@cache
def _values(into: str, columns: int, count: int) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    return f"{into} values {', '.join([row] * count)}"


@cache
def _lists(into: str, table: str) -> str:
    # the casts matter where a whole column is None
    columns = ", ".join(f"unnest(?::{kind}[])" for kind in COLUMNS[table].values())
    return f"{into} select {columns}"
