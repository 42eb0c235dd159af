"""Batch socket reads: of many concurrent streams each is read less often, in larger pieces.

A provider sends a token at a time, and each read costs the loop the same whether it brings one token or ten. One
stream is read as its pieces come. Among many, the next read of a fast stream is delayed by 2 ms for each other stream,
at most 200 ms and at most a fifth of the stream's age, so that a short answer is hardly later. Delays end together, at
multiples of 10 or 50 ms of the loop's clock, so that one timer and one poll of the sockets serve many streams. Used on
the background thread.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ClientResponse

PER_STREAM_S = 0.002  # how much longer each rest is for every other stream that runs
LONGEST_S = 0.2  # no rest is longer: five times a second is what the eye takes for steady
YOUNG_S = 0.05  # nor longer than this, while the stream is young: ...
PART_OF_AGE = 0.2  # ... the end of a stream comes later by no more than this part of it
_SHORTEST_S = 0.004  # a shorter one costs more than it saves
_MARKS_S = (0.01, 0.05)  # a rest twice as long as a mark, or longer, ends at a multiple of it
_GATHERS = 0.75  # the wait for a piece, as a part of a rest, below which rests gather several

_Marks = dict[float, list[asyncio.Transport]]
_resting: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Marks] = weakref.WeakKeyDictionary()
_streaming = 0  # exchanges that are open; a hint, so that which loop they are on does not matter


def rest_for(others: int, age_s: float) -> float:
    """Return how long (seconds) a stream of that age rests beside `others` that are open."""
    return min(LONGEST_S, others * PER_STREAM_S, max(YOUNG_S, age_s * PART_OF_AGE))


def end_of_rest(now: float, rest_s: float) -> float:
    """Return when a rest from `now` ends: at the last mark before its length is over."""
    until = now + rest_s
    for mark_s in reversed(_MARKS_S):
        if rest_s >= 2 * mark_s:
            return int(until / mark_s) * mark_s
    return until


class ReadCoalescer:
    """The rests of one exchange over an aiohttp response; it lasts until it is `over`."""

    __slots__ = ("_began", "_open", "_response", "_rested")

    def __init__(self, response: ClientResponse) -> None:
        global _streaming  # noqa: PLW0603 - one count for all exchanges
        _streaming += 1
        self._open = True
        self._rested = False
        self._began: float | None = None  # when the first pieces came, in the loop's time
        self._response = response

    def rest(self, pieces: int, waited_s: float) -> bool:
        """Pause reading for a while if that will gather several pieces for the next read; True if so.

        `pieces` is how many the last read brought, `waited_s` how long it waited for them.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._began is None:
            self._began = now
        rest_s = rest_for(_streaming - 1, now - self._began)
        # after a rest it counts what it gathered, else how long a piece was waited for
        self._rested = rest_s >= _SHORTEST_S and (
            pieces > 1 if self._rested else waited_s < rest_s * _GATHERS
        )
        socket = self._socket() if self._rested else None
        if socket is None:
            self._rested = False
            return False
        until = end_of_rest(now, rest_s)
        marks = _resting.setdefault(loop, {})
        if until not in marks:
            marks[until] = []
            loop.call_at(until, _read_again, marks, until)
        marks[until].append(socket)
        socket.pause_reading()
        return True

    def over(self) -> None:
        """The exchange is closed."""
        global _streaming  # noqa: PLW0603 - as above
        if self._open:
            self._open = False
            _streaming -= 1

    def _socket(self) -> asyncio.Transport | None:
        """The transport below; None once the body is through, for it may serve another exchange by then."""
        connection = self._response.connection
        found = connection.transport if connection is not None else None
        return found if isinstance(found, asyncio.Transport) else None


def _read_again(marks: _Marks, at: float) -> None:
    for socket in marks.pop(at):
        socket.resume_reading()  # does nothing where it was closed meanwhile
