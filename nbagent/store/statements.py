"""Insert rows, by the cheaper of two statements.

A few rows go as `values (?, ...)`, more as one list per column through `unnest` (measured: one row of ten columns
0.6 ms with its commit, 50 rows of 25 columns 2.4 ms; `executemany` and JSON cost more). On the writer thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from nbagent.store.rows import COLUMNS, Row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FEW = 3  # from here on the lists are cheaper


def insert(con: DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    """Insert `rows`, in the order of COLUMNS[table]. A row of `attempt_progress` replaces its predecessor."""
    if not rows:
        return
    if len(rows) <= _FEW:
        con.execute(_values(table, len(rows)), [value for row in rows for value in row])
    else:
        con.execute(_lists(table), [list(column) for column in zip(*rows, strict=True)])


@cache
def _values(table: str, count: int) -> str:
    row = "(" + ", ".join("?" * len(COLUMNS[table])) + ")"
    return f"{_verb(table)} into {table} values {', '.join([row] * count)}"


@cache
def _lists(table: str) -> str:
    # the casts matter where a whole column is None
    columns = ", ".join(f"unnest(?::{kind}[])" for kind in COLUMNS[table].values())
    return f"{_verb(table)} into {table} select {columns}"


def _verb(table: str) -> str:
    return "insert or replace" if table == "attempt_progress" else "insert"
