"""The mirror of a record on Postgres: what is new is pulled before each question, then DuckDB answers it.

It offers of a store what analysis asks: rows and arrays by SQL of ours, frames by a person's. A person's SQL is asked
of a copy that can only be read, as that of a record's file is. Any thread: pulls take turns, queries do not.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.errors import StoreBusyError, StoreDamagedError, StoreError
from nbagent.store.duckdb.database_file import copy_files, trouble_of
from nbagent.store.duckdb.query_results import asking, fetch_arrays, with_utc
from nbagent.store.duckdb.read.adhoc_sql import query_frame
from nbagent.store.duckdb.read.listings import runs_of_messages
from nbagent.store.duckdb.read.private_copy import PrivateCopy, private_copy
from nbagent.store.ports import Ask
from nbagent.store.postgres.analysis.mirror_file import TEXTS, MirrorFile, Place, cache_folder
from nbagent.store.postgres.analysis.pull import copy_messages, pull

if TYPE_CHECKING:
    import pandas as pd
    import psycopg
    from duckdb import DuckDBPyConnection

_NAMES_TEXTS = re.compile(rf"\b{TEXTS}\b", re.IGNORECASE)
_WHICH = """
select (select system_identifier::text from pg_control_system()),
       (select oid::text from pg_database where datname = current_database()), current_user::text
"""


class Mirror:
    """The rows that one user sees in one schema of a server, as a DuckDB database on this machine.

    `connect` opens a connection that commits each statement by itself; `trouble` says in two lines what one of its errors means;
    `name` is the record's for messages. The file is made at the first question.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        name: str,
        schema: str,
        trouble: Callable[[BaseException], StoreError] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._connect = connect
        self._name = name
        self._schema = schema
        self._trouble = trouble or self._unreachable
        self._folder = folder
        self._guard = threading.RLock()
        self._server: psycopg.Connection[Any] | None = None
        self._file: MirrorFile | None = None
        self._pulled = 0  # how often there was something new
        self._plain = PrivateCopy(_Copied(self, texts=False))
        self._with_texts = PrivateCopy(_Copied(self, texts=True))
        _mirrors.add(self)

    @property
    def path(self) -> Path:
        """The file; before the first question, the folder that it will be in."""
        file = self._file
        return file.path if file is not None else self._folder or cache_folder()

    def refresh(self, timeout_s: float = 10.0) -> None:
        """Bring the file to the server's present state. `timeout_s` bounds the wait for another pull. Raises StoreError."""
        with self._pulling(timeout_s):
            pass

    @contextlib.contextmanager
    def connection(self, timeout_s: float = 10.0) -> Iterator[DuckDBPyConnection]:
        """Give a cursor on the record as it is now. Only for queries of ours: it could write. Raises StoreError."""
        with self._pulling(timeout_s) as file:
            cursor = file.con.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    @contextlib.contextmanager
    def reader(self, *, timeout_s: float = 10.0) -> Iterator[Ask]:
        """Open one state of the record for several queries in DuckDB's SQL."""
        with self.connection(timeout_s) as cursor:
            yield asking(cursor)

    def read(self, sql: str, params: Sequence[Any] = (), *, timeout_s: float = 10.0) -> list[dict[str, Any]]:
        """Run a query of ours and give its rows as dicts, times as aware UTC datetimes."""
        with self.reader(timeout_s=timeout_s) as ask:
            return ask(sql, params)

    def arrays(self, sql: str, params: Sequence[Any] = (), *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Run a query of ours and give a numpy array for each column, masked where a value is unknown; times in UTC."""
        with self.connection(timeout_s) as cursor:
            if self._lacks_texts(sql):
                self._fetch_texts(cursor, sql, params)
            return fetch_arrays(cursor, sql, params)

    def frame(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = (), *, timeout_s: float = 10.0
    ) -> pd.DataFrame:
        """Run a person's query, which cannot write, and give a DataFrame, times as UTC. Raises QueryError, StoreError."""
        asked = _Asked(self, str(sql))  # what is no text is refused by `query_frame`
        return with_utc(query_frame(asked, sql, params, timeout_s=timeout_s))

    def read_only(
        self, timeout_s: float = 10.0, *, sql: str = ""
    ) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a connection that cannot write; `sql` is what will be asked, if it is known."""
        copy = self._with_texts if self._lacks_texts(sql) else self._plain
        return copy.connection(timeout_s)

    def private_copy(self, sql: str = "") -> AbstractContextManager[DuckDBPyConnection]:
        """Open a copy that may be written to and is deleted afterwards; `sql` is what will be asked, if it is known."""
        return private_copy(_Copied(self, texts=self._lacks_texts(sql)))

    def close(self) -> None:
        """Close the connection and the file, which the next process takes over. A later question opens both again."""
        self._plain.drop()
        self._with_texts.drop()
        with self._guard:
            self._hang_up()
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def forked(self) -> None:
        """In a forked child: connection and file are the parent's."""
        self._guard = threading.RLock()
        self._server = None  # psycopg closes no connection of another process
        file, self._file = self._file, None
        if file is not None:
            file.forked()

    @property
    def schema(self) -> str:
        """The schema that the record is in."""
        return self._schema

    @contextlib.contextmanager
    def server(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection for what is asked now and then and may take long. Raises StoreError for what the server says."""
        connection = self._connect()  # first: it says so where psycopg is not installed
        import psycopg

        try:
            with connection:
                yield connection
        except psycopg.Error as error:
            raise self._trouble(error) from None

    def copy_to(self, copy: Path, timeout_s: float, *, texts: bool) -> int:
        """Copy the file as it is now, with all messages where `texts`; give which state that is."""
        import duckdb

        with self._pulling(timeout_s) as file:
            with contextlib.suppress(duckdb.Error):  # while somebody reads: then its log is copied, too
                file.con.execute("checkpoint")
            copy_files(file.path, copy)
            if texts:
                self._add_texts(copy)
            return self._pulled

    def is_current(self, seen: int, timeout_s: float = 10.0) -> bool:
        """Whether a copy of that state still is the record's."""
        self.refresh(timeout_s)
        return seen == self._pulled

    @contextlib.contextmanager
    def _pulling(self, timeout_s: float) -> Iterator[MirrorFile]:
        """Hold the file in the server's present state."""
        if not self._guard.acquire(timeout=timeout_s):
            raise StoreBusyError(
                f"the mirror of the record {self._name!r} is being filled by another thread",
                "ask again later",
            )
        try:
            yield self._pull()
        finally:
            self._guard.release()

    def _pull(self) -> MirrorFile:
        """Pull; once more where the connection had gone since the last time, or the file is damaged."""
        import psycopg

        fresh = self._server is None
        try:
            return self._pull_once()
        except psycopg.OperationalError as error:
            if fresh:
                raise self._trouble(error) from None
        except psycopg.Error as error:
            raise self._trouble(error) from None
        except StoreDamagedError:
            pass
        try:
            return self._pull_once()
        except psycopg.Error as error:
            raise self._trouble(error) from None

    def _pull_once(self) -> MirrorFile:
        import duckdb

        if self._server is None:
            self._server = self._connect()
        try:
            if self._file is None:
                self._file = MirrorFile(self._place(self._server), self._folder or cache_folder())
            self._pulled += pull(self._file, self._server, messages=_keeps_texts())
        except BaseException as error:
            self._hang_up()
            file = self._file
            if isinstance(error, duckdb.Error | OSError) and file is not None:
                self._file = None
                damaged = file.is_damaged(error)
                file.close()
                if damaged:
                    file.delete()
                    raise StoreDamagedError(
                        f"the mirror {str(file.path)!r} is damaged", "it is made again: ask again"
                    ) from error
                raise self._not_kept(error) from error
            raise
        return self._file

    def _place(self, server: psycopg.Connection[Any]) -> Place:
        row = server.execute(_WHICH).fetchone()
        assert row is not None
        return Place(system_id=row[0], database=row[1], user=row[2], schema=self._schema)

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(Exception):  # it may be broken already
                server.close()

    def _lacks_texts(self, sql: str) -> bool:
        return not _keeps_texts() and bool(_NAMES_TEXTS.search(sql))

    def _fetch_texts(self, cursor: DuckDBPyConnection, sql: str, params: Sequence[Any]) -> None:
        """Let a query find the messages that it asks for, in a table of its connection alone."""
        query = runs_of_messages(sql)
        run_ids = (
            None if query is None else [row[0] for row in cursor.execute(query, list(params)).fetchall()]
        )
        with self._guard:
            self._ask_texts(cursor, run_ids)

    def _add_texts(self, copy: Path) -> None:
        import duckdb

        with duckdb.connect(str(copy)) as con:
            self._ask_texts(con, None)
            con.execute(f"insert into pulled.{TEXTS} by name from temp.{TEXTS}")

    def _ask_texts(self, con: DuckDBPyConnection, run_ids: Sequence[str] | None) -> None:
        import psycopg

        try:
            if self._server is None:
                self._server = self._connect()
            copy_messages(self._server, con, self._schema, run_ids)
        except psycopg.Error as error:
            self._hang_up()
            raise self._trouble(error) from None

    def _not_kept(self, error: BaseException) -> BaseException:
        if isinstance(error, OSError):
            return StoreError(
                f"the mirror of the record {self._name!r} cannot be written: {error.strerror or error}",
                "free disk space, or set XDG_CACHE_HOME and TMPDIR to other folders",
            )
        return trouble_of(error, self.path)

    def _unreachable(self, error: BaseException) -> StoreError:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        return StoreBusyError(f"the record {self._name!r} cannot be read: {said}", "ask again later")


class _Copied:
    """A mirror as a source of copies, with the texts of messages or without."""

    def __init__(self, mirror: Mirror, *, texts: bool) -> None:
        self._mirror, self._texts = mirror, texts

    @property
    def path(self) -> Path:
        """The mirror's file."""
        return self._mirror.path

    def copy_to(self, copy: Path, timeout_s: float) -> int:
        """Copy it as it is now."""
        return self._mirror.copy_to(copy, timeout_s, texts=self._texts)

    def is_current(self, seen: int) -> bool:
        """Whether nothing has changed since; new messages alone are no change where they are not mirrored."""
        return not self._texts and self._mirror.is_current(seen)


class _Asked:
    """A mirror that is asked one query."""

    def __init__(self, mirror: Mirror, sql: str) -> None:
        self._mirror, self._sql = mirror, sql

    @property
    def path(self) -> Path:
        """The mirror's file."""
        return self._mirror.path

    def read_only(self, timeout_s: float = 10.0) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a connection that cannot write."""
        return self._mirror.read_only(timeout_s, sql=self._sql)

    def private_copy(self, sql: str = "") -> AbstractContextManager[DuckDBPyConnection]:
        """Open a copy that may be written to."""
        return self._mirror.private_copy(sql or self._sql)


def _keeps_texts() -> bool:
    return bool(settings.get("mirror_messages") == "keep")


_mirrors: weakref.WeakSet[Mirror] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for mirror in list(_mirrors):
        mirror.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
