"""Fewer, larger reads while many streams run at once.

A provider sends a token at a time, and each read costs the loop the same whether it brings one token or ten. With
one stream every piece is read as it comes. With many, a stream that brings pieces faster than anyone can watch is
left alone for some milliseconds, its socket too, and then read in one go. Used on the background thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

PER_STREAM_S = 0.0005  # how much longer each rest is for every stream that runs
LONGEST_S = 0.05  # no rest is longer: a panel refreshes ten times a second

_streaming = 0  # exchanges that are open; a hint, so that which loop they are on does not matter


class Rest:
    """The rests of one exchange. `waited_s` is how long its last read waited."""

    __slots__ = ("_open", "_response", "waited_s")

    def __init__(self, response: Any) -> None:
        global _streaming  # noqa: PLW0603 - one count for all exchanges
        _streaming += 1
        self._open = True
        self._response = response
        self.waited_s = 0.0

    async def take(self) -> None:
        """Rest, if that will gather several pieces for the next read."""
        rest_s = min(LONGEST_S, (_streaming - 1) * PER_STREAM_S)
        if self.waited_s > rest_s / 2 or rest_s <= PER_STREAM_S:
            return  # pieces come too slowly for several to gather
        socket = _socket_of(self._response)
        if socket is not None:
            socket.pause_reading()
        try:
            await asyncio.sleep(rest_s)
        finally:
            if socket is not None:
                socket.resume_reading()

    def over(self) -> None:
        """The exchange is closed."""
        global _streaming  # noqa: PLW0603 - as above
        if self._open:
            self._open = False
            _streaming -= 1


def _socket_of(response: Any) -> asyncio.Transport | None:
    """The transport below an aiohttp response; None where there is none to be found, and the rest saves less."""
    with contextlib.suppress(AttributeError):
        # no public way leads from the SDK's response to its socket
        found = response.stream._stream._aiohttp_response.connection.transport  # noqa: SLF001
        return found if isinstance(found, asyncio.Transport) else None
    return None
