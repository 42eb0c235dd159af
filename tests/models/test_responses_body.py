"""The body of a Responses request, as data."""

from __future__ import annotations

import base64

import pytest

from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models import ModelRequest, SchemaDefinition, ToolDefinition, provider_row
from nbagent.models.capabilities import RequestOptions
from nbagent.models.openai.chat import chat_body
from nbagent.models.openai.response_items import tagged
from nbagent.models.openai.responses import left_out, responses_body
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
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "zzz"}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "price", "arguments": "{}"}
HISTORY = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="AAPL?"),
    Message(
        role="assistant",
        content="I look.",
        tool_requests=(ToolRequest(tool_call_id="c1", name="price", arguments=""),),
        provider_items=tagged([REASONING, CALL], "openai", "m"),
    ),
    Message(role="tool", tool_call_id="c1", name="price", content="223.0"),
)


def body(request: ModelRequest, provider: str = "openai", model: str = "m", **plan):
    """Return the body for a provider's row."""
    return responses_body(request, model, provider_row(provider), RequestOptions(**plan))


def test_small_body():
    """A question alone sends the model, the input and the wish for a stream; nothing is said about storing."""
    assert body(ModelRequest(messages=HISTORY[1:2])) == {
        "model": "m",
        "input": [{"role": "user", "content": "AAPL?"}],
        "stream": True,
    }


def test_reasoning_items_go_back_as_they_came():
    """The system's message is the instructions; a turn's own items are replayed in order, results under their id."""
    sent = body(ModelRequest(messages=HISTORY, tools=(PRICE,)))
    assert sent["instructions"] == "Be brief."
    assert sent["input"] == [
        {"role": "user", "content": "AAPL?"},
        REASONING,
        CALL,
        {"type": "function_call_output", "call_id": "c1", "output": "223.0"},
    ]
    assert sent["tools"] == [
        {
            "type": "function",
            "name": "price",
            "description": "The price of a share.",
            "parameters": PRICE.parameters,
            "strict": False,
        }
    ]


@pytest.mark.parametrize(("provider", "model"), [("azure", "m"), ("openai", "other")])
def test_items_of_another_model_are_not_sent(provider, model):
    """What another provider or model made is sent as what it said and called: nobody else can read its items."""
    sent = body(ModelRequest(messages=HISTORY), provider, model)["input"]
    assert sent[1:3] == [
        {"type": "message", "role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "c1", "name": "price", "arguments": "{}"},
    ]


def test_which_items_are_kept():
    """Items that the message itself says are not kept twice; reasoning that led nowhere is dropped."""
    message = {"type": "message", "content": []}
    assert tagged([message, CALL], "openai", "m") == ()
    assert [made["item"] for made in tagged([REASONING, CALL, REASONING], "openai", "m")] == [REASONING, CALL]
    assert tagged([REASONING], "openai", "m") == ()
    assert len(tagged([message | {"phase": "commentary"}, CALL], "openai", "m")) == 2


def test_providers_that_keep_nothing():
    """A stateless provider is told to store nothing and to send reasoning that can be replayed."""
    sent = body(ModelRequest(messages=HISTORY[1:2]), "openrouter", include_encrypted=True)
    assert (sent["store"], sent["include"]) == (False, ["reasoning.encrypted_content"])


def test_background():
    """A background response is stored, or it would be gone in minutes, and streamed, so that it can be followed."""
    sent = body(ModelRequest(messages=HISTORY[1:2]), "openrouter", background=True)
    assert (sent["background"], sent["store"], sent["stream"]) == (True, True, True)


def test_settings():
    """Settings go by this format's names; the extra body has the last word; what has no name here is said."""
    settings = ModelSettings(
        temperature=0.0,
        top_p=0.5,
        max_output_tokens=9,
        reasoning_effort="low",
        seed=3,
        parallel_tool_calls=False,
        extra_body={"top_p": 0.9, "truncation": "auto"},
    )
    request = ModelRequest(messages=HISTORY[1:2], settings=settings, tools=(PRICE,))
    sent = body(request)
    names = ("temperature", "top_p", "max_output_tokens", "reasoning", "parallel_tool_calls", "truncation")
    assert {name: sent[name] for name in names} == {
        "temperature": 0.0,
        "top_p": 0.9,
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": False,
        "truncation": "auto",
    }
    assert "seed" not in sent
    assert left_out(request) == ("the Responses API takes no seed: it is left out",)
    assert left_out(ModelRequest(messages=HISTORY, settings=settings)) == ()  # said on the first step


@pytest.mark.parametrize(
    ("rung", "sent_format"),
    [
        (
            "json_schema",
            {
                "type": "json_schema",
                "name": "list_City_",
                "strict": True,
                "schema": {**CITY.json_schema, "additionalProperties": False},
            },
        ),
        ("json_object", {"type": "json_object"}),
        ("prompt", None),
    ],
)
def test_schema(rung, sent_format):
    """Each way to ask for JSON has its form; below the native one the input itself tells the schema."""
    sent = body(ModelRequest(messages=HISTORY[:2], schema=CITY), rung=rung)
    assert sent.get("text", {}).get("format") == sent_format
    assert (
        [item["role"] for item in sent["input"]] == ["user"] if rung == "json_schema" else ["system", "user"]
    )


def _file(media_type: str, data: bytes, name: str = "") -> FilePart:
    return FilePart(media_type=media_type, data=base64.b64encode(data).decode(), name=name)


FILES = (
    _file("image/png", b"PNG"),
    _file("application/pdf", b"PDF", "a.pdf"),
    _file("text/csv; charset=utf-8", b"x,y\n1,2", "t.csv"),
    _file("application/json", b'{"a": 1}'),
    _file("text/plain", b"\xff\xfe", "latin.txt"),
)


def test_files():
    """Pictures are input images, documents input files, text files text under their name; in both formats."""
    asked = ModelRequest(messages=(Message(role="user", content="See", files=FILES),))
    assert body(asked)["input"][0]["content"] == [
        {"type": "input_text", "text": "See"},
        {"type": "input_image", "image_url": "data:image/png;base64,UE5H", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,UERG"},
        {"type": "input_text", "text": "[file t.csv]\nx,y\n1,2"},
        {"type": "input_text", "text": '[file without a name]\n{"a": 1}'},
        {"type": "input_file", "filename": "latin.txt", "file_data": "data:text/plain;base64,//4="},
    ]
    sent = chat_body(asked, "m", provider_row("openai-chat"), RequestOptions())["messages"][0]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url", "file", "text", "text", "file"]
    assert sent[3]["text"] == "[file t.csv]\nx,y\n1,2"
