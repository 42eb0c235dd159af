"""Typed answers as columns of DataFrames, with types that do not depend on the answers. Any thread.

pandas is imported with the first frame.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.schemas.answer_columns import Explode, Layout, layout_of
from nbagent.schemas.rows import rows_of

if TYPE_CHECKING:
    import pandas as pd

    from nbagent.schemas.output_schema import OutputSchema

VALUE = "value"  # the column of an answer that is no object


def to_frame(value: Any, schema: OutputSchema | None = None, *, explode: Explode = None) -> pd.DataFrame:
    """Return an answer as a DataFrame; columns and types are those of its schema, as far as that is known.

    Without a schema they follow from the value (`rows_of`). `explode` is as in `layout_of`. Raises
    UnknownOptionError.
    """
    import pandas as pd

    layout = None if schema is None else layout_of(schema, explode=explode, alone=VALUE)
    if layout is None or layout.is_whole:
        whole = explode is False and isinstance(value, list)
        return pd.DataFrame([{VALUE: value}] if whole else rows_of(value))
    columns, _ = columns_of([value], layout, of_nothing=False)
    return pd.DataFrame(columns)


def columns_of(
    values: Sequence[Any], layout: Layout, *, of_nothing: bool
) -> tuple[dict[str, pd.Series[Any]], list[int]]:
    """Return the columns of several answers, and for each row the position of the answer that it is of.

    `of_nothing`: an answer has at least one row, whatever it is.
    """
    rows: list[list[Any]] = []
    positions: list[int] = []
    for position, value in enumerate(values):
        own = layout.rows_of(value, of_nothing=of_nothing)
        rows += own
        positions += [position] * len(own)
    columns = {
        column.name: column_of([row[at] for row in rows], column.dtype)
        for at, column in enumerate(layout.columns)
    }
    more = [layout.more_of(values[position]) for position in positions]
    for name in dict.fromkeys(name for one in more for name in one):
        columns.setdefault(name, column_of([one.get(name) for one in more], "object"))
    return columns, positions


def column_of(values: Sequence[Any], dtype: str) -> pd.Series[Any]:
    """Return a column of the type; of objects, where a value does not fit it without a loss."""
    import pandas as pd

    try:
        made = _MAKERS.get(dtype, _as_they_are)(values)
        return pd.Series(made, dtype=dtype)
    except (ValueError, TypeError, OverflowError):
        column = pd.Series(None, index=range(len(values)), dtype=object)
        for position, value in enumerate(values):
            column.iloc[position] = value
        return column


def _as_they_are(values: Sequence[Any]) -> Any:
    return list(values)


def _of_numbers(kind: type) -> Callable[[Sequence[Any]], Any]:
    """Return what makes numbers of one kind, None among them; it raises ValueError where one would change."""

    def made(values: Sequence[Any]) -> list[Any]:
        found = [None if value is None else kind(value) for value in values]
        if any(new != old and old == old for new, old in zip(found, values, strict=True)):  # noqa: PLR0124 - NaN
            raise ValueError("a number would change")
        return found

    return made


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    if not all(value is None or isinstance(value, str) for value in values):
        raise TypeError("not all of it is text")
    return values


def _moments(values: Sequence[Any]) -> list[dt.datetime | None]:
    """Return moments; text is read, and what names no offset from UTC is taken as UTC."""
    found: list[dt.datetime | None] = []
    for value in values:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        found.append(None if moment is None else moment.astimezone(dt.UTC))
    return found


_MAKERS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "Int64": _of_numbers(int),
    "Float64": _of_numbers(float),
    "string": _texts,
    "datetime64[us, UTC]": _moments,
}
