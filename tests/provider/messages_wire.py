"""Replies in the wire format of Anthropic's Messages API, as scripts for the scripted provider.

The events are those of https://platform.claude.com/docs/en/build-with-claude/streaming (2026-11-30).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.provider.steps import Raw, Script, Step, answer

USAGE = {"input_tokens": 11, "output_tokens": 7}  # with nothing from or for a cache


def event(kind: str, **fields: Any) -> Raw:
    """Return one event: its name, and its data with the name as type."""
    return Raw(
        f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n".encode()
    )


def data(payload: Any) -> Raw:
    """Return one event without a name: text as it is, anything else as JSON."""
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return Raw(f"data: {text}\n\n".encode())


def message(*blocks: Mapping[str, Any], stop: str | None = None, usage: Any = USAGE, **fields: Any) -> Any:
    """Return a message object, as it begins a stream (without blocks) or is a whole answer."""
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": "scripted-1",
        "content": [*blocks],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage or {"input_tokens": 0, "output_tokens": 0},
        **fields,
    }


def begun(*, usage: Any = USAGE) -> tuple[Raw, ...]:
    """Return the event before the first block; its usage counts the input, and one token of the output."""
    first = {**usage, "output_tokens": 1, "output_tokens_details": None} if usage else None
    return (event("message_start", message=message(usage=first)),)


def block(index: int, start: Mapping[str, Any], *deltas: Mapping[str, Any]) -> tuple[Raw, ...]:
    """Return a block: its beginning, its deltas, its end."""
    return (
        event("content_block_start", index=index, content_block=dict(start)),
        *(event("content_block_delta", index=index, delta=dict(delta)) for delta in deltas),
        event("content_block_stop", index=index),
    )


def text_delta(piece: str) -> dict[str, Any]:
    """Return the delta that brings a piece of text."""
    return {"type": "text_delta", "text": piece}


def text_block(*pieces: str, index: int = 0) -> tuple[Raw, ...]:
    """Return a block of text, one delta for each piece."""
    return block(index, {"type": "text", "text": ""}, *map(text_delta, pieces))


def text(*pieces: str, index: int = 0) -> tuple[Raw, ...]:
    """Return the beginning of a block of text, cut after these pieces."""
    return text_block(*pieces, index=index)[:-1]


def thinking_block(*pieces: str, signature: str = "c2lnbmVk", index: int = 0) -> tuple[Raw, ...]:
    """Return a block of thoughts with its signature; without pieces as `display: omitted` has it."""
    return block(
        index,
        {"type": "thinking", "thinking": "", "signature": ""},
        *({"type": "thinking_delta", "thinking": piece} for piece in pieces),
        {"type": "signature_delta", "signature": signature},
    )


def redacted_block(hidden: str, index: int = 0) -> tuple[Raw, ...]:
    """Return a block of thoughts that only the provider can read."""
    return block(index, {"type": "redacted_thinking", "data": hidden})


def tool_block(
    name: str, arguments: Mapping[str, Any] | Sequence[str], *, call_id: str = "toolu_1", index: int = 0
) -> tuple[Raw, ...]:
    """Return a block with one call; its arguments as data, or in the parts given."""
    whole = json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, Mapping) else None
    parts = ["", whole[: len(whole) // 2], whole[len(whole) // 2 :]] if whole is not None else arguments
    return block(
        index,
        {"type": "tool_use", "id": call_id, "name": name, "input": {}},
        *({"type": "input_json_delta", "partial_json": part} for part in parts),
    )


def end(stop: str = "end_turn", *, usage: Any = USAGE, **delta: Any) -> tuple[Raw, ...]:
    """Return the events that end a reply: the stop reason with the usage, the mark."""
    fields = {"usage": usage} if usage else {}
    ending = event("message_delta", delta={"stop_reason": stop, "stop_sequence": None, **delta}, **fields)
    return (ending, event("message_stop"))


def text_reply(*pieces: str, stop: str = "end_turn", usage: Any = USAGE, **delta: Any) -> Script:
    """Return a whole reply of text, one delta for each piece."""
    return (*begun(usage=usage), *text_block(*pieces), *end(stop, usage=usage, **delta))


def json_reply(value: Any, *, pieces: int = 3) -> Script:
    """Return a whole reply whose text is `value` as JSON, in about that many pieces."""
    whole = json.dumps(value, ensure_ascii=False)
    size = max(1, -(-len(whole) // pieces))
    return text_reply(*(whole[at : at + size] for at in range(0, len(whole), size)))


def tool_reply(
    *calls: tuple[str, Mapping[str, Any]],
    before: Sequence[Step] = (),
    thoughts: int = 0,
    usage: Any = USAGE,
    ids: Sequence[str] = (),
) -> Script:
    """Return a reply that asks for tools, with ids `call_1` and so on; `before` holds that many blocks."""
    blocks = [
        one
        for number, (name, arguments) in enumerate(calls)
        for one in tool_block(
            name,
            arguments,
            call_id=ids[number] if ids else f"call_{number + 1}",
            index=number + thoughts,
        )
    ]
    return (*begun(usage=usage), *before, *blocks, *end("tool_use", usage=usage))


def tool_arguments(*parts: Any, index: int | None = 0) -> Script:
    """Return a reply that calls the tool `price`, its arguments in these parts, exactly as given."""
    start = {"type": "tool_use", "id": "call_1", "name": "price", "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    if isinstance(parts[0], Mapping):  # whole, as it is in an answer without a stream
        start, deltas = {**start, "input": parts[0]}, []
    place = {} if index is None else {"index": index}
    return (
        *begun(),
        event("content_block_start", **place, content_block=start),
        *(event("content_block_delta", **place, delta=delta) for delta in deltas),
        *end("tool_use"),
    )


def refusal_reply(said: str) -> Script:
    """Return a reply that refuses: a stop reason, its details and no text."""
    details = {"type": "refusal", "category": None, "explanation": said}
    return (*begun(), *end("refusal", stop_details=details))


def stopped_reply(why: str, *pieces: str) -> Script:
    """Return a reply that ended early: `max_output_tokens`, or a stop reason of the API."""
    return text_reply(*pieces, stop="max_tokens" if why in ("max_output_tokens", "length") else why)


def strange_reply(*pieces: str) -> Script:
    """Return a reply with events that nobody knows between its pieces."""
    strange = (event("ping"), event("content_block_glow", index=0, message="new"), Raw(b": hello\n\n"))
    return (*begun(), *strange, *text(*pieces), *strange, *end())


def cumulative_usage_reply(*pieces: str) -> Script:
    """Return a reply that counts its tokens after every piece, up to USAGE."""
    return (
        *begun(),
        *text_block(*pieces),
        *(event("message_delta", delta={}, usage={"output_tokens": count}) for count in range(len(pieces))),
        *end(),
    )


def error_in_reply(message: str, kind: str = "api_error") -> tuple[Raw, ...]:
    """Return an error event inside a stream."""
    return (event("error", error={"type": kind, "message": message}),)


def error(status: int, message: str = "scripted", *, kind: str, **headers: str) -> Script:
    """Return the script of an error in the API's form."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_test"}
    return answer(status, body, headers)
