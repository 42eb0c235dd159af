"""A run's events for those who iterate over them (`run.events()`), each with a buffer of its own.

The background loop fills a buffer and never waits for it; text that nobody has taken yet is joined, so that a
slow listener costs memory only. A run that nobody listens to pays for none of this.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from nbagent.events import Event, RunFinished, TextAdded
from nbagent.runtime.scheduling.main_thread import Awaited, MainThread
from nbagent.runtime.timeouts import WAKE_S


class EventBuffer:
    """One listener's events that it has not taken yet. Filled on the background loop, emptied on any thread.

    `wake` is called with the first event that comes into an empty box. Held by its listener alone: a run
    keeps only a weak reference, so that a listener that is dropped leaves nothing behind.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._pieces: list[str] = []  # of the text at the end of `_events`
        self._step = 0
        self._wake = wake

    def put(self, event: Event) -> None:
        """Add an event; text joins the text before it."""
        with self._lock:
            was_empty = not self._events and not self._pieces
            if type(event) is TextAdded and (not self._pieces or event.step == self._step):
                self._pieces.append(event.text)
                self._step = event.step
            else:
                self._join()
                self._events.append(event)
        if was_empty:
            with suppress(RuntimeError):  # the listener's event loop is closed
                self._wake()

    def take(self) -> list[Event]:
        """Return what has come, and empty the box."""
        with self._lock:
            self._join()
            taken, self._events = self._events, []
            return taken

    def _join(self) -> None:
        if self._pieces:
            self._events.append(TextAdded("".join(self._pieces), self._step))
            self._pieces = []

    def __bool__(self) -> bool:
        """True while something is in it."""
        return bool(self._events or self._pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """Where a run's events come from: `listen` has them put into a box; `forbid_blocking` raises where blocking would deadlock."""

    listen: Callable[[EventBuffer], None]
    cancel: Callable[[], object]
    forbid_blocking: Callable[[str], None]
    main: MainThread
    awaited: Awaited


class RunEvents:
    """A run's events, for `for` and for `async for`: what was, in short, then what comes, to `RunFinished`.

    Each iteration begins with the past: the start, finished calls, messages, and the text so far as one
    `TextAdded`. Those of a run of another process come as its record tells them. With `owner`, cancelling the
    task that iterates cancels the run.
    """

    def __init__(self, source: EventSource, *, owner: bool = False) -> None:
        self._source = source
        self._owner = owner

    def __iter__(self) -> Iterator[Event]:
        """Iterate and block; not on the background thread. Interrupting it leaves the run alone."""
        return _Blocking(self._source)

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate and await, on any event loop."""
        return _Awaiting(self._source, owner=self._owner)


class _Blocking:
    """One `for` over a run's events."""

    def __init__(self, source: EventSource) -> None:
        source.forbid_blocking("for event in run.events()")
        self._main, self._awaited = source.main, source.awaited
        self._wake = threading.Event()
        self._box = EventBuffer(self._wake.set)
        self._taken: deque[Event] = deque()
        self._over = False
        source.listen(self._box)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if self._over:
            raise StopIteration
        if not self._taken:
            self._main.block(self._wake, self._box.__bool__, awaited=self._awaited)
            self._taken.extend(self._box.take())
        event = self._taken.popleft()
        self._over = type(event) is RunFinished
        return event


class _Awaiting:
    """One `async for` over a run's events; it listens from its first step on."""

    def __init__(self, source: EventSource, *, owner: bool) -> None:
        self._source = source
        self._owner = owner
        self._wake = asyncio.Event()
        self._box: EventBuffer | None = None
        self._taken: deque[Event] = deque()
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._over:
            raise StopAsyncIteration
        try:
            while not self._taken:
                await self._more()
        except asyncio.CancelledError:
            if self._owner:
                self._source.cancel()
            raise
        event = self._taken.popleft()
        self._over = type(event) is RunFinished
        return event

    async def _more(self) -> None:
        if self._box is None:
            loop, wake = asyncio.get_running_loop(), self._wake
            self._box = EventBuffer(lambda: loop.call_soon_threadsafe(wake.set))
            self._source.listen(self._box)
        with self._source.main.serving(self._source.awaited), suppress(TimeoutError):
            async with asyncio.timeout(WAKE_S):
                await self._wake.wait()
        self._wake.clear()
        self._taken.extend(self._box.take())
