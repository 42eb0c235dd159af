"""What a refusal of a schema or a tool's description teaches: about that schema alone, or about the model."""

from __future__ import annotations

from typing import Any

import pytest

from nbagent.models import Notice, SchemaDefinition, ToolDefinition
from tests.models.single_call import chat, request, responses, stream
from tests.provider import chat_wire, responses_wire
from tests.provider.steps import error

BAD = SchemaDefinition(
    name="Bad", json_schema={"type": "object", "properties": {"c": {"type": "string", "pattern": "^(?!x)"}}}
)
GOOD = SchemaDefinition(name="Good", json_schema={"type": "object", "properties": {"n": {"type": "integer"}}})
WIRES = {"chat": (chat, chat_wire.text_reply), "responses": (responses, responses_wire.text_reply)}


def kinds_sent(server) -> list[Any]:
    """Return how each request asked for JSON, in either format."""
    formats = (
        body.get("response_format") or body.get("text", {}).get("format") or {} for body in server.bodies
    )
    return [one.get("type") for one in formats]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "said",
    [
        "Invalid schema for response_format 'Bad': regex lookaround is not supported in pattern ^(?!x)",
        "Invalid schema for text.format 'Bad': In context=('properties', 'c'), 'pattern' is not permitted.",
        "response_format: property keyword 'pattern' is unsupported",
        "response_format.json_schema.schema: anyOf must be at the top",
        "Failed to compile the grammar of json_schema",
        "response_format refused",
    ],
)
def test_one_refused_schema_steps_down_alone(provider, wire, said):
    """A refusal that speaks of a schema's insides is remembered for that schema; another starts at the top."""
    model_of, reply = WIRES[wire]
    provider.reply(error(400, said), *(reply("{}") for _ in range(3)))
    model = model_of(provider)
    events = stream(model, request(schema=BAD))
    assert [event.text for event in events if isinstance(event, Notice)] == [
        f"provider {model.provider!r} cannot be asked for a JSON schema with this schema: asking for a JSON object"
    ]
    for schema in (GOOD, BAD):
        assert not any(isinstance(event, Notice) for event in stream(model, request(schema=schema)))
    assert kinds_sent(provider) == ["json_schema", "json_object", "json_schema", "json_object"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "said",
    [
        "This response_format type is unavailable now",
        "'text.format' of type 'json_schema' is not supported with this model",
        "response_format.type: Input should be 'text' or 'json_object'",
        "Unknown parameter: response_format",
    ],
)
def test_a_model_that_takes_no_schema_steps_down_for_all(provider, wire, said):
    """A refusal of the format itself is remembered for the model: no other schema is refused once more."""
    model_of, reply = WIRES[wire]
    provider.reply(error(400, said), *(reply("{}") for _ in range(2)))
    model = model_of(provider)
    for schema in (BAD, GOOD):
        stream(model, request(schema=schema))
    assert kinds_sent(provider) == ["json_schema", "json_object", "json_object"]


@pytest.mark.parametrize("wire", WIRES)
def test_steps_of_schema_and_model_add_up(provider, wire):
    """A schema that stepped down alone goes on alone, further down each time it is refused."""
    model_of, reply = WIRES[wire]
    invalid, unavailable = (
        error(400, "invalid schema in response_format"),
        error(400, "json_object is unavailable"),
    )
    provider.reply(invalid, unavailable, *(reply("{}") for _ in range(3)))
    model = model_of(provider)
    stream(model, request(schema=BAD))
    assert kinds_sent(provider) == ["json_schema", "json_object", None]
    stream(model, request(schema=BAD))
    assert kinds_sent(provider)[-1] is None
    stream(model, request(schema=GOOD))
    assert kinds_sent(provider)[-1] == "json_schema"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("said", "longest"),
    [
        ("Invalid 'tools[0].function.description': string too long. Expected a string with maximum length 1024, but got 3000", 1024),
        ("Invalid 'tools[0].description': string too long. Expected a string with maximum length 500, but got 3000.", 500),
        ("tools.0.description is too long", 1024),
    ],
)  # fmt: skip
def test_a_description_that_is_too_long_is_cut(provider, wire, said, longest):
    """Where a provider takes no more of a tool's description it is sent less, said once and remembered."""
    model_of, reply = WIRES[wire]
    provider.reply(error(400, said), reply("a"), reply("b"))
    tools = (
        ToolDefinition(
            name="refund", description=f"First. {'x' * 3000} Last.", parameters={"type": "object"}
        ),
    )
    model = model_of(provider)
    notices = [
        [event.text for event in stream(model, request(tools=tools)) if isinstance(event, Notice)]
        for _ in range(2)
    ]
    assert [len(one) for one in notices] == [1, 0]
    sent = [body["tools"][0].get("function", body["tools"][0])["description"] for body in provider.bodies]
    assert [len(one) for one in sent] == [3013, longest, longest]
    assert sent[1].startswith("First.")
    assert sent[1].endswith("Last.")
