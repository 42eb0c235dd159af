"""The events of Anthropic's Messages API, as its documentation has them: bytes in, pieces and the whole reply out.

The scripts are written from https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11-30).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from nbagent.errors import (
    EarlyEndError,
    ModelError,
    ProviderOverloadedError,
    ProviderProtocolError,
    ProviderRefusedError,
)
from nbagent.events import ToolRequest, Usage
from nbagent.models.anthropic.message_stream import MessageStreamParser, usage_of_message
from nbagent.models.protocol import ModelEvent, ReasoningDelta, ReplyFinished, ReplyStarted, TextDelta
from nbagent.models.transport.errors import RequestTarget
from nbagent.models.transport.sse import SSEDecoder
from tests.provider import messages_wire as wire
from tests.provider.steps import Raw, Step

TARGET = RequestTarget(provider="anthropic", model="claude", base_url="http://127.0.0.1:1/v1")
MAKER = "anthropic:claude"


def script_bytes(*script: Step | Sequence[Step]) -> bytes:
    """Return the bytes of a script's body."""
    steps = [step for part in script for step in (part if isinstance(part, (tuple, list)) else (part,))]
    return b"".join(step.data for step in steps if isinstance(step, Raw))


def read(blocks: Sequence[bytes]) -> tuple[list[ModelEvent], MessageStreamParser]:
    """Read blocks as the transport gives them; return the events and the parser."""
    decoder, parser = SSEDecoder(), MessageStreamParser(TARGET)
    events: list[ModelEvent] = []
    for part in blocks:
        events += parser.take(decoder.feed(part))
    return events + parser.take(decoder.close()), parser


def said(events: Sequence[ModelEvent]) -> tuple[str, str]:
    """Return the text and the reasoning that events brought."""
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, "".join(event.text for event in events if isinstance(event, ReasoningDelta))


WHOLE: dict[str, tuple[bytes, dict[str, Any]]] = {
    "text": (
        script_bytes(wire.text_reply("Hello", "!", " Grüße 🎉")),
        {"text": "Hello! Grüße 🎉", "finish_reason": "stop", "server_finish_reason": "end_turn"},
    ),
    "two text blocks": (
        script_bytes(wire.begun(), wire.text_block("a"), wire.text_block("b", index=1), wire.end()),
        {"text": "ab"},
    ),
    "a call after text": (
        script_bytes(wire.tool_reply(("price", {"ticker": "NVDA"}), before=wire.text_block("Let me see."), thoughts=1)),
        {
            "text": "Let me see.",
            "finish_reason": "tool_calls",
            "tool_requests": (
                ToolRequest(tool_call_id="call_1", name="price", arguments='{"ticker": "NVDA"}'),
            ),
        },
    ),
    "parallel calls": (
        script_bytes(wire.tool_reply(("price", {"ticker": "A"}), ("price", {"ticker": "B"}), ("now", {}))),
        {
            "tool_requests": (
                ToolRequest(tool_call_id="call_1", name="price", arguments='{"ticker": "A"}'),
                ToolRequest(tool_call_id="call_2", name="price", arguments='{"ticker": "B"}'),
                ToolRequest(tool_call_id="call_3", name="now", arguments="{}"),
            )
        },
    ),
    "a call without arguments": (
        script_bytes(wire.begun(), wire.tool_block("now", [""]), wire.end("tool_use")),
        {"tool_requests": (ToolRequest(tool_call_id="toolu_1", name="now", arguments=""),)},
    ),
    "thinking": (
        script_bytes(wire.begun(), wire.thinking_block("I ", "add."), wire.text_block("4", index=1), wire.end()),
        {
            "text": "4",
            "reasoning": "I add.",
            "provider_items": (
                {"maker": MAKER, "block": {"type": "thinking", "thinking": "I add.", "signature": "c2lnbmVk"}},
                {"maker": MAKER, "block": {"type": "text", "text": "4"}},
            ),
        },
    ),
    "thinking that is not shown": (
        script_bytes(wire.begun(), wire.thinking_block(), wire.text_block("4", index=1), wire.end()),
        {
            "text": "4",
            "reasoning": None,
            "provider_items": (
                {"maker": MAKER, "block": {"type": "thinking", "thinking": "", "signature": "c2lnbmVk"}},
                {"maker": MAKER, "block": {"type": "text", "text": "4"}},
            ),
        },
    ),
    "redacted thinking": (
        script_bytes(wire.begun(), wire.redacted_block("EmwKAhgB"), wire.text_block("4", index=1), wire.end()),
        {
            "text": "4",
            "provider_items": (
                {"maker": MAKER, "block": {"type": "redacted_thinking", "data": "EmwKAhgB"}},
                {"maker": MAKER, "block": {"type": "text", "text": "4"}},
            ),
        },
    ),
    "a search of the provider's own": (
        script_bytes(
            wire.begun(),
            wire.block(
                0,
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {"type": "input_json_delta", "partial_json": '{"query":'},
                {"type": "input_json_delta", "partial_json": ' "x"}'},
            ),
            wire.block(1, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}),
            wire.block(
                2,
                {"type": "text", "text": "", "citations": []},
                {"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "u"}},
                wire.text_delta("found"),
            ),
            wire.end(),
        ),
        {
            "text": "found",
            "tool_requests": (),
            "provider_items": (
                {
                    "maker": MAKER,
                    "block": {
                        "type": "server_tool_use",
                        "id": "srvtoolu_1",
                        "name": "web_search",
                        "input": {"query": "x"},
                    },
                },
                {
                    "maker": MAKER,
                    "block": {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                },
                {
                    "maker": MAKER,
                    "block": {
                        "type": "text",
                        "text": "found",
                        "citations": [{"type": "web_search_result_location", "url": "u"}],
                    },
                },
            ),
        },
    ),
    "pings, comments and unknown events": (script_bytes(wire.strange_reply("It", " is.")), {"text": "It is."}),
    "an unknown delta": (
        script_bytes(
            wire.begun(),
            wire.block(0, {"type": "text", "text": ""}, {"type": "glow_delta", "text": "?"}, wire.text_delta("ok")),
            wire.end(),
        ),
        {"text": "ok"},
    ),
    "a stop sequence": (
        script_bytes(wire.text_reply("1, 2", stop="stop_sequence", stop_sequence="3")),
        {"finish_reason": "stop", "server_finish_reason": "stop_sequence"},
    ),
    "the limit": (
        script_bytes(wire.text_reply("1, 2", stop="max_tokens")),
        {"finish_reason": "length", "server_finish_reason": "max_tokens"},
    ),
    "the context": (
        script_bytes(wire.text_reply("1, 2", stop="model_context_window_exceeded")),
        {"finish_reason": "length", "server_finish_reason": "model_context_window_exceeded"},
    ),
    "a refusal with its reason": (
        script_bytes(wire.refusal_reply("I cannot help with that.")),
        {"finish_reason": "refusal", "refusal": "I cannot help with that."},
    ),
    "a refusal with a category": (
        script_bytes(
            wire.text_reply("Sure", stop="refusal", stop_details={"type": "refusal", "category": "cyber", "explanation": None})
        ),
        {"finish_reason": "refusal", "refusal": "Sure (cyber)", "text": "Sure"},
    ),
    "a pause": (
        script_bytes(wire.text_reply("so far", stop="pause_turn")),
        {"server_finish_reason": "pause_turn", "text": "so far"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_reply_is_the_same_wherever_its_bytes_are_cut(case: str, line_end: bytes) -> None:
    """Cut in two at every byte, or into single bytes, with any line end, a stream gives one and the same reply."""
    body, expected = WHOLE[case]
    body = body.replace(b"\n", line_end)
    places = range(0, len(body) + 1, 1 if line_end == b"\r\n" else 9)
    ways = [[body[:at], body[at:]] for at in places] + [[body[at : at + 1] for at in range(len(body))]]
    for blocks in ways:
        events, parser = read(blocks)
        finished = parser.finished()
        assert {name: getattr(finished, name) for name in expected} == expected
        assert said(events) == (finished.text, finished.reasoning or "")
        assert events.count(ReplyStarted()) == (
            1 if finished.text or finished.reasoning or finished.tool_requests else 0
        )
        assert parser.done


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_message_says_what_its_stream_says(case: str) -> None:
    """The answer to a request without a stream, one JSON object, gives the reply that the stream gives."""
    body, _ = WHOLE[case]
    streamed = read([body])[1].finished()
    blocks = [item["block"] for item in streamed.provider_items] or [
        *([{"type": "text", "text": streamed.text}] if streamed.text else []),
        *(
            {"type": "tool_use", "id": one.tool_call_id, "name": one.name, "input": json.loads(one.arguments or "{}")}
            for one in streamed.tool_requests
        ),
    ]  # fmt: skip
    whole = wire.message(*blocks, stop=streamed.server_finish_reason)
    if streamed.refusal:
        whole["stop_details"] = {"type": "refusal", "explanation": streamed.refusal}
    parser = MessageStreamParser(TARGET)
    parser.take([json.dumps(whole).encode()])
    found = parser.finished()
    names = ("text", "finish_reason", "reasoning", "provider_items", "usage", "response_id", "response_model")
    assert {name: getattr(found, name) for name in names} == {name: getattr(streamed, name) for name in names}
    assert [(one.name, json.loads(one.arguments or "{}")) for one in found.tool_requests] == [
        (one.name, json.loads(one.arguments or "{}")) for one in streamed.tool_requests
    ]


@pytest.mark.parametrize(
    ("kind", "error", "retryable"),
    [
        ("overloaded_error", ProviderOverloadedError, True),
        ("rate_limit_error", ProviderOverloadedError, True),
        ("api_error", ProviderOverloadedError, True),
        ("timeout_error", ProviderOverloadedError, True),
        ("invalid_request_error", ProviderRefusedError, False),
        ("authentication_error", ProviderRefusedError, False),
        ("not_found_error", ProviderRefusedError, False),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["event: error", "data alone"])
def test_an_error_inside_a_stream_is_what_its_type_says(
    kind: str, error: type[ModelError], *, named: bool, retryable: bool
) -> None:
    """An error event ends the reply with the error that its HTTP status means; the text before it is shown."""
    fault = wire.error_in_reply("scripted trouble", kind)[0]
    if not named:
        fault = wire.data(json.loads(fault.data.partition(b"data: ")[2]))
    events, parser = read([script_bytes(wire.begun(), wire.text("half"), fault)])
    assert said(events)[0] == "half"
    assert parser.done
    with pytest.raises(error, match="scripted trouble") as raised:
        parser.finished()
    assert raised.value.retryable is retryable
    assert raised.value.status_code == {"overloaded_error": 529, "rate_limit_error": 429}.get(kind)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (script_bytes(wire.begun(), wire.text("half")), EarlyEndError),
        (script_bytes(wire.begun(), wire.tool_block("price", ['{"tick'])[:-1]), EarlyEndError),
        (script_bytes(wire.begun()), EarlyEndError),
        (b"", ProviderProtocolError),
        (b": a comment\n\nevent: ping\ndata: {}\n\n", ProviderProtocolError),
    ],
)
def test_a_stream_without_a_stop_reason_is_no_answer(body: bytes, error: type[ModelError]) -> None:
    """A stream that ends before the model did is an error, with what had come where something had."""
    _, parser = read([body])
    with pytest.raises(error):
        parser.finished()


def test_what_follows_the_last_event_is_no_part_of_the_reply() -> None:
    """After message_stop nothing is read: no text, no error."""
    body = script_bytes(wire.text_reply("all"), wire.text("more"), wire.error_in_reply("late"))
    events, parser = read([body])
    assert said(events) == ("all", "")
    assert parser.finished().text == "all"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            ({"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30, "output_tokens": 1,
              "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}},
             {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 3}}),
            Usage(input_tokens=140, output_tokens=5, total_tokens=145, cache_read_tokens=100, cache_write_tokens=30,
                  cache_write_1h_tokens=10, reasoning_tokens=3),
        ),
        (
            ({"input_tokens": 10, "output_tokens": 1},
             {"input_tokens": 12, "output_tokens": 4, "cache_read_input_tokens": 0}),
            Usage(input_tokens=12, output_tokens=4, total_tokens=16, cache_read_tokens=0),
        ),
        (({"input_tokens": 3, "output_tokens": 1}, None), Usage(input_tokens=3, output_tokens=1, total_tokens=4)),
        ((None, {"output_tokens": 4}), Usage(output_tokens=4)),
        (({"input_tokens": 0, "output_tokens": 0}, {"output_tokens": 0}), Usage()),
        ((None, None), Usage()),
    ],
)  # fmt: skip
def test_usage_is_inclusive(events: tuple[Any, Any], expected: Usage) -> None:
    """Cache reads and writes are part of the input, later counts replace earlier ones, unknown is None."""
    first, last = events
    opening = wire.message()
    opening["usage"] = first
    ending = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last}
    body = script_bytes(
        wire.event("message_start", message=opening), wire.text_block("x"), wire.data(ending), wire.end()[1]
    )
    finished = read([body])[1].finished()
    assert finished.usage == expected
    assert finished.usage_source == ("missing" if expected == Usage() else "reported")


@pytest.mark.parametrize(
    "usage", [{"input_tokens": "11", "output_tokens": 7.0}, {"input_tokens": -1}, {"x": 1}, {}]
)
def test_odd_counts_are_read_or_unknown(usage: dict[str, Any]) -> None:
    """A count as text is the count; one that is none is unknown."""
    read_counts = usage_of_message(usage)
    assert read_counts.input_tokens in (None, 11)
    assert read_counts.output_tokens in (None, 7)


@pytest.mark.parametrize("ids", [("a", "a"), ("", ""), ("a", "")])
def test_calls_have_distinct_ids_in_requests_and_blocks(ids: tuple[str, str]) -> None:
    """Calls with one id, or none, get their own, and the blocks that go back have the same ones."""
    body = script_bytes(
        wire.begun(),
        wire.thinking_block("hm"),
        wire.tool_block("price", {"ticker": "A"}, call_id=ids[0], index=1),
        wire.tool_block("price", {"ticker": "B"}, call_id=ids[1], index=2),
        wire.end("tool_use"),
    )
    finished = read([body])[1].finished()
    made = [one.tool_call_id for one in finished.tool_requests]
    assert len(set(made)) == 2
    assert [item["block"]["id"] for item in finished.provider_items[1:]] == made
    assert isinstance(finished, ReplyFinished)
