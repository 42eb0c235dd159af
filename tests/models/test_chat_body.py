"""The body of a Chat Completions request, as data: what each provider is sent."""

from __future__ import annotations

import json

from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models import ModelRequest, SchemaDefinition, ToolDefinition, provider_row
from nbagent.models.capabilities import RequestOptions
from nbagent.models.openai.chat import chat_body
from nbagent.models.transport.wire_json import encode
from nbagent.spec import ModelSettings

PRICE = ToolDefinition(
    name="price",
    description="The price of a share.",
    parameters={"type": "object", "properties": {"symbol": {"type": "string"}}, "required": ["symbol"]},
)
CITY = SchemaDefinition(
    name="list[City]",
    json_schema={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
)
HISTORY = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="AAPL?"),
    Message(
        role="assistant",
        reasoning="I need the price.",
        tool_requests=(ToolRequest(tool_call_id="c1", name="price", arguments='{"symbol": "AAPL"}'),),
    ),
    Message(role="tool", tool_call_id="c1", name="price", content="223.0"),
)


def body(request: ModelRequest, provider: str = "openai-chat", **plan):
    """Return the body for a provider's row."""
    row = provider_row(provider)
    return chat_body(request, "m", row, RequestOptions(limit_parameter=row.limit_parameter, **plan))


def test_small_body():
    """A question alone sends the model, the messages, and the wish for a stream with usage."""
    assert body(ModelRequest(messages=HISTORY[1:2])) == {
        "model": "m",
        "messages": [{"role": "user", "content": "AAPL?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in body(ModelRequest(messages=HISTORY[1:2]), include_usage=False)


def test_tool_turn():
    """Tools are offered as functions; a call and its result go back under one id; beside a call without text stands null."""
    sent = body(ModelRequest(messages=HISTORY, tools=(PRICE,)))
    assert sent["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "price",
                "description": "The price of a share.",
                "parameters": PRICE.parameters,
            },
        }
    ]
    assert sent["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "price", "arguments": '{"symbol": "AAPL"}'},
                }
            ],
        },
        {"role": "tool", "content": "223.0", "tool_call_id": "c1"},
    ]


def test_reasoning_goes_back_where_it_is_wanted():
    """DeepSeek wants its reasoning back on tool turns; others are not sent any that was not theirs."""
    request = ModelRequest(messages=HISTORY, tools=(PRICE,))
    assert body(request, "deepseek")["messages"][2]["reasoning_content"] == "I need the price."
    assert "reasoning" not in str(body(request, "ollama"))


def test_settings():
    """Settings go by their names, the output limit by the provider's; the extra body has the last word."""
    settings = ModelSettings(
        temperature=0.0,
        top_p=0.5,
        max_output_tokens=9,
        reasoning_effort="low",
        seed=3,
        parallel_tool_calls=False,
        extra_body={"top_p": 0.9, "thinking": {"type": "disabled"}},
    )
    request = ModelRequest(messages=HISTORY[1:2], settings=settings, tools=(PRICE,))
    sent = body(request)
    assert {
        name: sent[name] for name in ("temperature", "top_p", "seed", "reasoning_effort", "thinking")
    } == {
        "temperature": 0.0,
        "top_p": 0.9,
        "seed": 3,
        "reasoning_effort": "low",
        "thinking": {"type": "disabled"},
    }
    assert sent["max_completion_tokens"] == 9
    assert sent["parallel_tool_calls"] is False
    assert body(request, "deepseek")["max_tokens"] == 9


def test_strict_schema():
    """The native way sends the strict schema under a name that the providers take, and leaves the prompt alone."""
    sent = body(ModelRequest(messages=HISTORY[:2], schema=CITY), rung="json_schema")
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "list_City_",
            "strict": True,
            "schema": {**CITY.json_schema, "additionalProperties": False},
        },
    }
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}


def test_schema_that_cannot_be_strict():
    """An open object is sent as it is, not strict."""
    schema = SchemaDefinition(name="Any", json_schema={"type": "object"})
    sent = body(ModelRequest(messages=HISTORY[:2], schema=schema), rung="json_schema")
    assert sent["response_format"]["json_schema"] == {
        "name": "Any",
        "strict": False,
        "schema": {"type": "object"},
    }


def test_lower_rungs_put_the_schema_into_the_prompt():
    """Below the native way the system's message tells the schema; one is made where there is none."""
    for rung, sent_format in (
        ("json_object_schema", {"type": "json_object", "schema": CITY.json_schema}),
        ("json_object", {"type": "json_object"}),
        ("prompt", None),
    ):
        sent = body(ModelRequest(messages=HISTORY[:2], schema=CITY), rung=rung)
        assert sent.get("response_format") == sent_format
        first = sent["messages"][0]
        assert first["role"] == "system"
        assert first["content"].startswith("Be brief.\n\nAnswer with one JSON value")
        assert json.dumps(CITY.json_schema) in first["content"]
        bare = body(ModelRequest(messages=HISTORY[1:2], schema=CITY), rung=rung)
        assert [message["role"] for message in bare["messages"]] == ["system", "user"]


def test_files():
    """Pictures and files go beside the text, as data URLs."""
    files = (
        FilePart(media_type="image/png", data="AAAA"),
        FilePart(media_type="application/pdf", data="BBBB", name="a.pdf"),
    )
    sent = body(ModelRequest(messages=(Message(role="user", content="See", files=files),)))
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
    ]


def test_half_an_emoji_can_be_sent():
    """A lone surrogate in the history is sent as its escape instead of failing the run."""
    assert json.loads(encode({"text": "a\ud83d"})) == {"text": "a\ud83d"}
