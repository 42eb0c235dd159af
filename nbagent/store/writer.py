"""The one thread that writes: it batches what is handed over, and opens the file in turns.

`submit` and `reading` may be called on any thread but this one; everything else here runs on the writer thread.
Launches are waited for by a person and go at once; the rest goes in batches, at most 0.2 s apart while several
runs are under way and at once when none is. A turn lasts as long as there is work, 0.2 s at most
while other processes wait.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreBusyError, StoreError
from nbagent.store.file import StoreFile, busy, trouble_of
from nbagent.store.owner import this_owner
from nbagent.store.transaction import Memory, write_all
from nbagent.store.writes import Append, CancelRequest, Finish, InterruptOrphans, Launch, NewAttempt, Write

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TURN_S = 0.2  # nobody keeps the file for longer while others wait for it
ALONE_S = 0.5  # nor for longer than this: programs that do not take turns cannot say that they wait
LINGER_S = 0.03  # how long an idle turn waits for more: a turn costs 3 ms, launches come in series
SPACING_S = 0.2  # between batches of what nobody waits for
WAITED_SPACING_S = (
    0.02  # between batches in which somebody waits for a row: a tool that must not start before it
)
SPACING_PER_RUN_S = 0.005  # less where few runs are under way: their number bounds what a batch can gather
BACKOFF_S = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
PATIENCE_S = 1.0  # waiting for the file for longer than this is trouble
BATCH = 500
SWEEP_EVERY_S = 5.0  # a kernel that dies beside this one is noticed by a look within this time
FORK_WAIT_S = 2.0  # a turn ends sooner than that
EXIT_S = 2.0  # what Jupyter gives a kernel to end

_URGENT = (Launch, CancelRequest, NewAttempt)


@dataclass(eq=False, slots=True)
class _Job:
    write: Write
    number: int  # in the order of submission
    future: Future[Any] = field(default_factory=Future)


@dataclass(eq=False, slots=True)
class _Ticket:
    """A reader that waits for a connection, and for the jobs with lower numbers to be done."""

    after: int
    future: Future[DuckDBPyConnection] = field(default_factory=Future)


class Writer:
    """Queue, thread and turns of one store. The thread starts with the first job and ends with `stop`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = StoreFile(path)
        self.memory = Memory(owner=this_owner())
        self._reset()
        _WRITERS.add(self)

    def _reset(self) -> None:
        self._cond = threading.Condition()
        self._thread: threading.Thread | None = None
        self._urgent: deque[_Job] = deque()
        self._deferred: deque[_Job] = deque()
        self._writing: list[_Job] = []
        self._tickets: list[_Ticket] = []
        self._submitted = 0
        self._reading = 0
        self._under_way: set[str] = set()  # runs launched here and not finished
        self._last_batch = 0.0
        self._hurry = False
        self._waited = False  # somebody waits for one of the deferred rows
        self._stopping = False
        self._idle = False  # the thread waits for anything at all, without a deadline
        self._waiting_since: float | None = None
        self._trouble: StoreError | None = None
        self._troubled_since = 0.0
        self._failures = 0
        self._swept_at: float | None = None
        self.others_wrote = 0  # turns of ours before which another process may have written

    # any thread ---------------------------------------------------------------------------------------

    def submit(self, write: Write) -> Future[Any]:
        """Queue a write; the future is resolved when it is durable."""
        with self._cond:
            self._submitted += 1
            job = _Job(write, self._submitted)
            if isinstance(write, _URGENT):
                if isinstance(write, Launch):
                    self._under_way.add(write.row.get("run_id", ""))
                self._urgent.append(job)
                self._wake()
            else:
                self._deferred.append(job)
                if isinstance(write, Finish):
                    self._under_way.discard(write.run_id)
                waited = isinstance(write, Append) and write.waited
                self._waited |= waited
                if waited or self._idle or not self._under_way or len(self._deferred) >= BATCH:
                    self._wake()
        return job.future

    @contextlib.contextmanager
    def reading(self, timeout_s: float, *, flush: bool = True) -> Iterator[DuckDBPyConnection]:
        """A connection on the open file, after all that was submitted before if `flush`. Raises StoreError."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the writer thread cannot wait for itself")
        self._sweep()
        with self._cond:
            self._hurry = self._hurry or (flush and bool(self._deferred))
            ticket = _Ticket(self._submitted if flush else 0)
            self._tickets.append(ticket)
            self._wake()
        try:
            cursor = ticket.future.result(timeout_s)
        except TimeoutError:
            if ticket.future.cancel():
                raise (self.trouble() or busy(self.path, self.file.lock.holder())) from None
            cursor = ticket.future.result()
        try:
            yield cursor
        finally:
            with contextlib.suppress(Exception):
                cursor.close()
            with self._cond:
                self._reading -= 1
                self._wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was submitted before is committed or refused. False if the time ran out."""
        with self._cond:
            jobs = [*self._writing, *self._urgent, *self._deferred]
            if not jobs:
                return True
            self._hurry = True
            self._wake()
        return not wait([job.future for job in jobs], timeout_s).not_done

    def stop(self, timeout_s: float) -> bool:
        """Flush and end the thread. False if rows are left in memory."""
        deadline = monotonic() + timeout_s
        done = self.flush(timeout_s)
        with self._cond:
            thread = self._thread
            self._stopping = True
            self._wake(start=False)
        if thread is not None:
            thread.join(max(0.0, deadline - monotonic()))
        return done

    def trouble(self) -> StoreError | None:
        """Why rows wait, while they do."""
        found, since = self._trouble, self._waiting_since
        if found is not None:
            passing = isinstance(found, StoreBusyError) and monotonic() - self._troubled_since < PATIENCE_S
            return None if passing else found
        if since is not None and monotonic() - since > PATIENCE_S:
            return busy(self.path, self.file.lock.holder())
        return None

    def waiting(self) -> int:
        """How many writes are not committed yet."""
        return len(self._urgent) + len(self._deferred) + len(self._writing)

    def forked(self) -> None:
        """Start from nothing in a forked child: thread, file and waiting rows are the parent's."""
        self.file.forget()
        self.file = StoreFile(self.path)
        self.memory = Memory(owner=this_owner())
        self._reset()

    def _sweep(self) -> None:
        """End the runs of dead processes: at the first look or after the first launch, then now and then."""
        now = monotonic()
        if self._swept_at is None or now - self._swept_at > SWEEP_EVERY_S:
            self._swept_at = now
            self.submit(InterruptOrphans())

    def _wake(self, *, start: bool = True) -> None:
        if start and self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="nbagent-store", daemon=True)
            self._thread.start()
        self._cond.notify_all()

    # the writer thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            while self._wait_for_work(None):
                error = self._turn()
                with self._cond:
                    self._note(error)
                    if error is not None:
                        pause = BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1]
                        self._cond.wait_for(lambda: self._stopping, pause)
            self.file.shut_down()
            self.file.lock.close()  # a closed store keeps no descriptor
            with self._cond:
                if self._is_over():  # nothing came in the meantime
                    self._thread = None
                    return

    def _note(self, error: StoreError | None) -> None:
        """Remember how the last turn ended, and since when turns have failed."""
        if error is None:
            self._trouble, self._failures = None, 0
            return
        if self._trouble is None:
            self._troubled_since = monotonic()
        self._trouble = error
        self._failures += 1
        self._fail_readers(error)

    def _is_over(self) -> bool:
        return self._stopping and (self._trouble is not None or not (self.waiting() or self._tickets))

    def _fail_readers(self, error: StoreError) -> None:
        """Readers learn at once of trouble that lasts; a busy file they wait for as long as they said."""
        if not isinstance(error, StoreBusyError):
            tickets, self._tickets = self._tickets, []
            for ticket in tickets:
                if ticket.future.set_running_or_notify_cancel():
                    ticket.future.set_exception(error)

    def _wait_for_work(self, timeout_s: float | None) -> bool:
        """Sleep until something is due. False if nothing is when the time is out, or the thread shall end."""
        deadline = None if timeout_s is None else monotonic() + timeout_s
        with self._cond:
            while True:
                if self._is_over():
                    return False
                now = monotonic()
                due = self._due()
                if due is not None and due <= now:
                    return True
                if deadline is not None and deadline <= now:
                    return False
                ends = [at for at in (due, deadline) if at is not None]
                self._idle = due is None
                self._cond.wait(min(ends) - now if ends else None)
                self._idle = False

    def _due(self) -> float | None:
        """When the next work is to be done, on the monotonic clock; None without work."""
        return 0.0 if self._urgent or self._tickets else self._batch_due()

    def _batch_due(self) -> float | None:
        """When what nobody waits for is to be written; None if there is none of it."""
        if not self._deferred:
            return None
        if self._hurry or self._stopping or not self._under_way or len(self._deferred) >= BATCH:
            return 0.0
        longest = WAITED_SPACING_S if self._waited else SPACING_S
        return self._last_batch + min(longest, SPACING_PER_RUN_S * len(self._under_way))

    def _turn(self) -> StoreError | None:
        """Open the file, work while there is work, close it. Gives the trouble that ended it, if any."""
        self._waiting_since = monotonic()
        try:
            others = self.file.open()
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever the disk does
            return self._as_trouble(error)
        finally:
            self._waiting_since = None
        broken = True
        try:
            if others:
                self.others_wrote += 1
                self.memory.reload(self.file.con)
            self._work()
            broken = False
        except Exception as error:  # noqa: BLE001 - the same
            return self._as_trouble(error)
        finally:
            self._await_readers()
            self.file.close(broken=broken)
        return None

    def _as_trouble(self, error: Exception) -> StoreError:
        found = trouble_of(error, self.path)
        if isinstance(found, StoreError):
            return found
        return StoreError(
            f"the record {str(self.path)!r} cannot be written: {type(error).__name__}: {error}",
            "restart the kernel if it stays so; rows wait in memory until then",
        )

    def _work(self) -> None:
        """Commit and serve until nothing comes any more, or until the turn has lasted long enough."""
        begin = monotonic()
        last = begun = False
        while True:
            self._commit(self._take(everything=last))
            if not begun:
                self.file.keep_private()
                begun = True
            self._serve_readers()
            if last and not self._reading:
                return
            # readers have the file as well: it stays open, and open to writes, until they are done
            more = self._wait_for_work(TURN_S if self._reading else self._linger())
            lasted = monotonic() - begin
            last = not more or lasted > ALONE_S or (lasted > TURN_S and self.file.lock.wanted())
            if not more and not self._deferred and not self._reading:
                return

    def _linger(self) -> float:
        return 0.0 if self.file.lock.wanted() else LINGER_S

    def _take(self, *, everything: bool) -> list[_Job]:
        """What is due now: what is urgent, and the rest if its time has come or the file is about to close."""
        with self._cond:
            jobs = [self._urgent.popleft() for _ in range(min(BATCH, len(self._urgent)))]
            due = self._batch_due()
            if everything or (due is not None and due <= monotonic()):
                jobs += [self._deferred.popleft() for _ in range(min(BATCH, len(self._deferred)))]
                self._hurry = self._hurry and bool(self._deferred)
                self._waited = self._waited and bool(self._deferred)
                self._last_batch = monotonic()
            self._writing = jobs
        return jobs

    def _commit(self, jobs: list[_Job]) -> None:
        results: list[Any] = []
        try:
            write_all(self.file.con, [job.write for job in jobs], self.memory, results)
        finally:
            with self._cond:
                self._writing = []
                for job in reversed(jobs[len(results) :]):
                    (self._urgent if isinstance(job.write, _URGENT) else self._deferred).appendleft(job)
            for job, result in zip(jobs, results, strict=False):
                self._resolve(job, result)

    def _resolve(self, job: _Job, result: Any) -> None:
        if isinstance(result, StoreError):
            self.file.notices.append(str(result))
        if not job.future.set_running_or_notify_cancel():
            return
        if isinstance(result, BaseException):
            if isinstance(job.write, Launch):
                self._under_way.discard(job.write.row.get("run_id", ""))
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
        if isinstance(job.write, Launch):
            self._sweep()

    def _serve_readers(self) -> None:
        """Give each waiting reader a connection, unless rows that it must see still wait."""
        with self._cond:
            first = min((queue[0].number for queue in (self._urgent, self._deferred) if queue), default=None)
            ready = [one for one in self._tickets if first is None or one.after < first]
            self._tickets = [one for one in self._tickets if one not in ready]
        for ticket in ready:
            if ticket.future.set_running_or_notify_cancel():
                try:
                    cursor = self.file.cursor()
                except Exception as error:  # noqa: BLE001 - the reader raises it
                    ticket.future.set_exception(error)
                else:
                    with self._cond:
                        self._reading += 1
                    ticket.future.set_result(cursor)

    def _await_readers(self) -> None:
        with self._cond:
            self._cond.wait_for(lambda: not self._reading)


_WRITERS: weakref.WeakSet[Writer] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    # registered when this module is imported, so it runs after the exit hooks of those who use it
    for writer in list(_WRITERS):
        writer.stop(EXIT_S)


_held_for_fork: list[Writer] = []


def _before_fork() -> None:
    """Let no file be open at a fork: the child's DuckDB would go on believing that it has the file."""
    _held_for_fork[:] = [writer for writer in list(_WRITERS) if writer.file.held.acquire(timeout=FORK_WAIT_S)]


def _after_fork_in_parent() -> None:
    while _held_for_fork:
        _held_for_fork.pop().file.held.release()


def _after_fork_in_child() -> None:
    _held_for_fork.clear()
    for writer in list(_WRITERS):
        writer.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
