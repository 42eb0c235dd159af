"""The demo server: routes, the work of a request, and running it on a loopback socket.

Called by `__main__.py` in the demo's own process. A stream ends as soon as its client has gone: its handler is
cancelled then.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import Counter, OrderedDict
from functools import partial
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from nbagent.demo.chat import ChatReply
from nbagent.demo.facts import SCRIPT
from nbagent.demo.replies import answer
from nbagent.demo.request import BadRequestError, Message, Request, load_json, read_chat, read_responses
from nbagent.demo.responses import ResponsesReply

Made = ChatReply | ResponsesReply
BACKLOG: Final = 4096
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_MOST_BYTES: Final = 64 * 1024 * 1024  # of a request
_MOST_AT_ONCE: Final = 64  # events in one write
_MOST_KEPT: Final = 5_000  # responses, and conversations that flaky failed
_RETRY_AFTER: Final = {"retry-after": "0.2", "retry-after-ms": "200"}


class App:
    """The application. `token` is the one key accepted (None: any); a response can be streamed again for `resume_s`."""

    def __init__(self, *, token: str | None = None, speed: float = 1.0, resume_s: float = 300.0) -> None:
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._speed, self._resume_s = speed, resume_s
        self._kept: OrderedDict[str, ResponsesReply] = OrderedDict()
        self._flaky: Counter[tuple[Message, ...]] = Counter()
        self._stats = Counter({"requests": 0, "active": 0, "disconnected": 0})

    def serve(self, listener: socket.socket) -> None:
        """Serve until stopped."""
        border: Any = self._answer_errors  # of a type that no method has
        app = web.Application(client_max_size=_MOST_BYTES, middlewares=[border])
        app.router.add_post("/v1/chat/completions", partial(self._create, read_chat, ChatReply))
        app.router.add_post("/v1/responses", partial(self._create, read_responses, ResponsesReply))
        app.router.add_get("/v1/responses/{id}", self._retrieve)
        app.router.add_post("/v1/responses/{id}/cancel", self._cancel)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_get("/demo/stats", self._give_stats)
        times: dict[str, Any] = {"keepalive_timeout": 120, "shutdown_timeout": 1, "backlog": BACKLOG}
        web.run_app(app, sock=listener, print=None, access_log=None, handler_cancellation=True, **times)

    @web.middleware
    async def _answer_errors(self, asked: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or say in OpenAI's form why not."""
        try:
            self._guard(asked)
            return await handler(asked)
        except BadRequestError as error:
            refused = error
        except web.HTTPException as error:
            said = f"{asked.method} {asked.path}: {error.reason}"
            refused = BadRequestError(said, status=error.status, code="unknown_url")
        return _json(refused.body, refused.status, _RETRY_AFTER if refused.status == 429 else None)

    def _guard(self, asked: web.Request) -> None:
        """Refuse what names another host than this machine, as a page in a browser might, or lacks the token."""
        host = asked.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in _HOSTS:
            raise BadRequestError(f"no host {name!r} here", status=421, code="misdirected_request")
        given = asked.headers.get("authorization", "").encode(errors="replace")
        if self._expected is not None and not secrets.compare_digest(given, self._expected):
            raise BadRequestError("Incorrect API key provided", status=401, code="invalid_api_key")

    async def _give_stats(self, _: web.Request) -> web.StreamResponse:
        return _json(self._stats)

    async def _list_models(self, _: web.Request) -> web.StreamResponse:
        listed = [{"id": name, "object": "model", "owned_by": "nbagent"} for name in SCRIPT["personas"]]
        return _json({"object": "list", "data": listed})

    async def _cancel(self, asked: web.Request) -> web.StreamResponse:
        return _json(self._find(asked).cancel())

    async def _retrieve(self, asked: web.Request) -> web.StreamResponse:
        """Give a response as it is now, or stream it again."""
        found = self._find(asked)
        if asked.query.get("stream") != "true":
            return _json(found.whole())
        if not (found.background and found.stream) or found.age_s > self._resume_s:
            said = "This response cannot be streamed again: not of background and stream, or too old."
            raise BadRequestError(said, param="stream")
        return await self._stream(asked, found, int(asked.query.get("starting_after", -1)))

    def _find(self, asked: web.Request) -> ResponsesReply:
        response_id = asked.match_info["id"]
        if found := self._kept.get(response_id):
            return found
        raise BadRequestError(f"Response with id {response_id!r} not found.", status=404, param="id")

    async def _create(self, read: Any, form: Any, asked: web.Request) -> web.StreamResponse:
        """Make a reply of one wire format, whole or as a stream; flaky's second try breaks off."""
        request: Request = read(await _read_json(asked))
        self._stats["requests"] += 1
        drop = request.persona == "flaky" and self._fails(request)
        made: Made = form(request, answer(request), self._speed)
        if isinstance(made, ResponsesReply):
            self._kept[made.response_id] = made
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        if request.body.get("stream"):
            return await self._stream(asked, made, drop=drop)
        await asyncio.sleep(0 if made.background else made.ends_s)
        return _drop(asked) if drop else _json(made.whole())

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
        self, asked: web.Request, made: Made, after: int = -1, *, drop: bool = False
    ) -> web.StreamResponse:
        """Send each event after number `after` when it is due; those due together go in one write.

        Stops when the client has gone or the response is cancelled. Where it is to be dropped half is sent.
        """
        sent = list(made.events(after))
        sent = sent[: len(sent) // 2] if drop else sent
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(asked)
        self._stats["active"] += 1
        waiting: list[bytes] = []
        try:
            for due_s, event in sent:
                pause = made.begun + due_s - time.monotonic()
                if waiting and (pause > 0 or len(waiting) >= _MOST_AT_ONCE):
                    await response.write(b"".join(waiting))
                    waiting.clear()
                if pause > 0:
                    await asyncio.sleep(pause)
                if made.cancelled:
                    break
                waiting.append(event)
            if waiting:
                await response.write(b"".join(waiting))
        except (asyncio.CancelledError, ConnectionError):  # its client has gone
            self._stats["disconnected"] += 1
            if not made.background and isinstance(made, ResponsesReply):
                self._kept.pop(made.response_id, None)
            raise
        finally:
            self._stats["active"] -= 1
        return _drop(asked) if drop else response


def _drop(asked: web.Request) -> web.StreamResponse:
    """Close the connection in the middle of a reply."""
    if asked.transport is not None:
        asked.transport.close()
    return web.Response()


async def _read_json(asked: web.Request) -> dict[str, Any]:
    if isinstance(value := load_json(await asked.read()), dict):
        return value
    raise BadRequestError("the body is not a JSON object")


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = orjson.dumps(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
