"""What the files of this room need of a store, as Protocols: read functions take a `Reader`, not the `Store`.

`Store` is all of them at once but `Flushable`, which the writer is. Another database's store that offers `Reader` in
its SQL, or functions of its own in place of `duckdb/read/`, can stand beside `duckdb/`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nbagent.store.commands import Write

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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

    def private_copy(self) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a copy that may be written to and is deleted afterwards."""


class Flushable(Protocol):
    """Has rows in memory and a file open, which the end and the forks of the process must respect."""

    @property
    def held(self) -> threading.Lock:
        """Held while the file is open."""

    def stop(self, timeout_s: float) -> bool:
        """Write all rows and end. False if rows are left in memory."""

    def forked(self) -> None:
        """Start from nothing in a forked child."""
