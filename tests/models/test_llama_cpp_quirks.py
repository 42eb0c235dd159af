"""What llama.cpp's Python server was found to do otherwise (tests/soak/test_llama_cpp.py), scripted."""

from __future__ import annotations

import pytest

from nbagent.errors import ProviderRefusedError
from nbagent.models import Notice, ReplyStarted, SchemaDefinition, TextDelta
from nbagent.models import capabilities as concessions_module
from tests.models.single_call import chat, reply_of, request, stream
from tests.provider.chat_wire import chunk, end, text, text_reply
from tests.provider.steps import Raw, error

SCHEMA = SchemaDefinition(
    name="City", json_schema={"type": "object", "properties": {"name": {"type": "string"}}}
)
VALIDATION = (
    "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
    "'msg': \"Input should be 'text' or 'json_object'\"}\n\n  File \"app.py\", line 376, in create_chat_completion"
)


@pytest.fixture(autouse=True)
def _nothing_conceded(monkeypatch):
    """Ports are used again: what one test's server refused is not remembered for the next."""
    monkeypatch.setattr(concessions_module, "_memories", {})


def test_no_usage_although_asked_for(provider):
    """It ignores include_usage: the counts are missing, not zero."""
    provider.reply(text_reply("Paris", usage=None))
    finished = reply_of(chat(provider))
    assert (finished.usage.total_tokens, finished.usage_source) == (None, "missing")


def test_empty_deltas(provider):
    """Half of its deltas are empty (bytes of a character that is not whole yet): they are no pieces and no start."""
    provider.reply((chunk({"role": "assistant"}), *text("", "P", "", "", "aris", ""), *end(usage=None)))
    events = stream(chat(provider))
    assert events[0] == ReplyStarted()
    assert all(event.text for event in events if isinstance(event, TextDelta))
    assert events[-1].text == "Paris"


def test_a_schema_refused_as_its_own_failure(provider):
    """It refuses json_schema with a 500 that names response_format: that is a step down, not an overload."""
    provider.reply(error(500, VALIDATION, type="internal_server_error"), text_reply("{}"))
    events = stream(chat(provider), request(schema=SCHEMA))
    assert [type(event) for event in events].count(Notice) == 1
    assert provider.bodies[1]["response_format"] == {"type": "json_object"}


def test_a_bad_request_called_its_own_failure(provider):
    """What it cannot validate is a 500; sending the same again would not help, so it counts as refused."""
    provider.reply(
        error(500, VALIDATION.replace("response_format", "messages"), type="internal_server_error")
    )
    with pytest.raises(ProviderRefusedError, match=r"cannot read the request for model 'scripted' \(500\)"):
        stream(chat(provider))


def test_its_own_row_sends_the_schema_its_way(provider):
    """The row `llama-cpp-python` asks for a JSON object with the schema beside it, and asks for no usage."""
    provider.reply(text_reply("{}", usage=None))
    stream(chat(provider, provider="llama-cpp-python"), request(schema=SCHEMA))
    (body,) = provider.bodies
    assert body["response_format"] == {"type": "json_object", "schema": SCHEMA.json_schema}
    assert "stream_options" not in body


def test_tool_call_with_its_name_in_every_part(provider):
    """Each part repeats the call's id and whole name, beside nulls and the older function_call."""

    def part(arguments: str):
        function = {"name": "price", "arguments": arguments}
        called = {"index": 0, "id": "call__0_price_cmpl-1", "type": "function", "function": function}
        return chunk({"role": None, "content": None, "function_call": function, "tool_calls": [called]})

    opening = chunk({"role": "assistant", "content": None, "function_call": None, "tool_calls": None})
    provider.reply((opening, part("{"), part('"n": '), part("1}"), *end("tool_calls", usage=None)))
    (call,) = reply_of(chat(provider)).tool_requests
    assert (call.tool_call_id, call.name, call.arguments) == ("call__0_price_cmpl-1", "price", '{"n": 1}')


def test_comments_between_chunks(provider):
    """Pings between the chunks are no events."""
    ping = (Raw(b": ping - 2026-11-21\r\n\r\n"),)
    provider.reply((*ping, *text("Par"), *ping, *text("is"), *end(usage=None)))
    assert reply_of(chat(provider)).text == "Paris"
