"""When the store is given what of one live run: progress, finished steps, the end. No row goes twice.

Owned by an `ActiveRun`, called on the background loop. A row that is handed over is durable soon; `commit`
waits for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Callable

from nbagent.core import call_when_done
from nbagent.errors import StoreError
from nbagent.run import RunRecord
from nbagent.runtime.recovery.write_builders import Watermark, append_write, finish_write, progress_write
from nbagent.runtime.timeouts import COMMIT_WAIT_S, HEARTBEAT_S
from nbagent.store import AnswerKeys, RunStore


class RunPersister:
    """The run's side of the store. `answer_keys` are those of its answer, once known.

    `lost` is called when another process has ended this attempt: nothing more of it is written. `patient`: what
    must be durable before a tool starts is waited for, however long that takes.
    """

    def __init__(
        self, record: RunRecord, store: RunStore, lost: Callable[[], None], *, patient: bool = False
    ) -> None:
        self._patient = patient
        self.answer_keys: AnswerKeys | None = None
        self._record = record
        self._store = store
        self._lost = lost
        self._handed = Watermark.all_of(record)  # earlier attempts' rows are in the store already
        self._appending: concurrent.futures.Future[bool] | None = None
        self._timed_out = False  # the last wait for the store
        self._written_version = record.version
        self._written_at = time.monotonic()

    def progress_due(self) -> bool:
        """True if something happened that the store has not heard of, or nothing for long."""
        quiet_s = time.monotonic() - self._written_at
        return self._record.version != self._written_version or quiet_s > HEARTBEAT_S

    def progress(self) -> None:
        """Hand over where the run stands."""
        self._written_version = self._record.version
        self._written_at = time.monotonic()
        self._store.submit(progress_write(self._record))

    def keep_unwritten(self, change: Callable[[], None]) -> None:
        """Make a change of the record that the store need not hear of."""
        due = self._record.version != self._written_version
        change()
        if not due:
            self._written_version = self._record.version

    def append(self, *, waited: bool = False) -> concurrent.futures.Future[bool]:
        """Hand over what is finished and not yet there; the future says whether the attempt is still ours."""
        write = append_write(self._record, self._handed, waited=waited)
        self._handed = Watermark.all_of(self._record)
        written: concurrent.futures.Future[bool] = self._store.submit(write)

        call_when_done(written, asyncio.get_running_loop(), self._appended)
        self._appending = written
        return written

    def _appended(self, written: concurrent.futures.Future[bool]) -> None:
        if written.exception() is None and not written.result():
            self._lost()

    async def commit(self, *, wait: bool) -> None:
        """Hand over before tools start, and with `wait` return once it is durable; at most COMMIT_WAIT_S.

        Not for a store in trouble, but where it is patient; a busy file does not count as trouble until one wait has timed out. Also
        waits for a finished call on its way, because the next tool may kill the process.
        """
        wait = wait or (self._appending is not None and not self._appending.done())
        written = self.append(waited=wait)
        if wait and self._patient:
            if not await asyncio.shield(asyncio.wrap_future(written)):
                self._lost()
            return
        may_pass = self._store.is_busy and not self._timed_out
        if wait and (may_pass or self._store.trouble is None):
            self._timed_out = True
            with contextlib.suppress(TimeoutError, StoreError):
                if not await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(written)), COMMIT_WAIT_S):
                    self._lost()
                self._timed_out = False

    def save_paused(self) -> concurrent.futures.Future[bool]:
        """Hand over a paused run as it stands, for whoever adopts it: what is finished, and what waits."""
        self.progress()
        return self.append(waited=True)

    def finish(self) -> concurrent.futures.Future[bool]:
        """Hand over the end and all that was not handed over before, for one transaction."""
        keys = self.answer_keys
        if keys is not None and self._record.was_steered:  # no answer to the prompt alone
            keys = keys.steered
        written: concurrent.futures.Future[bool] = self._store.submit(
            finish_write(self._record, self._handed, keys=keys)
        )
        return written
