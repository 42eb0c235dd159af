"""Put what waits on the disk for as long as the server is away or says nothing, whatever the writer thread is waiting for.

The thread begins with the first trouble and ends with it: a try to connect, or a statement that is not answered, takes
seconds in which commands come that a killed process must not lose. Any thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable

from nbagent.store.postgres.write.operations import Operation
from nbagent.store.postgres.write.outbox import Outbox

EVERY_S = 0.1


class Keeper:
    """The outbox of a writer and the thread that fills it. `waiting(number)` gives what came after that command, in order."""

    def __init__(self, outbox: Outbox, waiting: Callable[[int], Iterable[Operation]]) -> None:
        self._outbox = outbox
        self._waiting = waiting
        self._disk = threading.Lock()
        self._well = threading.Event()
        self._well.set()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Keep what waits from now on, until `end`."""
        if not self._well.is_set():
            return
        self._well.clear()
        self._thread = threading.Thread(target=self._run, name="nbagent-postgres-outbox", daemon=True)
        self._thread.start()

    def keep(self) -> None:
        """Keep what waits now. Raises OSError."""
        with self._disk:
            if not self._well.is_set():
                self._outbox.keep(self._waiting(self._outbox.last))

    def end(self, has_all: Callable[[], bool] = lambda: False) -> None:
        """The server is there again, or nothing comes any more; the file goes if the server `has_all` of it."""
        if self._well.is_set() and self._outbox.is_empty:
            return
        self._well.set()
        with self._disk:
            if has_all():
                self._outbox.clear()

    def _run(self) -> None:
        well = self._well
        while not well.wait(EVERY_S):
            with contextlib.suppress(OSError):  # the writer says so with its next try
                self.keep()
