"""A person's SQL, and tables written to files: nobody waits for either. On the caller's thread.

Both are asked of private copies of the record (`private_copy.py`), so that other notebooks can write meanwhile, and a
person's SQL cannot write at all.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.core import by_place
from nbagent.errors import ConfigurationError, QueryError
from nbagent.store.duckdb.codec import naive
from nbagent.store.duckdb.database_file import damage_in

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

    from nbagent.store.ports import CopyReader

FORMATS: Mapping[str, str] = {
    "parquet": "format parquet",
    "csv": "format csv, header",
    "jsonl": "format json",
}
TABLES = 'ask runs, attempts, model_calls, tool_calls or messages; nb.sql("describe runs") shows the columns'
_HUGE = frozenset({"HUGEINT", "UHUGEINT"})
_ENDING = re.compile(r";(?:\s|;|--[^\n]*(?:\n|$))*$")  # of a query: nothing more comes
_REFUSED = ("read-only mode", "configuration has been locked", "disabled by configuration")


def query_frame(
    store: CopyReader, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), *, timeout_s: float = 10.0
) -> pd.DataFrame:
    """Run one query on a copy that can only be read and give a DataFrame, times as DuckDB has them.

    `timeout_s` bounds the wait for the file, not the query. Raises QueryError for SQL that writes or is wrong, and
    StoreError where the file cannot be had.
    """
    with store.read_only(timeout_s=timeout_s) as cursor:
        _check_one(cursor, sql)
        given = _parameters(params)
        try:
            return _frame(cursor, sql, given)
        except Exception as error:  # whatever DuckDB says of a person's SQL
            if damage_in(error, store.path) is not None:
                raise  # and is told by the store
            raise _cannot(error, sql) from None


def _frame(cursor: DuckDBPyConnection, sql: str, params: Any) -> pd.DataFrame:
    """Return the answer; 128-bit columns, as of every `sum`, are whole numbers, where `df` makes floats of them."""
    described = cursor.execute(sql, params).description or ()
    huge = {n: str(column[1]) for n, column in enumerate(described) if str(column[1]) in _HUGE}
    if "UHUGEINT" not in huge.values():  # `df` knows no such type
        frame = cursor.df()
        if all(frame.iloc[:, n].abs().max() < 2**53 or frame.iloc[:, n].isna().all() for n in huge):
            return _with_whole_numbers(frame, huge)
    own = [f"c{n}" for n in range(len(described))]
    listed = ", ".join(f"{name}::varchar" if n in huge else name for n, name in enumerate(own))
    query = f"select {listed} from (\n{_ENDING.sub('', sql)}\n) as q({', '.join(own)})"  # noqa: S608 - the person's SQL
    frame = cursor.execute(query, params).df()
    frame.columns = [column[0] for column in described]
    return _with_whole_numbers(frame, huge)


def _with_whole_numbers(frame: pd.DataFrame, positions: Iterable[int]) -> pd.DataFrame:
    for n in positions:
        column: Any = frame.iloc[:, n]
        values = [None if gap else int(value) for value, gap in zip(column, column.isna(), strict=True)]
        known = [value for value in values if value is not None]
        fits = all(-(2**63) <= value < 2**63 for value in known)
        dtype = object if not fits else "int64" if len(known) == len(values) else "Int64"
        frame.isetitem(n, type(column)(values, index=frame.index, dtype=dtype))
    return frame


def write_table(store: CopyReader, query: tuple[str, Sequence[Any]], path: Path, form: str) -> int:
    """Write what a query of ours gives to a file, whole or not at all, in one of `FORMATS`; return its rows.

    Raises ConfigurationError where the file cannot be written, StoreError where the record cannot be read.
    """
    import duckdb

    sql, params = query
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"the folder of {str(path)!r} does not exist", "make it first, or give another path"
        )
    with store.private_copy(sql) as con:
        con.execute(f"create temp table exported as {sql}", list(params))
        times = _with_zones(con, form)
        (found,) = con.execute("select count(*) from exported").fetchall()
        try:
            with overwrite(path) as beside:
                target = str(beside).replace("'", "''")
                con.execute(f"copy ({times}) to '{target}' ({FORMATS[form]})")
        except (duckdb.Error, OSError) as error:
            raise ConfigurationError(
                f"{str(path)!r} cannot be written: {str(error).splitlines()[0]}", "give another path"
            ) from None
    return int(found[0])


def _with_zones(con: DuckDBPyConnection, form: str) -> str:
    """Return the select that gives the exported table's times their zone, which the record leaves out: UTC."""
    con.execute("set TimeZone = 'UTC'")
    found = con.execute("select column_name, column_type from (describe exported)").fetchall()
    shown = [
        f'{_ZONED[form == "parquet"].format(name=name)} as "{name}"'
        for name, kind in found
        if kind == "TIMESTAMP"
    ]
    return f"select * replace ({', '.join(shown)}) from exported" if shown else "select * from exported"  # noqa: S608


# a column with a zone in parquet, ISO text with its offset in text files
_ZONED = {True: '"{name}"::timestamptz', False: "strftime(\"{name}\", '%Y-%m-%dT%H:%M:%S.%f+00:00')"}


@contextlib.contextmanager
def overwrite(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when all has gone well, and is deleted else."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _parameters(given: Any) -> list[Any] | dict[str, Any]:
    """Return the parameters of a person's query as DuckDB takes them: numpy's numbers as Python's."""
    if isinstance(given, Mapping):
        return {name: _plain(value) for name, value in given.items()}
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise QueryError(
            f"the parameters are {given!r:.200}", "give a list, a value for each ?, or a dict for $names"
        )
    return [_plain(value) for value in given]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return naive(value)
    kind = type(value)
    is_number = kind.__module__ == "numpy" and kind.__name__ not in {"ndarray", "datetime64", "timedelta64"}
    return value.item() if is_number else value


def _check_one(cursor: DuckDBPyConnection, sql: str) -> None:
    """Refuse no query and several: only the last one's answer would be seen."""
    import duckdb

    if not isinstance(sql, str):
        raise QueryError(f"the query is {sql!r:.200}", 'give it as text, as in nb.sql("select * from runs")')
    try:
        found = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise _cannot(error, sql) from None
    if not found:
        raise QueryError("the query is empty", TABLES)
    if len(found) > 1:
        raise QueryError(f"there are {len(found)} statements in one query", _only_reads())


def _cannot(error: Exception, sql: str) -> QueryError:
    import duckdb

    text = str(error)
    refused = isinstance(error, duckdb.PermissionException) or any(sign in text for sign in _REFUSED)
    if refused:
        return QueryError(
            f"this would do more than read the record: {' '.join(sql.split()):.80}", _only_reads()
        )
    return QueryError(
        f"the record cannot answer this: {' '.join(text.split('LINE 1:', maxsplit=1)[0].split()):.500}",
        TABLES,
    )


def _only_reads() -> str:
    return by_place(
        python="sql() only reads: use one select; nb.clear_runs() deletes runs, nb.export_runs() writes files",
        magic="sql only reads: use one select; %agent clear deletes runs, %agent export writes files",
    )
