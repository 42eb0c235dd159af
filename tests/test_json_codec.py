"""JSON text that keeps every number."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbagent.core.json_codec import dump_json, load_json, load_json_each

LARGE = 15511210043330985984000000

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_plain_data_comes_back_as_it_was(data):
    """Whatever is JSON data in Python is the same after both ways, integers of any size and infinities included."""
    assert load_json(dump_json(data)) == data


@pytest.mark.parametrize(
    "number", [2**63, -(2**63) - 1, 2**64, LARGE, -LARGE, 10**400, 1e308, math.inf, -math.inf]
)
def test_a_number_is_exact_at_any_depth(number):
    """A number stays itself alone, in a list, as a value, and beside None and text."""
    for data in (number, [number, None], {"a": {"b": [number]}, "c": None, "d": "é"}):
        found = load_json(dump_json(data))
        assert found == data
        assert repr(found) == repr(data)


@dataclass(frozen=True)
class Point:
    x: int
    at: datetime


def test_what_orjson_makes_of_objects_holds_beside_a_large_integer():
    """Dataclasses, times and whatever `default` makes are written the same where orjson cannot write the rest."""
    data = {"point": Point(1, datetime(2026, 1, 2, tzinfo=UTC)), "kind": {1: int}}
    beside = json.loads(dump_json({**data, "n": LARGE}))
    assert beside.pop("n") == LARGE
    assert beside == json.loads(dump_json(data))


@pytest.mark.parametrize(
    "text", ["{", "", "[1,", "nope", "[" * 100_000], ids=["cut", "empty", "list", "word", "deep"]
)
def test_what_is_no_json_is_a_value_error(text):
    """Broken text is one kind of error, nested too deep or not."""
    with pytest.raises(ValueError, match=r"."):
        load_json(text)


def test_data_that_nothing_can_write_is_a_value_error():
    """A lone surrogate and endless nesting are refused by one kind of error, beside large integers too."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for data in (["\ud800"], ["\ud800", LARGE], deep):
        with pytest.raises(ValueError, match=r"."):
            dump_json(data)


@given(st.lists(st.none() | plain.map(dump_json).map(bytes.decode), max_size=6))
def test_many_texts_are_read_as_each_alone(texts):
    """Texts that are read together give what each gives by itself, and None where there is no text."""
    assert load_json_each(texts) == [None if one is None else load_json(one) for one in texts]


@pytest.mark.parametrize(
    "hard", ["[" * 190 + "]" * 190, "[" * 205 + "]" * 205, r'"\ud83d"', f'{{"n": {LARGE}}}'], ids=len
)
def test_a_hard_text_among_many_is_read_as_alone(hard):
    """What only the slower reader takes (nested deep, half an emoji) does not spoil those beside it."""
    found = load_json_each(['{"a": 1}', hard, None, '{"a": 1}'])
    assert found == [{"a": 1}, load_json(hard), None, {"a": 1}]
    assert found[0] is not found[3]


@pytest.mark.parametrize("broken", ["{", "", "1,2", "[1"])
def test_a_broken_text_among_many_is_a_value_error(broken):
    """Texts that together look like a list are still looked at one by one."""
    with pytest.raises(ValueError, match=r"."):
        load_json_each(["1", broken, "2"])
