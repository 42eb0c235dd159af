"""Any JSON Schema is filled validly, known facts first; badjson's first reply is really invalid."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from nbagent.demo.brain import answer
from nbagent.demo.faults import spoil, spoiled
from nbagent.demo.request import Message, Reply, Request, Tool
from nbagent.demo.schema_check import conforms


def filled(prompt: str, schema: dict[str, Any]) -> Any:
    """Ask for structured output and parse it."""
    return orjson.loads(answer(Request(messages=(Message(role="user", text=prompt),), schema=schema)).text)


def typed(prompt: str, type_: Any) -> Any:
    """Ask for a Python type and validate the answer as it."""
    adapter = TypeAdapter(type_)
    return adapter.validate_python(filled(prompt, adapter.json_schema()))


class CityFact(BaseModel):
    city: str = Field(description="Name of the city")
    country: str
    population: int
    fun_fact: str
    landmark: str | None = None


class CityFactsResponse(BaseModel):
    cities: list[CityFact]


def test_city_facts_are_right_for_each_city() -> None:
    """A list of cities has one entry for each city asked about, with the known facts."""
    response = typed("Give me facts about Tokyo, Paris and New York", CityFactsResponse)
    assert [(c.city, c.country, c.population) for c in response.cities] == [
        ("Tokyo", "Japan", 14_100_000),
        ("Paris", "France", 2_100_000),
        ("New York", "United States", 8_300_000),
    ]
    assert response.cities[1].landmark == "Eiffel Tower"
    assert typed("Give me facts about Tokyo and Paris", list[CityFact])[1].country == "France"


class Label(enum.Enum):
    GOOD = "positive"
    BAD = "negative"
    MIXED = "neutral"


class Sentiment(BaseModel):
    label: Label
    confidence: float = Field(ge=0, le=1)


class Person(BaseModel):
    name: str
    age: int
    email: str


class Country(BaseModel):
    name: str
    capital: str
    currency: str


class Answer(BaseModel):
    answer: str
    confidence: float


class Height(BaseModel):
    mountain: str
    height_m: float


class Total(BaseModel):
    result: int


@pytest.mark.parametrize(
    ("prompt", "type_", "expected"),
    [
        ("Classify: I love this phone", Sentiment, {"label": Label.GOOD, "confidence": 0.9}),
        ("Classify: terrible, I want a refund", Sentiment, {"label": Label.BAD, "confidence": 0.9}),
        ("Classify: it is a phone", Sentiment, {"label": Label.MIXED, "confidence": 0.9}),
        (
            "Extract the person: Ada Lovelace is 36 years old, mail ada@example.org",
            Person,
            {"name": "Ada Lovelace", "age": 36, "email": "ada@example.org"},
        ),
        ("Tell me about Japan", Country, {"name": "Japan", "capital": "Tokyo", "currency": "yen"}),
        (
            "What is the capital of France?",
            Answer,
            {"answer": "The capital of France is Paris.", "confidence": 0.9},
        ),
        ("What is the tallest mountain?", Height, {"mountain": "Mount Everest", "height_m": 8849}),
        ("What is 17 * 23?", Total, {"result": 391}),
    ],
)
def test_fields_take_known_values(prompt: str, type_: type[BaseModel], expected: dict[str, Any]) -> None:
    """Field names are matched to facts, labels, the prompt's text and sums."""
    assert typed(prompt, type_).model_dump() == expected


class Profile(BaseModel):
    city: str
    mayor: str | None
    river: str | None
    twin: CityFact | None = None
    notes: list[str]
    size: int | None = Field(default=None, ge=3)


def test_what_is_not_known_is_null_where_that_is_allowed() -> None:
    """A field that may be null is null rather than guessed; known ones are filled."""
    profile = typed("Tell me about Tokyo", Profile)
    assert (profile.mayor, profile.river, profile.notes, profile.size) == (None, "Sumida", [], None)


class Node(BaseModel):
    value: int
    children: list[Node]
    parent: Node | None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool


class Everything(BaseModel):
    day: date
    moment: datetime
    key: UUID
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    code: str = Field(pattern=r"^[A-Z]{3}-\d{4}$")
    short: str = Field(min_length=3, max_length=5)
    score: float = Field(gt=0, lt=1)
    even: int = Field(multiple_of=2, ge=10)
    pair: tuple[int, str]
    some: set[int] = Field(min_length=3)
    ratings: dict[str, float]
    tree: Node
    maybe: int | None
    either: int | str
    level: Literal["low", "high"]


def test_a_model_with_every_kind_of_field_is_filled() -> None:
    """What pydantic can ask for is filled validly, recursion included."""
    assert isinstance(typed("Fill this in", Everything), Everything)


JSON_KEYS = st.sampled_from(
    ["name", "city", "count", "score", "tags", "note", "when", "x1", "label", "answer"]
)


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    """Draw JSON Schemas that some value fits."""
    bounds = st.integers(-1000, 1000)
    strings = st.one_of(
        st.just({"type": "string"}),
        st.tuples(st.integers(0, 20), st.integers(0, 30)).map(
            lambda p: {"type": "string", "minLength": p[0], "maxLength": p[0] + p[1]}
        ),
        st.sampled_from(["date", "date-time", "uuid", "email", "uri", "ipv4"]).map(
            lambda f: {"type": "string", "format": f}
        ),
        st.sampled_from([r"^\d{3}$", r"^[a-z]+@[a-z]+\.com$", r"^(foo|bar)-[0-9]{1,3}$", r"[A-F0-9]{8}", r"^\w+\s\w+$"]).map(
            lambda p: {"type": "string", "pattern": p}
        ),
        st.lists(st.text(max_size=6), min_size=1, max_size=4, unique=True).map(lambda e: {"enum": e}),
        st.one_of(st.text(max_size=5), st.integers(-9, 9), st.booleans(), st.none()).map(lambda c: {"const": c}),
    )  # fmt: skip
    numbers = st.one_of(
        st.sampled_from([{"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]),
        st.tuples(bounds, st.integers(0, 50)).map(
            lambda p: {"type": "integer", "minimum": p[0], "maximum": p[0] + p[1]}
        ),
        st.tuples(bounds, st.integers(1, 50)).map(
            lambda p: {"type": "number", "exclusiveMinimum": p[0], "exclusiveMaximum": p[0] + p[1]}
        ),
        st.tuples(bounds, st.integers(1, 9)).map(
            lambda p: {"type": "integer", "minimum": p[0], "multipleOf": p[1]}
        ),
        st.tuples(bounds, st.integers(1, 9)).map(
            lambda p: {"type": "integer", "exclusiveMaximum": p[0], "multipleOf": p[1]}
        ),
    )

    def containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        objects = st.tuples(
            st.dictionaries(JSON_KEYS, inner, max_size=4),
            st.integers(0, 4),
            st.sampled_from([True, False, None]),
        ).map(
            lambda p: (
                {"type": "object", "properties": p[0], "required": list(p[0])[: p[1]]}
                | ({} if p[2] is None else {"additionalProperties": p[2]})
            )
        )
        maps = inner.map(lambda s: {"type": "object", "additionalProperties": s, "minProperties": 2})
        arrays = st.tuples(inner, st.integers(0, 3), st.integers(0, 3)).map(
            lambda p: {"type": "array", "items": p[0], "minItems": p[1], "maxItems": p[1] + p[2]}
        )
        unique = st.integers(2, 5).map(
            lambda n: {"type": "array", "items": {"type": "string"}, "minItems": n, "uniqueItems": True}
        )
        tuples = st.lists(inner, min_size=1, max_size=3).map(
            lambda p: {"type": "array", "prefixItems": p, "items": False, "minItems": len(p)}
        )
        unions = st.lists(inner, min_size=1, max_size=3).map(lambda p: {"anyOf": p})
        nullable = inner.map(lambda s: {"anyOf": [s, {"type": "null"}]})
        both = inner.map(lambda s: {"allOf": [s]})
        return st.one_of(objects, maps, arrays, unique, tuples, unions, nullable, both)

    return st.recursive(st.one_of(strings, numbers), containers, max_leaves=12)


PROMPTS = st.sampled_from(
    [
        "Give me facts about Tokyo and Paris",
        "What is 2 + 2?",
        "Classify: bad",
        "",
        "name: Bo, count: 7, city: Rome",
    ]
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas(), prompt=PROMPTS)
def test_any_schema_is_filled_validly(schema: dict[str, Any], prompt: str) -> None:
    """Whatever the schema and the prompt, the answer is valid for it."""
    value = filled(prompt, schema)
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)
    assert conforms(value, schema, schema)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(parameters=st.dictionaries(JSON_KEYS, schemas(), max_size=4), prompt=PROMPTS | st.text(max_size=80))
def test_arguments_of_calls_are_valid(parameters: dict[str, Any], prompt: str) -> None:
    """Whatever a tool's parameters and the prompt, a forced call has valid arguments."""
    schema = {
        "type": "object",
        "properties": parameters,
        "required": list(parameters),
        "additionalProperties": False,
    }
    offered = Tool(name="lookup_facts", description="Look up facts about a city", parameters=schema)
    message = Message(role="user", text=prompt)
    for choice in ("lookup_facts", "auto"):
        for call in answer(Request(messages=(message,), tools=(offered,), tool_choice=choice)).tool_calls:
            assert jsonschema_rs.Draft202012Validator(schema).is_valid(orjson.loads(call.arguments))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    texts=st.lists(
        st.text(max_size=60)
        | st.sampled_from(
            ["Continue", "And Peru?", "what is my name", "Write", "Classify as a, b:", "Summarize:", '{"a']
        )
        | st.from_regex(r"(What|Is|Compare) .{0,20}(capital|price|[A-Z]{2,4}|Paris|\d+ [*+/-] \d+).{0,20}\?"),
        min_size=1,
        max_size=4,
    )
)
def test_any_conversation_gets_an_answer(texts: list[str]) -> None:
    """Whatever was said, there is an answer, and it is the same the second time."""
    roles = ("user", "assistant")
    request = Request(messages=tuple(Message(role=roles[i % 2], text=text) for i, text in enumerate(texts)))
    assert answer(request) == answer(request)


RECURSIVE: dict[str, Any] = {
    "$defs": {
        "expr": {
            "oneOf": [
                {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"], "additionalProperties": False},
                {"type": "object", "properties": {"left": {"$ref": "#/$defs/expr"}, "right": {"$ref": "#/$defs/expr"}},
                 "required": ["left", "right"], "additionalProperties": False},
            ]
        }
    },
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/expr"}, "next": {"$ref": "#"}},
    "required": ["root"],
}  # fmt: skip


@pytest.mark.parametrize(
    "schema",
    [
        RECURSIVE,
        {"type": ["string", "null"], "minLength": 2},
        {"type": "object", "required": ["undeclared"]},
        {"type": "object", "minProperties": 3, "properties": {"a": {"type": "integer"}}},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
        {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                   {"properties": {"b": {"type": "string"}}, "required": ["b"]}], "type": "object"},
        {"type": "number", "multipleOf": 0.25, "minimum": 0.3, "maximum": 0.6},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "required": ["a"]},
        {},
    ],
)  # fmt: skip
def test_odd_schemas_are_filled_validly(schema: dict[str, Any]) -> None:
    """Recursion, undeclared properties, unique enums and merged branches are filled validly."""
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(filled("Give me facts about Tokyo", schema))


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_badjson_spoils_in_three_ways(variant: int) -> None:
    """Each way of spoiling gives a reply that the schema refuses."""
    schema = CityFactsResponse.model_json_schema()
    text = orjson.dumps(filled("Facts about Tokyo and Paris", schema)).decode()
    broken = spoil(text, schema, variant)
    if variant == 2:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(broken)
    else:
        assert not conforms(orjson.loads(broken), schema, schema)


@pytest.mark.parametrize(
    "repair",
    [
        "Your last answer does not fit the required JSON Schema:\n- cities: missing\nAnswer again with the corrected JSON.",
        "That is not valid: 1 validation error for CityFactsResponse. Please fix it.",
    ],
)
def test_badjson_answers_validly_after_a_repair(repair: str) -> None:
    """The first structured reply is invalid; the one after a repair message is right."""
    schema = CityFactsResponse.model_json_schema()
    question = Message(role="user", text="Give me facts about Tokyo and Paris")
    first = Request(messages=(question,), schema=schema)
    broken = spoiled(first, answer(first))
    with pytest.raises(ValueError, match=r".+"):
        CityFactsResponse.model_validate_json(broken.text)
    talk = (question, Message(role="assistant", text=broken.text), Message(role="user", text=repair))
    second = Request(messages=talk, schema=schema)
    repaired = CityFactsResponse.model_validate_json(spoiled(second, answer(second)).text)
    assert [c.city for c in repaired.cities] == ["Tokyo", "Paris"]
    assert spoiled(Request(messages=(question,)), Reply(text="plain")).text == "plain"
