"""Scorers that come along: from an answer to a score."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, RootModel

import nbagent as nb
from nbagent.errors import ConfigurationError


class Mood(enum.Enum):
    """A closed set of words."""

    good = "good"
    bad = "bad"


class Review(BaseModel):
    """A typed answer of two fields."""

    mood: Mood
    stars: int


class Only(BaseModel):
    """A typed answer of one field."""

    value: str


@pytest.mark.parametrize(
    ("answer", "expected", "row", "same"),
    [
        ("Paris", "Paris", {}, True),
        (" Paris\n", "Paris", {}, True),
        ("paris", "Paris", {}, False),
        ("3", 3, {}, True),
        ("3 apples", 3, {}, False),
        (3, 3.0, {}, True),
        (True, 1, {}, False),
        (True, np.True_, {}, True),
        (4, np.int64(4), {}, True),
        (None, None, {}, True),
        ("", None, {}, False),
        (Only(value="x"), "x", {}, True),
        (Review(mood=Mood.good, stars=4), "good", {"mood": "good"}, True),
        (Review(mood=Mood.bad, stars=4), "good", {"mood": "good"}, False),
        (Review(mood=Mood.good, stars=4), 4, {"mood": "good", "stars": 4}, True),
        (Review(mood=Mood.good, stars=4), {"mood": "good", "stars": 4}, {}, True),
        (RootModel[list[int]]([1, 2]), [1, 2], {}, False),
        ([1, 2], (1, 2), {}, True),
        ({"a": {"b": " x "}}, {"a": {"b": "x"}}, {}, True),
    ],
)
def test_exact(answer: Any, expected: Any, row: Any, *, same: bool) -> None:
    """Exact is equal values, texts without the blanks around them; of a record the field that the case's column names."""
    if isinstance(answer, RootModel):
        answer, same = answer.root, True
    assert nb.exact(answer, expected, row) is same


@pytest.mark.parametrize(
    ("answer", "expected", "found"),
    [
        ("It is PARIS.", "paris", True),
        ("It is Lyon.", "Paris", False),
        ("Paris and Rome", ["rome", "paris"], True),
        ("Paris", ["Rome", "Paris"], False),
        ("42", 42, True),
        ("Straße", "STRASSE", True),
        (Only(value="deep inside"), "INSIDE", True),
    ],
)
def test_contains(answer: Any, expected: Any, *, found: bool) -> None:
    """Contains looks for the text in any case; of a list, for all of it."""
    assert nb.contains(answer, expected, {}) is found


@pytest.mark.parametrize(
    ("tolerance", "options", "answer", "expected", "close"),
    [
        (0.5, {}, "about 41.8 metres", 42, True),
        (0.1, {}, "about 41.8 metres", 42, False),
        (0, {}, "1,234.5", 1234.5, True),
        (0.1, {"relative": True}, 95, 100, True),
        (0.01, {"relative": True}, 95, 100, False),
        (1, {}, "between 3 and 4", 3, False),
        (1, {}, "none", 3, False),
        (1, {}, float("nan"), 3, False),
        (1, {}, -3, -3.5, True),
        (1, {}, "1e3", 1000, True),
        (5, {}, None, 0, False),
    ],
)
def test_within(tolerance: float, options: Any, answer: Any, expected: Any, *, close: bool) -> None:
    """Within compares the only number of an answer; several, or none, are no match."""
    assert nb.within(tolerance, **options)(answer, expected, {}) is close


@pytest.mark.parametrize(
    ("pattern", "answer", "expected", "found"),
    [
        (r"\d{4}-\d\d", "in 2026-11", None, True),
        (r"^\d{4}-\d\d$", "in 2026-11", None, False),
        (r"\b{expected}\b", "It is (42).", 42, True),
        (r"\b{expected}\b", "It is 421.", 42, False),
        (r"{expected}", "costs a.b", "a.b", True),
        (r"{expected}", "costs axb", "a.b", False),
    ],
)
def test_regex(pattern: str, answer: str, expected: Any, *, found: bool) -> None:
    """Regex searches the answer; the expected value stands in it as text, whatever signs it has."""
    assert nb.regex(pattern)(answer, expected, {}) is found


@pytest.mark.parametrize("make", [lambda: nb.regex("("), lambda: nb.regex(3), lambda: nb.within(-1), lambda: nb.within("x"), lambda: nb.judge(7), lambda: nb.judge("demo:assistant", rubric=" ")])  # fmt: skip
def test_a_scorer_that_cannot_be_is_an_error_of_two_lines(make: Any) -> None:
    """What a scorer is made from is checked when it is made."""
    with pytest.raises(ConfigurationError) as raised:
        make()
    assert len(str(raised.value).splitlines()) == 2
