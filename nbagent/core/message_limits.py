"""What a server may send us: how large one message may be, and where it may send us on. Pure; any thread.

Used by `models` for providers and by `mcp` for MCP servers. Nothing of an HTTP library is imported: the
responses that come here are httpx's or httpx2's, whichever the SDK above uses.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

from nbagent import settings

LARGE = 1_000_000  # bytes; a smaller message is parsed in a few milliseconds, whatever it holds
ERROR_BODY = 64_000  # bytes of an error's body that are read: no more of it is shown
_BYTES_PER_VALUE = 16
_CONTAINER = 4  # a list or an object costs about as much as that many plain values


class MessageTooLargeError(ValueError):
    """One message is larger than it may be; the text is a clause such as `more than 16,000,000 bytes`."""


def message_limit() -> int:
    """Return how many bytes one message may have, as configured."""
    limit: int | None = settings.get("max_message_bytes")
    return sys.maxsize if limit is None else limit


def check_message(message: bytes, limit: int) -> bytes:
    """Return a message that can be parsed at once.

    A parser holds the whole process up for as long as it takes: what counts is the bytes, and the values in
    them. Raises MessageTooLargeError.
    """
    size = len(message)
    if size > limit:
        raise too_many_bytes(limit)
    if size > LARGE and _values_in(message, limit // _BYTES_PER_VALUE) > limit // _BYTES_PER_VALUE:
        raise MessageTooLargeError(f"too many values ({size:,} bytes)")
    return message


def too_many_bytes(limit: int) -> MessageTooLargeError:
    """Return the error for a message that is cut off at `limit`."""
    return MessageTooLargeError(f"more than {limit:,} bytes")


def _values_in(message: bytes, enough: int) -> int:
    """Return about how many values JSON has, or a number above `enough`; what stands in strings does not count."""
    if _weight(message) <= enough:
        return 0
    plain = message.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = plain.count(b'"')
    if quotes > enough:
        return quotes
    return quotes + _weight(b"".join(plain.split(b'"')[::2]))


def _weight(text: bytes) -> int:
    return text.count(b",") + _CONTAINER * (text.count(b"{") + text.count(b"["))


def redirected_to(response: Any) -> str | None:
    """Return the other server's address where a response sends us to one, None where it does not.

    No request follows there: it would carry a key, or what was asked, to whoever the first server named.
    """
    if not response.has_redirect_location:
        return None
    return other_origin(str(response.request.url), response.headers["location"])


def other_origin(url: str, location: str) -> str | None:
    """Return the origin that `location` names, seen from the address that was asked; None where it is the same."""
    target = urljoin(url, location)
    return None if _origin(url) == _origin(target) else "{}://{}:{}".format(*_origin(target))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    try:
        port = parts.port
    except ValueError:
        port = -1
    return scheme, parts.hostname or "", port or {"http": 80, "https": 443}.get(scheme, 0)


async def unpacked(blocks: AsyncIterable[bytes], encoding: str) -> AsyncGenerator[bytes]:
    """Yield the blocks of a compressed body, none much larger than `LARGE` however well it was compressed."""
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise BadCompressionError(f"a body in {encoding!r}, which was not asked for")
    decoder, began = zlib.decompressobj(_GZIP_OR_ZLIB), False
    async for packed in blocks:
        try:
            block = decoder.decompress(packed, LARGE)
        except zlib.error as error:
            if encoding != "deflate" or began:
                raise BadCompressionError(str(error)) from None
            decoder = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers leave the header out
            block = decoder.decompress(packed, LARGE)
        began = True
        while block:
            yield block
            block = decoder.decompress(decoder.unconsumed_tail, LARGE) if decoder.unconsumed_tail else b""


class BadCompressionError(ValueError):
    """A body is not compressed as it says."""


_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def cut_error_body(response: Any) -> None:
    """Let no more than the beginning of an error's body be read, by whoever reads it."""
    if response.is_error:
        packed = response.headers.get("content-encoding", "identity") != "identity"
        most = ERROR_BODY // 16 if packed else ERROR_BODY
        response.stream = _wrapped(response.stream, lambda blocks: _beginning(blocks, most))


def bound_json_body(response: Any, limit: int) -> None:
    """Let a JSON body of more than `limit` bytes fail with an error of the HTTP library's, as a broken one does."""
    if response.is_success and "json" in response.headers.get("content-type", "").lower():
        library = sys.modules[type(response).__module__.partition(".")[0]]
        response.stream = _wrapped(
            response.stream, lambda blocks: _bounded(blocks, limit, library.StreamError)
        )


async def _beginning(blocks: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
    async for block in blocks:
        yield block[:most]
        most -= len(block)
        if most <= 0:
            return


async def _bounded(
    blocks: AsyncIterable[bytes], limit: int, failure: type[Exception]
) -> AsyncIterator[bytes]:
    size = 0
    async for block in blocks:
        size += len(block)
        if size > limit:
            raise failure(f"the message has {too_many_bytes(limit)} (max_message_bytes)")
        yield block


def _wrapped(stream: Any, through: Callable[[Any], AsyncIterator[bytes]]) -> Any:
    """Return a response's stream whose blocks go `through` a generator; httpx wants one of its own kind."""
    base = next(kind for kind in type(stream).__mro__ if kind.__name__ == "AsyncByteStream")

    def blocks(_: object) -> AsyncIterator[bytes]:
        return through(stream)

    async def close(_: object) -> None:
        await stream.aclose()

    return type("Wrapped", (base,), {"__aiter__": blocks, "aclose": close})()
