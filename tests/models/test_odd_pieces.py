"""Replies whose parts are not of the form that the API has them: read, or refused with the server's fault named."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbagent.errors import ModelError
from nbagent.events import ToolRequest
from nbagent.models.anthropic.message_stream import MessageStreamParser
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.protocol import ReplyFinished
from nbagent.models.transport.errors import RequestTarget
from nbagent.models.transport.sse import SSEDecoder

TARGET = RequestTarget(provider="house", model="qwen3", base_url="http://127.0.0.1:1/v1")
CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x":'}}
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def chunk(delta: Any = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return one chunk of a Chat Completions stream."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice]} | fields


CHAT: list[dict[str, Any]] = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "I add."}),
    chunk({"reasoning_details": [{"type": "reasoning.text", "text": "more"}]}),
    chunk({"content": "It is"}),
    chunk({"content": [{"type": "text", "text": " this:"}]}),
    chunk({"tool_calls": [CALL]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]}),
    chunk({}, "tool_calls"),
    chunk(choices=[], usage=USAGE),
]
_MESSAGE = {
    "type": "message",
    "id": "m",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "It is"}],
}
_CALLED = {"type": "function_call", "id": "f", "call_id": "a", "name": "add", "arguments": '{"x": 1}'}
RESPONSES: list[dict[str, Any]] = [
    {"type": "response.created", "sequence_number": 0, "response": {"id": "r", "status": "in_progress"}},
    {"type": "response.reasoning_text.delta", "delta": "I add.", "sequence_number": 1},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "It is", "sequence_number": 2},
    {"type": "response.output_text.done", "output_index": 0, "text": "It is", "sequence_number": 3},
    {"type": "response.output_item.done", "output_index": 0, "item": _MESSAGE, "sequence_number": 4},
    {"type": "response.output_item.added", "output_index": 1, "item": _CALLED | {"arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "f", "delta": '{"x":'},
    {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"x": 1}'},
    {"type": "response.output_item.done", "output_index": 1, "item": _CALLED},
    {
        "type": "response.completed",
        "response": {
            "id": "r",
            "object": "response",
            "status": "completed",
            "model": "m-1",
            "output": [_MESSAGE, _CALLED],
            "incomplete_details": None,
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 2},
            },
        },
    },
]
MESSAGES: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m-1", "content": [],
     "stop_reason": None, "usage": {"input_tokens": 10, "cache_read_input_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 1}, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "I add."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "", "citations": []}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "It is"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": " this:"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {"url": "u"}}},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "a", "name": "add", "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"x": 1}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_details": {"category": "x", "explanation": None}},
     "usage": {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}},
    {"type": "message_stop"},
]  # fmt: skip
STREAMS = {
    "chat": (ChatStreamParser, CHAT),
    "responses": (ResponsesStreamParser, RESPONSES),
    "messages": (MessageStreamParser, MESSAGES),
}


def read(wire: str, pieces: list[Any]) -> ReplyFinished:
    """Return the whole reply of a stream of these JSON values."""
    reply = STREAMS[wire][0](TARGET)
    for piece in pieces:
        reply.take([json.dumps(piece).encode()])
    return reply.finished()


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each value inside of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in paths(item, (*at, key)))]


ODD = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -1, 2.0, 1.5, "", "x", "0", "3", "stop", "\ud83d", 10**30]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["text", "type", "id", "name", "function", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def mutated(data: st.DataObject, stream: list[dict[str, Any]]) -> list[Any]:
    """Return the stream with one to three of its values left out, wrapped, made text, or something else altogether."""
    pieces: list[Any] = copy.deepcopy(stream)
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(pieces) - 1))
        found = [path for path in paths(pieces[number]) if path]
        if not found:
            continue
        *above, key = data.draw(st.sampled_from(found))
        holder = pieces[number]
        for step in above:
            holder = holder[step]
        match data.draw(st.sampled_from(["leave out", "wrap", "text", "odd", "odd", "odd", "with null"])):
            case "leave out":
                del holder[key]
            case "wrap":
                holder[key] = [holder[key]]
            case "with null":
                holder[key] = [None, holder[key]]
            case "text":
                holder[key] = json.dumps(holder[key])
            case _:
                holder[key] = data.draw(ODD)
    return pieces


@pytest.mark.parametrize("wire", STREAMS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_form_of_a_reply_is_an_error_of_our_own(wire, data):
    """However a stream's JSON is bent, it is read into plain values, or the error names provider, model and what to do."""
    pieces = mutated(data, STREAMS[wire][1])
    reply = refused = None
    try:
        reply = read(wire, pieces)
    except ModelError as error:
        refused = error
    if reply is None:
        assert refused is not None
        assert "house" in refused.what
        assert len(str(refused).splitlines()) == 2
        return
    reply.text.encode()
    assert all(
        isinstance(value, str)
        for asked in reply.tool_requests
        for value in (asked.tool_call_id, asked.name, asked.arguments)
    )
    assert all(
        count is None or type(count) is int for count in (reply.usage.input_tokens, reply.usage.output_tokens)
    )


def test_the_streams_are_read_as_they_are():
    """What is bent above is, as it stands, text, reasoning, one call and counts in each format, cache included."""
    for wire, (_, pieces) in STREAMS.items():
        reply = read(wire, pieces)
        assert reply.text.startswith("It is")
        assert (reply.reasoning or "").startswith("I add.")
        assert [(one.name, json.loads(one.arguments)) for one in reply.tool_requests] == [("add", {"x": 1})]
        asked = 12 if wire == "messages" else 10  # Messages leaves what the cache gave out of its own count
        assert (reply.usage.input_tokens, reply.usage.reasoning_tokens) == (asked, 2)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([chunk(choices=[None]), chunk({"content": "Hi"}, "stop")], "Hi"),
        ([chunk({"tool_calls": [None]}), chunk({"content": "Hi"}, "stop")], "Hi"),
        ([chunk("Hi"), chunk({}, "stop")], "Hi"),
        ([None, chunk(choices={"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"})], "Hi"),
        ([chunk(choices=[None, {"index": "0", "delta": {"content": "Hi"}, "finish_reason": "stop"}])], "Hi"),
        ([chunk({"content": [None, {"type": "text", "text": "Hi"}, {"type": "image_url"}]}, "stop")], "Hi"),
        ([chunk({"content": {"text": {"value": "Hi"}}}, "stop")], "Hi"),
        ([chunk({"content": 42}, "stop")], "42"),
        ([[chunk({"content": "H"}), chunk({"content": "i"}, "stop")]], "Hi"),
        ([{"id": "c"}, chunk({"content": "Hi"}), chunk(None, "stop")], "Hi"),
        ([chunk(choices=[{"index": 0, "text": "Hi", "finish_reason": "stop"}])], "Hi"),
        ([chunk(choices=[{"text": "H"}]), chunk(choices=[{"text": "i", "finish_reason": "stop"}])], "Hi"),
        ([chunk({"content": "Hi"}), chunk(choices=[{"text": None, "finish_reason": "stop"}])], "Hi"),
    ],
)
def test_odd_chunks_are_read(pieces, text):
    """Nulls, text and objects where lists belong, and lists where text belongs, say what they plainly mean."""
    assert read("chat", pieces).text == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({2: {"type": "response.output_text.delta", "delta": ["It ", None, {"text": "is"}]}}, "It is"),
        ({2: {"type": "response.output_text.delta", "delta": {"text": "It is"}}}, "It is"),
        ({2: None, 3: {"type": "response.output_text.done", "text": {"value": "It is"}}}, "It is"),
        ({4: {"type": "response.output_item.done", "item": None}, 8: None}, "It is"),
        ({9: {"type": "response.completed", "response": {"id": 7, "output": [None, _MESSAGE]}}}, "It is"),
        (
            {9: {"type": "response.completed", "response": {"output": _MESSAGE | {"content": [None]}}}},
            "It is",
        ),
    ],
)
def test_odd_events_are_read(changes, text):
    """The same in the Responses format."""
    pieces = [changes.get(number, piece) for number, piece in enumerate(RESPONSES)]
    assert read("responses", pieces).text == text


@pytest.mark.parametrize(
    "late",
    [
        RESPONSES[0],
        {"type": "response.output_text.delta", "delta": "It is"},
        {"type": "response.output_text.done", "text": "It is"},
        {"type": "error", "message": "connection closed"},
    ],
)
@pytest.mark.parametrize("reads", [1, 2], ids=["one read", "a read of its own"])
def test_what_comes_after_the_terminal_event_changes_nothing(late, reads):
    """A response that has ended stays as it was, in whichever read the rest comes."""
    pieces = [json.dumps(piece).encode() for piece in [*RESPONSES, late]]
    reply = ResponsesStreamParser(TARGET)
    for read_ in [pieces] if reads == 1 else [pieces[:-1], pieces[-1:]]:
        reply.take(read_)
    finished = reply.finished()
    assert (finished.text, finished.finish_reason) == ("It is", "tool_calls")


@pytest.mark.parametrize("name", [None, "", {}])
@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_a_call_that_names_no_tool_is_no_answer(wire, name):
    """A reply of nothing but a tool call without a name is the server's fault, not an empty answer."""
    call = chunk({"tool_calls": [CALL | {"function": {"name": name, "arguments": "{}"}}]}, "tool_calls")
    item = {"type": "function_call", "call_id": "a", "name": name, "arguments": "{}"}
    done = {"type": "response.completed", "response": {"id": "r", "output": [item]}}
    with pytest.raises(ModelError, match="tool call that its server could not read"):
        read(wire, [call] if wire == "chat" else [done])


@pytest.mark.parametrize(
    ("wire", "piece", "says"),
    [
        ("chat", chunk(choices="Hi"), "choices"),
        ("chat", chunk({"content": {"x": 1}}), "where text belongs"),
        ("chat", chunk({"tool_calls": ["add"]}), "tool_calls"),
        ("chat", chunk({"tool_calls": [{"function": "add"}]}), "function of a tool call"),
        ("chat", 7, "no JSON object"),
        ("responses", {"type": "response.output_text.delta", "delta": {"x": 1}}, "where text belongs"),
        ("responses", {"type": "response.completed", "response": {"output": ["Hi"]}}, "output"),
        ("responses", ["Hi"], "no JSON object"),
    ],
)
def test_what_means_nothing_names_the_servers_fault(wire, piece, says):
    """What cannot be read is the provider's error: what stood there, of which provider and model, what to do."""
    with pytest.raises(ModelError) as raised:
        read(wire, [piece])
    assert says in raised.value.what
    assert "'house'" in raised.value.what
    assert "'qwen3'" in raised.value.what
    assert "speak the" in raised.value.todo


WHOLE = {"role": "assistant", "content": "It is this and nothing else."}
PIECES = [chunk({"content": "It is this"}), chunk({"content": " and nothing else."})]


@pytest.mark.parametrize(
    "last",
    [
        chunk(choices=[{"index": 0, "message": WHOLE, "finish_reason": "stop"}]),
        chunk(choices=[{"index": 0, "delta": {}, "message": WHOLE, "finish_reason": "stop"}]),
        chunk(choices=[{"index": 0, "delta": {"content": ""}, "message": WHOLE, "finish_reason": "stop"}]),
        chunk(WHOLE, "stop"),
    ],
)
def test_a_whole_message_at_the_end_is_not_said_twice(last):
    """A last chunk that repeats the whole message adds nothing to its text."""
    assert read("chat", [*PIECES, last]).text == WHOLE["content"]


def test_a_whole_message_at_the_end_has_the_rest():
    """A whole message after only a part of its text adds what is missing, its reasoning too."""
    whole = WHOLE | {"reasoning_content": "hm"}
    reply = read(
        "chat", [PIECES[0], chunk(choices=[{"index": 0, "message": whole, "finish_reason": "stop"}])]
    )
    assert (reply.text, reply.reasoning) == (WHOLE["content"], "hm")


@pytest.mark.parametrize("pieces", [["ha", "ha"], ["no ", "no ", "no no "], ["1\n", "1\n"]])
def test_text_that_repeats_itself_is_text(pieces):
    """Short text that is said twice is said twice."""
    *first, last = pieces
    assert read(
        "chat", [*(chunk({"content": one}) for one in first), chunk({"content": last}, "stop")]
    ).text == ("".join(pieces))


def test_a_whole_message_repeats_its_calls_too():
    """Calls that come in pieces and then once more, whole, are called once."""
    whole = [{"id": "a", "function": {"name": "add", "arguments": '{"x": 1}'}}]
    for last in (
        chunk(choices=[{"index": 0, "message": {"tool_calls": whole}, "finish_reason": "tool_calls"}]),
        chunk({"tool_calls": [{"index": 0, **whole[0]}]}, "tool_calls"),
    ):
        asked = read("chat", [*CHAT[5:7], last]).tool_requests
        assert asked == (ToolRequest(tool_call_id="a", name="add", arguments='{"x": 1}'),)


def whole_call(name: str, arguments: str, **fields: Any) -> dict[str, Any]:
    """Return a chunk with one whole tool call."""
    function = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "type": "function", "function": function} | fields]})


@pytest.mark.parametrize("fields", [{}, {"id": ""}, {"id": None}, {"index": None}, {"index": "0"}])
@pytest.mark.parametrize(
    "second", [("get_time", '{"tz":"UTC"}'), ("get_weather", '{"city":"Rome"}'), ("get_time", "{}")]
)
def test_whole_calls_that_all_count_as_the_first_are_several(fields, second):
    """Calls that come whole, each with index 0 and no id, are as many as came, with ids of their own."""
    first = ("get_weather", '{"city":"Paris"}')
    asked = read("chat", [whole_call(*first, **fields), whole_call(*second, **fields), chunk({}, "stop")])
    assert [(one.name, one.arguments) for one in asked.tool_requests] == [first, second]
    assert len({one.tool_call_id for one in asked.tool_requests}) == 2


def test_one_id_for_all_calls():
    """Calls that share one index and one id are told apart by what they ask."""
    twice = [whole_call("f", '{"x": 1}', id="a", index=0), whole_call("g", '{"x": 2}', id="a", index=1)]
    asked = read("chat", [*twice, chunk({}, "stop")]).tool_requests
    assert [(one.name, one.arguments) for one in asked] == [("f", '{"x": 1}'), ("g", '{"x": 2}')]
    assert len({one.tool_call_id for one in asked}) == 2


@pytest.mark.parametrize("repeat", [{"name": "add"}, {"name": ""}, {"name": None}, {}])
def test_a_name_that_comes_with_each_part_begins_no_call(repeat):
    """One call in parts stays one, whether its name comes once or with every part."""
    parts = [
        chunk({"tool_calls": [{"index": index, "function": function}]})
        for index in (0, None)
        for function in ({"name": "add", "arguments": '{"x":'}, repeat | {"arguments": " 1}"})
    ]
    for stream in (parts[:2], parts[2:]):
        asked = read("chat", [*stream, chunk({}, "tool_calls")]).tool_requests
        assert [(one.name, one.arguments) for one in asked] == [("add", '{"x": 1}')]


@pytest.mark.parametrize(
    "second",
    [
        {"type": "function_call", "name": "add", "arguments": '{"x": 2}'},
        {"type": "function_call", "name": "get_time", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "id": "g", "name": "add", "arguments": '{"x": 1}'},
    ],
)
def test_items_that_all_count_as_the_first_are_several(second):
    """The same in the Responses format: items at one place are as many as came, told twice they count once."""
    first = {"type": "function_call", "call_id": "a", "name": "add", "arguments": '{"x": 1}'}
    pieces = [
        {"type": "response.output_item.done", "output_index": 0, "item": item}
        for item in (first, first, second)
    ]
    done = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}
    asked = read("responses", [*pieces, done]).tool_requests
    assert [(one.name, one.arguments) for one in asked] == [
        (item["name"], item["arguments"]) for item in (first, second)
    ]


@pytest.mark.parametrize("function", ["function_call", "tool_calls"])
def test_the_older_word_for_a_call(function):
    """A call in the field of the time before there were several is a call."""
    parts = [{"name": "add", "arguments": '{"x":'}, {"arguments": " 1}"}]
    pieces = [
        chunk({function: part if function == "function_call" else [{"index": 0, "function": part}]})
        for part in parts
    ]
    asked = read("chat", [*pieces, chunk({}, function)]).tool_requests
    assert [(one.name, one.arguments) for one in asked] == [("add", '{"x": 1}')]


A, B, DONE = b'{"a":1}', b'{"b":2}', b"[DONE]"


@pytest.mark.parametrize(
    "stream",
    [
        b"data: %s\ndata: %s\ndata: %s\n",
        b"data: %s\r\ndata: %s\r\ndata: %s",
        b"\xef\xbb\xbf: hello\ndata:%s\n: hello\ndata:%s\n:\ndata:%s\n\n",
        b"id: 1\r\nevent: x\r\ndata: %s\r\n\r\n: ping\r\n\r\ndata: %s\r\rdata: %s\n\n",
        b"data: %s\n\n\n\n\nretry: 3\n\ndata: %s\ndata: %s\n\n",
    ],
)
def test_events_parted_by_one_line_end(stream):
    """Each object is a payload of its own, as soon as the next begins, whatever parts the events and stands between."""
    decoder = SSEDecoder()
    whole = stream % (A, B, DONE)
    found = [
        payload for at in range(len(whole)) for payload in decoder.feed(whole[at : at + 1])
    ] + decoder.close()
    assert found == [A, B, DONE]
    at_once = SSEDecoder()
    assert at_once.feed(whole) + at_once.close() == [A, B, DONE]
