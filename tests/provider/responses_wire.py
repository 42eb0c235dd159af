"""Replies in the Responses wire format, as scripts for the scripted provider.

Sequence numbers are counted by `numbered`, which every whole reply here goes through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.provider.steps import Raw, Script, Step, answer

RESPONSE_ID = "resp_test"
USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 18,
}


def event(kind: str, **fields: Any) -> Raw:
    """Return one event, its name before its data as the API sends it."""
    data = json.dumps({"type": kind} | fields, ensure_ascii=False)
    return Raw(f"event: {kind}\ndata: {data}\n\n".encode())


def response(status: str, *items: Mapping[str, Any], usage: Any = USAGE, **fields: Any) -> dict[str, Any]:
    """Return a response object; usage is there once it has ended."""
    return {
        "id": RESPONSE_ID,
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": "scripted-1",
        "output": list(items),
        "usage": usage if status in {"completed", "incomplete"} else None,
    } | fields


def message(text: str) -> dict[str, Any]:
    """Return a message item."""
    return {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def refusal(text: str) -> dict[str, Any]:
    """Return a message item that refuses."""
    return message("") | {"content": [{"type": "refusal", "refusal": text}]}


def call(name: str, arguments: Any, number: int = 1) -> dict[str, Any]:
    """Return a function call item; arguments that are no text are sent as JSON text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": text,
    }


def created(status: str = "in_progress", **fields: Any) -> Raw:
    """Return the first event."""
    return event("response.created", response=response(status, **fields))


def begun(**fields: Any) -> tuple[Raw, ...]:
    """Return the events before the first text."""
    item = message("") | {"content": [], "status": "in_progress"}
    return (
        created(**fields),
        event("response.in_progress", response=response("in_progress", **fields)),
        event("response.output_item.added", output_index=0, item=item),
        event("response.content_part.added", output_index=0, content_index=0, item_id="msg_1", part={}),
    )


def text(*pieces: str) -> tuple[Raw, ...]:
    """Return a delta for each piece of text."""
    return tuple(
        event(
            "response.output_text.delta",
            output_index=0,
            content_index=0,
            item_id="msg_1",
            delta=piece,
            logprobs=[],
        )
        for piece in pieces
    )


def end(status: str = "completed", *items: Mapping[str, Any], usage: Any = USAGE, **fields: Any) -> Raw:
    """Return the terminal event."""
    return event(f"response.{status}", response=response(status, *items, usage=usage, **fields))


def numbered(steps: Sequence[Step], first: int = 0) -> Script:
    """Return the steps with a sequence number in each event, counted from `first`."""
    out: list[Step] = []
    number = first
    for step in steps:
        if isinstance(step, Raw) and step.data.startswith(b"event: "):
            head, _, data = step.data.partition(b"\ndata: ")
            body = json.loads(data) | {"sequence_number": number}
            out.append(Raw(head + b"\ndata: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"))
            number += 1
        else:
            out.append(step)
    return tuple(out)


def text_reply(*pieces: str, status: str = "completed", usage: Any = USAGE, **fields: Any) -> Script:
    """Return a whole reply of text, one delta for each piece."""
    whole = message("".join(pieces))
    done = event("response.output_item.done", output_index=0, item=whole)
    return numbered((*begun(), *text(*pieces), done, end(status, whole, usage=usage, **fields)))


def json_reply(value: Any, *, pieces: int = 3) -> Script:
    """Return a whole reply whose text is `value` as JSON, in about that many pieces."""
    whole = json.dumps(value, ensure_ascii=False)
    size = max(1, -(-len(whole) // pieces))
    return text_reply(*(whole[at : at + size] for at in range(0, len(whole), size)))


def tool_reply(
    *calls: tuple[str, Any], before: Sequence[Mapping[str, Any]] = (), usage: Any = USAGE
) -> Script:
    """Return a reply that asks for tools: `(name, arguments)` each; `before` are items such as reasoning."""
    items = [*before, *(call(name, arguments, n + 1) for n, (name, arguments) in enumerate(calls))]
    events: list[Step] = [created()]
    for index, item in enumerate(items):
        events.append(event("response.output_item.added", output_index=index, item=item | _empty(item)))
        if item["type"] == "function_call":
            at = {"output_index": index, "item_id": item["id"]}
            half = len(item["arguments"]) // 2
            halves = (item["arguments"][:half], item["arguments"][half:])
            events.extend(
                event("response.function_call_arguments.delta", delta=part, **at) for part in halves
            )
            events.append(event("response.function_call_arguments.done", arguments=item["arguments"], **at))
        events.append(event("response.output_item.done", output_index=index, item=item))
    return numbered((*events, end("completed", *items, usage=usage)))


def _empty(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"arguments": "", "status": "in_progress"} if item["type"] == "function_call" else {}


def retrieved(status: str, *items: Mapping[str, Any], **fields: Any) -> Script:
    """Return the answer to a look at a background response."""
    return answer(200, response(status, *items, **({"background": True} | fields)))


def tool_arguments(*parts: Any, index: int | None = 0) -> Script:
    """Return a reply that calls the tool `price`, its arguments in these parts; its end has no output."""
    place = {} if index is None else {"output_index": index, "item_id": "fc_1"}
    item = call("price", "") | {"arguments": parts[0]}
    deltas = (event("response.function_call_arguments.delta", delta=part, **place) for part in parts[1:])
    return numbered((created(), event("response.output_item.added", item=item, **place), *deltas, end()))


def refusal_reply(said: str) -> Script:
    """Return a reply that refuses."""
    return numbered((*begun(), event("response.refusal.delta", delta=said), end("completed", refusal(said))))


def stopped_reply(why: str, *pieces: str) -> Script:
    """Return a reply that the provider stopped: `max_output_tokens` or `content_filter`."""
    return text_reply(*pieces, status="incomplete", incomplete_details={"reason": why})


def strange_reply(*pieces: str) -> Script:
    """Return a reply with events that nobody knows between its pieces."""
    strange = (event("response.steer.pending", x=1), event("keepalive"), Raw(b": ping\n\nevent: odd\n\n"))
    return numbered(
        (*begun(), *strange, *text(*pieces), *strange, end("completed", message("".join(pieces))))
    )


def cumulative_usage_reply(*pieces: str) -> Script:
    """Return a reply that counts its tokens as it goes, up to USAGE."""
    counts = ({**USAGE, "output_tokens": n, "total_tokens": 11 + n} for n in range(len(pieces)))
    steps = (
        (event("response.in_progress", response=response("in_progress") | {"usage": use}), *text(piece))
        for piece, use in zip(pieces, counts, strict=True)
    )
    return numbered((*begun(), *(step for both in steps for step in both), end("completed")))


def error_in_reply(message: str) -> tuple[Raw, ...]:
    """Return an error event inside a stream."""
    return (event("error", code="server_error", message=message, param=None),)
