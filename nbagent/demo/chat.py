"""A reply in the form of Chat Completions: whole, or as the events of a stream. Made by `server.py`; pure."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import orjson

from nbagent.demo.request import Reply, Request, ToolCall, failure, split_pieces, usage

Timed = tuple[float, bytes]  # seconds after the work began, and what is sent then


class ChatReply:
    """One reply of Chat Completions."""

    background = cancelled = False

    def __init__(self, request: Request, reply: Reply, speed: float) -> None:
        self._request, self._reply, self._speed, self.begun = request, reply, speed, time.monotonic()
        self._fails = request.persona == "failing"
        asked, said = usage(request, reply)
        self._usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said} | {
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }
        self._include_usage = bool((request.body.get("stream_options") or {}).get("include_usage"))
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time())}
        self._head |= {"model": f"demo-{request.persona}", "object": "chat.completion"}
        self._finish = "tool_calls" if reply.tool_calls else "length" if reply.cut else "stop"
        self._chunks = list(self._made_chunks())
        self.ends_s = request.due_s(len(self._chunks)) / speed

    def whole(self) -> dict[str, Any]:
        """Give the reply as one object; BadRequestError (500) where the persona fails."""
        if self._fails:
            raise failure()
        message: dict[str, Any] = {"role": "assistant", "content": self._reply.text, "refusal": None}
        if self._reply.tool_calls:
            message |= {"content": None, "tool_calls": list(map(_call, self._reply.tool_calls))}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish}
        return self._head | {"choices": [choice], "usage": self._usage}

    def events(self, _: int = -1) -> Iterator[Timed]:
        """Give the events of the stream, each when it is due; `failing` ends in the middle with an error."""
        chunks = self._chunks[: max(2, len(self._chunks) // 2)] if self._fails else self._chunks
        for number, chunk in enumerate([*chunks, failure().body] if self._fails else chunks):
            yield self._request.due_s(number) / self._speed, b"data: " + orjson.dumps(chunk) + b"\n\n"
        if not self._fails:
            yield self.ends_s, b"data: [DONE]\n\n"

    def _made_chunks(self) -> Iterator[dict[str, Any]]:
        head = self._head | {"object": "chat.completion.chunk"}
        head |= {"usage": None} if self._include_usage else {}
        for delta in self._deltas():
            yield head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
        yield head | {"choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": self._finish}]}
        if self._include_usage:
            yield head | {"choices": [], "usage": self._usage}

    def _deltas(self) -> Iterator[dict[str, Any]]:
        calls = self._reply.tool_calls
        yield {"role": "assistant", "content": None if calls else "", "refusal": None}
        yield from ({"content": piece} for piece in split_pieces(self._reply.text))
        for index, call in enumerate(calls):
            head = {"index": index} | _call(call) | {"function": {"name": call.name, "arguments": ""}}
            yield {"tool_calls": [head]}
            for piece in split_pieces(call.arguments):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}
