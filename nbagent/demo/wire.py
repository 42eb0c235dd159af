"""What both endpoints do on the wire: read a body, send JSON, errors and paced events.

Used by `chat.py` and `responses.py` on the demo server's event loop. These are plain ASGI, so that
one stream costs little and ends as soon as its client has gone.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope, Send

from nbagent.demo.request import BadRequestError

Headers = list[tuple[bytes, bytes]]
_MOST_AT_ONCE = 64
_LONGEST_BODY = 64 * 1024 * 1024


@dataclass(slots=True)
class Stats:
    """What the server has done so far; read at `GET /demo/stats`.

    `active` requests are being answered, `disconnected` ones ended because their client went away.
    """

    requests: int = 0
    active: int = 0
    completed: int = 0
    disconnected: int = 0
    dropped: int = 0

    def to_dict(self) -> dict[str, int]:
        """Give the counts as JSON."""
        return asdict(self)


class ClientWatch:
    """Cancels the block inside `async with` when the client disconnects; `gone` says so after."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._open = False
        self.gone = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._open = True
        self._watcher = asyncio.create_task(self._wait())
        return self

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._open:
            self.gone = True
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._open = False
        self._watcher.cancel()
        if self.gone and kind is asyncio.CancelledError:
            self._task.uncancel()
            return True
        return False


async def read_json(scope: Scope, receive: Receive) -> dict[str, Any]:
    """Read a request's body as a JSON object.

    Raises:
        BadRequestError: it is none, or too large.
    """
    body = bytearray()
    try:
        async for part in HttpRequest(scope, receive).stream():
            body += part
            if len(body) > _LONGEST_BODY:
                raise BadRequestError("the request's body is too large", status=413)
    except ClientDisconnect:
        raise BadRequestError("the client went away") from None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequestError("the body must be a JSON object")
    return value


def error_body(error: BadRequestError) -> dict[str, Any]:
    """Give an error in the form of OpenAI's errors."""
    kind = (
        "requests"
        if error.status == 429
        else "server_error"
        if error.status >= 500
        else "invalid_request_error"
    )
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


async def send_json(
    send: Send, value: Mapping[str, Any], *, status: int = 200, extra: Headers | None = None
) -> None:
    """Send a whole JSON response."""
    body = orjson.dumps(value)
    headers = [*_headers(b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers + (extra or [])})
    await send({"type": "http.response.body", "body": body})


async def send_rate_limit(send: Send, retry_after_s: float) -> None:
    """Send a 429 that says when to try again."""
    error = BadRequestError(
        f"Rate limit reached for this demo model, try again in {retry_after_s} s",
        status=429,
        code="rate_limit_exceeded",
    )
    wait = [
        (b"retry-after", str(retry_after_s).encode()),
        (b"retry-after-ms", str(round(retry_after_s * 1000)).encode()),
    ]
    await send_json(send, error_body(error), status=429, extra=wait)


async def send_half_json(send: Send, value: Mapping[str, Any]) -> None:
    """Send half of a JSON response; returning then makes the server close the connection."""
    body = orjson.dumps(value)
    headers = [*_headers(b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def start_events(send: Send) -> None:
    """Begin an event stream."""
    headers = [*_headers(b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def send_timed(
    send: Send,
    events: Iterable[tuple[float, bytes]],
    begun: float,
    *,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Send each event when it is due; those that are due together go in one write.

    An event comes with the seconds after `begun` (a monotonic time) at which it is due. Sending stops
    once `alive` says no.
    """
    waiting: list[bytes] = []
    for due_s, event in events:
        pause = begun + due_s - time.monotonic()
        if waiting and (pause > 0 or len(waiting) >= _MOST_AT_ONCE):
            await send_bytes(send, b"".join(waiting))
            waiting.clear()
            await asyncio.sleep(0)
        if pause > 0:
            await asyncio.sleep(pause)
        if not alive():
            return
        waiting.append(event)
    await send_bytes(send, b"".join(waiting))


async def send_bytes(send: Send, data: bytes) -> None:
    """Send part of a body."""
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def end_body(send: Send) -> None:
    """End a body that was sent in parts."""
    await send({"type": "http.response.body", "body": b""})


def _headers(content_type: bytes) -> Headers:
    return [(b"content-type", content_type), (b"x-request-id", f"req_{uuid.uuid4().hex}".encode())]
