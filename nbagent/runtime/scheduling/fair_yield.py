"""Limit how many runs resume per event-loop iteration, so that a burst cannot block streams and cancels.

A thousand runs that are ready together, each with a millisecond of work, would hold up the loop, and with it
every stream and every cancel, for a second. `FairYield` lets them pass in order, as many in each turn of the
loop as fit into `SLICE_S`; `in_chunks` does a round over all runs in small parts. On the background loop
only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

SLICE_S = 0.01  # how long one turn of the loop may take while others wait for the next
FEWEST, MOST = 2, 32  # runs that pass in one turn, however slow or fast it is
PARTS = 50


class FairYield:
    """Lets callers pass a few at a time, in order of arrival. It costs nothing while few come at once."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._at_a_time = MOST
        self._left = 0
        self._began_s: float | None = None  # this turn of the loop, on its clock; None while nobody passes

    async def wait_turn(self) -> None:
        """Return at once, or in a later turn of the loop if enough have passed in this one."""
        loop = asyncio.get_running_loop()
        if self._began_s is None:
            self._began_s, self._left = loop.time(), self._at_a_time
            loop.call_soon(self._next, loop)
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return
        passing = loop.create_future()
        self._waiting.append(passing)
        await passing

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin another turn: let more or fewer pass than in the last one, by how long that took."""
        assert self._began_s is not None
        now_s = loop.time()
        if now_s - self._began_s > SLICE_S:
            self._at_a_time = max(FEWEST, self._at_a_time // 2)
        else:
            self._at_a_time = min(MOST, self._at_a_time + 1)
        self._began_s, self._left = now_s, self._at_a_time
        while self._waiting and self._left > 0:
            passing = self._waiting.popleft()
            if not passing.done():  # else its task is cancelled
                passing.set_result(None)
                self._left -= 1
        if self._waiting:
            loop.call_soon(self._next, loop)
        else:
            self._began_s = None


def in_chunks(work: Callable[[T], object], items: Sequence[T], over_s: float) -> None:
    """Call `work` with each item, in parts at regular times within the next `over_s` seconds."""
    loop = asyncio.get_running_loop()
    size = -(-len(items) // PARTS) or 1
    for number, first in enumerate(range(0, len(items), size)):
        loop.call_later(number * over_s / PARTS, _each, work, items[first : first + size])


def _each(work: Callable[[T], object], items: Sequence[T]) -> None:
    for item in items:
        work(item)
