"""`PostgresStore`: the record on a server, with the verbs of the file's `Store`. Used from any thread.

Writes go to one thread (`write/pg_writer.py`), point reads to the server (`readers.py`), analysis to a private copy.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreBusyError, StoreError
from nbagent.settings import ServerUrl
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
from nbagent.store.ports import Ask
from nbagent.store.postgres.analysis.mirror import Mirror
from nbagent.store.postgres.connect import load_psycopg, trouble_of
from nbagent.store.postgres.listener import LAUNCHED_BY, Listener
from nbagent.store.postgres.readers import Readers
from nbagent.store.postgres.write.pg_writer import PgWriter
from nbagent.store.session_claim import SessionClaims

if TYPE_CHECKING:
    import pandas as pd
    import psycopg
    from duckdb import DuckDBPyConnection

LOOK_WAIT_S = 2.0  # the first look at what others ask for


class PostgresStore:
    """One record on a Postgres server. `path` is the folder with what this machine keeps of it."""

    def __init__(self, url: ServerUrl, folder: Path) -> None:
        load_psycopg()
        name = hashlib.blake2b(f"{url} {url.schema}".encode(), digest_size=8).hexdigest()
        self.url = url
        self.path = folder / f"postgres-{name}"
        self._writer = PgWriter(url, self.path)
        self._readers = Readers(url)
        self.mirror = Mirror(
            self.connect, name=self.name, schema=url.schema, trouble=lambda error: trouble_of(error, url)
        )
        self._listener = Listener(url, self._writer.owner)
        self._has_looked = False  # for runs of dead processes
        self._told_cancels: set[str] = set()
        self._told_decisions: list[DecisionRequest] = []
        # processes of this machine keep each other from working at once; between machines the turns' order does
        self.claims = SessionClaims(self.path / "record")

    def __repr__(self) -> str:
        return f"PostgresStore({self.name!r})"

    @property
    def name(self) -> str:
        """The address without its password."""
        return str(self.url)

    @property
    def owner(self) -> str:
        """This process: host, boot, pid and process start."""
        return self._writer.owner

    @property
    def untouched(self) -> bool:
        """False: the server has to be asked."""
        return False

    @property
    def trouble(self) -> str | None:
        """What keeps rows here and what to do about it, in two lines; None while all is well."""
        found = self._writer.trouble if self._writer.waiting() else None
        return None if found is None else str(found)

    @property
    def is_busy(self) -> bool:
        """Whether the only trouble is a server that is away."""
        return isinstance(self._writer.trouble, StoreBusyError)

    def is_alone(self, session_id: str) -> bool:  # noqa: ARG002 - only a file's processes can know
        """False: another machine may have launched in the session meanwhile."""
        return False

    def take_notices(self) -> list[str]:
        """What a person should be told once: a row that was refused."""
        notices, self._writer.notices[:] = list(self._writer.notices), []
        return notices

    # ---------------------------------------------------------------------------------------------- write

    def submit(self, write: Write) -> Future[Any]:
        """Hand over a command and return at once; the future is resolved when it is committed.

        Raises StoreError for budgets, which only a record in a file holds.
        """
        if isinstance(write, SetBudget | BudgetAccount):
            raise StoreError(
                f"the record {self.name} holds no budgets: only one in a file does",
                "bound runs with max_cost, or keep the record of these notebooks in a file",
            )
        return self._writer.submit(write)

    def launch(self, write: Launch) -> Future[Any]:
        """As `submit`."""
        return self._writer.submit(write)

    def write(self, write: Write, doing: str, *, timeout_s: float) -> Any:
        """As `submit`, but wait until it is committed and give its result. Raises StoreBusyError once the time ran out."""
        try:
            return self.submit(write).result(timeout_s)
        except TimeoutError:
            raise StoreBusyError(
                f"{doing} waits: {self.trouble or 'the server is busy'}",
                "it is done as soon as the record can be written",
            ) from None

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Wait until all that was submitted is committed (or refused). False if the time ran out."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 2.0) -> bool:
        """Flush and end the threads; a later write starts them again. False if rows were left."""
        flushed = self._writer.stop(timeout_s)
        self._listener.stop()
        self._readers.close()
        self.mirror.close()
        return flushed

    # ----------------------------------------------------------------------------------------------- read

    def read(
        self, sql: str, params: Sequence[Any] = (), *, flush: bool = True, timeout_s: float = 10.0
    ) -> list[dict[str, Any]]:
        """Run a query of ours and give its rows as dicts, times as aware UTC datetimes. Raises StoreError."""
        with self.reader(flush=flush, timeout_s=timeout_s) as ask:
            return ask(sql, params)

    @contextlib.contextmanager
    def reader(
        self, *, flush: bool = True, session: str | None = None, timeout_s: float = 10.0
    ) -> Iterator[Ask]:
        """Several queries of ours on one state of the record; sees what was submitted before, with `flush` or `session`."""
        if flush or session is not None:
            self._flush(timeout_s)
        with self._readers.reader(timeout_s) as ask:
            yield ask

    def analysis(self, *, timeout_s: float = 10.0) -> AbstractContextManager[Ask]:
        """As `reader`, for the SQL of DuckDB: on the mirror."""
        self._flush(timeout_s)
        return self.mirror.reader(timeout_s=timeout_s)

    def arrays(self, sql: str, params: Sequence[Any] = (), *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Run a query of ours and give a numpy array for each column, masked where a value is unknown; times in UTC."""
        self._flush(timeout_s)
        return self.mirror.arrays(sql, params, timeout_s=timeout_s)

    def frame(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), *, timeout_s: float = 10.0
    ) -> pd.DataFrame:
        """Run a person's query, which cannot write, and give a DataFrame, times as UTC."""
        self._flush(timeout_s)
        return self.mirror.frame(sql, params, timeout_s=timeout_s)

    def read_only(
        self, timeout_s: float = 10.0, *, sql: str = ""
    ) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a connection on a private copy that cannot be written; `sql` is what will be asked, if it is known."""
        self._flush(timeout_s)
        return self.mirror.read_only(timeout_s, sql=sql)

    def private_copy(self, sql: str = "") -> AbstractContextManager[DuckDBPyConnection]:
        """Open a private copy that may be written to and is deleted afterwards."""
        self._flush(LOOK_WAIT_S)
        return self.mirror.private_copy(sql)

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection of the caller's own, on a record that is there. Raises StoreError."""
        return self._readers.opened()

    def _flush(self, timeout_s: float) -> None:
        if (swept := self._writer.sweep()) is not None and not self._has_looked:
            deadline = monotonic() + LOOK_WAIT_S
            while not swept.done() and self._writer.trouble is None and monotonic() < deadline:
                wait([swept], timeout=0.02)
            self._has_looked = True
        if not self._writer.flush(timeout_s):
            found = self._writer.trouble
            raise found or StoreBusyError(f"the record {self.name!r} is busy", "try again in a moment")

    # ------------------------------------------------------------------------------------- other processes

    def others_wrote(self, seen: int) -> tuple[bool, int]:
        """Whether another process may have written since the moment that gave `seen` (0 at first); and that of now."""
        self._listener.heard()
        now = self._listener.changes
        return now != seen, now

    def cancel_requested(self, run_ids: Iterable[str]) -> set[str]:
        """Which of these runs somebody else asked to cancel; each is told once."""
        self._listener.heard()
        self._listener.wait_for_look(LOOK_WAIT_S)
        asked = self._listener.cancels
        self._told_cancels &= asked  # a request that went may come again
        found = set(asked.intersection(run_ids)) - self._told_cancels
        if found:
            self._told_cancels |= found
            self.submit(CancelSeen(tuple(found)))
        return found

    def cancel_heard(self, run_id: str) -> bool:
        """Whether somebody else asked to cancel this run, as far as is heard. Told once."""
        self._listener.heard()
        if run_id not in self._listener.cancels or run_id in self._told_cancels:
            return False
        self._told_cancels.add(run_id)
        self.submit(CancelSeen((run_id,)))
        return True

    def on_request(self, callback: Callable[[], None]) -> None:
        """Call `callback`, on the listener's thread, when another process asks something of a run; begins to listen."""
        if callback not in self._listener.on_wish:
            self._listener.on_wish.append(callback)
        self._listener.heard()

    def watch(self, run_id: str) -> None:
        """Let the process that works on a run know that somebody looks at it, now and then."""
        self._listener.heard()
        if self._listener.watching.begin(run_id):
            with contextlib.suppress(StoreError):  # its text comes later, then
                self._readers.notify(self._listener.watching.notice(self.owner, run_id))

    def heard_of(self, run_id: str) -> int:
        """A number that grows with each notice of a run that is looked at."""
        self._listener.heard()
        return self._listener.watching.news(run_id)

    def watched(self, run_ids: Iterable[str]) -> set[str]:
        """Which of these runs another process looks at."""
        return self._listener.watching.watched(run_ids)

    def decisions_requested(self, run_ids: Iterable[str]) -> list[DecisionRequest]:
        """What people decided elsewhere on calls of these runs, in order; each is told once."""
        asked, wanted = self._listener.decisions, set(run_ids)
        self._told_decisions = [one for one in self._told_decisions if one in asked]
        found = [one for one in asked if one.run_id in wanted and one not in self._told_decisions]
        for one in found:
            self._told_decisions.append(one)
            self.submit(DecisionSeen(one))
        return found

    def launched_by_other(self, run_id: str) -> bool:
        """Whether another user of the server launched a run, or the team that it works for. Raises StoreError."""
        return bool(
            self.read(
                f"select coalesce(({LAUNCHED_BY.format('?')}) <> session_user, false) as other", [run_id]
            )[0]["other"]
        )

    def budgets(self, *, may_read: bool = True) -> tuple[BudgetState, ...]:  # noqa: ARG002 - the protocol's signature
        """There are none."""
        return ()

    @property
    def may_have_budgets(self) -> bool:
        """There are none."""
        return False

    def messages_sent(self, run_ids: Iterable[str]) -> list[SendMessage]:
        """What people sent to these runs and their models have not had, in order; told until it is `MessageTaken`."""
        wanted = set(run_ids)
        return [one for one in self._listener.messages if one.run_id in wanted]
