"""Lists, records and columns as DataFrames whose values are those given: no whole number becomes a float. Caller's thread.

pandas is imported with the first frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.batch.inputs.snapshot import copied_values, objects_of
from nbagent.prompts import is_missing

if TYPE_CHECKING:
    import pandas as pd


def frame_of_list(values: Sequence[Any]) -> pd.DataFrame:
    """Return records as their columns, anything else as the one column `row`. What the frame holds is copied."""
    rows = copied_values(values)
    if not rows or not all(isinstance(one, Mapping) for one in rows):
        return frame_of_columns({"row": rows})
    names = list(dict.fromkeys(name for one in rows for name in one))
    return frame_of_columns({name: [one.get(name) for one in rows] for name in names}, count=len(rows))


def frame_of_columns(columns: Mapping[Any, Any], *, count: int | None = None) -> pd.DataFrame:
    """Return the columns under their own names, whatever these are. What the frame holds is copied."""
    import pandas as pd

    index = pd.RangeIndex(len(next(iter(columns.values()), ())) if count is None else count)
    made = {position: column_of(values, index) for position, values in enumerate(columns.values())}
    frame = pd.DataFrame(made, index=index)
    frame.columns = names_of(list(columns))
    return frame


def frame_of_typed(columns: Mapping[str, Sequence[Any]], types: Sequence[str]) -> pd.DataFrame:
    """Return columns of Python values as DuckDB gives them, with the pandas types that hold them whole."""
    import pandas as pd

    index = pd.RangeIndex(len(next(iter(columns.values()), ())))
    made = {}
    for position, (values, kind) in enumerate(zip(columns.values(), types, strict=True)):
        whole, gaps = _OF_DUCKDB.get(kind, (None, None))
        dtype = gaps if any(one is None for one in values) else whole
        made[position] = (
            column_of(values, index) if dtype is None else pd.Series(values, index=index, dtype=dtype)
        )
    frame = pd.DataFrame(made, index=index)
    frame.columns = names_of(list(columns))
    return frame


_OF_DUCKDB = {  # of columns without and with missing values; others are as Python has them
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), ("int64", "Int64")),
    "UBIGINT": ("uint64", "UInt64"),
    "BOOLEAN": ("bool", "boolean"),
    "FLOAT": ("float64", "float64"),
    "DOUBLE": ("float64", "float64"),
    "TIMESTAMP": ("datetime64[us]", "datetime64[us]"),
    "TIMESTAMP WITH TIME ZONE": ("datetime64[us, UTC]", "datetime64[us, UTC]"),
}  # fmt: skip


def column_of(values: Any, index: Any) -> pd.Series[Any]:
    """Return a column of pandas' own choice of type, where that keeps each value as it is."""
    import pandas as pd

    if hasattr(values, "dtype"):  # an array or a series has its type already
        return pd.Series(getattr(values, "array", values), copy=True).set_axis(index)
    own = copied_values(values)
    column = pd.Series(None, index=index, dtype=object)
    column = pd.Series(objects_of(own, column), index=index, dtype=object)
    whole = [one for one in column if type(one) is int]
    if not whole:
        return column.infer_objects()
    if all(type(one) is int for one in column):
        return column.infer_objects()
    if all(type(one) is int or is_missing(one) for one in column):
        return _whole_numbers(column)
    exact = all(float(one) == one for one in whole if abs(one) < _HUGE) and max(map(abs, whole)) < _HUGE
    return column.infer_objects() if exact else column


_HUGE = 2**63


def _whole_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return whole numbers with gaps among them; pandas would make floats of them."""
    import pandas as pd

    try:
        return pd.Series(
            [None if is_missing(one) else one for one in column], index=column.index, dtype="Int64"
        )
    except OverflowError:
        return column


def names_of(names: Sequence[Any]) -> pd.Index[Any]:
    """Return column labels that are these names exactly: None stays None, a tuple one name."""
    import pandas as pd

    plain = len({type(name) for name in names}) == 1 and not any(map(is_missing, names))
    return (
        pd.Index(names, tupleize_cols=False) if plain else pd.Index(names, tupleize_cols=False, dtype=object)
    )
