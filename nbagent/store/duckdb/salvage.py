"""What can be read of a damaged record, carried over into a new one. On the writer thread, inside a turn.

The damaged file is opened read only by a DuckDB of its own, which damage may end. A table is read in ranges of rows;
a range that cannot be read is halved, down to DuckDB's own unit; there, columns that cannot be read become NULL.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.store.duckdb.tables import COLUMNS, Row
from nbagent.store.duckdb.write.insert import insert

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RANGE = 16_384  # rows that are read at a time
UNIT = 2048  # DuckDB compresses columns in vectors of so many rows


@dataclass(slots=True)
class Salvaged:
    """How many rows were carried over, and how many are lost in part or whole (as far as their number is known)."""

    rows: int = 0
    lost: int = 0

    def __str__(self) -> str:
        lost = f", {self.lost} could not be read whole" if self.lost else ""
        return f"{self.rows} rows were carried over{lost}"


def is_whole(path: Path) -> bool:
    """Whether every row of every table can be read."""
    import duckdb

    try:
        with _opened(path) as con:
            for table in COLUMNS:
                if _columns_of(con, table):
                    con.execute(f"select bit_xor(hash({table})) from {table}").fetchall()  # noqa: S608 - a name of ours
    except duckdb.Error:
        return False
    return True


def salvage(con: DuckDBPyConnection, damaged: Path) -> Salvaged:
    """Insert what can be read of the damaged file where it is not there yet; each range is committed by itself."""
    import duckdb

    found = Salvaged()
    for table in COLUMNS:
        for rows, asked in _Reading(damaged, table).ranges():
            written = 0
            with contextlib.suppress(duckdb.ConstraintException):
                insert(con, table, rows, anew=False)
                written = len(rows)
            found.rows += written
            found.lost += max(0, asked - written)
    return found


class _Reading:
    """One table of the damaged file, read in ranges; DuckDB is started anew wherever damage has ended it."""

    def __init__(self, damaged: Path, table: str) -> None:
        self._damaged = damaged
        self._table = table
        self._needed: frozenset[str] = frozenset()

    def ranges(self) -> Iterator[tuple[Sequence[Row], int]]:
        """The rows of each range that can be read at all, in the order of COLUMNS, and how many there were."""
        there = self._try(lambda con: _columns_of(con, self._table)) or {}
        highest = self._try(
            lambda con: con.execute(f"select max(rowid) from {self._table}").fetchall()  # noqa: S608 - a name of ours
        )
        if not there or not highest or highest[0][0] is None:
            return
        self._needed = frozenset(name for name, nullable in there.items() if not nullable)
        names = {name: name if name in there else "null" for name in COLUMNS[self._table]}
        for first in range(0, highest[0][0] + 1, RANGE):
            yield from self._range(first, first + RANGE, names)

    def _range(self, first: int, end: int, names: dict[str, str]) -> Iterator[tuple[Sequence[Row], int]]:
        rows = self._select(first, end, names)
        if rows is not None:
            yield rows, len(rows)
        elif end - first > UNIT:
            middle = (first + end) // 2
            yield from self._range(first, middle, names)
            yield from self._range(middle, end, names)
        else:
            readable = {
                name: kept if kept == "null" or self._select(first, end, {name: kept}) is not None else "null"
                for name, kept in names.items()
            }
            gone = {name for name in names if readable[name] != names[name]}
            rows = None if gone & self._needed else self._select(first, end, readable)
            counted = self._select(first, end, {"rowid": "rowid"})
            if rows is not None:
                yield rows, 2 * len(rows)  # there, and lost in part
            else:
                yield (), len(counted or ())

    def _select(self, first: int, end: int, names: dict[str, str]) -> Sequence[Row] | None:
        picked = ", ".join(names.values())
        sql = f"select {picked} from {self._table} where rowid >= ? and rowid < ?"  # noqa: S608 - names of ours
        rows: Sequence[Row] | None = self._try(lambda con: con.execute(sql, [first, end]).fetchall())
        return rows

    def _try(self, ask: Any) -> Any:
        """What the file answers; None where it cannot."""
        import duckdb

        try:
            with _opened(self._damaged) as con:
                return ask(con)
        except duckdb.Error:
            return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb

    con = duckdb.connect(
        str(path), read_only=True, config={"threads": 1, "python_enable_replacements": False}
    )
    try:
        yield con
    finally:
        con.close()


def _columns_of(con: DuckDBPyConnection, table: str) -> dict[str, bool]:
    """The columns that a table of the file has, and whether each may be NULL; none where there is no such table."""
    found = con.execute(
        "select column_name, is_nullable from duckdb_columns() where table_name = ? and not internal", [table]
    ).fetchall()
    return {name: nullable for name, nullable in found if name in COLUMNS[table]}
