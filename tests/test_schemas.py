"""Output schemas: what is accepted as one, what an answer must be, and values as data and rows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import sys
import typing
from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, computed_field

from nbagent.errors import SchemaError
from nbagent.schemas import (
    InvalidOutputError,
    OutputSchema,
    Stored,
    from_plain,
    rows_of,
    to_frame,
    to_plain,
    type_name,
)


class City(BaseModel):
    name: str
    people: int = Field(alias="population")
    founded: dt.date | None = None


class Cities(BaseModel):
    country: str
    cities: list[City]


class Area(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int
    height: int

    @computed_field
    @property
    def size(self) -> int:
        return self.width * self.height


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Inner(TypedDict):
    note: str


class Partial(TypedDict, total=False):
    a: int
    inner: list[Inner]


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Mood(enum.Enum):
    good = "+"
    bad = "-"


OBJECT_SCHEMA = {
    "title": "My answer!",
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/num/ber"}, "b": {"$ref": "#/$defs/num~1"}},
    "required": ["a"],
    "$defs": {"num": {"ber": {"type": "integer"}}, "num/": {"type": "string"}},
}
PARIS = City(name="Paris", population=2)
PARIS_TEXT = '{"name": "Paris", "population": 2}'


@pytest.mark.parametrize(
    ("target", "text", "value", "wrapper", "name"),
    [
        (City, PARIS_TEXT, PARIS, None, "City"),
        (Point, '{"x": 1}', Point(1.0), None, "Point"),
        (Partial, '{"inner": [{"note": "n"}]}', {"inner": [{"note": "n"}]}, None, "Partial"),
        (Partial | None, '{"value": null}', None, "value", "output"),
        (
            Node,
            '{"value": 1, "children": [{"value": 2}]}',
            Node(value=1, children=[Node(value=2)]),
            None,
            "Node",
        ),
        (dict[str, int], '{"a": 1}', {"a": 1}, None, "dict"),
        (list[City], f"[{PARIS_TEXT}]", [PARIS], "items", "City_list"),
        (list[City], f'{{"items": [{PARIS_TEXT}]}}', [PARIS], "items", "City_list"),
        (list[Inner], '{"items": [{"note": "n"}]}', [{"note": "n"}], "items", "Inner_list"),
        (Mood, '{"value": "+"}', Mood.good, "value", "Mood"),
        (Mood, "-", Mood.bad, "value", "Mood"),
        (Literal["yes", "no"], "yes\n", "yes", "value", "output"),
        (int, " 42 ", 42, "value", "int"),
        (bool, '{"value": true}', True, "value", "bool"),
        (str, "Paris, it is.", "Paris, it is.", "value", "str"),
        (dt.date, '"2026-01-02"', dt.date(2026, 1, 2), "value", "date"),
        (City | Point, '{"x": 1}', Point(1.0), "value", "output"),
        (OBJECT_SCHEMA, '{"a": 1, "b": "x"}', {"a": 1, "b": "x"}, None, "My_answer"),
        ({"type": "array", "items": {"type": "string"}}, '["a"]', ["a"], "items", "output"),
        ({"type": "array", "items": {"type": "string"}}, '{"items": ["a"]}', ["a"], "items", "output"),
        (
            {"type": "array", "items": {"$ref": "#/definitions/t"}, "definitions": {"t": {"type": "string"}}},
            '["a"]',
            ["a"],
            "items",
            "output",
        ),
        ({"anyOf": [{"type": "integer"}, {"$ref": "#/anyOf/0"}]}, "1", 1, "value", "output"),
        ({"enum": ["a", "b"]}, "a", "a", "value", "output"),
    ],
    ids=str,
)
def test_each_form_of_schema_reads_its_answer(target, text, value, wrapper, name):
    """Every accepted form gives an object at the root, reads wrapped and bare answers, and rebuilds from data."""
    schema = OutputSchema.of(target)
    assert (schema.name, schema.wrapper) == (name, wrapper)
    assert schema.json_schema["type"] == "object"
    found = schema.validate_text(text)
    assert found.value == value
    assert type(found.value) is type(value)
    assert json.loads(json.dumps(found.data)) == found.data
    assert schema.value_of(found.data) == value
    assert OutputSchema.of(schema) is schema


def test_a_schema_has_no_titles_of_fields():
    """Titles that only repeat a field's name cost tokens and are left out; a field named title stays."""

    class Book(BaseModel):
        title: str

    assert OutputSchema.of(Book).json_schema["properties"] == {"title": {"type": "string"}}


class Opaque: ...


@pytest.mark.parametrize(
    ("target", "what", "todo"),
    [
        (PARIS, "is a value, not a schema", "give the class: City"),
        (Point(1), "is a value", "give the class: Point"),
        ("City", "'City' is text", "class"),
        (None, "None is a value", "class"),
        (3, "3 is a value", "class"),
        (Opaque, "Opaque cannot be a schema", "pydantic model"),
        (list[Opaque], "Opaque_list cannot be a schema", "pydantic model"),
        ({}, "no JSON Schema", '"type": "object"'),
        ({"name": "text"}, "'name' is no JSON Schema", "give one like"),
        ({"name": str}, "not JSON", "pydantic model"),
        ({"type": "objekt"}, "wrong at $.type", "correct it"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/No"}}}, "'#/$defs/No'", "$defs"),
        ({"type": "array", "items": [{"$ref": "https://example.org/x"}], "$schema": "http://json-schema.org/draft-07/schema#"},
         "'https://example.org/x'", "$defs"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_schema_is_refused(target, what, todo):
    """A schema that cannot be used is a SchemaError of two parts; no reference is ever fetched."""
    with pytest.raises(SchemaError) as caught:
        OutputSchema.of(target)
    assert what in caught.value.what
    assert todo in caught.value.todo


GOOD = '{"country": "France", "cities": [{"name": "Paris", "population": 2}]}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"  {GOOD}\n",
        f"\ufeff{GOOD}",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```",
        f"Here it is:\n\n```json\n{GOOD}\n```\nAnything else?",
        f"```json\n{GOOD}",
        f"Sure! {GOOD} Hope it helps.",
        f"With {{curly}} words [see note] and a list [1]: {GOOD}",
        f"{GOOD}\n{GOOD}",
        f"[Note] {GOOD}",
        f"[Paris, see below] {GOOD}",
        GOOD.replace("Paris", "``` a"),
        f'Draft: {{"country": 1}}. Final: {GOOD}',
    ],
)
def test_the_value_is_found_in_fences_and_prose(text):
    """One JSON value that fits is found in code fences and between sentences."""
    assert OutputSchema.of(Cities).validate_text(text).value.country == "France"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the answer is empty"),
        ("I cannot say.", "there is no JSON value in the answer"),
        (GOOD[:-1], "not valid JSON"),
        (GOOD[:40], "not valid JSON"),
        (f"Sure: {GOOD[:-2]}", "cut or broken"),
        (f"```json\n{GOOD[:-2]}\n```", "cut or broken"),
        (GOOD.replace("}]", "},]"), "not valid JSON"),
        (GOOD.replace('"', "'"), "not valid JSON"),
        ("{country: 'x', cities: [" + PARIS_TEXT + "]}", "not valid JSON"),
        ('{"country": NaN}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        (f"{GOOD} or {GOOD.replace('Paris', 'Lyon')}", "2 different values fit"),
        ('{"country": "x", "cities": [{"name": "a", "population": "many"}]}', "cities[0].population: "),
        ('{"cities": []}', "country: Field required"),
        ('{"country": ["' + "x" * 500 + '"], "cities": []}', "country: Input should be a valid string"),
    ],
)
def test_a_wrong_answer_is_explained_to_the_model(text, problem):
    """Each problem is a short line with its path; cut and broken JSON is never completed by a guess."""
    with pytest.raises(InvalidOutputError) as caught:
        OutputSchema.of(Cities).validate_text(text)
    assert any(problem in line for line in caught.value.problems), caught.value.problems
    assert all(len(line) < 400 for line in caught.value.problems)
    assert caught.value.todo


def test_problems_of_a_json_schema_have_paths_and_a_limit():
    """A dict schema's problems are found by the JSON Schema's own rules; the first twenty are told."""
    schema = OutputSchema.of({"type": "array", "items": {"type": "string"}, "maxItems": 99})
    with pytest.raises(InvalidOutputError) as caught:
        schema.validate_text(json.dumps(list(range(30))))
    assert caught.value.problems[0] == '[0]: 0 is not of type "string"'
    assert caught.value.problems[20] == "and 10 more"


@given(st.integers(0, len(GOOD) - 1))
def test_no_cut_answer_fits(length):
    """Cut anywhere, an answer is refused: also where an inner part of it would fit a schema."""
    for target in (Cities, list[City], City, dict[str, Any]):
        with pytest.raises(InvalidOutputError):
            OutputSchema.of(target).validate_text(GOOD[:length])


@pytest.mark.parametrize(
    "text",
    ["{'a': [1, 2]}", "{a: [1, 2]}", "['a', [1, 2]", "[1, [2, 3]", "[true, [1]", 'see {"a": 1, [1, 2]'],
)
def test_no_part_of_a_broken_value_is_taken(text):
    """A list inside a broken value is not the answer, also where it would fit."""
    with pytest.raises(InvalidOutputError):
        OutputSchema.of(list[int]).validate_text(text)


@given(st.text() | st.text(alphabet='{}[]",:1ab`\n '))
def test_any_text_is_read_or_refused(text):
    """Whatever a model writes, it is a value or an InvalidOutputError with problems."""
    try:
        found = OutputSchema.of(list[int]).validate_text(text).value
    except InvalidOutputError as error:
        found = error.problems
    assert isinstance(found, list)


@given(st.lists(st.builds(City, name=st.text(), population=st.integers(), founded=st.none() | st.dates())))
def test_values_come_back_from_data_and_text(cities):
    """Value to data to value, and value to text to value, lose nothing."""
    schema = OutputSchema.of(list[City])
    data = json.loads(json.dumps(to_plain(cities)))
    assert schema.value_of(data) == cities
    assert schema.validate_text(f"Here: {json.dumps({'items': data})}").value == cities
    assert from_plain(type_name(list[City]), Stored(json=None, data=data), {"City": City}) == cities


@given(st.integers(), st.integers())
def test_computed_fields_do_not_hinder_the_way_back(width, height):
    """Data holds what was answered; what a model computes from it is computed again."""
    area = Area(width=width, height=height)
    assert to_plain(area) == {"width": width, "height": height}
    assert from_plain(type_name(Area), Stored(json=None, data=to_plain(area)), {}) == area


@pytest.mark.parametrize(
    ("content_type", "namespace", "rebuilt"),
    [
        ("__main__.City", {"City": City}, True),
        (f"{__name__}.City", {}, True),
        ("gone.module.City", {"City": City}, True),
        ("f.<locals>.City", {"City": City}, True),
        ("__main__.Box.City", {"Box": type("Box", (), {"City": City})}, True),
        ("__main__.City", {}, False),
        ("__main__.City", {"City": PARIS}, False),
        ("__main__.City", {"City": Point}, False),
        ("__main__.City", {"City": Opaque}, False),
        ("json", {}, False),
        ("", {}, False),
        ("text", {"text": City}, False),
        ("antigravity.City", {}, False),
    ],
)
def test_a_class_is_found_where_it_is_at_hand(content_type, namespace, rebuilt):
    """Stored data is the class again where the namespace or a loaded module has it and it fits, else plain data."""
    data = {"name": "Paris", "people": 2, "founded": None}
    assert from_plain(content_type, Stored(json=None, data=data), namespace) == (PARIS if rebuilt else data)


def test_reading_a_record_imports_nothing_and_runs_nothing():
    """A stored name neither imports a module nor touches a variable's properties."""

    class Trap:
        @property
        def City(self):  # noqa: N802 - named as the class that is looked for
            raise AssertionError("a property was touched")

    assert "antigravity" not in sys.modules
    stored = Stored(json=None, data=1)
    assert from_plain("antigravity.X", stored, {}) == 1
    assert "antigravity" not in sys.modules
    assert from_plain("__main__.trap.City", stored, {"trap": Trap()}) == 1


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (City, f"{__name__}.City"),
        (list[City], f"list[{__name__}.City]"),
        (int, "builtins.int"),
        (Literal["a"], "typing.Literal['a']"),
        (dict[str, int], "dict[str, int]"),
    ],
)
def test_a_type_has_a_name_for_the_store(target, name):
    """`content_type` is `module.QualName`, in `list[...]` for lists."""
    assert type_name(target) == OutputSchema.of(target).content_type == name
    assert OutputSchema.of(OBJECT_SCHEMA).content_type == "json"


class Towns(BaseModel):
    towns: list[City]


class Flat(BaseModel):
    mood: Mood
    spot: Point
    tags: list[str] = []


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        (None, []),
        ([], []),
        (3, [{"value": 3}]),
        ("text", [{"value": "text"}]),
        ([1, 2], [{"value": 1}, {"value": 2}]),
        (PARIS, [{"name": "Paris", "people": 2, "founded": None}]),
        ([Point(1, 2), Point(3)], [{"x": 1, "y": 2}, {"x": 3, "y": 0.0}]),
        (
            Cities(country="France", cities=[PARIS, PARIS]),
            [{"country": "France", "name": "Paris", "people": 2, "founded": None}] * 2,
        ),
        (Towns(towns=[]), []),
        (Cities(country="France", cities=[]), [{"country": "France", "cities": []}]),
        ({"towns": []}, [{"towns": []}]),
        ({"name": "N", "members": [{"name": "a"}, {"name": "b"}]}, [{"parent.name": "N", "name": "a"}, {"parent.name": "N", "name": "b"}]),
        ({"a": [{"x": 1}], "b": [{"y": 2}]}, [{"a": [{"x": 1}], "b": [{"y": 2}]}]),
        (Flat(mood=Mood.good, spot=Point(1)), [{"mood": "+", "spot.x": 1.0, "spot.y": 0.0, "tags": []}]),
        ({"a": {"b": {"c": 1}}, "e": {}}, [{"a.b.c": 1, "e": {}}]),
        (Area(width=2, height=3), [{"width": 2, "height": 3, "size": 6}]),
        ({"inner": {"list": [{"x": 1}, {"x": 2}]}}, [{"inner.list": [{"x": 1}, {"x": 2}]}]),
    ],
    ids=repr,
)  # fmt: skip
def test_rows_are_what_a_person_would_put_in_a_table(value, rows):
    """One row per element of the one list of objects, its siblings repeated, nested objects flattened with dots."""
    assert rows_of(value) == rows
    frame = to_frame(value)
    assert len(frame) == len(rows)
    assert list(frame.columns) == (list(rows[0]) if rows else [])


def test_typed_dicts_of_typing_are_taken_before_python_3_12():
    """A notebook's `from typing import TypedDict` works on every Python we support, nested and required keys kept."""

    class Outer(TypedDict):
        must: typing.Required[int]
        may: typing.NotRequired[Inner | None]

    schema = OutputSchema.of(dict[str, Outer])
    assert schema.value_of({"k": {"must": 1, "may": {"note": "n"}}}) == {
        "k": {"must": 1, "may": {"note": "n"}}
    }
    assert schema.value_of({"k": {"must": 1}}) == {"k": {"must": 1}}
    with pytest.raises(InvalidOutputError) as caught:
        schema.value_of({"k": {}})
    assert caught.value.problems == ["k.must: Field required"]
