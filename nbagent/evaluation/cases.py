"""The cases of an evaluation as a table, and what is expected of each. Caller's thread.

pandas is imported with the first table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.batch import source_of
from nbagent.errors import ConfigurationError, UnknownOptionError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_GIVE = "give a DataFrame, a list of records, or the path of a CSV file"


def table_of(cases: Any) -> tuple[pd.DataFrame, Any]:
    """Give the cases as a DataFrame of our own, and as `map` asks them: a column where they are values, no records.

    They are whatever `map` takes, or the path of a CSV file.

    Raises:
        ConfigurationError: it is none of these, has no rows, or the file cannot be read.
    """
    if isinstance(cases, str | Path):
        cases = _read_csv(Path(cases))
    source = source_of(list(cases) if isinstance(cases, Iterator) else cases)
    assert source.frame is not None
    table = source.frame()
    if not len(table):
        raise ConfigurationError("evaluate was given no case", _GIVE)
    return table, table if source.are_records else table.iloc[:, 0]


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the cases in {str(path)!r} cannot be read: {error!s:.200}", _GIVE
        ) from error


def case_labels(table: pd.DataFrame) -> list[Any]:
    """Give the cases' labels: the index's where they tell the cases apart, else their positions."""
    import pandas as pd

    labels = list(table.index)
    missing = any(pd.isna(part) for one in labels for part in (one if isinstance(one, tuple) else [one]))
    return labels if table.index.is_unique and not missing else list(range(len(table)))


Expected = str | Callable[[Mapping[Any, Any]], Any] | Sequence[Any] | None


def expected_values(expected: Any, table: pd.DataFrame, rows: Sequence[Mapping[Any, Any]]) -> list[Any]:
    """Give what is expected of each case: from a column by its name, a function of the row, or a value for each.

    None is the column `expected`, where there is one; else nothing is expected. A missing value (NaN, NaT, NA) is None.

    Raises:
        ConfigurationError: there is no such column, or not a value for each case.
    """
    import pandas as pd

    values = _given_values(expected, table, rows)
    return [None if pd.api.types.is_scalar(one) and pd.isna(one) else one for one in values]


def _given_values(expected: Any, table: pd.DataFrame, rows: Sequence[Mapping[Any, Any]]) -> list[Any]:
    from pandas.api.types import is_hashable

    if expected is None:
        expected = "expected" if "expected" in table.columns else lambda row: None  # noqa: ARG005
    if callable(expected):
        return [expected(row) for row in rows]
    if isinstance(expected, str) or (is_hashable(expected) and expected in table.columns):
        if expected not in table.columns:
            near = did_you_mean(str(expected), [str(name) for name in table.columns])
            raise UnknownOptionError(
                f"the cases have no column {expected!r}{near}",
                'name the column that holds what is expected, as in expected="label"',
            )
        return [row[expected] for row in rows]
    values = list(expected) if hasattr(expected, "__iter__") else None
    if values is None or len(values) != len(rows):
        what = f"{len(values)} values" if values is not None else repr(expected)
        raise ConfigurationError(
            f"expected is {what} for {len(rows)} cases",
            "give a column's name, a function of the row, or a value for each case",
        )
    return values
