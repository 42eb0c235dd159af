"""Who waits to read, and who does: `ask` and `done` on a reader's thread, the rest on the writer's (`writer.py`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class ReadQueue:
    """Readers that wait for a connection, and how many have one (`reading`). All but `serve` under `cond`'s lock."""

    def __init__(self, cond: threading.Condition) -> None:
        self.reading = 0
        self._cond = cond
        self._asking: list[tuple[int, Future[DuckDBPyConnection]]] = []

    @property
    def asking(self) -> bool:
        """Whether anybody waits."""
        return bool(self._asking)

    def ask(self, *, after: int) -> Future[DuckDBPyConnection]:
        """Wait for a connection, and for the jobs with numbers up to `after` to be done."""
        turn: Future[DuckDBPyConnection] = Future()
        self._asking.append((after, turn))
        return turn

    def serve(self, first: Callable[[], int | None], connect: Callable[[], DuckDBPyConnection]) -> None:
        """Give a connection to each whose rows are written, where `first` tells the earliest job that is not."""
        with self._cond:
            ready = self._ready(first())
        for turn in ready:
            with self._cond:
                self.reading += 1
            if not _give(turn, connect):
                self.done()

    def done(self) -> None:
        """One that read is done."""
        with self._cond:
            self.reading -= 1
            self._cond.notify_all()

    def wait_until_done(self) -> None:
        """Wait for the last that reads."""
        with self._cond:
            self._cond.wait_for(lambda: not self.reading)

    def _ready(self, first: int | None) -> list[Future[DuckDBPyConnection]]:
        ready = [turn for after, turn in self._asking if first is None or after < first]
        self._asking = [] if first is None else [one for one in self._asking if one[0] >= first]
        return ready

    def fail(self, error: Exception) -> None:
        """Tell all who wait that there is no connection to be had."""
        asking, self._asking = self._asking, []
        for _, turn in asking:
            if turn.set_running_or_notify_cancel():
                turn.set_exception(error)


def _give(turn: Future[DuckDBPyConnection], connect: Callable[[], DuckDBPyConnection]) -> bool:
    """Give one who waits a connection. False if there is nobody any more, or none to be had. Not under the lock."""
    if not turn.set_running_or_notify_cancel():
        return False
    try:
        turn.set_result(connect())
    except Exception as error:  # noqa: BLE001 - the reader raises it
        turn.set_exception(error)
        return False
    return True
