"""Fewer, larger reads while many streams run at once.

A provider sends a token at a time, and each read costs the loop the same whether it brings one token or ten. With
one stream every piece is read as it comes. With many, a stream that brings pieces faster than anyone can watch is
left alone for some milliseconds, its socket too, and then read in one go. Rests end together, at marks of the
loop's clock, so that one look at the sockets finds many of them. Used on the background thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

PER_STREAM_S = 0.002  # how much longer each rest is for every other stream that runs
LONGEST_S = 0.05  # no rest is longer: a panel refreshes ten times a second
_SHORTEST_S = 0.004  # a shorter one costs more than it saves
_MARK_S = 0.01  # longer rests end at multiples of this

_streaming = 0  # exchanges that are open; a hint, so that which loop they are on does not matter


class Rest:
    """The rests of one exchange. `waited_s` is how long its last read waited, `pieces` how many it brought."""

    __slots__ = ("_inner", "_open", "_rested", "pieces", "waited_s")

    def __init__(self, response: Any) -> None:
        global _streaming  # noqa: PLW0603 - one count for all exchanges
        _streaming += 1
        self._open = True
        self._rested = False
        self._inner = _inner_response(response)
        self.waited_s = 0.0
        self.pieces = 0

    async def take(self) -> None:
        """Rest, if that will gather several pieces for the next read."""
        rest_s = min(LONGEST_S, (_streaming - 1) * PER_STREAM_S)
        # after a rest it counts what it gathered, else how long a piece was waited for
        self._rested = rest_s >= _SHORTEST_S and (
            self.pieces > 1 if self._rested else self.waited_s < rest_s / 2
        )
        socket = self._socket() if self._rested else None
        if socket is None:
            self._rested = False
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + rest_s
        if rest_s > _MARK_S:
            until -= until % _MARK_S
        over = loop.create_future()
        timer = loop.call_at(until, _end, over)
        socket.pause_reading()
        try:
            await over
        finally:
            timer.cancel()
            socket.resume_reading()

    def _socket(self) -> asyncio.Transport | None:
        """The transport below; None once the body is through, for it may serve another exchange by then."""
        connection = getattr(self._inner, "connection", None)
        found = getattr(connection, "transport", None)
        return found if isinstance(found, asyncio.Transport) else None

    def over(self) -> None:
        """The exchange is closed."""
        global _streaming  # noqa: PLW0603 - as above
        if self._open:
            self._open = False
            _streaming -= 1


def _end(rest: asyncio.Future[None]) -> None:
    if not rest.done():
        rest.set_result(None)


def _inner_response(response: Any) -> Any:
    """The aiohttp response inside the SDK's; None where there is none, and every piece is read as it comes.

    The SDK's other transport hands out one piece for each read, so that rests would only hold its streams up.
    """
    with contextlib.suppress(AttributeError):
        return response.stream._stream._aiohttp_response  # noqa: SLF001 - no public way leads to the socket
    return None
