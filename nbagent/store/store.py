"""The record of all runs, as the rest of nbagent sees it: hand rows over, ask questions.

Used from any thread. Nothing is opened and no thread started before the first write or read.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from nbagent.errors import StoreBusyError, StoreDamagedError, StoreError
from nbagent.settings import ServerUrl, is_server_url, server_url, store_folder
from nbagent.store.access import is_there
from nbagent.store.commands import (
    BudgetAccount,
    BudgetState,
    CancelSeen,
    DecisionRequest,
    DecisionSeen,
    Launch,
    SendMessage,
    SetBudget,
    Write,
)
from nbagent.store.duckdb.database_file import damage_in
from nbagent.store.duckdb.query_results import asking, fetch_arrays, with_utc
from nbagent.store.duckdb.read.adhoc_sql import query_frame
from nbagent.store.duckdb.read.private_copy import MOST_THREADS, PrivateCopy, RecordFile, private_copy
from nbagent.store.duckdb.write.writer import Writer
from nbagent.store.ports import Ask, RunStore
from nbagent.store.session_claim import SessionClaims

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

Found = TypeVar("Found")

MUCH_BYTES = 10_000_000
LOOK_EVERY_S = 1.0  # how often other processes' wishes are looked for
BUDGET_WAIT_S = 5.0  # how long the first look for budgets may take
LOOK_WAIT_S = 2.0  # and how long the look may wait for the file


class Store:
    """One file of runs, shared with other processes. `path` is its place, `owner` this process's name in it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self._writer = Writer(self.path)
        self._read_copy = PrivateCopy(RecordFile(self._writer))
        self._looked = 0.0
        self._budget_mark = self.path.with_name(f"{self.path.name}.budgets")

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    @property
    def name(self) -> str:
        """What a person is told that the record is."""
        return str(self.path)

    @property
    def owner(self) -> str:
        """This process: host, boot, pid and process start."""
        return self._writer.memory.owner

    @property
    def mirror(self) -> None:
        """None: the file answers everything itself."""

    @property
    def claims(self) -> SessionClaims:
        """Which process may let a run of a session work; see `session_claim.py`."""
        return self._writer.claims

    def is_alone(self, session_id: str) -> bool:
        """Whether in a session that this process has begun nobody else has launched, resumed or deleted a run."""
        return self._writer.session_ids.is_alone(session_id)

    @property
    def untouched(self) -> bool:
        """True while there is no file, and no row on its way into one."""
        return not self._writer.waiting() and not is_there(self.path)

    @property
    def trouble(self) -> str | None:
        """What keeps rows in memory and what to do about it, in two lines; None while all is well."""
        found = self._writer.trouble() if self._writer.waiting() else None
        return None if found is None else str(found)

    @property
    def is_busy(self) -> bool:
        """Whether the only trouble is that another process has the file, which passes."""
        return isinstance(self._writer.trouble(), StoreBusyError)

    def take_notices(self) -> list[str]:
        """What a person should be told once: a damaged file that was set aside, a row that was refused."""
        notices, self._writer.file.notices[:] = list(self._writer.file.notices), []
        return notices

    def submit(self, write: Write) -> Future[Any]:
        """Hand over a write and return at once; the future is resolved when it is durable. See `commands.py`."""
        if isinstance(write, SetBudget):  # so that a new process looks for it before its first call
            self._budget_mark.parent.mkdir(parents=True, exist_ok=True)
            self._budget_mark.touch(mode=0o600)
        return self._writer.submit(write)

    def launch(self, write: Launch) -> Future[Any]:
        """As `submit`, for a launch that is waited for: where it can, this thread makes it durable, and returns then.

        It may take as long as the disk does (0.2 ms on a good one): not for an event loop's thread.
        """
        return self._writer.launch(write)

    def write(self, write: Write, doing: str, *, timeout_s: float) -> Any:
        """As `submit`, but wait until it is durable and give its result; `doing` says in an error what waits.

        Raises StoreBusyError once the time ran out: it is done as soon as the store can be written.
        """
        try:
            return self.submit(write).result(timeout_s)
        except TimeoutError:
            raise StoreBusyError(
                f"{doing} waits: {self.trouble or 'the store is busy'}",
                "it is done as soon as the store can be written",
            ) from None

    def read(
        self, sql: str, params: Sequence[Any] = (), *, flush: bool = True, timeout_s: float = 10.0
    ) -> list[dict[str, Any]]:
        """Run a query and give its rows as dicts, times as aware UTC datetimes.

        With `flush` it sees all that was submitted before. `timeout_s` bounds the wait for the file. Raises
        StoreError where the file cannot be had, and DuckDB's own error for wrong SQL. The query cannot write.
        """

        def ask_once() -> list[dict[str, Any]]:
            with self.reader(flush=flush, timeout_s=timeout_s) as ask:
                return ask(sql, params)

        return self._after_repair(ask_once)

    @contextlib.contextmanager
    def reader(
        self, *, flush: bool = True, session: str | None = None, timeout_s: float = 10.0
    ) -> Iterator[Ask]:
        """Several queries on one state of the file: `with store.reader() as ask: rows = ask(sql, params)`.

        `session`: of what was submitted before it need see only what runs of that session have.
        """
        with self.connection(timeout_s, flush=flush, session=session) as cursor:
            yield asking(cursor)

    def analysis(self, *, timeout_s: float = 10.0) -> AbstractContextManager[Ask]:
        """As `reader`: one database answers everything here."""
        return self.reader(timeout_s=timeout_s)

    @contextlib.contextmanager
    def connection(
        self, timeout_s: float = 10.0, *, flush: bool = True, session: str | None = None
    ) -> Iterator[DuckDBPyConnection]:
        """A connection on the shared file, to be given back soon; with `flush` it sees all that was submitted before."""
        with self._telling_damage(), self._writer.reading(timeout_s, flush=flush, session=session) as cursor:
            yield cursor

    @contextlib.contextmanager
    def read_only(self, timeout_s: float = 10.0) -> Iterator[DuckDBPyConnection]:
        """A connection for SQL that nobody knows: on a private copy (`private_copy.py`), with all that was submitted before."""
        with self._telling_damage(), self._read_copy.connection(timeout_s) as cursor:
            yield cursor

    def private_copy(self, sql: str = "") -> AbstractContextManager[DuckDBPyConnection]:  # noqa: ARG002 - all is in it
        """Open a copy of the record that may be written to and is deleted afterwards: for queries of ours to files."""
        return private_copy(RecordFile(self._writer))

    @contextlib.contextmanager
    def _telling_damage(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            found = damage_in(error, self.path)
            if found is None:
                raise
            self._writer.look_at_damage(str(error))
            raise found from error

    def frame(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), *, timeout_s: float = 10.0
    ) -> pd.DataFrame:
        """Run a person's query and give a DataFrame, times as UTC; see `adhoc_sql.py`. Sees all that was submitted before."""
        return with_utc(self._after_repair(lambda: query_frame(self, sql, params, timeout_s=timeout_s)))

    def arrays(self, sql: str, params: Sequence[Any] = (), *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Run a query of ours and give a numpy array for each column, masked where a value is unknown.

        Times are without a zone, in UTC. Sees all that was submitted before; the file is held for as long as
        DuckDB works, so that what is made of the arrays is made after it.
        """

        def ask() -> dict[str, Any]:
            with self.connection(timeout_s) as cursor, _more_threads(cursor, self.path):
                return fetch_arrays(cursor, sql, params)

        return self._after_repair(ask)

    def _after_repair(self, ask: Callable[[], Found]) -> Found:
        """What a query gives; where it meets damage, once more of what was carried over, and that is warned of."""
        try:
            return ask()
        except StoreDamagedError:
            found = ask()
            for notice in self.take_notices():
                warnings.warn(notice, stacklevel=5)
            return found

    def others_wrote(self, seen: int) -> tuple[bool, int]:
        """Whether another process may have written since the moment that gave `seen` (0 at first); and that of now.

        Looks at the file from outside only, and never while this process has it open. Cheap; any thread.
        """
        file, now = self._writer.file, self._writer.others_wrote
        outside = not file.held.locked() and is_there(self.path) and file.changed()
        return now != seen or outside, now

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Wait until all that was submitted is durable (or refused). False if the time ran out."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Flush and end the thread; a later write starts it again. False if rows were left in memory."""
        self._read_copy.drop()
        return self._writer.stop(timeout_s)

    def cancel_requested(self, run_ids: Iterable[str]) -> set[str]:
        """Which of these runs somebody else asked to cancel; each is told once.

        Meant to be called often: looks at the file at most once a second, and opens it only if it has changed.
        May then wait for the file, so call it on a thread that can.
        """
        now = monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return set()
        self._looked = now
        writer = self._writer
        if not is_there(self.path):
            return set()
        if writer.file.changed():
            try:
                with writer.reading(LOOK_WAIT_S, flush=False):
                    pass  # the turn itself has read the requests
            except StoreError:
                return set()
        found = writer.memory.cancels.intersection(run_ids)
        if found:
            writer.submit(CancelSeen(tuple(found)))
        return found

    def cancel_heard(self, run_id: str) -> bool:
        """Whether somebody else asked to cancel this run, as of this process's last turn: reads no file. Told once."""
        heard = run_id in self._writer.memory.cancels
        if heard:
            self._writer.submit(CancelSeen((run_id,)))
        return heard

    def on_request(self, callback: Callable[[], None]) -> None:
        """Do nothing: from a file nothing is heard, it has to be looked at."""

    def watch(self, run_id: str) -> None:
        """Do nothing: nobody hears of it."""

    def heard_of(self, run_id: str) -> int:  # noqa: ARG002 - the protocol's signature
        """0: nothing is heard."""
        return 0

    def watched(self, run_ids: Iterable[str]) -> set[str]:  # noqa: ARG002 - the protocol's signature
        """None of them, as far as is heard."""
        return set()

    def decisions_requested(self, run_ids: Iterable[str]) -> list[DecisionRequest]:
        """What people decided elsewhere on calls of these runs, in order; each is told once.

        As of the last look of `cancel_requested`: reads no file.
        """
        wanted = set(run_ids)
        found = [one for one in self._writer.memory.decisions if one.run_id in wanted]
        for one in found:
            self._writer.submit(DecisionSeen(one))
        return found

    def launched_by_other(self, run_id: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """False: whoever may write to the file may do so as anybody."""
        return False

    def budgets(self, *, may_read: bool = True) -> tuple[BudgetState, ...]:
        """How the record's budgets stand, as of this process's last look at the file.

        A process that has not looked yet does so here, where there may be one, if it `may_read`.
        """
        known = self._writer.memory.budgets
        if known is None and may_read and self._budget_mark.exists():
            self.write(BudgetAccount(), "reading the budgets", timeout_s=BUDGET_WAIT_S)
            known = self._writer.memory.budgets
        return known or ()

    @property
    def may_have_budgets(self) -> bool:
        """Whether there is a budget, or may be one in a file that this process has not looked at. Reads no file."""
        known = self._writer.memory.budgets
        return self._budget_mark.exists() if known is None else bool(known)

    def messages_sent(self, run_ids: Iterable[str]) -> list[SendMessage]:
        """What people sent to these runs and their models have not had, in order; told until it is `MessageTaken`.

        As of the last look of `cancel_requested`: reads no file.
        """
        wanted = set(run_ids)
        return [one for one in self._writer.memory.messages if one.run_id in wanted]


def open_store(place: Path | str | ServerUrl, folder: Path | None = None) -> RunStore:
    """The record at a place: a file, or a server's address; nothing is opened or made before it is used.

    `folder` is where what this machine keeps of a server's record goes. Raises StoreError where psycopg is missing,
    ValueError for text that is no address.
    """
    if not is_server_url(place):
        return Store(Path(str(place)))
    from nbagent.store.postgres.pg_store import PostgresStore

    url = place if isinstance(place, ServerUrl) else server_url(str(place))
    return PostgresStore(url, folder or store_folder())


@contextlib.contextmanager
def _more_threads(cursor: DuckDBPyConnection, path: Path) -> Iterator[None]:
    """Let DuckDB use several cores for a moment where there is much to read; writing is cheapest with one."""
    cores = min(os.cpu_count() or 1, MOST_THREADS)
    if cores == 1 or path.stat().st_size < MUCH_BYTES:
        yield
        return
    cursor.execute(f"set threads = {cores}")
    try:
        yield
    finally:
        cursor.execute("set threads = 1")
