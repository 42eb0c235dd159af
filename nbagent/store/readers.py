"""Who waits to read: bookkeeping only, no thread and no file. Used by `writer.py`, under its lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Readers:
    """Readers that wait for a connection, and how many have one (`reading`)."""

    def __init__(self) -> None:
        self.reading = 0
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

    def ready(self, first: int | None) -> list[Future[DuckDBPyConnection]]:
        """Those whose rows are all written, where `first` is the earliest job that is not; they wait no more."""
        ready = [turn for after, turn in self._asking if first is None or after < first]
        self._asking = [] if first is None else [one for one in self._asking if one[0] >= first]
        return ready

    def fail(self, error: Exception) -> None:
        """Tell all who wait that there is no connection to be had."""
        asking, self._asking = self._asking, []
        for _, turn in asking:
            if turn.set_running_or_notify_cancel():
                turn.set_exception(error)


def give(turn: Future[DuckDBPyConnection], connect: Callable[[], DuckDBPyConnection]) -> bool:
    """Give one who waits a connection. False if there is nobody any more, or none to be had. Not under the lock."""
    if not turn.set_running_or_notify_cancel():
        return False
    try:
        turn.set_result(connect())
    except Exception as error:  # noqa: BLE001 - the reader raises it
        turn.set_exception(error)
        return False
    return True
