"""Any Chat Completions server behind Anthropic's wire format: a loopback server in a thread of its own.

It reads requests of the Messages API, asks the server behind it, and answers as the API does, piece by piece as
they come. A client that goes ends the request behind it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import ClientResponse, ClientSession, web

from tests.provider import messages_wire

_KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class MessagesFront:
    """See the module. `base_url` is what a client takes; `close` ends the thread."""

    def __init__(self, chat_url: str) -> None:
        self.base_url = ""
        self._chat_url = chat_url
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._serve(started)),
            name="scripted provider of messages",
            daemon=True,
        )
        self._thread.start()
        started.wait()

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/messages", self._answer)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        async with ClientSession() as self._client:
            started.set()
            await self._over.wait()
            await runner.cleanup()

    async def _answer(self, asked: web.Request) -> web.StreamResponse:
        body = chat_body(await asked.json())
        url = f"{self._chat_url}/chat/completions"
        async with self._client.post(url, json=body) as behind:
            if behind.status != 200:
                said = (await behind.json())["error"]["message"]
                kind = _KINDS.get(
                    behind.status, "api_error" if behind.status >= 500 else "invalid_request_error"
                )
                fault = {"type": "error", "error": {"type": kind, "message": said}}
                headers = {name: value for name, value in behind.headers.items() if "retry" in name.lower()}
                return web.json_response(fault, status=behind.status, headers=headers)
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(asked)
            try:
                async for data in _events(behind):
                    await response.write(data)
            except Exception:  # noqa: BLE001 - whatever breaks the stream behind breaks this one
                asked.transport.close()
            return response


def chat_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request of the Messages API as one of Chat Completions."""
    said: list[dict[str, Any]] = []
    if body.get("system"):
        said.append({"role": "system", "content": _text(body["system"])})
    for turn in body["messages"]:
        said += _chat_messages(turn)
    made = {"model": body["model"], "messages": said, "stream": True, "max_tokens": body["max_tokens"]}
    made["stream_options"] = {"include_usage": True}
    if body.get("tools"):
        made["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool["name"],
                    "description": tool.get("description", ""),
                    "parameters": tool["input_schema"],
                },
            }
            for tool in body["tools"]
        ]
    if form := body.get("output_config", {}).get("format"):
        schema = {"name": "answer", "schema": form["schema"], "strict": False}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    return made


def _chat_messages(turn: Mapping[str, Any]) -> list[dict[str, Any]]:
    blocks = turn["content"]
    if isinstance(blocks, str):
        return [{"role": turn["role"], "content": blocks}]
    text = _text(blocks)
    if turn["role"] == "assistant":
        calls = [
            {
                "id": one["id"],
                "type": "function",
                "function": {"name": one["name"], "arguments": json.dumps(one["input"])},
            }
            for one in blocks
            if one["type"] == "tool_use"
        ]
        return [{"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}]
    results = [
        {"role": "tool", "tool_call_id": one["tool_use_id"], "content": _text(one["content"])}
        for one in blocks
        if one["type"] == "tool_result"
    ]
    return [*results, *([{"role": "user", "content": text}] if text else [])]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(one["text"] for one in content if one["type"] == "text")


async def _events(behind: ClientResponse) -> AsyncIterator[bytes]:
    """Yield the events of the Messages API for the chunks of a Chat Completions stream."""
    finish, usage, at, kind = "end_turn", {}, -1, ""
    for step in messages_wire.begun(usage={"input_tokens": 0, "output_tokens": 0}):
        yield step.data
    async for line in behind.content:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        if "error" in chunk:
            yield messages_wire.error_in_reply(chunk["error"]["message"])[0].data
            return
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            finish = _STOPS.get(choice["finish_reason"], finish)
            for start, delta in _pieces(choice["delta"]):
                if start is not None and (start["type"] == "tool_use" or kind != start["type"]):
                    if at >= 0:
                        yield messages_wire.event("content_block_stop", index=at).data
                    at, kind = at + 1, start["type"]
                    yield messages_wire.event("content_block_start", index=at, content_block=start).data
                if delta is not None:
                    yield messages_wire.event("content_block_delta", index=at, delta=delta).data
    if at >= 0:
        yield messages_wire.event("content_block_stop", index=at).data
    counts = {
        "input_tokens": usage.get("prompt_tokens", 0),
        "output_tokens": usage.get("completion_tokens", 0),
    }
    ending = {"stop_reason": finish, "stop_sequence": None}
    yield messages_wire.event("message_delta", delta=ending, usage=counts).data
    yield messages_wire.event("message_stop").data


def _pieces(delta: Mapping[str, Any]) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Return the block that a chunk's delta begins, and the delta in it, for each piece in it."""
    found: list[tuple[dict[str, Any] | None, dict[str, Any] | None]] = []
    if delta.get("content"):
        found.append(({"type": "text", "text": ""}, messages_wire.text_delta(delta["content"])))
    for call in delta.get("tool_calls") or ():
        start = None
        if call.get("id"):
            start = {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": {}}
        found.append(
            (start, {"type": "input_json_delta", "partial_json": call["function"].get("arguments", "")})
        )
    return found
