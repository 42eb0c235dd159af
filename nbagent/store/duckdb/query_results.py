"""What queries of ours give, and what they are given: times with their zone outside, without it in the database. Any thread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbagent.store.duckdb.codec import naive

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

    from nbagent.store.ports import Ask


def asking(cursor: DuckDBPyConnection) -> Ask:
    """Begin to read one state of the database; each question gives its rows as dicts, times as aware UTC datetimes."""
    cursor.execute("begin transaction read only")

    def ask(sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        cursor.execute(sql, [_param(value) for value in params])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, map(_value, row), strict=True)) for row in cursor.fetchall()]

    return ask


def fetch_arrays(cursor: DuckDBPyConnection, sql: str, params: Sequence[Any]) -> dict[str, Any]:
    """Run a query and give a numpy array for each column, masked where a value is unknown; times without a zone, in UTC."""
    cursor.execute("begin transaction read only")
    found: dict[str, Any] = cursor.execute(sql, [_param(value) for value in params]).fetchnumpy()
    return found


def with_utc(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame's times their zone, which the record leaves out."""
    for name, kind in frame.dtypes.items():
        if kind.kind == "M" and getattr(kind, "tz", None) is None:
            frame[name] = frame[name].dt.tz_localize("UTC")
    return frame


def _param(value: Any) -> Any:
    return naive(value) if isinstance(value, datetime) else value


def _value(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
