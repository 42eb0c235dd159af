"""Connections for point reads: a few that are kept, each lent to one reader at a time. Any thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbagent.settings import ServerUrl
from nbagent.store.duckdb.codec import naive
from nbagent.store.duckdb.schema import VERSION
from nbagent.store.ports import Ask
from nbagent.store.postgres.connect import (
    CONNECT_S,
    READ_S,
    close,
    connect,
    give_up,
    is_trouble,
    load_psycopg,
    trouble_of,
)
from nbagent.store.postgres.dialect import postgres_sql
from nbagent.store.postgres.server_schema import prepare, version_of
from nbagent.store.postgres.write.apply import channel

if TYPE_CHECKING:
    import psycopg

MOST_KEPT = 4


class Readers:
    """The connections of one record's readers."""

    def __init__(self, url: ServerUrl) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._idle: list[psycopg.Connection[Any]] = []
        self._prepared = False

    @contextlib.contextmanager
    def reader(self, timeout_s: float) -> Iterator[Ask]:
        """One state of the record for several queries in the words of `duckdb/read/`. Raises StoreError."""
        with self._lent(timeout_s) as connection:
            connection.execute("begin isolation level repeatable read, read only")

            def ask(sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
                cursor = connection.execute(postgres_sql(sql), [_param(one) for one in params])
                names = [column.name for column in cursor.description or ()]
                return [dict(zip(names, map(_value, row), strict=True)) for row in cursor.fetchall()]

            yield ask
            connection.execute("commit")

    def notify(self, notice: str) -> None:
        """Tell all who listen. Raises StoreError."""
        with self._lent(CONNECT_S) as connection:
            connection.execute("select pg_notify($1, $2)", [channel(self._url.schema), notice])

    @contextlib.contextmanager
    def _lent(self, timeout_s: float) -> Iterator[psycopg.Connection[Any]]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None and not _is_well(connection):
            close(connection)
            connection = None
        if connection is None:
            connection = self.opened(timeout_s)
            give_up(connection, READ_S)
        try:
            yield connection
        except BaseException as error:
            close(connection)
            refused = load_psycopg().errors.InsufficientPrivilege
            if isinstance(error, refused) or (isinstance(error, load_psycopg().Error) and is_trouble(error)):
                raise trouble_of(error, self._url) from None
            raise
        with self._lock:
            if len(self._idle) < MOST_KEPT:
                self._idle.append(connection)
                return
        close(connection)

    def opened(self, timeout_s: float = CONNECT_S) -> psycopg.Connection[Any]:
        """Open a connection on a record that is there, made now where it was not. Raises StoreError."""
        connection = connect(self._url, timeout_s=timeout_s)
        try:
            if not self._prepared:
                if version_of(connection, self._url) < VERSION:
                    prepare(connection, self._url)
                self._prepared = True
        except BaseException as error:
            close(connection)
            if isinstance(error, load_psycopg().Error):
                raise trouble_of(error, self._url) from None
            raise
        return connection

    def close(self) -> None:
        """Give all of them back."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            close(connection)

    def forget(self, keep: Callable[[Any], None]) -> None:
        """In a forked child: they are the parent's, and only `keep` may have them."""
        self._lock = threading.Lock()
        keep(self._idle)
        self._idle = []


def _is_well(connection: psycopg.Connection[Any]) -> bool:
    """Whether a kept connection still answers."""
    try:
        connection.execute("")
    except load_psycopg().Error:
        return False
    return True


def _param(value: Any) -> Any:
    if isinstance(value, datetime):
        return naive(value)
    return list(value) if isinstance(value, tuple) else value


def _value(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
