# ruff: noqa: DTZ001 - tables hold moments without an offset
"""Tables of other packages as rows: DuckDB, polars, pyarrow, whatever offers Arrow's stream, and what becomes pandas."""

from __future__ import annotations

import datetime as dt
import importlib.util
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import pytest

from nbagent.errors import UnknownOptionError
from tests.batch.review_provider import Reviews

SQL = """
    select * from (values
        (1, 1152921504606846977::bigint, 1.0::double, true, 'a', date '2026-01-01', timestamp '2026-01-01 12:00', [1, null], 1.50::decimal(4, 2)),
        (null, null, null, null, null, null, null, null, null)
    ) t(i, big, f, b, s, day, "at", l, money)
"""
TEMPLATE = "{{ row.i }}|{{ row.big }}|{{ row.f }}|{{ row.b }}|{{ row.s }}|{{ row.day }}|{{ row.at }}|{{ row.l }}|{{ row.money }}|"
SHOWN = "1|1152921504606846977|1.0|True|a|2026-01-01|2026-01-01 12:00:00|[1, null]|1.50|"
COLUMNS: dict[str, list[Any]] = {
    "i": [1, None], "big": [2**60 + 1, None], "f": [1.0, None], "b": [True, None], "s": ["a", None],
    "day": [dt.date(2026, 1, 1), None], "at": [dt.datetime(2026, 1, 1, 12), None], "l": [[1, None], None],
    "money": [Decimal("1.50"), None],
}  # fmt: skip


class Stream:
    """A table that offers Arrow's stream and nothing else."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class Convertible:
    """A table that can become pandas'."""

    columns = tuple(COLUMNS)

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in COLUMNS.items()})


def polars() -> Any:
    import polars as pl

    return pl.DataFrame(COLUMNS, schema_overrides={"i": pl.Int8})


def pyarrow() -> Any:
    import pyarrow as pa

    return pa.table(COLUMNS)


def has(package: str) -> bool:
    """Say whether a package is installed; pyarrow is none of the tests' own: pandas would use it everywhere."""
    return importlib.util.find_spec(package) is not None


TABLES = {
    "duckdb": lambda: duckdb.sql(SQL),
    "to_pandas": Convertible,
    "dicts": lambda: [
        dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)
    ],
}
COLUMN = {
    "index": lambda: pd.Index(["a", None], dtype=object),
    "array": lambda: pd.array(["a", None], dtype="string"),
}
if has("polars"):
    TABLES |= {"polars": polars, "lazy": lambda: polars().lazy(), "stream": lambda: Stream(polars())}
    COLUMN |= {"polars": lambda: polars()["s"]}
if has("pyarrow"):
    TABLES |= {
        "pyarrow": pyarrow,
        "batches": lambda: pyarrow().to_reader(),
        "relation": lambda: Stream(duckdb.sql(SQL)),
    }
    COLUMN |= {"pyarrow": lambda: pyarrow()["s"]}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_of_another_package_is_asked_and_comes_back(agent, provider, make):
    """Its values are sent as they are, what is missing as nothing; the frame has all of them, in pandas."""
    provider.otherwise(Reviews().answer)
    frame = agent.map(make(), TEMPLATE).result(60)
    assert list(frame["content"]) == [f"<{SHOWN}>", "<|||||||||>"]
    given = frame[list(COLUMNS)].astype(object)
    assert given.where(given.notna(), None).to_dict("list") == COLUMNS
    assert str(frame["big"].dtype) in ("Int64", "object")


@pytest.mark.parametrize("make", COLUMN.values(), ids=COLUMN)
def test_a_column_of_another_package_is_a_list(agent, provider, make):
    """A series of polars', an array of pyarrow's, an index: its values are the rows."""
    provider.otherwise(Reviews().answer)
    frame = agent.map(make(), "-{{ row }}").result(60)
    assert list(frame["content"]) == ["<-a>", "<->"]


def test_a_relation_is_asked_as_it_was(agent, provider):
    """What becomes of the connection's tables afterwards changes nothing; a name of two columns is refused."""
    provider.otherwise(Reviews().answer)
    connection = duckdb.connect()
    connection.execute("create table t as select 1 as a, null::bool as b union all select null, true")
    relation = connection.table("t")
    batch = agent.map(relation, "{{ row.a }}/{{ row.b }}")
    connection.execute("delete from t")
    frame = batch.result(60)
    assert sorted(frame["content"]) == ["</True>", "<1/>"]
    assert {name: str(dtype) for name, dtype in frame[["a", "b"]].dtypes.items()} == {
        "a": "Int64",
        "b": "boolean",
    }
    with pytest.raises(UnknownOptionError, match="2 columns with the name 'a'"):
        agent.map(connection.sql("select 1 as a, 2 as a"), "{{ row.a }}")


def test_what_is_no_table_of_arrows_is_refused(agent):
    """A stream that cannot be read is told in two lines."""

    class Broken:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            raise ValueError("no stream")

    with pytest.raises(UnknownOptionError, match="Broken cannot be read through Arrow: ") as raised:
        agent.map(Broken(), "{{ row.a }}")
    assert str(raised.value).count("\n") == 1
