"""A structured answer as a table and as a tree: bounded, plain, whatever its shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from nbagent.panel.card.structured import LEAF_LIMIT, TREE_DEPTH, TREE_NODES, structure_of


class City(BaseModel):
    name: str
    people: int | None = None


class Region(BaseModel):
    name: str
    capital: City
    cities: list[City]


def nodes_of(node: dict) -> list[dict]:
    return [node, *(inner for kid in node.get("kids", ()) for inner in nodes_of(kid))]


def test_a_list_of_objects_is_a_table_first_and_a_tree_too():
    """Rows are elements; the tree names them by their place and has the values with their kinds."""
    shown = structure_of([City(name="Paris", people=2_100_000), City(name="Rome")])
    assert shown["form"] == "table"
    assert shown["table"]["cells"] == [["Paris", "2,100,000"], ["Rome", ""]]
    first, second = shown["tree"]["kids"]
    assert (first["name"], first["note"]) == ("0", "2 fields")
    assert [(kid["name"], kid["kind"], kid["text"]) for kid in second["kids"]] == [
        ("name", "text", "Rome"),
        ("people", "word", "none"),
    ]


def test_one_nested_object_is_a_tree_first():
    """A single row with objects or lists in it reads better in its own shape."""
    shown = structure_of({"name": "x", "tags": ["a", "b"]})
    assert shown["form"] == "tree"
    assert [kid["name"] for kid in shown["tree"]["kids"]] == ["name", "tags"]
    assert structure_of({"name": "Paris", "people": 3})["form"] == "table"


def test_a_model_keeps_its_shape_in_the_tree():
    """What the table flattens and repeats, the tree has once."""
    shown = structure_of(Region(name="IdF", capital=City(name="Paris"), cities=[City(name="Melun")]))
    assert len(shown["table"]["cells"]) == 1
    assert [kid["kind"] for kid in shown["tree"]["kids"]] == ["text", "object", "list"]


@pytest.mark.parametrize("value", [3, "text", True, ["a", "b"], [1, 2]])
def test_plain_values_have_no_tree(value):
    """A list of words is a column."""
    shown = structure_of(value)
    assert (shown["tree"], shown["form"]) == (None, "table")


def test_large_and_deep_answers_are_cut_and_say_so():
    """No answer makes a message of megabytes."""
    deep: dict = {}
    for _ in range(50):
        deep = {"in": deep}
    nodes = nodes_of(structure_of(deep)["tree"])
    assert len(nodes) == TREE_DEPTH + 1
    assert nodes[-1]["text"] == "1 field"
    wide = structure_of([{"a": number, "b": "x" * 10_000} for number in range(1_000)])["tree"]
    assert len(nodes_of(wide)) <= TREE_NODES + TREE_DEPTH + 1
    assert wide["kids"][-1]["text"].startswith("and ")
    assert len(wide["kids"][0]["kids"][1]["text"]) < LEAF_LIMIT + 50


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=60,
)


@given(VALUES)
def test_any_answer_can_be_sent(value):
    """Whatever the shape, what comes out is strict JSON in UTF-8, every text short, and `form` names what is there."""
    shown = structure_of(value)
    json.dumps(shown, ensure_ascii=False, allow_nan=False).encode()
    assert shown["form"] in ("table", "tree", "")
    assert not shown["form"] or shown[shown["form"]] is not None
