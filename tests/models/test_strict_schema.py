"""JSON Schema in the strict subset: what is closed, what is dropped, what cannot be strict."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from nbagent.models.openai.strict_schema import strict_schema


class Leg(BaseModel):
    length_cm: float = Field(gt=0, default=40.0)


class Table(BaseModel):
    """A table."""

    name: Annotated[str, Field(min_length=1, description="What it is called")]
    legs: list[Leg]
    colour: Literal["red", "blue"] | None = None
    best: Leg = Field(description="The best leg", default=Leg())


def test_objects_are_closed_and_everything_is_required():
    """A pydantic model with defaults, references and options becomes strict, its definitions too."""
    strict, reason = strict_schema(Table.model_json_schema())
    assert reason is None
    assert strict["required"] == ["name", "legs", "colour", "best"]
    assert strict["additionalProperties"] is False
    assert strict["$defs"]["Leg"]["required"] == ["length_cm"]
    assert strict["properties"]["name"] == {
        "description": "What it is called",
        "title": "Name",
        "type": "string",
    }
    assert strict["properties"]["legs"]["items"] == {"$ref": "#/$defs/Leg"}
    assert strict["properties"]["best"]["description"] == "The best leg"
    assert strict["properties"]["best"]["additionalProperties"] is False
    assert "default" not in str(strict)


def test_the_given_schema_is_left_as_it_is():
    """The transformation works on a copy."""
    schema = Table.model_json_schema()
    strict_schema(schema)
    assert schema == Table.model_json_schema()


def test_recursion_stays_a_reference():
    """A schema that refers to itself stays finite."""
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}}},
    }  # fmt: skip
    inner = {"type": "object", "properties": {"node": {"$ref": "#/$defs/Node"}}, "$defs": schema["$defs"]}
    strict, reason = strict_schema(inner)
    assert reason is None
    assert strict["$defs"]["Node"]["required"] == ["next"]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({}, "takes anything"),
        (True, "takes anything"),
        ({"type": "object"}, "any name"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "any name"),
        ({"type": "array"}, "the items of x takes anything"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "prefixItems"),
        ({"not": {"type": "string"}}, "'not'"),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, "allOf"),
        ({"type": "object", "properties": {}, "patternProperties": {"a": {}}}, "patternProperties"),
        ({"$ref": "#/$defs/Missing", "description": "gone"}, "Missing"),
    ],
)
def test_what_cannot_be_strict(part: Any, reason: str):
    """A schema whose shape strict mode cannot say is sent as it is, and the reason names the place."""
    schema = {"type": "object", "properties": {"x": part}, "required": []}
    sent, why = strict_schema(schema)
    assert sent == schema
    assert why is not None
    assert reason in why


def test_root_must_be_an_object():
    """A list at the root cannot be strict."""
    assert strict_schema({"type": "array", "items": {"type": "string"}})[1] == "its root is no object"


def test_one_of_becomes_any_of():
    """A tagged union keeps its options under the name that strict mode knows."""
    option = {"type": "object", "properties": {"kind": {"const": "a"}}, "required": ["kind"]}
    schema = {
        "type": "object",
        "properties": {"x": {"oneOf": [option], "discriminator": {"propertyName": "kind"}}},
    }
    strict, reason = strict_schema(schema)
    assert reason is None
    assert strict["properties"]["x"] == {"anyOf": [option | {"additionalProperties": False}]}
