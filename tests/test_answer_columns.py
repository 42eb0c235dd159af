# ruff: noqa: DTZ001 - what a model answers may name no offset
"""The columns of typed answers: names and types follow from the schema alone, whatever was answered."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Any, Literal, TypedDict

import pandas as pd
import pytest
from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime, RootModel, computed_field

from nbagent.errors import UnknownOptionError
from nbagent.schemas import OutputSchema, columns_of, layout_of, to_frame


class Mood(enum.Enum):
    good = "+"
    bad = "-"


class Level(enum.IntEnum):
    low = 1


class Spot(BaseModel):
    x: float
    name: str | None = None


class Node(BaseModel):
    label: str
    below: list[Node] = []
    one: Node | None = None


class All(BaseModel):
    i: int
    f: float
    b: bool
    s: str
    o: int | None = None
    lit: Literal["a", "b"]
    ints: Literal[1, 2]
    mood: Mood
    level: Level
    when: dt.datetime
    aware: AwareDatetime | None = None
    naive: NaiveDatetime
    span: dt.timedelta
    day: dt.date
    money: Decimal
    either: int | str
    number: int | float
    spot: Spot
    maybe: Spot | None = None
    tags: list[str] = []
    free: dict[str, int] = {}
    anything: Any = None
    renamed: int = Field(alias="reNamed", default=3)
    hidden: int = Field(exclude=True, default=4)

    @computed_field
    @property
    def twice(self) -> int:
        return 2 * self.i


ANSWER = All(
    i=1, f=1, b=True, s="t", lit="a", ints=2, mood=Mood.good, level=Level.low,
    when=dt.datetime(2026, 1, 1, 12), naive=dt.datetime(2026, 1, 1, 12), span=dt.timedelta(days=1),
    day=dt.date(2026, 1, 1), money=Decimal("1.50"), either="x", number=2, spot=Spot(x=1), tags=["p"], free={"k": 1},
)  # fmt: skip
DTYPES = {
    "i": "Int64", "f": "Float64", "b": "boolean", "s": "string", "o": "Int64", "lit": "string", "ints": "Int64",
    "mood": "string", "level": "Int64", "when": "datetime64[us, UTC]", "aware": "datetime64[us, UTC]",
    "naive": "datetime64[us]", "span": "timedelta64[us]", "day": "object", "money": "object", "either": "object",
    "number": "Float64", "spot.x": "Float64", "spot.name": "string", "maybe.x": "Float64", "maybe.name": "string",
    "tags": "object", "free": "object", "anything": "object", "renamed": "Int64", "hidden": "Int64", "twice": "Int64",
}  # fmt: skip


def frame_of(schema: object, values: list[Any], **options: Any) -> pd.DataFrame:
    """The columns of answers to a schema, as a batch has them."""
    layout = layout_of(OutputSchema.of(schema), explode=options.get("explode", False), alone="content")
    return pd.DataFrame(columns_of(values, layout, of_nothing=True)[0])


@pytest.mark.parametrize(
    "values", [[], [None], [None, None], [ANSWER], [ANSWER, None], [ANSWER] * 3], ids=["0", "none", "nones", "1", "some", "all"]
)  # fmt: skip
def test_types_do_not_depend_on_the_answers(values):
    """Whether no row, some or all were answered: the same columns of the same types."""
    frame = frame_of(All, values)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    assert list(frame.columns) == list(DTYPES)
    assert len(frame) == len(values)


def test_values_stay_what_they_are():
    """A float is a float, an enum its value, a moment without an offset one of UTC; what is missing is NA."""
    row = frame_of(All, [ANSWER, None]).iloc[0]
    assert (row["f"], str(row["f"]), row["i"], row["mood"], row["level"]) == (1.0, "1.0", 1, "+", 1)
    assert row["when"] == pd.Timestamp("2026-01-01 12:00", tz="UTC")
    assert row["naive"] == pd.Timestamp("2026-01-01 12:00")
    assert (row["money"], row["day"], row["tags"], row["free"]) == (
        Decimal("1.50"), dt.date(2026, 1, 1), ["p"], {"k": 1}
    )  # fmt: skip
    assert (row["spot.x"], row["renamed"], row["hidden"], row["twice"]) == (1.0, 3, 4, 2)
    missing = frame_of(All, [ANSWER, None]).iloc[1]
    assert all(value is None or value is pd.NA or value is pd.NaT for value in missing)


@dataclasses.dataclass
class Data:
    n: float
    inner: Spot


class Typed(TypedDict, total=False):
    a: int
    b: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Cats(RootModel[list[Cat]]):
    pass


JSON = {
    "type": "object",
    "properties": {
        "n": {"type": ["number", "null"]},
        "when": {"type": "string", "format": "date-time"},
        "e": {"enum": ["a", None]},
        "in": {"$ref": "#/$defs/In"},
        "l": {"type": "array", "items": {"$ref": "#/$defs/In"}},
    },
    "$defs": {"In": {"type": "object", "properties": {"k": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("schema", "value", "dtypes"),
    [
        (Data, Data(1, Spot(x=2)), {"n": "Float64", "inner.x": "Float64", "inner.name": "string"}),
        (Typed, {"b": "x"}, {"a": "Int64", "b": "string"}),
        (JSON, {"n": 1, "in": {"k": 2}}, {"n": "Float64", "when": "string", "e": "string", "in.k": "Int64", "l": "object"}),
        (int, 3, {"content": "Int64"}),
        (float, 3, {"content": "Float64"}),
        (bool, False, {"content": "boolean"}),
        (Mood, Mood.bad, {"content": "string"}),
        (Literal["x", "y"], "x", {"content": "string"}),
        (int | None, None, {"content": "Int64"}),
        (dt.datetime, dt.datetime(2026, 1, 1), {"content": "datetime64[us, UTC]"}),
        (list[Spot], [Spot(x=1)], {"content": "object"}),
        (Cats, Cats([]), {"content": "object"}),
        (Cat | Dog, Dog(kind="dog", name="d"), {"kind": "string", "lives": "Int64", "name": "string"}),
        (dict[str, int], {"a": 1}, {"content": "object"}),
        ({"type": "object"}, {"a": 1}, {"content": "object"}),
        (Node, Node(label="a", one=Node(label="b")), {"label": "string", "below": "object", "one": "object"}),
    ],
    ids=str,
)  # fmt: skip
def test_schemas_of_all_kinds_have_their_columns(schema, value, dtypes):
    """Classes, JSON Schema, plain values, unions, lists and schemas that hold themselves: one shape each."""
    for values in ([], [None], [value], [value, None]):
        frame = frame_of(schema, values)
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dtypes


class City(BaseModel):
    name: str
    people: int | None = None


class Facts(BaseModel):
    cities: list[City]


class Land(BaseModel):
    name: str
    cities: list[City]
    tags: list[str] = []


class Tagged(BaseModel):
    mood: str
    tags: list[str]


PARIS, ROME = City(name="Paris", people=2), City(name="Rome")


@pytest.mark.parametrize(
    ("schema", "explode", "values", "records"),
    [
        (Facts, False, [Facts(cities=[]), Facts(cities=[PARIS, ROME])], [{"cities": []}, {"cities": [PARIS, ROME]}]),
        (Facts, None, [Facts(cities=[]), Facts(cities=[PARIS, ROME])],
         [{"name": None, "people": None}, {"name": "Paris", "people": 2}, {"name": "Rome", "people": None}]),
        (Land, True, [Land(name="I", cities=[ROME])], [{"parent.name": "I", "tags": [], "name": "Rome", "people": None}]),
        (Land, "tags", [Land(name="I", cities=[], tags=["a", "b"]), None],
         [{"name": "I", "cities": [], "tags": "a"}, {"name": "I", "cities": [], "tags": "b"},
          {"name": None, "cities": None, "tags": None}]),
        (Tagged, None, [Tagged(mood="m", tags=["a", "b"])], [{"mood": "m", "tags": ["a", "b"]}]),
        (Tagged, True, [Tagged(mood="m", tags=["a", "b"])], [{"mood": "m", "tags": "a"}, {"mood": "m", "tags": "b"}]),
        (list[City], None, [[PARIS], []], [{"name": "Paris", "people": 2}, {"name": None, "people": None}]),
        (list[int], True, [[1, 2], None], [{"content": 1}, {"content": 2}, {"content": None}]),
        (list[City], False, [[PARIS], None], [{"content": [PARIS]}, {"content": None}]),
    ],
    ids=str,
)  # fmt: skip
def test_a_list_is_whole_or_a_row_for_each_element(schema, explode, values, records):
    """`explode` decides, never the answers: the one list of objects, the one list, a named one, none."""
    frame = frame_of(schema, values, explode=explode).astype(object)
    assert frame.where(frame.notna(), None).to_dict("records") == records
    assert [str(one) for one in frame_of(schema, [], explode=explode).dtypes] == [
        str(one) for one in frame_of(schema, values, explode=explode).dtypes
    ]


@pytest.mark.parametrize("explode", ["city", "name", "cities.name"])
def test_a_name_that_is_no_list_is_refused(explode):
    """Two lines with the lists that there are."""
    with pytest.raises(UnknownOptionError, match="no list of the schema has that name") as raised:
        frame_of(Land, [], explode=explode)
    assert str(raised.value).endswith("\ngive one of 'cities', 'tags'")


@pytest.mark.parametrize(
    ("schema", "value", "dtypes"),
    [
        (list[City], [], {"name": "string", "people": "Int64"}),
        (Facts, Facts(cities=[]), {"name": "string", "people": "Int64"}),
        (Facts, Facts(cities=[PARIS]), {"name": "string", "people": "Int64"}),
        (Land, Land(name="I", cities=[]), {"parent.name": "string", "tags": "object", "name": "string", "people": "Int64"}),
        (int, 3, {"value": "Int64"}),
    ],
    ids=str,
)  # fmt: skip
def test_one_runs_frame_has_the_same_columns_whatever_it_holds(schema, value, dtypes):
    """An empty list has the columns of its elements; nothing beside it is no row."""
    frame = to_frame(value, OutputSchema.of(schema))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dtypes
    assert len(frame) == (0 if value in ([], Facts(cities=[])) else 1)


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (int, [2**70, 1]),
        (float, [2**60 + 1, 0.5]),
        (str, ["a", 5]),
        (dt.datetime, [dt.datetime(2026, 1, 1), "no moment"]),
    ],
    ids=["too large", "inexact", "no text", "no moment"],
)
def test_a_value_that_does_not_fit_its_type_is_kept(schema, values):
    """The column is one of objects then: a value is worth more than a type."""
    frame = frame_of(schema, values)
    assert (str(frame["content"].dtype), list(frame["content"])) == ("object", values)


def test_fields_that_an_open_schema_does_not_name_come_last():
    """A model that allows more fields keeps them, after the columns that are always there."""

    class Open(BaseModel, extra="allow"):
        a: int

    frame = frame_of(Open, [Open(a=1, z="more"), None])
    assert list(frame.columns) == ["a", "z"]
    assert list(frame["z"]) == ["more", None]
    assert list(frame_of(Open, [None]).columns) == ["a"]


class Made:
    """What no schema knows of."""


@pytest.mark.parametrize("value", [17, "seven", [1, 2], pytest.param(Made(), id="object"), 0, False])
def test_what_a_validator_made_of_an_object_has_a_column(value):
    """An answer that its own validators turned into something else is shown, beside answers that are as declared."""
    frame = frame_of(City, [PARIS, value])
    assert list(frame.columns) == ["name", "people", "content"]
    assert frame["content"][0] is None
    assert frame["content"][1] == value
    assert to_frame(value, OutputSchema.of(City))["value"][0] == value
