"""One request to a provider and the bytes of its answer, with every failure as a ModelError.

Used by the wire formats on the background thread; it knows HTTP and nothing of what the bytes mean. A body is
read in blocks as they arrive (`coalescing.py` lets them gather where many streams run); reading it to its end
lets the connection serve the next request, closing it before that closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.core import (
    ERROR_BODY,
    LARGE,
    MessageTooLargeError,
    check_message,
    message_limit,
    too_many_bytes,
    unpacked,
)
from nbagent.errors import ModelError
from nbagent.models.transport.client import send
from nbagent.models.transport.coalescing import ReadCoalescer
from nbagent.models.transport.errors import (
    RequestTarget,
    error_from_body,
    error_from_exception,
    error_from_reply,
    error_from_size,
    error_from_status,
    is_ollamas_own,
)

if TYPE_CHECKING:
    from aiohttp import ClientResponse

_DRAIN_S = 0.02


class ResponseStream:
    """A response whose body is still coming, read in blocks as they arrive. `close` it in any case."""

    __slots__ = (
        "_blocks",
        "_content_type",
        "_idle_timeout_s",
        "_next",
        "_pace",
        "_response",
        "_target",
        "_waited_s",
        "limit",
    )

    def __init__(self, response: ClientResponse, target: RequestTarget, idle_timeout_s: float | None) -> None:
        self.limit = message_limit()  # bytes of one body or event
        self._response = response
        self._target = target
        self._idle_timeout_s = idle_timeout_s
        self._content_type: str = response.headers.get("content-type", "").lower()
        self._blocks: AsyncGenerator[bytes] | None = None
        self._next: Callable[[], Awaitable[bytes]] = response.content.readany
        if (encoding := _encoding_of(response)) is not None:
            self._blocks = unpacked(response.content.iter_any(), encoding)
            self._next = self._next_block
        self._pace = ReadCoalescer(response)
        self._waited_s = 0.0

    def rest(self, pieces: int) -> None:
        """Let what follows gather before the next `read` returns, where many streams come in small pieces.

        `pieces` is how many the last read brought.
        """
        self._pace.rest(pieces, self._waited_s)

    async def read(self) -> bytes:
        """Return the next block, or nothing at the end.

        Raises:
            ModelError: the connection broke, or nothing came for the idle time.
        """
        asked_at = monotonic()
        try:
            return await self._next()
        except Exception as error:  # noqa: BLE001 - the border to the transport; whatever it raises has a fault
            fault = error_from_exception(error, self._target, self._idle_timeout_s)
        finally:
            self._waited_s = monotonic() - asked_at
        raise fault

    async def read_within(self, seconds: float) -> bytes:
        """Return the next block, or nothing if it does not come in time; for what may be missing."""
        try:
            async with asyncio.timeout(seconds):
                return await self._next()
        except Exception:  # noqa: BLE001 - the answer is whole; what may be lost is its usage
            return b""

    def is_stream(self, start: bytes) -> bool:
        """True where the body is an event stream, by its type, or by its first block without one."""
        if "event-stream" in self._content_type:
            return True
        if "json" in self._content_type or "html" in self._content_type:
            return False
        return start.lstrip()[:1] not in {b"{", b"<", b"[", b""}

    async def whole(self, start: bytes, *, arrays: bool = False) -> bytes:
        """Return the whole body, of which `start` is read: a JSON object, or with `arrays` an array.

        Raises:
            ProviderProtocolError: it is a web page, cut short, too large, or anything else.
        """
        if is_ollamas_own(start):  # said at once, not at the end of its stream
            raise error_from_body(start, self._content_type, self._target)
        body = await self._bounded(start)
        if len(body) > LARGE and body.lstrip()[:1] == b"{":
            return body  # parsed once, by whoever reads it
        try:
            known = orjson.loads(body)
        except ValueError:
            if body.lstrip().startswith(b"{") and not _is_json_lines(body):
                raise error_from_reply("its JSON is cut short", self._target) from None
            known = None
        if not isinstance(known, dict) and not (arrays and isinstance(known, list)):
            raise error_from_body(body, self._content_type, self._target)
        return body

    async def _bounded(self, start: bytes) -> bytes:
        blocks, size = [start], len(start)
        announced = self._response.headers.get("content-length", "")
        try:
            if announced.isdecimal() and int(announced) > self.limit:
                raise too_many_bytes(self.limit)
            while block := await self.read():
                size += len(block)
                if size > self.limit:
                    raise too_many_bytes(self.limit)
                blocks.append(block)
            return check_message(b"".join(blocks), self.limit)
        except MessageTooLargeError as error:
            fault = error_from_size(error, self._target)
        raise fault

    async def drain(self) -> None:
        """Read the end of a body that is through, so that the connection can serve the next request."""
        while await self.read_within(_DRAIN_S):
            pass

    async def close(self) -> None:
        """Give the connection back, or close it where the body has not ended."""
        self._pace.over()
        self._response.release()
        if self._blocks is not None:
            await self._blocks.aclose()

    async def _next_block(self) -> bytes:
        assert self._blocks is not None
        return await anext(self._blocks, b"")


async def fetch_json(
    target: RequestTarget,
    path: str,
    body: bytes | None,
    timeout_s: float | None,
    *,
    arrays: bool = False,
) -> bytes:
    """Post or get as `open_stream` does, and return the whole answer, a JSON object, or with `arrays` an array.

    Raises:
        ModelError: no connection, an HTTP status that is no success, or no JSON.
    """
    exchange = await open_stream(target, path, body, timeout_s)
    try:
        return await exchange.whole(await exchange.read(), arrays=arrays)
    finally:
        await exchange.close()


async def open_stream(
    target: RequestTarget, path: str, body: bytes | None, idle_timeout_s: float | None
) -> ResponseStream:
    """Post `body` (JSON) to `path` below the base URL, or get it without one; return the open response.

    Raises:
        ModelError: no connection, or an HTTP status that is no success.
    """
    fault: ModelError
    try:
        response = await send(target, path, body, idle_timeout_s)
        if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's class of successes
            return ResponseStream(response, target, idle_timeout_s)
        fault = error_from_status(response.status, response.headers, await _error_body(response), target)
    except Exception as error:  # noqa: BLE001 - the border to the transport; whatever it raises has a fault
        fault = error_from_exception(error, target, idle_timeout_s)
    raise fault  # outside of the handler: what aiohttp raised may quote the key


def _is_json_lines(body: bytes) -> bool:
    """True where the first of several lines is a JSON object by itself."""
    line, end, rest = body.lstrip().partition(b"\n")
    try:
        return bool(end and rest.strip()) and isinstance(orjson.loads(line), dict)
    except ValueError:
        return False


def _encoding_of(response: ClientResponse) -> str | None:
    """Return how a body is compressed, None where it is not."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    return None if encoding in {"", "identity"} else encoding


async def _error_body(response: ClientResponse) -> Any:
    """Return the beginning of an error's body, as JSON data or as text; no more of it is read."""
    encoding = _encoding_of(response)
    try:
        body = await _beginning(
            response.content.iter_any(), ERROR_BODY if encoding is None else ERROR_BODY // 16
        )
        if encoding is not None:
            body = await _beginning(unpacked(_one_block(body), encoding), ERROR_BODY)
    finally:
        response.release()
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        text = body.decode(response.charset or "utf-8", "replace")
    except LookupError:  # a charset of the server's own
        text = body.decode("utf-8", "replace")
    return text.strip()


async def _beginning(blocks: AsyncIterable[bytes], most: int) -> bytes:
    found: list[bytes] = []
    async for block in blocks:
        found.append(block[:most])
        most -= len(block)
        if most <= 0:
            break
    return b"".join(found)


async def _one_block(block: bytes) -> AsyncGenerator[bytes]:
    yield block
