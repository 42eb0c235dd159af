"""Why turns fail, since when, and how long to wait before the next. Kept by the writer thread; any thread may ask."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import TypeVar

from nbagent.errors import StoreBusyError, StoreError
from nbagent.store.duckdb.database_file import busy, trouble_of
from nbagent.store.duckdb.lock_file import LockFile

BACKOFF_S = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
OWN_WORK_TIMES = 3  # longer than for others a reader waits for what this process itself is at
PATIENCE_S = 1.0  # waiting for the file for longer than this, while nobody has a turn, is trouble

T = TypeVar("T")


class WriteHealth:
    """How the last turn ended (`now`: the error, if it failed), and how long the file has been waited for."""

    def __init__(self, path: Path) -> None:
        self.now: StoreError | None = None
        self._path = path
        self._since = 0.0
        self._failures = 0
        self._waiting_since: float | None = None
        self._waiting_for = b""  # whose turn it was then

    @property
    def pause_s(self) -> float:
        """How long to wait after a turn that failed; longer each time."""
        return BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1]

    def note(self, error: StoreError | None) -> None:
        """Remember how a turn ended, and since when turns have failed."""
        if error is None:
            self.now, self._failures = None, 0
            return
        if self.now is None:
            self._since = monotonic()
        self.now = error
        self._failures += 1

    @contextlib.contextmanager
    def waiting(self, mark: bytes) -> Iterator[None]:
        """The file is waited for in this block; `mark` tells whose turn it is."""
        self._waiting_for = mark
        self._waiting_since = monotonic()
        try:
            yield
        finally:
            self._waiting_since = None

    def lasting(self, lock: LockFile) -> StoreError | None:
        """What a person should hear of; None for what may be over in a moment, as where many take turns."""
        found, since = self.now, self._waiting_since
        if found is not None:
            passing = isinstance(found, StoreBusyError) and monotonic() - self._since < PATIENCE_S
            return None if passing else found
        if since is not None and monotonic() - since > PATIENCE_S and lock.mark() == self._waiting_for:
            return busy(self._path, lock.holder())
        return None

    def served(self, turn: Future[T], timeout_s: float, lock: LockFile) -> T:
        """Wait until a reader is served; longer where no other process is in the way, as on a slow disk.

        Raises StoreError, which says who was.
        """
        with contextlib.suppress(TimeoutError):
            return turn.result(timeout_s)
        if self.now is None and not self._others_have_it(lock):
            with contextlib.suppress(TimeoutError):
                return turn.result(timeout_s * (OWN_WORK_TIMES - 1))
        if not turn.cancel():
            return turn.result()
        raise self.lasting(lock) or self._in_the_way(lock)

    def _others_have_it(self, lock: LockFile) -> bool:
        return self._waiting_since is not None and lock.holder() not in (None, os.getpid())

    def _in_the_way(self, lock: LockFile) -> StoreBusyError:
        if self._others_have_it(lock):
            return busy(self._path, lock.holder())
        return StoreBusyError(
            f"the record {str(self._path)!r} did not answer in time: this process's own work on it takes long",
            "ask again in a moment; if it stays so, keep the record on a faster disk than this one",
        )


def as_store_error(error: Exception, path: Path) -> StoreError:
    """Say of whatever ended a turn what it means for the record."""
    found = trouble_of(error, path)
    if isinstance(found, StoreError):
        return found
    return StoreError(
        f"the record {str(path)!r} cannot be written: {type(error).__name__}: {error}",
        "restart the kernel if it stays so; rows wait in memory until then",
    )
