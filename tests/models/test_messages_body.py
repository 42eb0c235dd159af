"""A request as the body of Anthropic's Messages API: what is sent for what the agent says, as its documentation has it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from nbagent.errors import UnknownOptionError
from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models import Notice, SchemaDefinition, ToolDefinition
from nbagent.models import capabilities as capabilities_module
from nbagent.models.anthropic import AnthropicMessages
from nbagent.models.anthropic.output_schema import output_schema
from nbagent.spec import ModelSettings
from tests.models.accepted_requests import messages_faults
from tests.models.single_call import QUESTION, reply_of, request, stream
from tests.provider import messages_wire as wire
from tests.provider.steps import error

PRICE = ToolDefinition(
    name="price",
    description="Price of a share.",
    parameters={"type": "object", "properties": {"symbol": {"type": "string"}}, "required": ["symbol"]},
)
CITY = SchemaDefinition(
    name="City",
    json_schema={"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
)
PNG, PDF = base64.b64encode(b"\x89PNG").decode(), base64.b64encode(b"%PDF-1.7").decode()
MAKER = "anthropic:scripted"


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing conceded to another test's server, and a key."""
    monkeypatch.setattr(capabilities_module, "_memories", {})
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-AbCdEf0123456789")


def model(provider: Any, **options: Any) -> AnthropicMessages:
    """Return a model behind the scripted provider."""
    return AnthropicMessages(**({"id": "scripted", "base_url": provider.base_url} | options))


def sent(provider: Any, *messages: Message, **fields: Any) -> dict[str, Any]:
    """Return the body of one request, which the API accepts."""
    provider.otherwise(wire.text_reply("ok"))
    reply_of(model(provider), request(**({"messages": messages} if messages else {}), **fields))
    body: dict[str, Any] = provider.bodies[-1]
    made = [
        item["block"]
        for message in messages
        for item in message.provider_items
        if item["maker"] == MAKER and item["block"]["type"] in ("thinking", "redacted_thinking")
    ]
    assert list(messages_faults(body, made)) == []
    return body


def test_a_plain_request(provider):
    """Address, key, version and body are as documented; a stream is asked for."""
    body = sent(provider, Message(role="system", content="Be brief."), *QUESTION)
    asked = provider.requests[0]
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    assert asked.headers["x-api-key"] == "sk-ant-api03-AbCdEf0123456789"
    assert asked.headers["anthropic-version"] == "2026-10-21"
    assert "authorization" not in asked.headers
    assert body == {
        "model": "scripted",
        "max_tokens": 16_000,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]}
        ],
        "stream": True,
    }


@pytest.mark.parametrize("url", ["", "/", "/v1", "/v1/"])
def test_an_address_with_and_without_its_version(provider, monkeypatch, url):
    """ANTHROPIC_BASE_URL is what the SDK takes, and an address that ends in /v1 is the same one."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.base_url.removesuffix("/v1") + url)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Team: data\nnothing")
    provider.reply(wire.text_reply("ok"))
    reply_of(AnthropicMessages(id="scripted"))
    assert provider.requests[0].path == "/v1/messages"
    assert provider.requests[0].headers["x-team"] == "data"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"max_tokens": 16_000}),
        ({"max_output_tokens": 64}, {"max_tokens": 64}),
        ({"thinking": 4096}, {"max_tokens": 20_096, "thinking": {"type": "enabled", "budget_tokens": 4096}}),
        ({"thinking": 1024, "max_output_tokens": 2000}, {"max_tokens": 2000}),
        ({"thinking": "adaptive"}, {"thinking": {"type": "adaptive"}}),
        ({"thinking": "disabled"}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, {"thinking": {"type": "adaptive", "display": "omitted"}}),
        ({"extra_body": {"thinking": {"type": "adaptive"}}}, {"thinking": {"type": "adaptive"}}),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"extra_body": {"stop_sequences": ["END"]}}, {"stop_sequences": ["END"]}),
        ({"extra_body": {"output_config": {"effort": "max"}}, "reasoning_effort": "low"}, {"output_config": {"effort": "max"}}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
    ],
)  # fmt: skip
def test_settings(provider, settings, expected):
    """Each setting is the API's field; what has to be there is there without one."""
    body = sent(provider, settings=ModelSettings(**settings))
    assert {name: body[name] for name in expected} == expected


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_sampling_goes_with_the_last_version_that_takes_it(provider, name):
    """temperature and top_p are sent with the version of the API before they were removed, and only they."""
    sent(provider, settings=ModelSettings(**{name: 0.5}))
    assert provider.requests[-1].headers["anthropic-version"] == "2023-06-01"
    sent(provider)
    assert provider.requests[-1].headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("value", [True, 1.5, ["adaptive"]])
def test_thinking_that_is_none(value):
    """What cannot be a way to think is refused where it is written, in two lines."""
    with pytest.raises(UnknownOptionError) as raised:
        ModelSettings(thinking=value)
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize("value", ["1d", "yes", 5])
def test_a_prompt_cache_that_is_none(value):
    """What is no time to keep a prompt for is refused where it is written, in two lines."""
    with pytest.raises(UnknownOptionError) as raised:
        ModelSettings(prompt_cache=value)
    assert len(str(raised.value).splitlines()) == 2


def test_tools_and_results(provider):
    """Tools have an input schema; the results of one turn are one user's message, in front of what else is said."""
    calls = tuple(
        ToolRequest(tool_call_id=f"functions.price:{n}", name="price", arguments='{"symbol": "A"}')
        for n in range(2)
    )
    picture = FilePart(media_type="image/png", data=PNG)
    body = sent(
        provider,
        *QUESTION,
        Message(role="assistant", content="Let me see.", tool_requests=calls),
        Message(role="tool", content="1", tool_call_id="functions.price:0", name="price"),
        Message(role="tool", content="", tool_call_id="functions.price:1", name="price", files=(picture,)),
        Message(role="user", content="And?"),
        tools=(PRICE,),
        settings=ModelSettings(parallel_tool_calls=False),
    )
    assert body["tools"] == [
        {"name": "price", "description": "Price of a share.", "input_schema": dict(PRICE.parameters)}
    ]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    asked, answered = body["messages"][1]["content"], body["messages"][2]["content"]
    assert [one["type"] for one in asked] == ["text", "tool_use", "tool_use"]
    assert asked[1] == {
        "type": "tool_use",
        "id": "functions_price_0",
        "name": "price",
        "input": {"symbol": "A"},
    }
    assert [one["type"] for one in answered] == ["tool_result", "tool_result", "text"]
    assert [one["type"] for one in answered[1]["content"]] == ["text", "image"]
    assert [one["tool_use_id"] for one in answered[:2]] == ["functions_price_0", "functions_price_1"]


@pytest.mark.parametrize(
    "history",
    [
        (Message(role="assistant", content="Hello."), Message(role="user", content="Hi.")),
        (Message(role="user", content="  "), Message(role="assistant", content=""), Message(role="user", content="Hi.")),
        (*QUESTION, Message(role="user", content="Hi."), Message(role="assistant", content="a"), Message(role="assistant", content="b"), Message(role="user", content="?")),
        (*QUESTION, Message(role="assistant", tool_requests=(ToolRequest(tool_call_id="", name="price", arguments="[1]"),)), Message(role="user", content="Well?")),
        (*QUESTION, Message(role="tool", content="12", tool_call_id="lost", name="price"), Message(role="user", content="Well?")),
        (*QUESTION, Message(role="assistant", content="a", provider_items=({"maker": MAKER, "block": {"type": "text", "text": "a"}}, {"maker": MAKER, "block": {"type": "thinking", "thinking": "x", "signature": "s"}})), Message(role="user", content="Well?")),
    ],
    ids=["begins with the assistant", "blanks", "two of one role", "a call without a result", "a result without a call", "ends in a thought"],
)  # fmt: skip
def test_histories_that_others_left(provider, history):
    """Whatever is in a history is put so that the API accepts it."""
    provider.otherwise(wire.text_reply("ok"))
    reply_of(model(provider), request(messages=history, tools=(PRICE,)))
    assert list(messages_faults(provider.bodies[-1])) == []


def test_files(provider):
    """Pictures and PDFs are base64 blocks before the text, a text file is text under its name."""
    files = (
        FilePart(media_type="image/jpeg", data=PNG, name="a.jpg"),
        FilePart(media_type="application/pdf", data=PDF, name="report.pdf"),
        FilePart(media_type="text/csv", data=base64.b64encode(b"a,b").decode(), name="t.csv"),
    )
    (turn,) = sent(provider, Message(role="user", content="See?", files=files))["messages"]
    source = {"type": "base64", "media_type": "image/jpeg", "data": PNG}
    assert turn["content"] == [
        {"type": "image", "source": source},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "title": "report.pdf",
        },
        {"type": "text", "text": "[file t.csv]\na,b"},
        {"type": "text", "text": "See?"},
    ]


@pytest.mark.parametrize(
    ("cache", "mark"),
    [
        (True, {"type": "ephemeral"}),
        ("1h", {"type": "ephemeral", "ttl": "1h"}),
        (False, None),
        (None, None),
    ],
)
@pytest.mark.parametrize("instructions", ["Be brief.", ""])
def test_the_prompt_is_kept_up_to_two_places(provider, cache, mark, instructions):
    """What all prompts of an agent share (its instructions, else its tools) is kept, and the whole history."""
    system = [Message(role="system", content=instructions)] if instructions else []
    body = sent(provider, *system, *QUESTION, tools=(PRICE,), settings=ModelSettings(prompt_cache=cache))
    shared = body["system"] if instructions else body["tools"]
    assert shared[-1].get("cache_control") == mark
    assert body["messages"][-1]["content"][-1].get("cache_control") == mark
    assert str(body).count("cache_control") == (2 if mark else 0)


THOUGHTS = (
    {"maker": MAKER, "block": {"type": "thinking", "thinking": "", "signature": "EqQB/+=="}},
    {"maker": MAKER, "block": {"type": "redacted_thinking", "data": "Emw\u2028KAhgB"}},
    {"maker": MAKER, "block": {"type": "thinking", "thinking": "Ü", "signature": "s2", "more": 1}},
    {"maker": MAKER, "block": {"type": "tool_use", "id": "toolu_1", "name": "price", "input": {"symbol": "A"}}},
)  # fmt: skip
TURN = (
    *QUESTION,
    Message(
        role="assistant",
        tool_requests=(ToolRequest(tool_call_id="toolu_1", name="price", arguments='{"symbol": "A"}'),),
        provider_items=THOUGHTS,
    ),
    Message(role="tool", content="12", tool_call_id="toolu_1", name="price"),
)


def test_thoughts_go_back_as_they_came(provider):
    """Thoughts, shown, hidden and redacted, go back to their model unchanged and in order."""
    body = sent(provider, *TURN, tools=(PRICE,), settings=ModelSettings(thinking=2048))
    assert body["messages"][1]["content"] == [item["block"] for item in THOUGHTS]
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2048}


@pytest.mark.parametrize("id_", ["scripted-2", "Scripted"])
def test_thoughts_go_to_no_other_model(provider, id_):
    """Another model is told what was said and called; it does not begin to think in the middle of a turn."""
    provider.otherwise(wire.text_reply("ok"))
    asked = request(messages=TURN, tools=(PRICE,), settings=ModelSettings(thinking=2048))
    reply_of(model(provider, id=id_), asked)
    (body,) = provider.bodies
    assert body["messages"][1]["content"] == [THOUGHTS[-1]["block"]]
    assert "thinking" not in body
    assert list(messages_faults(body)) == []


def test_json(provider):
    """A schema is `output_config.format`, its objects closed, beside the effort."""
    body = sent(provider, schema=CITY, settings=ModelSettings(reasoning_effort="low"))
    assert body["output_config"] == {
        "format": {"type": "json_schema", "schema": {**CITY.json_schema, "additionalProperties": False}},
        "effort": "low",
    }


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}},
         {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}),
        ({"type": "array", "minItems": 3, "items": {"$ref": "#/$defs/P"}, "$defs": {"P": {"type": "object", "properties": {"a": {"type": "string", "format": "date", "pattern": "x"}}}}},
         {"type": "array", "items": {"$ref": "#/$defs/P"}, "$defs": {"P": {"type": "object", "properties": {"a": {"type": "string", "format": "date"}}, "additionalProperties": False}}}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b"]}),
        ({"type": "object", "additionalProperties": {"type": "number"}}, None),
        ({"type": "object"}, None),
        ({"type": "array"}, None),
        ({}, None),
        ({"type": "object", "properties": {"x": {"not": {"type": "null"}}}}, None),
        ({"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}}, None),
        ({"type": "object", "properties": {"self": {"$ref": "#"}}}, None),
    ],
)  # fmt: skip
def test_schemas_in_the_words_that_the_format_knows(schema, expected):
    """What only narrows is left out; what the format cannot say (maps, recursion) is said in the prompt."""
    assert output_schema(schema) == expected


def test_a_schema_that_the_format_cannot_say_is_in_the_prompt(provider):
    """Such a schema stands in the system prompt, after the instructions."""
    schema = SchemaDefinition(
        name="Map", json_schema={"type": "object", "additionalProperties": {"type": "number"}}
    )
    body = sent(provider, Message(role="system", content="Be brief."), *QUESTION, schema=schema)
    assert "output_config" not in body
    assert body["system"][0]["text"].startswith("Be brief.\n\nAnswer with one JSON value")


REFUSALS = {
    "format": (
        "output_config.format.schema: Too many optional parameters (30), the limit is 24",
        {"schema": CITY},
        lambda body, _: "output_config" not in body and "JSON Schema" in body["system"][0]["text"],
    ),
    "limit": (
        "max_tokens: 16000 > 8192, which is the maximum allowed number of output tokens for scripted",
        {},
        lambda body, _: body["max_tokens"] == 8192,
    ),
    "thoughts": (
        "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.",
        {"messages": TURN},
        lambda body, headers: (
            body["thinking"]
            == {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
            and headers["anthropic-beta"] == "thinking-binding-controls-2026-08-01"
        ),
    ),
    "sampling": (
        "`temperature` is not supported for this model",
        {"settings": ModelSettings(temperature=0.5)},
        lambda body, headers: "temperature" not in body and headers["anthropic-version"] == "2026-10-21",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_that_can_be_answered_is(provider, case):
    """The request is put otherwise once, said in a notice, and from then on at once, without one."""
    said, fields, holds = REFUSALS[case]
    provider.reply(wire.error(400, said, kind="invalid_request_error"))
    provider.otherwise(wire.text_reply("ok"))
    asked = request(**fields)
    events = stream(model(provider), asked)
    assert events[-1].text == "ok"
    assert len([one for one in events if isinstance(one, Notice)]) == 1
    assert holds(provider.bodies[1], provider.requests[1].headers)
    again = stream(model(provider), asked)
    assert not [one for one in again if isinstance(one, Notice)]
    assert holds(provider.bodies[2], provider.requests[2].headers)
    assert len(provider.requests) == 3


def test_a_refusal_that_cannot_be_answered_is_the_error(provider):
    """The same refusal of what was put otherwise is not answered for ever."""
    said = "max_tokens: 16000 > 8192, which is the maximum"
    provider.otherwise(wire.error(400, said, kind="invalid_request_error"))
    with pytest.raises(Exception, match="16000 > 8192"):
        stream(model(provider))
    assert len(provider.requests) == 2


SEARCH = (
    wire.block(0, {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
               {"type": "input_json_delta", "partial_json": '{"query": "x"}'}),
    wire.text_block("so far, ", index=1),
)  # fmt: skip


@pytest.mark.parametrize("pauses", [1, 3])
def test_a_pause_is_gone_on_from(provider, pauses):
    """A paused answer is asked for again with what there is of it: one reply, its text and its usage added up."""
    paused = (*wire.begun(), *SEARCH[0], *SEARCH[1], *wire.end("pause_turn"))
    provider.reply(*[paused] * pauses, wire.text_reply("done"))
    events = stream(model(provider))
    finished = events[-1]
    assert finished.text == "so far, " * pauses + "done"
    assert (finished.finish_reason, finished.server_finish_reason) == ("stop", "end_turn")
    assert finished.usage.total_tokens == 18 * (pauses + 1)
    kinds = [item["block"]["type"] for item in finished.provider_items]
    assert kinds == ["server_tool_use", "text"] * pauses + ["text"]
    last = provider.bodies[-1]["messages"][-1]
    assert last["role"] == "assistant"
    assert [one["type"] for one in last["content"]] == ["server_tool_use", "text"] * pauses
    assert sum(type(event).__name__ == "ReplyFinished" for event in events) == 1
    assert sum(type(event).__name__ == "ReplyStarted" for event in events) == 1


def test_pauses_without_end_end(provider):
    """An answer that is always paused ends after a number of them, with what there is and its word."""
    provider.otherwise(wire.text_reply("a", stop="pause_turn"))
    finished = reply_of(model(provider))
    assert finished.text == "a" * 21
    assert (finished.finish_reason, finished.server_finish_reason) == ("unknown", "pause_turn")
    assert len(provider.requests) == 21


def test_an_overload_is_tried_again_whether_it_has_a_status_or_stands_in_the_stream(provider):
    """529 before a stream and overloaded_error inside one are the same error, with the same status."""
    provider.reply(
        wire.error(529, "Overloaded", kind="overloaded_error"),
        (*wire.begun(), *wire.error_in_reply("Overloaded", "overloaded_error")),
    )
    found = []
    for _ in range(2):
        with pytest.raises(Exception, match="is overloaded") as raised:
            stream(model(provider))
        found.append((type(raised.value).__name__, raised.value.status_code, raised.value.retryable))
    assert found == [("ProviderOverloadedError", 529, True)] * 2


def test_a_foreign_error_is_not_conceded(provider):
    """A refusal of something else is the error at once."""
    provider.otherwise(error(400, "credit balance is too low"))
    with pytest.raises(Exception, match="credit balance"):
        stream(model(provider))
    assert len(provider.requests) == 1
