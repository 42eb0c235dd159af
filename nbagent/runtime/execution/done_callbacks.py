"""Callbacks at an end, as futures have them: on the event loop of whoever asked, else on a thread of their own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any

Waiting = tuple[Callable[[Any], object], threading.Event]


class DoneCallbacks:
    """What makes a run or batch one that `asyncio.wait` takes; whoever has it says when its end has come."""

    _waiting_for_end: list[Waiting] | None = None

    def _end_future(self) -> concurrent.futures.Future[Any]:
        """Return a future that is done at the end, its callbacks not on the background loop."""
        raise NotImplementedError

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        """Call `callback` with this object at its end, at once where that is over.

        Inside a running event loop it is called on that loop, so that `asyncio.wait({run})` works; else on a
        thread of its own. One that raises ends nothing.
        """
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        removed = threading.Event()
        context = context or contextvars.copy_context()

        def call() -> None:
            if not removed.is_set():
                callback(self)

        def ended(_: object) -> None:
            if removed.is_set():
                return
            if loop is None:
                context.run(call)
            else:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits on it
                    loop.call_soon_threadsafe(call, context=context)

        if self._waiting_for_end is None:
            self._waiting_for_end = []
        self._waiting_for_end.append((callback, removed))
        self._end_future().add_done_callback(ended)

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Take a callback back that has not been called; return how often it had been added."""
        kept = self._waiting_for_end or []
        taken = [one for one in kept if one[0] == callback]
        for _, removed in taken:
            removed.set()
        self._waiting_for_end = [one for one in kept if one[0] != callback]
        return len(taken)
