"""A request on its way to a provider: the SDK prepares the first of a kind, and the next are sent as that one was.

The SDK merges headers, copies options and converts bodies anew for each request, at half of what the exchange costs.
What it made of a first request (URL, headers with the key, time limits) is taken from the answer to it, and goes
out again with another body over the same HTTP client. Used by `exchange.py` on the background thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from nbagent.models.transport.clients import Connection
from nbagent.models.transport.errors import RequestTarget, error_from_status

_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}
# what belongs to one request alone; cookies are added by whoever keeps them
_OF_ONE = ("content-length", "cookie", "idempotency-key", "x-client-request-id")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request as the SDK prepares it, but for its body."""

    make: Callable[..., Any]  # httpx or httpx2, as the SDK has chosen
    url: Any
    headers: Any
    extensions: dict[str, Any]

    def request(self, body: bytes) -> Any:
        return self.make(
            "POST", self.url, headers=self.headers, content=body, extensions=dict(self.extensions)
        )


async def send(
    connection: Connection, target: RequestTarget, path: str, body: bytes | None, idle_timeout_s: float | None
) -> Any:
    """Post `body` to `path` below the base URL, or get it without one; return the response, its body to come.

    Raises:
        Exception: as the SDK or the transport raises it, or a ModelError for an HTTP status that is no success.
    """
    if body is None:
        return await _ask(connection.sdk.get, path, {}, idle_timeout_s)
    kind = (path, idle_timeout_s)
    prepared: _Prepared | None = connection.prepared.get(kind)
    if prepared is not None and body:
        return await _send_again(connection, prepared, body, target)
    # `create` would check and convert the body again, message by message; `post` sends the bytes as they are
    response = await _ask(connection.sdk.post, path, {"content": body}, idle_timeout_s)
    if body and not response.history:  # it was not redirected: it is as the SDK made it
        connection.prepared[kind] = _prepared_like(response.request)
    return response


async def _ask(verb: Any, path: str, sent: dict[str, Any], idle_timeout_s: float | None) -> Any:
    from openai import AsyncStream  # loaded by now

    stream = await verb(
        path,
        cast_to=object,
        **sent,
        options={"headers": _HEADERS, "timeout": idle_timeout_s},
        stream=True,
        stream_cls=AsyncStream[object],
    )
    return stream.response


def _prepared_like(request: Any) -> _Prepared:
    headers = request.headers.copy()
    for name in _OF_ONE:
        headers.pop(name, None)
    return _Prepared(type(request), request.url, headers, {"timeout": request.extensions["timeout"]})


async def _send_again(connection: Connection, prepared: _Prepared, body: bytes, target: RequestTarget) -> Any:
    response = await connection.http.send(prepared.request(body), stream=True)
    if response.is_success:
        return response
    try:
        await response.aread()
    finally:
        await response.aclose()
    raise error_from_status(response.status_code, response.headers, _data_of(response.text), target)


def _data_of(text: str) -> Any:
    """An error's body: JSON data, or its text."""
    try:
        return orjson.loads(text)
    except ValueError:
        return text.strip()
