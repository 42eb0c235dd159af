"""Who goes first: turns of a session, and slots for model calls.

Slots live on the background loop only; `Sessions` is entered on the launching thread and left on the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from nbagent.models.protocol import Model


class Slots:
    """At most `limit` model calls at a time, first come, first served; the limit may change meanwhile."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self, model: Model) -> AsyncIterator[None]:  # noqa: ARG002 - limits per model come by it
        """Hold one slot for one model call."""
        await self._acquire()
        try:
            yield
        finally:
            self._held -= 1
            self._hand_on()

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return sum(not future.done() for future in self._waiting)

    async def _acquire(self) -> None:
        if self._held < self.limit and not self._waiting:
            self._held += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if (
                turn.done() and not turn.cancelled()
            ):  # the slot came in the very moment of the cancel: give it on
                self._held -= 1
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        while self._waiting and self._held < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._held += 1
                turn.set_result(None)


class Waitable(Protocol):
    """What a session's queue needs of a run."""

    async def until_done(self) -> None:
        """Return once the run has ended and its rows are handed over."""
        ...


class Sessions:
    """The last run of each session in this kernel: the one whose end the next one waits for."""

    def __init__(self) -> None:
        self._last: dict[str, Waitable] = {}
        self._lock = threading.Lock()

    def last(self, session_id: str) -> Waitable | None:
        """The session's latest run that has not left."""
        return self._last.get(session_id)

    def enter(self, session_id: str, run: Waitable) -> Waitable | None:
        """Queue `run` in its session; return the run it has to wait for."""
        with self._lock:
            before = self._last.get(session_id)
            self._last[session_id] = run
            return before

    def leave(self, session_id: str, run: Waitable) -> None:
        """Forget `run` if nobody queued behind it."""
        with self._lock:
            if self._last.get(session_id) is run:
                del self._last[session_id]
