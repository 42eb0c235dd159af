"""`nb.sql`: the types of its columns."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb

LARGEST = 2**127 - 1


@pytest.mark.parametrize(
    ("query", "dtype", "values"),
    [
        ("select sum(x) as n from range(4) t(x)", "int64", [6]),
        ("select 5::hugeint as n; -- a comment", "int64", [5]),
        ("select x::hugeint as n from (values (1), (null), (3)) t(x)", "Int64", [1, None, 3]),
        ("select null::hugeint as n", "Int64", [None]),
        (f"select (x + {2**53})::hugeint as n from range(3) t(x)", "int64", [2**53, 2**53 + 1, 2**53 + 2]),  # noqa: S608
        (f"select {LARGEST}::hugeint as n", "object", [LARGEST]),
        (f"select {-LARGEST}::hugeint as n union all select null", "object", [-LARGEST, None]),
        ("select 3::uhugeint as n ;", "int64", [3]),
        (f"select {2**128 - 1}::uhugeint as n", "object", [2**128 - 1]),
        ("select sum(1) as n from range(3) having false", "int64", []),
    ],
)
def test_128_bit_numbers_are_whole_numbers(query: str, dtype: str, values: list[Any]) -> None:
    """A sum in SQL is 128 bits wide: it is a whole number of the narrowest type that holds the column, never a float."""
    column = nb.sql(query)["n"]
    assert str(column.dtype) == dtype
    assert [None if gap else int(one) for one, gap in zip(column, column.isna(), strict=True)] == values


def test_other_columns_keep_their_types_and_names_beside_128_bit_numbers() -> None:
    """Columns with equal names, texts and parameters are as they were."""
    frame = nb.sql(f"select {LARGEST}::hugeint as a, 'é' as a, $n::double as b", {"n": 1.5})
    assert list(frame.columns) == ["a", "a", "b"]
    assert frame.iloc[0].tolist() == [LARGEST, "é", 1.5]
