"""The one thread that writes to the server: it batches what is handed over, and keeps it while the server is away.

`submit`, `flush` and `stop` may be called on any thread but this one; everything else here runs on the writer thread. Each
command has its number from the moment it is handed over, and they are sent in that order.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from nbagent.errors import NBAgentError, StoreBusyError, StoreError
from nbagent.settings import ServerUrl
from nbagent.store.commands import (
    AppendRows,
    Finish,
    InterruptOrphans,
    Launch,
    LaunchResult,
    NewAttempt,
    Progress,
    Write,
)
from nbagent.store.duckdb.write.transaction import pieces, repaired
from nbagent.store.duckdb.write.write_queue import QueuedWrite
from nbagent.store.fork_safety import watch
from nbagent.store.postgres.connect import (
    LONG_S,
    WAITS,
    WRITE_S,
    close,
    connect,
    give_up,
    is_pooled,
    is_trouble,
    load_psycopg,
    set_for,
    trouble_of,
)
from nbagent.store.postgres.server_schema import check_version, prepare
from nbagent.store.postgres.write.apply import ALONE, AlreadyAppliedError, Sender, apply
from nbagent.store.postgres.write.keeping import Keeper
from nbagent.store.postgres.write.operations import Operation, operation_of
from nbagent.store.postgres.write.outbox import Outbox
from nbagent.store.postgres.write.senders import commit, join, lease_key, send_left
from nbagent.store.process_id import PLACED, current_process_id

if TYPE_CHECKING:
    import psycopg

BATCH = 500
DEFERRED_S = 0.05  # rows that nobody waits for go with the next batch, or after this time
FINISH_S = 0.005  # ends come in series
BEAT_S = 5.0  # between two words of a process that writes nothing
SWEEP_S = 15.0  # between two looks for dead processes' runs, while something is written
KEPT_S = 0.5  # without an answer what waits goes on the disk,
TOLD_S = 2.0  # and people are told
BACKOFF_S = (0.05, 0.1, 0.25, 0.5, 1.0)
_JOIN_S = 1.0
_OF_PARENT: list[Any] = []  # a forked child closes nothing that is its parent's

_BEAT = "update writers set beat_at = timezone('utc', clock_timestamp()) where writer = $1"
_TURN = "select turn from launches where run_id = $1"


@dataclass(eq=False, slots=True, kw_only=True)
class _Job(QueuedWrite):
    operation: Operation
    due: float


class PgWriter:
    """Queue, thread and connection of one record on a server. The thread starts with the first job, ends with `stop`."""

    def __init__(self, url: ServerUrl, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.notices: list[str] = []
        self._reset()
        watch(self)

    def _reset(self) -> None:
        self.sender = Sender(owner=current_process_id(), writer=uuid4().hex)
        self.held = threading.Lock()  # while a batch is under way
        self._cond = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._writing: list[_Job] = []
        self._number = self._last_asked = 0  # of a command; and of one that is no look for dead processes
        self._hurry = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._outbox = Outbox(self.folder, self.sender)
        self._keeper = Keeper(self._outbox, self._unsent)
        self._trouble: StoreError | None = None
        self._failures = 0
        self._at_work: set[str] = set()  # runs of this process without an end: it must be heard of
        self._heard_at, self._swept_at = 0.0, float("-inf")
        self._swept: Future[Any] | None = None  # the last look for dead processes' runs

    # any thread -----------------------------------------------------------------------------------------

    def submit(self, write: Write) -> Future[Any]:
        """Queue a command; the future is resolved when it is committed."""
        try:
            operation = operation_of(write, self.owner)
        except ValueError:  # half an emoji, among others
            write = repaired(write)
            operation = operation_of(write, self.owner)
        with self._cond:
            self._number += 1
            if operation.kind != "sweep":
                self._last_asked = self._number
            job = _Job(
                write, self._number,
                operation=operation.numbered(self._number), due=monotonic() + _delay(write),
            )  # fmt: skip
            self._jobs.append(job)
            if operation.kind == "attempt" or (operation.kind == "launch" and not _is_placed(write)):
                self._at_work.add(operation.run_id or "")
            elif operation.kind == "finish":
                self._at_work.discard(operation.run_id or "")
            if self._thread is None or not self._thread.is_alive():
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name="nbagent-postgres", daemon=True)
                self._thread.start()
            self._cond.notify_all()
        return job.future

    @property
    def owner(self) -> str:
        """This process, as rows name it."""
        return self.sender.owner

    def waiting(self) -> bool:
        """Whether something is not committed yet."""
        return bool(self._jobs or self._writing)

    @property
    def trouble(self) -> StoreError | None:
        """What keeps commands here; None while all is well."""
        return self._trouble

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was handed over is committed or refused. False if the time ran out."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the writer thread cannot wait for itself")
        deadline = monotonic() + timeout_s
        with self._cond:
            last = self._last_asked
            while self._first() <= last:
                if not self._hurry:  # who waits beside others wakes none of them
                    self._hurry = True
                    self._cond.notify_all()
                if (left := deadline - monotonic()) <= 0 or not self._cond.wait(left):
                    return self._first() > last
        return True

    def sweep(self) -> Future[Any] | None:
        """Look for dead processes' runs now and then, the first time at once; return the last look, None where none can be."""
        with self._cond:  # writer and readers ask at the same time
            if self._trouble is not None:
                return None
            now = monotonic()
            if now - self._swept_at >= SWEEP_S:
                self._swept_at = now
                self._swept = self.submit(InterruptOrphans())
            return self._swept

    def stop(self, timeout_s: float) -> bool:
        """Commit all that is there and end. False if commands are left; they are on the disk if the server was away."""
        flushed = self.flush(timeout_s)
        with self._cond:
            self._stopping = True
            thread = self._thread
            self._cond.notify_all()
        if thread is not None:
            thread.join(_JOIN_S)
        with contextlib.suppress(OSError):
            self._keeper.keep()
        self._keeper.end()
        return flushed

    def forked(self) -> None:
        """In a forked child: connection, thread and file are the parent's."""
        _OF_PARENT.append((self._connection, self._jobs))
        self._outbox.forget()
        self._reset()

    def _first(self) -> int:
        """The number of the first command that is not settled."""
        for jobs in (self._writing, self._jobs):
            if jobs:
                return jobs[0].operation.number
        return self._number + 1

    def _unsent(self, number: int) -> list[Operation]:
        """The commands after this one that the server does not have, in order."""
        found: list[Operation] = []
        with self._cond:
            for jobs in (self._jobs, self._writing):
                for job in reversed(jobs):
                    if job.operation.number <= number:
                        break
                    found.append(job.operation)
        return found[::-1]

    # the writer thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._cond:
                self._wait_for_work()
                if self._stopping and not self._jobs:
                    break
                while self._jobs and len(self._writing) < BATCH:
                    self._writing.append(self._jobs.popleft())
                self._hurry = False
            with self.held:
                sent = self._send_all()
            with self._cond:
                self._cond.notify_all()
                if not sent:
                    if self._stopping:
                        break
                    self._cond.wait(BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1])
        close(self._connection)
        self._connection = None

    def _wait_for_work(self) -> None:
        """Return when something is due: commands, a sign of life, the end."""
        while not (self._stopping or self._writing):
            now = monotonic()
            due = min((job.due for job in self._jobs), default=None)
            if due is not None and (self._hurry or due <= now or len(self._jobs) >= BATCH):
                return
            beat = self._heard_at + BEAT_S if self._at_work and self._connection is not None else None
            if beat is not None and beat <= now:
                return
            moments = [one for one in (due, beat) if one is not None]
            self._cond.wait(min(moments) - now if moments else None)

    def _send_all(self) -> bool:
        """Send what was taken; what cannot be sent stays, in memory and on the disk. False if the server is away."""
        try:
            connection = self._connected()
            if not self._writing:
                connection.execute(_BEAT, [self.sender.writer])
            while self._writing:
                self._send(connection, self._group())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be lost
            if isinstance(error, load_psycopg().errors.InsufficientPrivilege):
                self._refuse_all(error)
                return True
            self._note(error)
            return False
        self._trouble, self._failures, self._heard_at = None, 0, monotonic()
        self._keeper.end(lambda: not self.waiting())
        if not self._writing:
            self.sweep()
        return True

    def _refuse_all(self, error: Exception) -> None:
        """Refuse everything: this user may only read here."""
        close(self._connection)
        self._connection = None
        jobs = list(self._writing)
        self._settle(jobs, [trouble_of(error, self.url) for _ in jobs])

    def _group(self) -> list[_Job]:
        """The first commands that can share a transaction."""
        jobs = list(self._writing)
        if jobs[0].operation.kind in ALONE:
            return jobs[:1]
        return jobs[: next((at for at, one in enumerate(jobs) if one.operation.kind in ALONE), len(jobs))]

    def _send(self, connection: psycopg.Connection[Any], jobs: Sequence[_Job]) -> None:
        """Commit these and tell who waits; where the server refuses one, halve until it is found."""
        operations = [job.operation for job in jobs]
        kind = operations[0].kind
        is_long = kind in ALONE and kind != "sweep"
        give_up(connection, LONG_S if is_long else WRITE_S, self._keep_silent if is_long else self._be_silent)
        if kind == "sweep":
            self.notices += send_left(
                connection, self._outbox, self.url
            )  # before its runs are taken as interrupted
        try:
            results = commit(connection, self.sender, operations, self.url.schema)
        except AlreadyAppliedError:
            results = [self._settled(connection, one) for one in operations]
        except load_psycopg().Error as error:
            if is_trouble(error):
                raise
            if len(jobs) > 1:
                half = len(jobs) // 2
                self._send(connection, jobs[:half])
                self._send(connection, jobs[half:])
                return
            results = [self._alone(connection, jobs[0], error)]
        self._settle(jobs, results)

    def _settle(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        with self._cond:
            del self._writing[: len(jobs)]
            self._cond.notify_all()
        for job, result in zip(jobs, results, strict=True):
            job.settle(result)

    def _alone(self, connection: psycopg.Connection[Any], job: _Job, error: Exception) -> Any:
        """Save what can be saved of a refused command, and say what is wrong with it."""
        if isinstance(error, load_psycopg().errors.InsufficientPrivilege):
            return trouble_of(error, self.url)
        reason = (self.url.without_secrets(str(error)).strip() or type(error).__name__).splitlines()[0]
        self._send_pieces(connection, pieces(job.write, reason))
        refused = StoreError(
            f"a row of run {job.operation.run_id!r} could not be written: {reason}", "the run itself goes on"
        )
        self.notices.append(str(refused))
        return refused

    def _send_pieces(self, connection: psycopg.Connection[Any], parts: Sequence[Write]) -> None:
        """Write what can be saved of a command of which a row is refused: it has been counted, so these are not."""
        for part in parts:
            with contextlib.suppress(load_psycopg().errors.DataError, load_psycopg().errors.IntegrityError):
                apply(
                    connection, self.sender, [operation_of(part, self.owner)], self.url.schema, counted=False
                )

    def _settled(self, connection: psycopg.Connection[Any], one: Operation) -> Any:
        """What came of an operation whose commit was not heard of."""
        if one.kind != "launch":
            return True
        row = connection.execute(_TURN, [one.run_id]).fetchone()
        return LaunchResult(row[0] if row else 1, cancelled=False)

    def _keep_silent(self, silent_s: float) -> None:
        """Called while an answer is waited for that may take long."""
        if silent_s > KEPT_S:
            self._keeper.begin()

    def _be_silent(self, silent_s: float) -> None:
        """Called while an answer is waited for."""
        self._keep_silent(silent_s)
        if silent_s > TOLD_S:
            self._trouble = StoreBusyError(f"the record {str(self.url)!r} does not answer", WAITS)

    # ------------------------------------------------------------------------------------------ connection

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        close(self._connection)
        self._connection = None
        connection = connect(self.url)
        give_up(connection, WRITE_S, self._be_silent)
        try:
            check_version(prepare(connection, self.url), self.url)
            # a process that is frozen in mid transaction must not keep others waiting
            set_for(connection, idle_in_transaction_session_timeout="10s", lock_timeout="30s")
            self._join(connection)
            self.notices += send_left(connection, self._outbox, self.url)
        except BaseException:
            close(connection)
            raise
        self._connection = connection
        return connection

    def _join(self, connection: psycopg.Connection[Any]) -> None:
        """Hold this process's lease, and settle what the server has of it already."""
        applied = join(connection, self.sender)
        if not is_pooled(connection):  # there it would be some other process's; being heard of must do
            connection.execute("select pg_try_advisory_lock($1)", [lease_key(self.sender)])
        had = [job for job in self._writing if job.operation.number <= applied]
        self._settle(had, [self._settled(connection, job.operation) for job in had])

    def _note(self, error: Exception) -> None:
        """Remember why nothing can be written, and put what waits on the disk."""
        if isinstance(error, NBAgentError):
            self._trouble = error if isinstance(error, StoreError) else StoreError(error.what, error.todo)
        elif is_trouble(error):
            self._trouble = trouble_of(error, self.url)
        else:
            self._trouble = StoreError(
                f"the record {str(self.url)!r} cannot be written: {type(error).__name__}: {error}",
                "restart the kernel if it stays so; rows wait in memory until then",
            )
        self._failures += 1
        close(self._connection)
        self._connection = None
        self._keeper.begin()
        try:
            self._keeper.keep()
        except OSError as failed:  # they are in memory still
            self._trouble = StoreError(
                f"{self._trouble.what}; nor can rows be kept on this disk ({failed.strerror})",
                self._trouble.todo,
            )


def _is_placed(write: Write) -> bool:
    """Whether it is a launch for workers: not this process's to work on."""
    return isinstance(write, Launch) and write.row.get("owner") == PLACED


def _delay(write: Write) -> float:
    """How long a command may wait for others to go with it."""
    match write:
        case Launch():
            return 0.0 if write.waited else DEFERRED_S
        case AppendRows():
            return 0.0 if write.waited else DEFERRED_S
        case Progress():
            return DEFERRED_S
        case Finish():
            return FINISH_S
        case NewAttempt():
            return 0.0
        case _:
            return 0.0
