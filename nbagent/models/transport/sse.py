"""Server-sent events from blocks of bytes, cut anywhere: bytes in, a list of data payloads out.

Used by both wire formats, one decoder for one response, on the background thread. It does no I/O, and raises
nothing but that an event is too large, which is never kept whole. Comments, ids, retry hints and the names of
events but `error` are dropped: the providers say everything in the data.
"""

from __future__ import annotations

import sys

from nbagent.core import LARGE, check_message, too_many_bytes
from nbagent.models.transport.stream_errors import error_payload

_BOM = b"\xef\xbb\xbf"
_DONE = b"[DONE]"


class SSEDecoder:
    """Takes blocks in order; a payload comes out with the blank line that ends its event.

    Lines may end in LF, CRLF or CR. Several `data:` lines of one event are joined by LF, as the specification
    has it, but for servers that part their events by one line end: where a line begins another JSON object,
    or is the mark of the end, the object before it is a payload of its own. An event of more than `limit`
    bytes is a MessageTooLargeError.
    """

    __slots__ = ("_began", "_data", "_failing", "_limit", "_open", "_tail")

    def __init__(self, limit: int = sys.maxsize) -> None:
        self._limit = limit
        self._open = 0  # bytes of the event that is still open
        self._tail: list[
            bytes
        ] = []  # bytes since the last line end; a list, so that a huge line stays linear
        self._data: list[bytes] = []  # data lines of the event that is still open
        self._began = False
        self._failing = False  # the open event is named error

    def feed(self, block: bytes) -> list[bytes]:
        """Return the payloads that `block` completes, in order."""
        if block.endswith(b"\n\n") and not self._open and len(block) <= self._limit:
            # one whole event in one block is how providers stream; it needs no line splitting
            payload = b""
            if block.startswith(b"data: {"):
                payload = block[6:-2]
            elif block.startswith(b"event: ") and not block.startswith(b"event: error"):
                payload = block[7:-2].partition(b"\ndata: ")[2]
                if block.find(b"\n") + 7 + len(payload) + 2 != len(block):
                    payload = b""  # something stands between the name and the data
            if payload and b"\n" not in payload and b"\r" not in payload:
                self._began = True
                return [payload]
        return self._feed_lines(block)

    def close(self) -> list[bytes]:
        """Return the payload of an event that the end of the stream left without its blank line."""
        payloads = self._feed_lines(b"\n\n")
        self._tail.clear()
        return payloads

    def _feed_lines(self, block: bytes) -> list[bytes]:
        self._tail.append(block)
        self._open += len(block)
        if b"\n" not in block and b"\r" not in block and not self._tail[0].endswith(b"\r"):
            if self._open > self._limit:
                raise too_many_bytes(self._limit)
            return []
        text = b"".join(self._tail)
        if not self._began:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                return []
            self._began = True
            text = text.removeprefix(_BOM)
        held = b""
        if b"\r" in text:
            if text.endswith(b"\r"):  # the LF of a CRLF may be in the next block
                text, held = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._tail = [rest + held] if rest or held else []
        payloads = self._take(lines)
        if self._open > min(self._limit, LARGE):
            for payload in payloads:
                check_message(payload, self._limit)
        self._open = sum(map(len, self._tail)) + sum(map(len, self._data))
        if self._open > self._limit:
            raise too_many_bytes(self._limit)
        return payloads

    def _take(self, lines: list[bytes]) -> list[bytes]:
        payloads: list[bytes] = []
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                text = line[6:] if line.startswith(b"data: ") else line[5:]
                if data and _begins_another(data, text):
                    payloads.append(b"\n".join(data))
                    data.clear()
                if text == _DONE and not data:
                    payloads.append(text)  # nothing follows, perhaps not even its blank line
                else:
                    data.append(text)
            elif not line:
                if data or self._failing:
                    payload = b"\n".join(data) if len(data) > 1 else data[0] if data else b""
                    payloads.append(error_payload(payload) if self._failing else payload)
                    data.clear()
                    self._failing = False
            elif line == b"data":
                data.append(b"")
            elif line.startswith(b"event:"):
                self._failing = line[6:].strip() == b"error"
            elif line.startswith(b"error:"):
                payloads.append(error_payload(line[6:].strip()))
            elif line[:1] == b"{" and line[-1:] == b"}" and not data:
                payloads.append(line)
        return payloads


def _begins_another(data: list[bytes], text: bytes) -> bool:
    """True where `text` cannot continue the JSON in `data`: two whole objects are never one value."""
    return (
        text.startswith((b"{", _DONE))
        and data[0].lstrip().startswith(b"{")
        and data[-1].rstrip().endswith(b"}")
    )
