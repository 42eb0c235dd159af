"""The one thread that writes: it batches what is handed over, and opens the file in turns.

`submit`, `launch` and `reading` may be called on any thread but this one; everything else here runs on the writer
thread. What is due when is said by `write_queue.py`. A turn lasts as long as there is work, or for a commit or two while
other processes wait. Once a turn has gone well, launches go into the journal (`journal.py`) on the launching thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreBusyError, StoreError
from nbagent.store.access import can_only_read, only_read
from nbagent.store.commands import Finish, InterruptOrphans, JournaledLaunch, Launch, LaunchResult, Write
from nbagent.store.duckdb.database_file import DatabaseFile
from nbagent.store.duckdb.journal.journal import Journal
from nbagent.store.duckdb.journal.journal_recovery import OrphanJournals, others_hold
from nbagent.store.duckdb.journal.launch_log import LaunchLog
from nbagent.store.duckdb.read.read_queue import ReadQueue
from nbagent.store.duckdb.write.health import WriteHealth, as_store_error
from nbagent.store.duckdb.write.known_state import KnownState
from nbagent.store.duckdb.write.numbering import is_unnumbered
from nbagent.store.duckdb.write.transaction import write_all
from nbagent.store.duckdb.write.write_queue import QueuedWrite, WriteQueue
from nbagent.store.fork_safety import watch
from nbagent.store.process_id import current_process_id
from nbagent.store.session_claim import SessionClaims
from nbagent.store.session_ids import SessionIds

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LEASE_S = 0.2  # how long a turn waits for more to write while a reader has the file
ALONE_S = 0.5  # the longest turn: programs that do not take turns cannot say that they wait
LINGER_S = 0.03  # how long an idle turn waits for more: a turn costs 3 ms, launches come in series
LOOK_AT_DAMAGE_S = 60.0
SWEEP_EVERY_S = 5.0  # a kernel that dies beside this one is noticed by a look within this time
_JOIN_S = 1.0  # what a stopped thread gets to come out of what it is at

_AWAKE, _ASLEEP = float("-inf"), float("inf")


class Writer:
    """Queue, thread and turns of one store. The thread starts with the first job and ends with `stop`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = DatabaseFile(path)
        self.memory = KnownState(owner=current_process_id())
        self.log = Journal(path)
        self.claims = SessionClaims(path)
        self.session_ids = SessionIds(path)
        self._launches = LaunchLog(self.log, self.memory, self.session_ids)
        self._reset()
        watch(self)

    def _reset(self) -> None:
        self._cond = threading.Condition()
        self._thread: threading.Thread | None = None
        self._jobs = WriteQueue()
        self._readers = ReadQueue(self._cond)
        self._stopping = False
        self._wakes_at = _AWAKE  # when the thread looks for work by itself
        self._logged_at = 0.0
        self._wanted = 0  # threads of this process that wait for the file's lock
        self._troubles = WriteHealth(self.path)
        self._swept_at: float | None = None
        self.others_wrote = 0  # turns of ours before which another process may have written

    # any thread ---------------------------------------------------------------------------------------

    def submit(self, write: Write) -> Future[Any]:
        """Queue a write; the future is resolved when it is durable."""
        with self._cond:
            return self._put(self._launches.announced(write)[0]).future

    def launch(self, write: Launch) -> Future[Any]:
        """As `submit`, but where it can, this thread writes the launch log: 0.2 ms, or as long as the disk takes."""
        with self._cond:
            announced, standing = self._launches.announced(write)
            logged, result = self._launches.into_log(write, standing)
            job = self._put(logged or announced)
            if logged is None:
                return job.future
            self._logged_at = monotonic()
            self.log.syncing += 1
        synced = False
        try:
            synced = self.log.sync()
        except BaseException:  # Stop was pressed: nobody hears of this run, so it must not stay pending
            self.submit(Finish(run_id=logged.run_id, end={"status": "cancelled", "stop_reason": "cancelled"}))
            raise
        finally:
            with self._cond:
                self.log.syncing -= 1
                self._jobs.hurry |= not synced
                if not synced or self._stopping:
                    self._wake(start=False)  # it may wait for this, to end
        if not synced:
            return job.future
        durable: Future[LaunchResult] = Future()
        durable.set_result(result)
        return durable

    def _put(self, write: Write) -> QueuedWrite:
        job = self._jobs.put(write, monotonic())
        due = self._jobs.due()
        if self._thread is None or (due is not None and due < self._wakes_at):
            self._wake()
        return job

    @contextlib.contextmanager
    def reading(
        self, timeout_s: float, *, flush: bool = True, session: str | None = None
    ) -> Iterator[DuckDBPyConnection]:
        """A connection on the open file, after all that was submitted before if `flush`. Raises StoreError.

        `session`: without it, after what runs of this session have submitted.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("the writer thread cannot wait for itself")
        self._sweep()
        with self._cond:
            after = self._jobs.submitted if flush else 0
            if session is not None:
                after = self._jobs.last_of(session)
            self._jobs.hurry |= after > 0 and self._jobs.deferred()
            turn = self._readers.ask(after=after)
            self._wake()
        cursor = self._troubles.served(turn, timeout_s, self.file.lock)
        try:
            yield cursor
        finally:
            with contextlib.suppress(Exception):
                cursor.close()
            self._readers.done()

    @property
    def held(self) -> threading.Lock:
        """Held while the file is open, by whichever thread opened it."""
        return self.file.held

    @property
    def has_begun(self) -> bool:
        """Whether a turn of this process has gone well: the file is there, in this release's schema."""
        return self.others_wrote > 0

    @contextlib.contextmanager
    def letting_go(self) -> Iterator[None]:
        """Let a turn of this process end as soon as it has done its work: somebody waits for the file itself."""
        with self._cond:
            self._wanted += 1
            self._cond.notify_all()
        try:
            yield
        finally:
            with self._cond:
                self._wanted -= 1

    def is_settled(self) -> bool:
        """Whether a turn would bring nothing into the file: neither from here nor from other processes' logs."""
        self._sweep()
        return not self.waiting() and not others_hold(self.path, self.log.path)

    def look_at_damage(self, reason: str) -> None:
        """A reader has met damage: let a turn look at the file, and carry over what can be read if it is so."""
        self.file.doubt(reason)
        with contextlib.suppress(StoreError), self.reading(LOOK_AT_DAMAGE_S, flush=False):
            pass

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was submitted before is committed or refused. False if the time ran out."""
        with self._cond:
            jobs = list(self._jobs)
            if not jobs:
                return True
            self._jobs.hurry = True
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
            # also where nothing could be written: a thread that the interpreter ends inside of DuckDB takes the process along
            thread.join(max(_JOIN_S, deadline - monotonic()))
        return done

    def trouble(self) -> StoreError | None:
        """Why rows wait, while they do."""
        return self._troubles.lasting(self.file.lock)

    def waiting(self) -> int:
        """How many writes are not committed yet."""
        return len(self._jobs)

    def forked(self) -> None:
        """Start from nothing in a forked child: thread, file and waiting rows are the parent's."""
        self.file.forget()
        self.file = DatabaseFile(self.path)
        self.memory = KnownState(owner=current_process_id())
        self.log.forget()
        self.log = Journal(self.path)
        self.claims.forget()
        self.claims = SessionClaims(self.path)
        self.session_ids.forget()
        self._launches = LaunchLog(self.log, self.memory, self.session_ids)
        self._reset()

    def _sweep(self) -> None:
        """End the runs of dead processes: at the first look or after the first launch, then now and then."""
        now = monotonic()
        if self._can_only_read():
            return
        if self._swept_at is None or now - self._swept_at > SWEEP_EVERY_S:
            self._swept_at = now
            self.submit(InterruptOrphans())

    def _can_only_read(self) -> bool:
        try:
            return can_only_read(self.path)
        except OSError:
            return False  # the turn says what it is

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
                error = self._lease()
                with self._cond:
                    self._troubles.note(error)
                    if error is not None:
                        if not isinstance(
                            error, StoreBusyError
                        ):  # a busy file they wait for as long as they said
                            self._readers.fail(error)
                        self._cond.wait_for(lambda: self._stopping, self._troubles.pause_s)
            self.file.shut_down()
            self.file.lock.close()  # a closed store keeps no descriptor
            self.claims.tidy()
            self.session_ids.close()
            with self._cond:
                self._cond.wait_for(lambda: not self.log.syncing)
                self.log.end()
                if self._is_over():  # nothing came in the meantime
                    self._thread = None
                    return

    def _is_over(self) -> bool:
        return self._stopping and (
            self._troubles.now is not None or not (self.waiting() or self._readers.asking)
        )

    def _wait_for_work(self, timeout_s: float | None, *, while_read: bool = False) -> bool:
        """Sleep until something is due. False if nothing is when the time is out, or the thread shall end.

        `while_read`: or when the last reader is done.
        """
        deadline = None if timeout_s is None else monotonic() + timeout_s
        with self._cond:
            while True:
                if self._is_over() or (while_read and not self._readers.reading):
                    return False
                if self._wanted and timeout_s is not None and not while_read:
                    return False
                now = monotonic()
                due = self._due()
                if due is not None and due <= now:
                    return True
                if deadline is not None and deadline <= now:
                    return False
                self._wakes_at = min(at for at in (due, deadline, _ASLEEP) if at is not None)
                self._cond.wait(None if self._wakes_at == _ASLEEP else self._wakes_at - now)
                self._wakes_at = _AWAKE

    def _due(self) -> float | None:
        """When the next work is to be done, on the monotonic clock; None without work."""
        due = 0.0 if self._readers.asking else self._jobs.due()
        return 0.0 if due is not None and self._stopping else due

    def _lease(self) -> StoreError | None:
        """Open the file, work while there is work, close it. Gives the trouble that ended it, if any."""
        try:
            with self._troubles.waiting(self.file.lock.mark()):
                others = self.file.open()
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever the disk does
            return self._failed(error)
        broken = True
        found = OrphanJournals(self.path, self.log.path)
        try:
            others |= found.read()
            if others:
                self.others_wrote += 1
            self.memory.begin(self.file.con, others=others)
            self._begin(found)
            self._work()
            broken = False
        except Exception as error:  # noqa: BLE001 - the same
            return self._failed(error)
        finally:
            found.let_go()
            self._readers.wait_until_done()
            self.file.close(broken=broken)
        return None

    def _failed(self, error: Exception) -> StoreError:
        """What a turn's end means. Where the file is only busy, the log goes on: its rows are durable meanwhile."""
        found = as_store_error(error, self.path)
        self.file.suspect(error)
        if not isinstance(found, StoreBusyError):
            with self._cond:
                self.log.close()
        return found

    def _begin(self, found: OrphanJournals) -> None:
        """Commit what other processes' logs hold, together with what is due here where that asks nothing about it."""
        launches = found.launches
        if self.file.is_read_only:
            self._commit([], launches)
            return
        if self.file.begun_anew:
            launches = [*launches, *self._launched_here()]
        if found.some_are_left:
            self._commit([], launches)
            launches = []
        self._launches.learn_sessions(self.file.con, launches)  # before those of this process are there
        # where others wait, one commit is all of this turn
        jobs = self._take(everything=self.file.lock.wanted())
        self._commit(jobs, [*launches, *self._launched_meanwhile(jobs)])
        notice = found.settle()
        if notice is not None:
            self.file.notices.append(notice)
        self.file.keep_private()
        with self._cond:
            self.log.open()

    def _launched_here(self) -> list[JournaledLaunch]:
        """The launches of this process's unfinished runs: a new file lacks them, and their ends would be nobody's."""
        self.file.begun_anew = False
        self.session_ids.close()  # it may know of more
        launched = [JournaledLaunch(row) for row in self.memory.launched.values()]
        if launched and not self.file.notices:
            self.file.notices.append(
                f"the record {str(self.path)!r} was moved or deleted while {len(launched)} of its runs were at work;"
                " a new one is begun, in which they go on\nwhat there was before is wherever its folder is now"
            )
        return launched

    def _work(self) -> None:
        """Commit and serve until nothing comes any more, or until the turn has lasted long enough."""
        begin = monotonic()
        last = False
        if self.file.is_read_only:
            self._readers.serve(lambda: None, self.file.cursor)
            self._readers.wait_until_done()
            if self.waiting():
                raise only_read(self.path)
            return
        while True:
            if not self.file.is_doubted:  # else in the next turn, on what is carried over
                self._readers.serve(self._jobs.first, self.file.cursor)
            elif not self._readers.reading:
                return
            if last and not self._readers.reading:
                return
            # readers have the file as well: it stays open, and open to writes, until they are done
            more = self._linger()
            last = not more or monotonic() - begin > ALONE_S or self.file.lock.wanted()
            if not more and not self._jobs.deferred() and not self._readers.reading:
                return
            jobs = self._take(everything=last)
            self._commit(jobs, self._launched_meanwhile(jobs))

    def _launched_meanwhile(self, jobs: Sequence[QueuedWrite]) -> list[JournaledLaunch]:
        """What other processes have launched since the turn began, where launches are numbered among them."""
        if not any(is_unnumbered(job.write) for job in jobs):
            return []
        found = OrphanJournals(self.path, self.log.path)
        with contextlib.suppress(OSError):  # the next turn meets it; here only the order depends on it
            found.read()
        found.let_go()
        return found.launches

    def _linger(self) -> bool:
        """Wait for more to do in this turn, while readers have the file or launches come. False if nothing does."""
        begin = monotonic()
        if self._readers.reading:
            if self._wait_for_work(LEASE_S, while_read=True):
                return True
            if self._readers.reading:
                return False
        return self._wait_for_work(0.0 if self.file.lock.wanted() else LINGER_S) or self._logged_at >= begin

    def _take(self, *, everything: bool) -> list[QueuedWrite]:
        with self._cond:
            return self._jobs.take(monotonic(), everything=everything or self._stopping)

    def _commit(self, jobs: list[QueuedWrite], found: Sequence[JournaledLaunch] = ()) -> None:
        """Write jobs, after launches found in other logs."""
        done: list[Any] = []
        try:
            write_all(self.file.con, [*found, *(job.write for job in jobs)], self.memory, done)
        finally:
            results = done[len(found) :]
            with self._cond:
                self._jobs.written(len(results))
                if not self._jobs.logged:
                    self.log.clear()
            self.file.notices += [str(one) for one in done[: len(found)] if isinstance(one, StoreError)]
            self.file.notices += self.memory.said.values()
            self.memory.said.clear()
            for job, result in zip(jobs, results, strict=False):
                self._resolve(job, result)

    def _resolve(self, job: QueuedWrite, result: Any) -> None:
        if isinstance(result, StoreError):
            self.file.notices.append(str(result))
        if isinstance(result, BaseException) and isinstance(job.write, Launch):
            self._jobs.refused([job.write.row.get("run_id", "")])
        elif isinstance(job.write, Launch):
            with self._cond:
                result = self._launches.settled(job.write, result, self._jobs)
        job.settle(result)
        if isinstance(job.write, Launch | JournaledLaunch):
            self._sweep()
