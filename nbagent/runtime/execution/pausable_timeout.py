"""A run's time limit: it counts the work, and pauses while a person is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class PausableTimeout:
    """Calls `expired` after `limit_s` seconds of running (None: never). On the background loop; pauses nest."""

    def __init__(self, limit_s: float | None, expired: Callable[[], object]) -> None:
        self._left_s = limit_s
        self._expired = expired
        self._pauses = 0
        self._started = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count; does nothing a second time."""
        self._started = True
        self._run()

    def pause(self) -> None:
        """Stop counting until `resume`."""
        self._pauses += 1
        self.stop()

    def resume(self) -> None:
        """Take one pause back; the clock goes on after the last."""
        self._pauses = max(0, self._pauses - 1)
        self._run()

    def stop(self) -> None:
        """Stop counting and keep what is left."""
        if self._timer is not None:
            self._left_s = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        if self._started and not self._pauses and self._timer is None and self._left_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._left_s, self._expired)
