"""Replies in the Responses format, event by event, with what servers were seen to leave out or do otherwise."""

from __future__ import annotations

import json

import pytest

from nbagent.errors import (
    EarlyEndError,
    ModelError,
    OutOfQuotaError,
    ProviderOverloadedError,
    ProviderProtocolError,
    ProviderRefusedError,
)
from nbagent.events import Usage
from nbagent.models import ReasoningDelta, ReplyStarted, TextDelta
from nbagent.models.openai.responses import RESPONSES
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.transport.errors import RequestTarget
from tests.provider import responses_wire as wire
from tests.provider.steps import Raw

TARGET = RequestTarget(
    provider="openai", model="m", base_url="http://127.0.0.1:1/v1", key="sk-secret-1234", api=RESPONSES.api
)


def payloads(steps) -> list[bytes]:
    """Return the data of a script's events."""
    return [step.data.partition(b"data: ")[2].strip() for step in steps if isinstance(step, Raw)]


def read(*steps: Raw, known: str = ""):
    """Return the events and the whole reply of events that come one by one."""
    reply = ResponsesStreamParser(TARGET, known)
    events = [event for payload in payloads(steps) for event in reply.take([payload])]
    return events, reply.finished()


def test_text():
    """Text comes in pieces after one start, the end has it whole with its counts, cached and reasoning apart."""
    events, finished = read(*wire.text_reply("Par", "is"))
    assert events == [ReplyStarted(), TextDelta("Par"), TextDelta("is")]
    assert (finished.text, finished.finish_reason, finished.usage_source) == ("Paris", "stop", "reported")
    assert (finished.response_id, finished.response_model) == ("resp_test", "scripted-1")
    assert finished.usage == Usage(
        input_tokens=11, output_tokens=7, total_tokens=18, cache_read_tokens=4, reasoning_tokens=2
    )
    assert finished.provider_items == ()


@pytest.mark.parametrize("call_id", ["call_1", "", None])
def test_calls_of_one_id_have_ids_of_their_own_in_the_items_too(call_id):
    """What goes back to the provider names each call as its answer will."""
    items = [wire.call("pay", {"n": n}) | {"id": "fc_1", "call_id": call_id} for n in (1, 2)]
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    _, finished = read(wire.created(), wire.end("completed", thought, *items))
    ids = [request.tool_call_id for request in finished.tool_requests]
    assert len(set(ids)) == 2
    kept = [made["item"] for made in finished.provider_items if made["item"]["type"] == "function_call"]
    assert [item["call_id"] for item in kept] == ids


def test_one_read_gives_one_piece():
    """All text of one read is one piece, with the start before it."""
    reply = ResponsesStreamParser(TARGET)
    assert reply.take(payloads(wire.text_reply("a", "b"))) == [ReplyStarted(), TextDelta("ab")]


def test_usage_missing_and_early():
    """Usage that never comes is missing; one that comes with earlier events counts until a later one replaces it."""
    assert read(*wire.text_reply("a", usage=None))[1].usage_source == "missing"
    early = wire.event(
        "response.in_progress", response=wire.response("in_progress") | {"usage": {"input_tokens": 3}}
    )
    assert read(early, wire.end(usage=None))[1].usage.input_tokens == 3
    assert read(early, wire.end())[1].usage.input_tokens == 11


@pytest.mark.parametrize("kind", ["response.reasoning_text.delta", "response.reasoning_summary_text.delta"])
def test_reasoning(kind):
    """Reasoning, in full or as a summary, is told apart from the answer; its parts are paragraphs."""
    part = wire.event("response.reasoning_summary_part.added", summary_index=0)
    steps = (part, wire.event(kind, delta="hm"), part, wire.event(kind, delta="so"), *wire.text("4"))
    events, finished = read(*steps, wire.end("completed", wire.message("4")))
    assert events[:2] == [ReplyStarted(), ReasoningDelta("hm")]
    assert (finished.text, finished.reasoning) == ("4", "hm\n\nso")


def test_reasoning_items_are_kept_for_the_next_turn():
    """A reasoning item before a call is kept, with who made it, so that it can be replayed."""
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "zzz"}
    _, finished = read(*wire.tool_reply(("price", {"n": 1}), before=[item]))
    assert [kept["item"]["type"] for kept in finished.provider_items] == ["reasoning", "function_call"]
    assert finished.provider_items[0] == {"maker": "openai:m", "item": item}


@pytest.mark.parametrize(
    ("status", "details", "reason"),
    [
        ("completed", None, "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, "length"),
        ("incomplete", {"reason": "content_filter"}, "content_filter"),
        ("incomplete", None, "length"),
        ("incomplete", {"reason": "max_tokens"}, "length"),
        ("incomplete", {"reason": "model_context_window_exceeded"}, "length"),
        ("incomplete", {"reason": "SAFETY"}, "content_filter"),
        ("incomplete", {"reason": "steered_away"}, "unknown"),
    ],
)
def test_ends(status, details, reason):
    """Each way to end has its reason; text that came is kept."""
    _, finished = read(*wire.text_reply("Par", status=status, incomplete_details=details))
    assert (finished.text, finished.finish_reason) == ("Par", reason)


def test_refusal():
    """A refusal ends a reply as refusal, its text kept apart; a server that sends no parts has it at the end."""
    parts = [wire.event("response.refusal.delta", delta=delta) for delta in ("I can", "not.")]
    events, finished = read(wire.created(), *parts, wire.end("completed", wire.refusal("I cannot.")))
    assert events == [ReplyStarted()]
    assert (finished.finish_reason, finished.refusal, finished.text) == ("refusal", "I cannot.", "")
    assert read(wire.created(), *parts, wire.end())[1].refusal == "I cannot."
    assert read(wire.end("completed", wire.refusal("No.")))[1].refusal == "No."


def test_tool_calls():
    """Calls come with their ids, names and arguments; the first one starts the reply."""
    events, finished = read(*wire.tool_reply(("f", {"x": 1}), ("g", {})))
    assert events == [ReplyStarted()]
    assert finished.finish_reason == "tool_calls"
    assert [(made.tool_call_id, made.name, made.arguments) for made in finished.tool_requests] == [
        ("call_1", "f", '{"x": 1}'),
        ("call_2", "g", "{}"),
    ]


def _added(name: str, number: int, **fields):
    item = wire.call(name, "", number) | {"arguments": fields.pop("arguments", "")}
    return wire.event("response.output_item.added", item=item, **fields)


DELTA, DONE = "response.function_call_arguments.delta", "response.function_call_arguments.done"


@pytest.mark.parametrize(
    "parts",
    [
        (_added("f", 1, output_index=0), wire.event(DELTA, output_index=0, delta='{"x"'), wire.event(DELTA, output_index=0, delta=": 1}")),
        (_added("f", 1), wire.event(DELTA, item_id="fc_1", delta='{"x": 1}')),
        (_added("f", 1), wire.event(DELTA, delta='{"x"'), wire.event(DELTA, delta=": 1}")),
        (_added("f", 1), wire.event(DELTA, delta=None), wire.event(DONE, arguments='{"x": 1}')),
        (_added("f", 1), wire.event(DONE, arguments={"x": 1})),
        (_added("f", 1, arguments={"x": 1}),),
        (wire.event("response.output_item.done", output_index=0, item=wire.call("f", {"x": 1})),),
        (wire.event("response.output_item.done", item=wire.call("f", {"x": 1})),),
    ],
    ids=["by index", "by item", "by neither", "null, then whole", "an object", "with the item", "item done", "no index"],
)  # fmt: skip
def test_tool_call_forms(parts):
    """A call is whole however its parts come, also where the terminal event has no output."""
    _, finished = read(wire.created(), *parts, wire.end())
    (made,) = finished.tool_requests
    assert (made.name, made.arguments, finished.finish_reason) == ("f", '{"x": 1}', "tool_calls")
    assert made.tool_call_id == "call_1"


def test_null_arguments():
    """Arguments that stay null are none."""
    _, finished = read(_added("f", 1, arguments=None), wire.end())
    assert finished.tool_requests[0].arguments == ""


def test_text_that_came_without_deltas():
    """Text of a server that sends it only when it is done, or only at the end, is text, and comes once."""
    done = wire.event("response.output_text.done", text="Paris")
    whole = wire.end("completed", wire.message("Paris"))
    for steps in ((wire.created(), done, whole), (wire.created(), whole), (whole,), (wire.created(), *wire.text("Pa"), whole)):  # fmt: skip
        events, finished = read(*steps)
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Paris"
        assert finished.text == "Paris"
    events, finished = read(
        *wire.text("Par"), wire.event("response.output_text.done", text="Par"), done, wire.end()
    )
    assert finished.text == "ParParis"  # two parts: one in deltas, one whole


def test_the_provider_has_the_last_word():
    """Where the end says another text than what came, that is the answer."""
    assert read(*wire.text("Rome"), wire.end("completed", wire.message("Paris")))[1].text == "Paris"


def test_unknown_events_are_nothing():
    """Events and items that nobody here knows change nothing."""
    strange = (
        wire.event("response.steer.pending", x=1),
        wire.event("response.output_item.added", output_index=0, item={"type": "web_search_call"}),
        wire.event("response.output_text.annotation.added", annotation={}),
        wire.event("keepalive", sequence_number=3),
    )
    assert read(*strange, *wire.text_reply("a"))[1].text == "a"


def test_whole_response_object():
    """A response object instead of a stream is the reply."""
    reply = ResponsesStreamParser(TARGET)
    body = wire.response("completed", wire.message("Paris"))
    assert reply.take([json.dumps(body).encode()]) == [ReplyStarted(), TextDelta("Paris")]
    assert reply.finished().usage.total_tokens == 18


@pytest.mark.parametrize(
    ("steps", "kind", "says"),
    [
        ((wire.end("failed", error={"code": "server_error", "message": "boom"}),), ProviderOverloadedError, "boom"),
        ((wire.end("failed", error={"code": "rate_limit_exceeded", "message": "slow"}),), ProviderOverloadedError, "slow"),
        ((wire.end("failed", error={"code": "invalid_prompt", "message": "bad"}),), ProviderRefusedError, "bad"),
        ((wire.end("failed", error={"code": "insufficient_quota", "message": "pay"}),), OutOfQuotaError, "pay"),
        ((wire.end("failed"),), ProviderOverloadedError, "no details given"),
        ((wire.end("cancelled"),), ProviderRefusedError, "was cancelled at provider 'openai'"),
        ((wire.event("error", code="server_error", message="boom", param=None),), ProviderOverloadedError, "boom"),
        ((wire.event("error", error={"type": "invalid_request_error", "message": "bad"}),), ProviderRefusedError, "bad"),
        ((wire.created(),), EarlyEndError, "ended before the response did"),
        ((Raw(b"data: [1]\n\n"),), ProviderProtocolError, "no JSON object"),
        ((Raw(b"data: {oops\n\n"),), ProviderProtocolError, "is no JSON"),
    ],
)  # fmt: skip
def test_failures(steps, kind, says):
    """Each way to fail is its own error, with the provider's words; the text before it is kept."""
    reply = ResponsesStreamParser(TARGET)
    events = [event for payload in payloads((*wire.text("Par"), *steps)) for event in reply.take([payload])]
    assert TextDelta("Par") in events
    with pytest.raises(ModelError) as raised:
        reply.finished()
    assert type(raised.value) is kind
    assert says in raised.value.what


def test_streamed_again():
    """A stream that is taken up again repeats nothing, whether the server minds the cursor or begins anew."""
    script = wire.text_reply("Par", "is", "!")
    for start in (0, 6):
        reply = ResponsesStreamParser(TARGET)
        reply.take(payloads(script[:6]))
        assert reply.sequence_number == 5
        reply.again()
        assert reply.take(payloads(script[start:])) == [TextDelta("!")]
        assert reply.finished().text == "Paris!"


def test_streamed_again_without_a_cursor():
    """Where only the text was kept, the stream comes from its start and the known text is left out."""
    reply = ResponsesStreamParser(TARGET, known="Pari")
    reply.again()
    events = [
        event for payload in payloads(wire.text_reply("Pa", "ris", "!")) for event in reply.take([payload])
    ]
    assert events == [ReplyStarted(), TextDelta("s"), TextDelta("!")]
    assert reply.finished().text == "Paris!"


def test_halves_of_an_emoji():
    """A surrogate pair that is cut between two events is one character."""
    halves = [Raw(b'data: {"type": "response.output_text.delta", "delta": "\\ud83d"}\n\n'),
              Raw(b'data: {"type": "response.output_text.delta", "delta": "\\ude00"}\n\n')]  # fmt: skip
    assert read(*halves, wire.end())[1].text == "😀"
