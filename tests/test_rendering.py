"""How Python values look to a model."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from nbagent.core import truncate
from nbagent.prompts.rendering import frame_text, render_result


class Colour(str, enum.Enum):
    red = "r"


class City(BaseModel):
    name: str
    founded: dt.date


@dataclasses.dataclass
class Point:
    x: float
    y: float


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain {text}", "plain {text}"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (0.1, "0.1"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (Colour.red, "r"),
        ({"k": Colour.red, 1: None}, '{"k": "r", "1": null}'),
        ([1, (2, 3)], "[1, [2, 3]]"),
        pytest.param({"b", "a"}, '["a", "b"]', id="a set"),
        (City(name="Köln", founded=dt.date(50, 1, 1)), '{"name": "Köln", "founded": "0050-01-01"}'),
        (Point(1, float("nan")), '{"x": 1, "y": null}'),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "2026-01-02T03:00:00+00:00"),
        (b"\xff\x00", "<2 bytes>"),
        ({"data": b"abc"}, '{"data": "<3 bytes>"}'),
        (decimal.Decimal("1.10"), "1.10"),
        (np.int64(7), "7"),
        (np.float32(0.5), "0.5"),
        (np.float64("nan"), "null"),
        (np.bool_(True), "true"),
        (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05.000000000"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array(["2026-01-02", "NaT"], "M8[ns]"), '["2026-01-02T00:00:00.000000000", null]'),
        ({"took": np.array([[90]], "m8[ns]")}, '{"took": [["90 nanoseconds"]]}'),
        (np.ma.array([1, 2], mask=[0, 1]), "[1, null]"),
        (pd.Index(range(101)), str(list(range(101)))),
        (pd.Categorical(["a", None]), '["a", null]'),
        (pd.date_range("2026-01-02", periods=1), '["2026-01-02T00:00:00"]'),
        (pd.array([1, None], dtype="Int64"), "[1, null]"),
        (pd.NA, "null"),
        (pd.NaT, "null"),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), "DataFrame of 2 rows x 2 columns\na,b\n1,x\n2,"),
        (pd.DataFrame({"a": [1]}, index=["k"]), "DataFrame of 1 rows x 1 columns\n,a\nk,1"),
        (pd.Series([1.5, 2.5], name="price"), "Series of 2 values\nprice\n1.5\n2.5"),
        (pd.Series([1]), "Series of 1 values\nvalue\n1"),
        (LOOP, '["<refers to itself>"]'),
        ("\ud800", "\ufffd\ufffd\ufffd"),
    ],
    ids=repr,
)
def test_a_value_is_shown_in_its_own_form(value, text):
    """Text as it is, data as JSON, dates as ISO, missing as null, bytes as their length, tables as CSV."""
    assert render_result(value) == text


def test_a_long_table_shows_its_first_and_last_rows():
    """Of a long table 40 rows at the beginning and 10 at the end are shown, and the number of the rest."""
    lines = (frame_text(pd.DataFrame({"a": range(1_000)})) or "").splitlines()
    assert lines[:3] == ["DataFrame of 1,000 rows x 1 columns", "a", "0"]
    assert lines[42] == "[... 950 rows left out ...]"
    assert lines[-1] == "999"
    assert len(lines) == 2 + 40 + 1 + 10


def test_a_large_array_shows_its_shape():
    """An array of more than 1,000 items is shown shortened, with its shape and type."""
    text = render_result(np.zeros((100, 100)))
    assert text.startswith("array of shape (100, 100), float64\n")
    assert len(text) < 1_000


class Raises:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class RaisesOnTouch(dict):  # type: ignore[type-arg]
    def items(self):
        raise KeyError("no")


@pytest.mark.parametrize(
    "value", [Raises(), {"a": Raises()}, RaisesOnTouch(), 10**5_000], ids=lambda v: type(v).__name__
)
def test_a_broken_value_is_named_instead(value):
    """A value that raises while it is shown is named by its type; nothing is raised."""
    assert "that cannot be shown" in render_result(value)


def test_deep_nesting_is_cut():
    """Data nested deeper than anybody reads is cut, not a RecursionError."""
    value: object = 1
    for _ in range(5_000):
        value = [value]
    assert "<nested too deep>" in render_result(value)


@given(st.text(), st.integers(0, 200))
def test_cut_keeps_the_limit(text, limit):
    """A cut text is never longer than the limit, and a short one is unchanged."""
    short = truncate(text, limit)
    assert len(short) <= max(limit, 0)
    if len(text) <= limit:
        assert short == text


def test_a_cut_text_says_how_much_is_missing():
    """Beginning and end stay, and a note between them gives the size of the whole."""
    text = truncate("a" * 5_000 + "z" * 5_000, 1_000)
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert "of 10,000 characters left out" in text
    assert len(text) == 1_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(json_values) | st.dictionaries(st.text(), json_values))
def test_json_data_comes_back_from_its_text(data):
    """Containers of JSON data are shown as exactly that JSON."""
    assert json.loads(render_result(data, limit=10**9)) == data


@given(
    st.from_type(type).flatmap(st.from_type).filter(lambda value: not isinstance(value, type(...)))
    | st.binary()
    | st.text(st.characters()),
    st.integers(1, 500),
)
def test_rendering_never_raises(value, limit):
    """Whatever the value, its text is a string within the limit that UTF-8 can carry."""
    text = render_result(value, limit)
    assert len(text) <= limit
    text.encode("utf-8")
