"""Replies in Chat Completions format, chunk by chunk: every quirk that a provider was seen to have."""

from __future__ import annotations

import json

import pytest

from nbagent.errors import (
    EarlyEndError,
    ModelError,
    ProviderOverloadedError,
    ProviderProtocolError,
    ProviderRefusedError,
)
from nbagent.events import ToolRequest, Usage
from nbagent.models import ReasoningDelta, ReplyStarted, TextDelta
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.transport.errors import RequestTarget

TARGET = RequestTarget(
    provider="scripted", model="m", base_url="http://127.0.0.1:1/v1", key="sk-secret-key-1234"
)


def chunk(delta=None, finish=None, **fields) -> bytes:
    """Return one chunk's payload."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps({"id": "c", "model": "m-1", "choices": choices} | fields).encode()


def call(**part) -> bytes:
    """Return a chunk with one part of a tool call."""
    return chunk({"tool_calls": [part]})


END = chunk({}, "stop")


def read(*payloads: bytes):
    """Return the events and the whole reply of chunks that come one by one."""
    reply = ChatStreamParser(TARGET)
    events = [event for payload in payloads for event in reply.take([payload])]
    return events, reply.finished()


def calls(*parts: bytes) -> list[tuple[str, str, str]]:
    """Return the tool requests of a reply."""
    _, finished = read(*parts, chunk({}, "tool_calls"))
    return [(asked.tool_call_id, asked.name, asked.arguments) for asked in finished.tool_requests]


def test_text():
    """Text comes in pieces after one start, empty deltas and role deltas are nothing, and the end has it whole."""
    events, finished = read(
        chunk({"role": "assistant", "content": ""}),
        chunk({}),
        chunk({"content": None}),
        chunk({"content": "Par"}),
        chunk({"content": "is"}),
        END,
        b"[DONE]",
    )
    assert events == [ReplyStarted(), TextDelta("Par"), TextDelta("is")]
    assert (finished.text, finished.finish_reason) == ("Paris", "stop")
    assert (finished.response_id, finished.response_model) == ("c", "m-1")
    assert (finished.usage, finished.usage_source) == (Usage(), "missing")


def test_one_read_gives_one_piece():
    """All text of one read is one piece: a fast provider does not cost an event for each token."""
    reply = ChatStreamParser(TARGET)
    assert reply.take([chunk({"content": "a"}), chunk({"content": "b"}), END]) == [
        ReplyStarted(),
        TextDelta("ab"),
    ]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_stays_out_of_the_answer(field):
    """Reasoning text is told apart from the answer, whichever field brings it."""
    events, finished = read(chunk({field: "hm", "content": None}), chunk({"content": "4"}), END)
    assert events == [ReplyStarted(), ReasoningDelta("hm"), TextDelta("4")]
    assert (finished.text, finished.reasoning) == ("4", "hm")


def test_content_in_parts():
    """Content that comes as a list of parts is text and reasoning like any other."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "4"},
    ]
    _, finished = read(chunk({"content": parts}), END)
    assert (finished.text, finished.reasoning) == ("4", "hm")


def test_refusal():
    """A refusal ends a reply as refusal, its text kept apart."""
    events, finished = read(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), END)
    assert events == [ReplyStarted()]
    assert (finished.finish_reason, finished.refusal, finished.text) == ("refusal", "I cannot.", "")


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),  # no call came: the presence of calls is what counts
        ("eos_token", "stop"),
    ],
)
def test_finish_reasons(wire, ours):
    """Each provider's word for the end becomes one of ours."""
    assert read(chunk({"content": "x"}), chunk({}, wire))[1].finish_reason == ours


def test_calls_count_whatever_the_finish_reason():
    """A reply with calls that says `stop` wants the calls."""
    _, finished = read(call(index=0, id="a", function={"name": "f", "arguments": "{}"}), END)
    assert finished.finish_reason == "tool_calls"
    assert finished.tool_requests == (ToolRequest(tool_call_id="a", name="f", arguments="{}"),)


def test_tool_call_forms():
    """Parts find their call by index, else by id, else as the last open one; arguments come in any form."""
    first = {"name": "f", "arguments": '{"x":'}
    rest = {"arguments": " 1}"}
    whole = [("a", "f", '{"x": 1}')]
    assert calls(call(index=0, id="a", function=first), call(index=0, function=rest)) == whole
    assert calls(call(id="a", function=first), call(id="a", function=rest)) == whole
    assert calls(call(id="a", function=first), call(function=rest)) == whole
    assert (
        calls(call(index=0, id="a", function=first), call(index=0, id=None, function={"name": None} | rest))
        == whole
    )
    assert calls(call(index=0, id="a", function={"name": "f", "arguments": None})) == [("a", "f", "")]
    assert calls(call(index=0, id="a", function={"name": "f", "arguments": {"x": 1}})) == whole
    assert calls(call(index=0, id="a", function={"name": "f"})) == [("a", "f", "")]


def test_parallel_calls():
    """Interleaved calls stay apart, also where a server counts every call as the first."""
    f, g = {"name": "f", "arguments": "1"}, {"name": "g", "arguments": "2"}
    both = [("a", "f", "1"), ("b", "g", "2")]
    assert calls(call(index=0, id="a", function=f), call(index=1, id="b", function=g)) == both
    assert calls(call(index=0, id="a", function=f), call(index=0, id="b", function=g)) == both
    assert calls(call(id="a", function=f), call(id="b", function=g)) == both
    mixed = calls(
        call(index=0, id="a", function={"name": "f", "arguments": "1"}),
        call(index=1, id="b", function={"name": "g", "arguments": "2"}),
        call(index=0, function={"arguments": "1"}),
        call(index=1, function={"arguments": "2"}),
    )
    assert mixed == [("a", "f", "11"), ("b", "g", "22")]


def test_calls_without_ids():
    """Calls without ids get ids of their own, different ones."""
    f = {"name": "f", "arguments": "{}"}
    ids = [made for made, *_ in calls(call(function=f), call(function=f))]
    assert len(set(ids)) == 2
    assert all(made.startswith("call_") for made in ids)


def test_a_call_starts_the_reply():
    """The first part of a tool call starts the reply as the first text does."""
    events, _ = read(call(index=0, id="a", function={"name": "f", "arguments": ""}), END)
    assert events == [ReplyStarted()]


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.mark.parametrize(
    ("chunks", "usage"),
    [
        ([chunk(usage=USAGE)], Usage(input_tokens=10, output_tokens=5, total_tokens=15)),
        (
            [chunk({"content": "x"}, usage=USAGE | {"completion_tokens": 1}), chunk(usage=USAGE)],
            Usage(input_tokens=10, output_tokens=5, total_tokens=15),
        ),
        ([chunk(x_groq={"id": "r"}), chunk(x_groq={"id": "r", "usage": USAGE})], Usage(input_tokens=10, output_tokens=5, total_tokens=15)),
        ([chunk(usage=USAGE), chunk(usage=None)], Usage(input_tokens=10, output_tokens=5, total_tokens=15)),
        (
            [chunk(usage=USAGE | {"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6})],
            Usage(input_tokens=10, output_tokens=5, total_tokens=15, cache_read_tokens=4),
        ),
        (
            [
                chunk(
                    usage={
                        "prompt_tokens": 10,
                        "completion_tokens": 5,
                        "prompt_tokens_details": {"cached_tokens": 4},
                        "completion_tokens_details": {"reasoning_tokens": 3},
                        "cost": 0.002,
                    }
                )
            ],
            Usage(input_tokens=10, output_tokens=5, total_tokens=15, cache_read_tokens=4, reasoning_tokens=3, cost_usd=0.002),
        ),
        ([chunk(usage={"prompt_tokens_details": None, "prompt_tokens": 10})], Usage(input_tokens=10)),
        ([chunk(usage={"prompt_tokens": -1, "completion_tokens": "5"})], Usage(output_tokens=5)),
        ([chunk(usage={})], Usage()),
    ],
)  # fmt: skip
def test_usage(chunks, usage):
    """Usage is found wherever it stands, the last one counts, and what nobody said is None."""
    _, finished = read(chunk({"content": "x"}), END, *chunks)
    assert finished.usage == usage
    assert finished.usage_source == ("missing" if usage == Usage() else "reported")


@pytest.mark.parametrize(
    ("payload", "kind", "said"),
    [
        ({"error": {"message": "too many", "code": 429}}, ProviderOverloadedError, "(429): too many"),
        ({"error": {"message": "no", "type": "invalid_request_error"}}, ProviderRefusedError, "in its reply: no"),
        ({"error": {"message": "bad", "type": "BadRequestError", "code": 400}}, ProviderRefusedError, "(400): bad"),
        ({"error": {"message": "boom", "type": "server_error"}}, ProviderOverloadedError, "failed in its reply: boom"),
        ({"error": "boom"}, ProviderOverloadedError, "failed in its reply: boom"),
        ({"object": "error", "message": "gone", "code": 40301}, ProviderOverloadedError, "gone"),
        ({"message": "no such model", "type": "not_found"}, ProviderRefusedError, "no such model"),
        ({"error": {"message": "key sk-secret-key-1234 expired", "code": 401}}, ProviderRefusedError, "key [key] expired"),
        (
            {"error": {"message": "cut", "code": 502}, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
            ProviderOverloadedError,
            "cut",
        ),
    ],
)  # fmt: skip
def test_errors_inside_the_stream(payload, kind, said):
    """An error object in the stream is the error that its status or type says, without the key."""
    with pytest.raises(ModelError) as raised:
        read(chunk({"content": "x"}), json.dumps(payload).encode())
    assert type(raised.value) is kind
    assert said in raised.value.what


@pytest.mark.parametrize(
    "payloads", [[chunk({"content": "x"})], [chunk({"content": "x"}), b"[DONE]"], [b"[DONE]"]]
)
def test_early_end(payloads):
    """A stream that ends without a finish_reason, with or without its mark, is no whole reply; what came is kept."""
    with pytest.raises(EarlyEndError, match="ended before the model did") as raised:
        read(*payloads)
    assert raised.value.retryable
    assert raised.value.so_far.text == ("x" if len(payloads[0]) > 9 else "")


def test_no_chunk_at_all():
    """A body in which there is no chunk and no mark is no stream of this format: asking again would not help."""
    with pytest.raises(ProviderProtocolError, match="ended before the model did"):
        read()


def test_a_provider_that_gives_up():
    """DeepSeek's word for a lack of resources is worth another try."""
    with pytest.raises(ProviderOverloadedError, match="lack of resources"):
        read(chunk({"content": "x"}), chunk({}, "insufficient_system_resource"))


@pytest.mark.parametrize("payload", [b'{"choices": [', b"nonsense", b"[1, 2]", b'"text"'])
def test_what_is_no_chunk(payload):
    """Cut JSON, and JSON that is no object, break the protocol."""
    with pytest.raises(ProviderProtocolError, match="a chunk of it is no JSON"):
        read(payload)


def test_what_is_let_pass():
    """Unknown events, second choices and events that are not parted by blank lines do no harm."""
    _, finished = read(
        b'{"type": "ping"}',
        b"",
        chunk({"content": "a"}) + b"\n" + chunk({"content": "b"}),
        json.dumps({"choices": [{"index": 1, "delta": {"content": "second"}}]}).encode(),
        b'{"choices": [{"index": 0, "delta": {"content": "c"}, "logprobs": NaN}]}',
        END,
    )
    assert finished.text == "abc"


def test_halves_of_an_emoji():
    """A surrogate pair that is cut between two chunks is joined; a half that stays alone is replaced."""
    cut = [
        b'{"choices": [{"delta": {"content": "a\\ud83d"}}]}',
        b'{"choices": [{"delta": {"content": "\\ude00b"}}]}',
    ]
    events, finished = read(*cut, END)
    assert events == [ReplyStarted(), TextDelta("a"), TextDelta("😀b")]
    assert finished.text == "a😀b"
    assert read(cut[0], END)[1].text == "a\ufffd"
    assert read(cut[1], END)[1].text == "\ufffdb"
