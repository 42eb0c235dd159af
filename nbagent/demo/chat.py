"""The Chat Completions endpoint of the demo server, on its event loop.

Reads a request into the brain's form, and writes the reply as OpenAI does: whole or as a stream.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from nbagent.demo import wire
from nbagent.demo.faults import RETRY_AFTER_S, Faults, reply_to
from nbagent.demo.personas import Persona, find_persona
from nbagent.demo.reading import read_format, read_limit, read_text, read_tool
from nbagent.demo.request import BadRequestError, Message, Reply, Request, Role, ToolCall
from nbagent.demo.tokens import cut_tokens, prompt_tokens, reply_tokens, split_pieces

_FINGERPRINT: Final = "fp_nbagent_demo"
_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat request as read from the wire."""

    request: Request
    persona: Persona
    stream: bool
    include_usage: bool
    max_tokens: int | None


def read_chat(body: dict[str, Any]) -> ChatRequest:
    """Read a request's body.

    Raises:
        BadRequestError: something in it is missing or malformed.
    """
    persona = find_persona(body.get("model"))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("'messages' must be a list with at least one message", param="messages")
    if body.get("n") not in (None, 1):
        raise BadRequestError("the demo model gives one choice: 'n' must be 1", param="n")
    schema, json_object = read_format(body.get("response_format"), "response_format")
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequestError("'tools' must be a list", param="tools")
    offered = tuple(read_tool(t, t.get("function"), i) if isinstance(t, dict) else read_tool({}, None, i)
                    for i, t in enumerate(tools))  # fmt: skip
    request = Request(
        messages=tuple(_read_message(m, i) for i, m in enumerate(messages)),
        tools=offered,
        tool_choice=_read_choice(body.get("tool_choice"), {tool.name for tool in offered}),
        schema=schema,
        json_object=json_object,
        parallel=body.get("parallel_tool_calls") is not False,
    )
    options = body.get("stream_options") or {}
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    return ChatRequest(
        request=request,
        persona=persona,
        stream=bool(body.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        max_tokens=read_limit(body.get(limit), limit),
    )


def _read_message(message: Any, index: int) -> Message:
    where = f"messages[{index}]"
    role = _ROLES.get(message.get("role", "")) if isinstance(message, dict) else None
    if role is None:
        raise BadRequestError(f"{where} needs a role out of {', '.join(_ROLES)}", param=f"{where}.role")
    calls = message.get("tool_calls") or []
    try:
        read_calls = tuple(
            ToolCall(
                call_id=c["id"], name=c["function"]["name"], arguments=c["function"]["arguments"] or "{}"
            )
            for c in calls
        )
    except (TypeError, KeyError):
        raise BadRequestError(f"{where}.tool_calls is malformed", param=f"{where}.tool_calls") from None
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise BadRequestError(f"{where} needs a tool_call_id", param=f"{where}.tool_call_id")
    return Message(
        role=role,
        text=read_text(message.get("content"), f"{where}.content"),
        tool_calls=read_calls,
        tool_call_id=message.get("tool_call_id") or "",
    )


def _read_choice(choice: Any, names: set[str]) -> str:
    if choice is None:
        return "auto"
    if isinstance(choice, str) and choice in ("auto", "none", "required"):
        return choice
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(name, str) and name in names:
        return name
    raise BadRequestError(f"'tool_choice' {choice!r} names no tool on offer", param="tool_choice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply, ready for the wire."""

    completion_id: str
    created: int
    model: str
    reply: Reply
    finish_reason: str
    usage: dict[str, Any]

    def whole(self) -> dict[str, Any]:
        """Give the reply as one object."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.reply.text,
            "refusal": None,
            "annotations": [],
        }
        if self.reply.tool_calls:
            message |= {"content": None, "tool_calls": [_call(call) for call in self.reply.tool_calls]}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self.usage}

    def events(self, *, include_usage: bool) -> Iterator[bytes]:
        """Give the reply as the events of a stream."""
        usage = {"usage": None} if include_usage else {}
        head = self._head("chat.completion.chunk")

        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _event(head | {"choices": [choice]} | usage)

        first: dict[str, Any] = {"role": "assistant", "content": None if self.reply.tool_calls else ""}
        yield chunk(first | {"refusal": None})
        before, after = chunk({"content": "\0"}).split(b'"\\u0000"')
        for piece in split_pieces(self.reply.text):
            yield before + orjson.dumps(piece) + after
        for index, call in enumerate(self.reply.tool_calls):
            begun = _call(call)
            begun["function"] = {"name": call.name, "arguments": ""}
            yield chunk({"tool_calls": [{"index": index} | begun]})
            for piece in split_pieces(call.arguments):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        last = chunk({}, self.finish_reason)
        if include_usage:
            last += _event(head | {"choices": [], "usage": self.usage})
        yield last + b"data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.completion_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": _FINGERPRINT,
            "service_tier": "default",
        }


def complete(chat: ChatRequest) -> Completion:
    """Answer a chat request."""
    reply = reply_to(chat.request, chat.persona)
    finish = "tool_calls" if reply.tool_calls else "stop"
    if chat.max_tokens is not None and not reply.tool_calls:
        text, cut = cut_tokens(reply.text, chat.max_tokens)
        reply, finish = Reply(text=text), "length" if cut else finish
    return Completion(
        completion_id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=chat.persona.label,
        reply=reply,
        finish_reason=finish,
        usage=usage_of(chat.request, reply),
    )


def usage_of(request: Request, reply: Reply) -> dict[str, Any]:
    """Count a reply's tokens, inclusive as OpenAI counts them."""
    asked, said = prompt_tokens(request), reply_tokens(reply)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


class ChatEndpoint:
    """POST /v1/chat/completions as an ASGI application."""

    def __init__(self, stats: wire.Stats, faults: Faults, speed: float) -> None:
        self._stats = stats
        self._faults = faults
        self._speed = speed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self._stats.requests += 1
        self._stats.active += 1
        try:
            chat = read_chat(await wire.read_json(scope, receive))
            async with wire.ClientWatch(receive) as watch:
                await self._answer(chat, send)
            self._stats.disconnected += watch.gone
        except BadRequestError as error:
            await wire.send_json(send, wire.error_body(error), status=error.status)
        finally:
            self._stats.active -= 1

    async def _answer(self, chat: ChatRequest, send: Send) -> None:
        begun = time.monotonic()
        fault = self._faults.next_fault(chat.request) if chat.persona.name == "flaky" else None
        if fault == "rate_limit":
            await wire.send_rate_limit(send, RETRY_AFTER_S)
            return
        completion = complete(chat)
        events = completion.events(include_usage=chat.include_usage)
        if fault == "drop":
            self._stats.dropped += 1
            await self._drop(chat, completion, list(events), send)
            return
        if chat.persona.name == "failing":
            await self._fail(chat, list(events), send)
        elif chat.stream:
            await wire.start_events(send)
            await wire.send_timed(send, self._timed(chat, events), begun)
            await wire.end_body(send)
        else:
            await asyncio.sleep(chat.persona.due_s(sum(1 for _ in events), self._speed))
            await wire.send_json(send, completion.whole())
        self._stats.completed += 1

    def _timed(self, chat: ChatRequest, events: Iterable[bytes]) -> Iterator[tuple[float, bytes]]:
        return ((chat.persona.due_s(index, self._speed), event) for index, event in enumerate(events))

    async def _drop(self, chat: ChatRequest, completion: Completion, events: list[bytes], send: Send) -> None:
        """Send half of the reply and return: the server then closes the connection."""
        if chat.stream:
            await wire.start_events(send)
            half = events[: max(2, len(events) // 2)]
            await wire.send_timed(send, self._timed(chat, half), time.monotonic())
        else:
            await wire.send_half_json(send, completion.whole())

    async def _fail(self, chat: ChatRequest, events: list[bytes], send: Send) -> None:
        """Fail as servers do: a stream has an error among its events, a whole reply is a 500."""
        error = BadRequestError(
            "the demo model failed, as this one always does", status=500, code="server_error"
        )
        if not chat.stream:
            raise error
        half = [*events[: max(2, len(events) // 2)], _event(wire.error_body(error))]
        await wire.start_events(send)
        await wire.send_timed(send, self._timed(chat, half), time.monotonic())
        await wire.end_body(send)


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
