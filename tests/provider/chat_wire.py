"""Replies in the Chat Completions wire format, as scripts for the scripted provider."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.provider.steps import Raw, Script, Step

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def data(payload: Any) -> Raw:
    """Return one event: text as it is, anything else as JSON."""
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return Raw(f"data: {text}\n\n".encode())


def chunk(
    delta: Mapping[str, Any] | None = None, *, finish: str | None = None, usage: Any = None, **fields: Any
) -> Raw:
    """Return one chunk; without a delta and a finish it has no choices, as the chunk that brings the usage."""
    choices = (
        []
        if delta is None and finish is None
        else [{"index": 0, "delta": dict(delta or {}), "finish_reason": finish}]
    )
    body: dict[str, Any] = {
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted-1",
        "choices": choices,
    }
    if usage is not None:
        body["usage"] = usage
    return data(body | fields)


def begun() -> tuple[Raw, ...]:
    """Return the chunk before the first text."""
    return (chunk({"role": "assistant", "content": ""}),)


def text(*pieces: str) -> tuple[Raw, ...]:
    """Return a chunk for each piece of text."""
    return tuple(chunk({"content": piece}) for piece in pieces)


def end(finish: str = "stop", *, usage: Any = USAGE) -> tuple[Raw, ...]:
    """Return the chunks that end a reply: the finish, the usage (None leaves it out), the mark."""
    ending = (chunk({}, finish=finish),)
    return (*ending, *((chunk(usage=usage),) if usage is not None else ()), data("[DONE]"))


def text_reply(*pieces: str, finish: str = "stop", usage: Any = USAGE) -> Script:
    """Return a whole reply of text, one chunk for each piece."""
    return (chunk({"role": "assistant", "content": ""}), *text(*pieces), *end(finish, usage=usage))


def json_reply(value: Any, *, pieces: int = 3) -> Script:
    """Return a whole reply whose text is `value` as JSON, in about that many pieces."""
    whole = json.dumps(value, ensure_ascii=False)
    size = max(1, -(-len(whole) // pieces))
    return text_reply(*(whole[at : at + size] for at in range(0, len(whole), size)))


def tool_reply(
    *calls: tuple[str, Mapping[str, Any]],
    before: Sequence[Step] = (),
    usage: Any = USAGE,
    ids: Sequence[str] = (),
) -> Script:
    """Return a reply that asks for tools: `(name, arguments)` each, with `ids` or `call_1`, `call_2` and so on."""
    parts = [
        chunk(
            {
                "tool_calls": [
                    {
                        "index": index,
                        "id": ids[index] if ids else f"call_{index + 1}",
                        "type": "function",
                        "function": {"name": name, "arguments": json.dumps(arguments)},
                    }
                ]
            }
        )
        for index, (name, arguments) in enumerate(calls)
    ]
    return (*before, *parts, *end("tool_calls", usage=usage))


def tool_part(**part: Any) -> Raw:
    """Return a chunk with one part of a tool call, exactly as given."""
    return chunk({"tool_calls": [part]})


def tool_arguments(*parts: Any, index: int | None = 0) -> Script:
    """Return a reply that calls the tool `price`, its arguments in these parts, exactly as given."""
    place = {} if index is None else {"index": index}
    first = tool_part(
        **place, id="call_1", type="function", function={"name": "price", "arguments": parts[0]}
    )
    rest = (tool_part(**place, function={"arguments": part}) for part in parts[1:])
    return (first, *rest, *end("tool_calls"))


def refusal_reply(said: str) -> Script:
    """Return a reply that refuses."""
    return (*begun(), chunk({"refusal": said}), *end())


def stopped_reply(why: str, *pieces: str) -> Script:
    """Return a reply that the provider stopped: `max_output_tokens` or `content_filter`."""
    finish = "length" if why == "max_output_tokens" else why
    return text_reply(*pieces, finish=finish)


def strange_reply(*pieces: str) -> Script:
    """Return a reply with chunks that nobody knows between its pieces."""
    strange = (
        data({"object": "chat.completion.ping"}),
        chunk({"x_new": [1]}),
        Raw(b": ping\n\nevent: odd\n\n"),
    )
    return (*begun(), *strange, *text(*pieces), *strange, *end())


def cumulative_usage_reply(*pieces: str) -> Script:
    """Return a reply that counts its tokens in every chunk, up to USAGE."""
    counts = ({**USAGE, "completion_tokens": n, "total_tokens": 11 + n} for n in range(len(pieces)))
    return (
        *(chunk({"content": piece}, usage=use) for piece, use in zip(pieces, counts, strict=True)),
        *end(),
    )


def error_in_reply(message: str) -> tuple[Raw, ...]:
    """Return an error object inside a stream."""
    return (data({"error": {"message": message, "type": "server_error"}}),)
