"""What the files of this room need of a store, as Protocols: read functions take a `Reader`, not the `Store`.

`RunStore` is what the rest of nbagent has of a store, whichever database it is: all of the others but `Flushable`,
which the writer is. `open_store` in `store.py` gives one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nbagent.store.commands import BudgetState, DecisionRequest, Launch, SendMessage, Write

if TYPE_CHECKING:
    import pandas as pd
    import psycopg
    from duckdb import DuckDBPyConnection

    from nbagent.store.session_claim import SessionClaims

Ask = Callable[..., list[dict[str, Any]]]


class Reader(Protocol):
    """Reads with SQL of ours; any thread but the store's. Sees all that was submitted before; raises StoreError."""

    @property
    def owner(self) -> str:
        """This process, as rows name it."""

    @property
    def untouched(self) -> bool:
        """True while there is no record, and no row on its way into one."""

    def read(
        self, sql: str, params: Sequence[Any] = (), *, flush: bool = True, timeout_s: float = 10.0
    ) -> list[dict[str, Any]]:
        """Run a query and return its rows."""

    def reader(
        self, *, flush: bool = True, session: str | None = None, timeout_s: float = 10.0
    ) -> AbstractContextManager[Ask]:
        """Open one state of the record for several queries: `with store.reader() as ask: rows = ask(sql, params)`."""

    def analysis(self, *, timeout_s: float = 10.0) -> AbstractContextManager[Ask]:
        """As `reader`, for the SQL of `metrics_sql.py`, which is DuckDB's: what a server's record does not answer itself."""

    def arrays(self, sql: str, params: Sequence[Any] = (), *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Run a query and return a numpy array for each column."""


class Submitter(Protocol):
    """Takes commands."""

    @property
    def trouble(self) -> str | None:
        """What keeps rows in memory, in two lines; None while all is well."""

    def submit(self, write: Write) -> Future[Any]:
        """Hand over a command and return at once; the future is resolved when it is durable."""

    def write(self, write: Write, doing: str, *, timeout_s: float) -> Any:
        """Hand over a command, wait until it is durable, and return its result."""


class ReaderAndSubmitter(Reader, Submitter, Protocol):
    """Reads what is there, and takes commands that follow from it."""


class CopyReader(Protocol):
    """Reads private copies of the record: for a person's SQL, and for long queries."""

    @property
    def path(self) -> Path:
        """The record's file."""

    def read_only(self, timeout_s: float = 10.0) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a connection that cannot write."""

    def private_copy(self, sql: str = "") -> AbstractContextManager[DuckDBPyConnection]:
        """Open a copy that may be written to and is deleted afterwards; `sql` is what will be asked, if it is known."""


class ServerMirror(Protocol):
    """What this machine keeps of a server's record, and the way to the server."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def schema(self) -> str:
        """The schema that the record is in."""

    def server(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Open a connection for what is asked now and then; errors of the server are StoreErrors."""


class RunStore(ReaderAndSubmitter, Protocol):
    """The record of all runs: takes commands, answers questions, tells what other processes ask. Used from any thread.

    Nothing is opened and no thread started before the first write or read.
    """

    @property
    def name(self) -> str:
        """What a person is told that the record is: a file's path, a server's address without its password."""

    @property
    def path(self) -> Path:
        """Where on this machine the record is: its file, or what this machine keeps of a server's."""

    @property
    def mirror(self) -> ServerMirror | None:
        """What answers analysis of a server's record; None where the record is a file."""

    @property
    def claims(self) -> SessionClaims:
        """Which process may let a run of a session work."""

    @property
    def is_busy(self) -> bool:
        """Whether the only trouble is one that passes by itself."""

    def is_alone(self, session_id: str) -> bool:
        """Whether in a session that this process has begun nobody else has launched, resumed or deleted a run."""

    def take_notices(self) -> list[str]:
        """What a person should be told once."""

    def launch(self, write: Launch) -> Future[Any]:
        """As `submit`, for a launch that is waited for; not for an event loop's thread."""

    def frame(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), *, timeout_s: float = 10.0
    ) -> pd.DataFrame:
        """Run a person's query, which cannot write, and give a DataFrame, times as UTC."""

    def read_only(self, timeout_s: float = 10.0) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a connection on a copy that cannot be written."""

    def private_copy(self, sql: str = "") -> AbstractContextManager[DuckDBPyConnection]:
        """Open a copy of the record that may be written to and is deleted afterwards; `sql` is what will be asked, if it is known."""

    def others_wrote(self, seen: int) -> tuple[bool, int]:
        """Whether another process may have written since the moment that gave `seen` (0 at first); and that of now."""

    def cancel_requested(self, run_ids: Iterable[str]) -> set[str]:
        """Which of these runs somebody else asked to cancel; each is told once. May wait for the record."""

    def cancel_heard(self, run_id: str) -> bool:
        """Whether somebody else asked to cancel this run, as far as is known already. Told once."""

    def on_request(self, callback: Callable[[], None]) -> None:
        """Call `callback` from now on when another process is heard to ask something of a run; on any thread, never twice for one.

        The record listens while it is looked at as well (`cancel_requested`), and where it can hear anything: a file cannot.
        """

    def watch(self, run_id: str) -> None:
        """Say that somebody looks at a run of another process, which tells its text more often for some seconds.

        May wait for the record; never raises for one that does not answer.
        """

    def heard_of(self, run_id: str) -> int:
        """A number that grows when a run that is looked at has news, where that can be heard. Reads nothing."""

    def watched(self, run_ids: Iterable[str]) -> set[str]:
        """Which of these runs somebody looks at in another process, as far as is heard. Reads nothing."""

    def decisions_requested(self, run_ids: Iterable[str]) -> list[DecisionRequest]:
        """What people decided elsewhere on calls of these runs, in order; each is told once. Reads nothing."""

    def launched_by_other(self, run_id: str) -> bool:
        """Whether another user of the record than this one launched a run, or the team that it works for. Reads."""

    def budgets(self, *, may_read: bool = True) -> tuple[BudgetState, ...]:
        """How the record's budgets stand as far as is known; a process's first look may wait for the record, if it may."""

    @property
    def may_have_budgets(self) -> bool:
        """Whether there is a budget, or may be one as long as this process has not looked. Reads nothing."""

    def messages_sent(self, run_ids: Iterable[str]) -> list[SendMessage]:
        """What people sent to these runs and their models have not had, in order; told until it is `MessageTaken`.

        As far as is known already: reads nothing.
        """

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Wait until all that was submitted is durable (or refused). False if the time ran out."""

    def close(self, timeout_s: float = 2.0) -> bool:
        """Flush and end; a later write starts again. False if rows were left in memory."""


class Flushable(Protocol):
    """Has rows in memory and a file open, which the end and the forks of the process must respect."""

    @property
    def held(self) -> threading.Lock:
        """Held while the file is open."""

    def stop(self, timeout_s: float) -> bool:
        """Write all rows and end. False if rows are left in memory."""

    def forked(self) -> None:
        """Start from nothing in a forked child."""
