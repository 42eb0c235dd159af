"""The rows of a batch as its card lists them: bounded, counted whole, taken back where a row is asked again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from nbagent.batch.row_outcome import RowOutcome
from nbagent.panel.table import batch_items
from nbagent.panel.table.batch_items import BatchItems


@dataclass
class City:
    name: str
    capital: bool
    people: int
    area: float


def good(content: Any, **given: Any) -> RowOutcome:
    return RowOutcome(status="completed", content=content, run_id="r", **given)


def failed(error: str = "the server hung up\ntry again") -> RowOutcome:
    return RowOutcome(status="error", error=error, run_id="r")


def items_of(items: BatchItems) -> list[list[Any]]:
    return json.loads(items.state()["items"])


@pytest.mark.parametrize(
    ("answer", "fields", "cells"),
    [
        (
            City("Oslo", True, 700_000, 454.0),
            ["name", "capital", "people", "area"],
            ["Oslo", "yes", 700_000, 454.0],
        ),
        (
            {"name": "Oslo", "tags": ["sea", "snow"], "none": None},
            ["name", "tags"],
            ["Oslo", '["sea","snow"]'],
        ),
        ("a plain\nanswer", ["answer"], ["a plain answer"]),
        (["a", "b"], ["answer"], ['["a","b"]']),
        ({"big": 2**70, "odd": "\ud800"}, ["big", "odd"], [str(2**70), "?"]),
    ],
)
def test_an_answers_fields_are_the_columns(answer, fields, cells):
    """Numbers stay numbers, the rest is short text; what cannot be sent is replaced."""
    items = BatchItems()
    message = items.take(1, [(0, "row 1", good(answer))])
    assert message["fields"] == fields
    [[position, label, status, run_id, error, reused, shown]] = items_of(items)
    assert [position, label, status, run_id, error, reused] == [0, "row 1", "completed", "r", "", False]
    assert shown == cells


def test_answers_that_come_again_are_counted_and_others_are_not():
    """Of few different values each is counted; free text, names and decimal numbers are no kinds of answers."""
    items = BatchItems()
    rows = [
        (n, n, good({"kind": "good" if n % 3 else "bad", "name": f"n{n}", "share": n / 7, "stars": n % 2}))
        for n in range(30)
    ]
    counts = items.take(30, rows)["counts"]
    assert counts == [["kind", [["good", 20], ["bad", 10]]], ["stars", [["0", 15], ["1", 15]]]]


def test_a_row_that_is_asked_again_counts_once():
    """Its failure goes, its answer comes in its place."""
    items = BatchItems()
    items.take(2, [(0, "a", good("yes")), (1, "b", failed())])
    assert items_of(items)[1][4] == "the server hung up"
    message = items.take(3, [(1, "b", good("yes"))])
    assert [item[0] for item in message["items"]] == [1]
    assert message["counts"] == [["answer", [["yes", 2]]]]
    assert (message["ended"], len(items_of(items))) == (2, 2)


def test_a_batch_of_any_size_lists_so_many_and_counts_all(monkeypatch):
    """Rows beyond the limit are counted; those that failed have a limit of their own."""
    monkeypatch.setattr(batch_items, "LISTED", 10)
    monkeypatch.setattr(batch_items, "FAILED_LISTED", 5)
    items = BatchItems()
    for n in range(100):
        items.take(n + 1, [(n, n, failed() if n % 4 == 3 else good("yes"))])
    statuses = [item[2] for item in items_of(items)]
    assert (statuses.count("completed"), statuses.count("error")) == (10, 5)
    assert items.state()["ended"] == 100
    assert items.state()["counts"] == [["answer", [["yes", 75]]]]
