"""The demo server: routes, the work of a request, and running uvicorn on a loopback socket.

Plain ASGI, so that one stream costs little and ends as soon as its client has gone. Called by `__main__.py` in the
demo's own process; uvicorn is imported only there.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
import uvicorn

from nbagent.demo.chat import ChatReply, Timed
from nbagent.demo.facts import SCRIPT
from nbagent.demo.replies import answer
from nbagent.demo.request import BadRequestError, Message, Request, read_chat, read_responses
from nbagent.demo.responses import ResponsesReply

Made = ChatReply | ResponsesReply
Headers = list[tuple[bytes, bytes]]
BACKLOG: Final = 4096
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_MOST_BYTES: Final = 64 * 1024 * 1024  # of a request
_MOST_AT_ONCE: Final = 64  # events in one write
_MOST_KEPT: Final = 5_000  # responses, and conversations that flaky failed
_RETRY_AFTER: Final = [(b"retry-after", b"0.2"), (b"retry-after-ms", b"200")]


class App:
    """The application. `token` is the one key accepted (None: any); a response can be streamed again for `resume_s`."""

    def __init__(self, *, token: str | None = None, speed: float = 1.0, resume_s: float = 300.0) -> None:
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._speed, self._resume_s = speed, resume_s
        self._kept: OrderedDict[str, ResponsesReply] = OrderedDict()
        self._flaky: Counter[tuple[Message, ...]] = Counter()
        self._stats = Counter({"requests": 0, "active": 0, "disconnected": 0})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        try:
            self._guard(dict(scope["headers"]))
            await self._route(scope, receive, send)
        except BadRequestError as error:
            await _send_json(send, error.body, error.status, _RETRY_AFTER if error.status == 429 else [])

    def _guard(self, headers: dict[bytes, bytes]) -> None:
        """Refuse what names another host than this machine, as a page in a browser might, or lacks the token."""
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in _HOSTS:
            raise BadRequestError(f"no host {name!r} here", status=421, code="misdirected_request")
        given = headers.get(b"authorization", b"")
        if self._expected is not None and not secrets.compare_digest(given, self._expected):
            raise BadRequestError("Incorrect API key provided", status=401, code="invalid_api_key")

    async def _route(self, scope: Any, receive: Any, send: Any) -> None:
        match scope["method"], *scope["path"].strip("/").split("/"):
            case "POST", "v1", "chat", "completions":
                await self._create(read_chat(await _read_json(receive)), ChatReply, receive, send)
            case "POST", "v1", "responses":
                await self._create(read_responses(await _read_json(receive)), ResponsesReply, receive, send)
            case "GET", "v1", "responses", response_id:
                found, query = (
                    self._find(response_id),
                    dict(parse_qsl(scope["query_string"].decode("latin-1"))),
                )
                if query.get("stream") != "true":
                    await _send_json(send, found.whole())
                    return
                if not (found.background and found.stream) or found.age_s > self._resume_s:
                    said = "This response cannot be streamed again: not of background and stream, or too old."
                    raise BadRequestError(said, param="stream")
                events = found.events(int(query.get("starting_after", -1)))
                await self._stream(found, events, found.begun, receive, send)
            case "POST", "v1", "responses", response_id, "cancel":
                await _send_json(send, self._find(response_id).cancel())
            case "GET", "v1", "models":
                listed = [
                    {"id": name, "object": "model", "owned_by": "nbagent"} for name in SCRIPT["personas"]
                ]
                await _send_json(send, {"object": "list", "data": listed})
            case "GET", "demo", "stats":
                await _send_json(send, self._stats)
            case method, *_:
                raise BadRequestError(f"{method} {scope['path']}: Not Found", status=404, code="unknown_url")

    def _find(self, response_id: str) -> ResponsesReply:
        if found := self._kept.get(response_id):
            return found
        raise BadRequestError(f"Response with id {response_id!r} not found.", status=404, param="id")

    async def _create(self, request: Request, form: type[Made], receive: Any, send: Any) -> None:
        self._stats["requests"] += 1
        drop = request.persona == "flaky" and self._fails(request)
        made = form(request, answer(request), self._speed)
        if isinstance(made, ResponsesReply):
            self._kept[made.response_id] = made
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        if request.body.get("stream"):
            await self._stream(made, made.events(), time.monotonic(), receive, send, drop=drop)
        else:
            await asyncio.sleep(0 if made.background else made.ends_s)
            await _send_json(send, made.whole(), half=drop)

    def _fails(self, request: Request) -> bool:
        """Refuse a conversation's first try for its rate, say whether this is the second, which is dropped."""
        if len(self._flaky) > _MOST_KEPT:
            self._flaky.clear()
        self._flaky[request.messages] += 1
        if self._flaky[request.messages] == 1:
            said = "Rate limit reached for this demo model, try again in 0.2 s"
            raise BadRequestError(said, status=429, code="rate_limit_exceeded")
        if self._flaky[request.messages] > 2:  # after a success it starts afresh
            del self._flaky[request.messages]
        return request.messages in self._flaky

    async def _stream(
        self,
        made: Made,
        events: Iterable[Timed],
        begun: float,
        receive: Any,
        send: Any,
        *,
        drop: bool = False,
    ) -> None:
        """Send each event when it is due after `begun` (a monotonic time); those due together go in one write.

        Stops when the client has gone or the response is cancelled. Where it is to be dropped half is sent: the server
        then closes the connection.
        """
        sent = list(events)
        sent = sent[: len(sent) // 2] if drop else sent
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_wait_until_gone(receive))
        self._stats["active"] += 1
        waiting: list[bytes] = []
        for due_s, event in sent:
            pause = begun + due_s - time.monotonic()
            if waiting and (pause > 0 or len(waiting) >= _MOST_AT_ONCE):
                await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})
                waiting.clear()
            if pause > 0:
                await asyncio.wait({gone}, timeout=pause)
            if made.cancelled or gone.done():
                break
            waiting.append(event)
        self._stats["active"] -= 1
        self._stats["disconnected"] += gone.done()
        if gone.done() and not made.background and isinstance(made, ResponsesReply):
            self._kept.pop(made.response_id, None)
        gone.cancel()
        await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": drop})


async def _wait_until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_json(receive: Any) -> dict[str, Any]:
    body, message = b"", {"more_body": True}
    while message.get("more_body") and len(body) <= _MOST_BYTES:
        message = await receive()
        body += message.get("body", b"")
    with contextlib.suppress(orjson.JSONDecodeError):
        if isinstance(value := orjson.loads(body), dict):
            return value
    raise BadRequestError("the body is not a JSON object")


async def _send_json(
    send: Any, value: Any, status: int = 200, extra: Headers | None = None, *, half: bool = False
) -> None:
    body = orjson.dumps(value)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *(extra or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(
        {"type": "http.response.body", "body": body[: len(body) // 2] if half else body, "more_body": half}
    )


def serve(app: App, listener: socket.socket) -> None:
    """Serve until stopped."""
    times: dict[str, Any] = {"timeout_keep_alive": 120, "timeout_graceful_shutdown": 1, "backlog": BACKLOG}
    quiet: dict[str, Any] = {"log_config": None, "log_level": "critical", "access_log": False}
    plain: dict[str, Any] = {"loop": "asyncio", "ws": "none", "lifespan": "off", "server_header": False}
    uvicorn.Server(uvicorn.Config(app, **times, **quiet, **plain)).run(sockets=[listener])
