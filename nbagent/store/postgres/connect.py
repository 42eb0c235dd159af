"""Connections to the server: what each is set to, and what a person is told where there can be none. Any thread.

None waits for ever: the system tells of a machine that no longer answers (`tcp_user_timeout`), not of a pooler, a proxy or a
frozen server that takes what is sent and gives nothing back.

A pooler may lend a connection to the server for one transaction (pgbouncer's transaction mode): then nothing lasts longer, no
setting, lock, prepared statement or LISTEN. What lasts is set anew in each transaction, wherever there is a pooler.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreBusyError, StoreError
from nbagent.settings import ServerUrl

if TYPE_CHECKING:
    import psycopg

OLDEST_SERVER = 140000  # the first with all that is used here
CONNECT_S = 5
# so long without a word a connection is waited for, by what it does
READ_S = 30.0  # a point read
WRITE_S = 40.0  # a batch; longer than a lock is waited for
LONG_S = 600.0  # what may take the server long: deletions, a look over all runs, the rows of a mirror
HEAR_S = 10.0  # what the listener asks
_OPTIONS: dict[str, Any] = {
    "connect_timeout": CONNECT_S,
    "application_name": "nbagent",
    # a server that is gone without a word is noticed within seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_QUIET = logging.getLogger("psycopg")


def load_psycopg() -> Any:
    """Import psycopg. Raises StoreError that names the extra where it is not installed."""
    try:
        import psycopg
    except ImportError:
        raise StoreError(
            "a record on Postgres needs the package psycopg, which is not installed",
            'pip install "nbagent-jupyter[postgres]"',
        ) from None
    if (
        not _QUIET.handlers
    ):  # what it says of a broken connection would stand in the notebook; a program's own handlers get it
        _QUIET.addHandler(logging.NullHandler())
    return psycopg


def connect(url: ServerUrl, *, timeout_s: float = CONNECT_S) -> psycopg.Connection[Any]:
    """Open a connection that commits each statement by itself, with the record's schema first in its search path.

    JSON comes as text, sums as int or float, times as UTC without a zone. Raises StoreError.
    """
    load_psycopg()
    import psycopg

    try:
        given = psycopg.conninfo.conninfo_to_dict(url.dsn)
    except psycopg.Error:  # its text may hold a part of the password
        raise StoreError(
            f"{str(url)!r} is no address that libpq can read",
            'write "postgresql://user@host:5432/database", with %40 for an @ in a name',
        ) from None
    options = {name: value for name, value in _OPTIONS.items() if name not in given}
    if "connect_timeout" in options:
        options["connect_timeout"] = max(2, round(timeout_s))  # less libpq does not take
    try:
        found: psycopg.Connection[Any] = connection_class().connect(
            url.dsn, autocommit=True, cursor_factory=psycopg.RawCursor, **options
        )
    except psycopg.Error as error:
        raise trouble_of(error, url) from None
    try:
        _check(found, url)
        found.adapters.register_loader("json", psycopg.types.string.TextLoader)
        found.adapters.register_loader("numeric", _number_loader())
        (pid,) = found.execute("select pg_backend_pid()").fetchone() or (0,)
        if pid != found.info.backend_pid:  # a pooler gives its clients numbers of its own
            found.local_settings = {}  # type: ignore[attr-defined]
            found.prepare_threshold = None
        set_for(found, search_path=f'"{url.schema}"', timezone="UTC")
    except BaseException as error:
        found.close()
        if isinstance(error, psycopg.Error):
            raise trouble_of(error, url) from None
        raise
    return found


def _check(connection: psycopg.Connection[Any], url: ServerUrl) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise StoreError(
            f"the server of {str(url)!r} is PostgreSQL {version // 10000}",
            "a record needs PostgreSQL 14 or newer",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        raise StoreError(
            f"the database of {str(url)!r} has the encoding {encoding!r}, which cannot hold every text",
            "create database ... encoding 'UTF8' template template0",
        )


def _number_loader() -> Any:
    from psycopg.adapt import Loader

    class NumberLoader(Loader):
        """A sum of whole numbers is an int, as DuckDB has it."""

        def load(self, data: Any) -> int | float:
            text = bytes(data).decode()
            return int(text) if text.lstrip("-").isdigit() else float(text)

    return NumberLoader


def is_trouble(error: BaseException) -> bool:
    """Whether the server or the way to it is at fault, not the rows: then everything must wait."""
    psycopg = load_psycopg()
    if isinstance(error, psycopg.errors.DataError | psycopg.errors.IntegrityError):
        return False
    if isinstance(error, psycopg.errors.ProgrammingError):
        # a schema that was dropped is no fault of a row; what this user may not do is that row's alone
        return isinstance(error, psycopg.errors.UndefinedTable)
    return isinstance(error, psycopg.Error | OSError)


def trouble_of(error: BaseException, url: ServerUrl) -> StoreError:
    """Say in two lines what the server, or the way to it, lacks."""
    psycopg = load_psycopg()
    said = url.without_secrets(str(error)).strip().splitlines()
    why = next((line.strip() for line in said if line.strip()), type(error).__name__)
    name = str(url)
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return StoreBusyError(f"the record {name!r} can only be read now: {why}", WAITS)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return StoreError(
            f"the record {name!r} refuses this user: {why}",
            "ask its owner for the right, see docs/postgres.md",
        )
    if isinstance(error, psycopg.errors.DiskFull):
        return StoreError(f"the record {name!r} cannot be written, its disk is full: {why}", WAITS)
    if isinstance(error, psycopg.errors.UndefinedTable):
        return StoreError(
            f"the record {name!r} has lost its tables: {why}", "restart the kernel to make them anew"
        )
    if isinstance(error, psycopg.errors.InvalidPassword | psycopg.errors.InvalidAuthorizationSpecification):
        return StoreError(
            f"the record {name!r} refuses to let you in: {why}", "see docs/postgres.md, Passwords"
        )
    return StoreBusyError(f"the record {name!r} cannot be reached: {why}", WAITS)


WAITS = "runs go on; their rows wait here, in memory and on this disk, until it can be written"


def close(connection: psycopg.Connection[Any] | None) -> None:
    """Close a connection, whatever state it is in."""
    if connection is not None:
        with contextlib.suppress(Exception):  # it may be broken already
            connection.close()


@functools.cache
def bounded_connection() -> Any:
    """Return the class of connections; psycopg is imported here."""
    import psycopg

    class BoundedConnection(psycopg.Connection[Any]):
        """A connection that is closed, with OperationalError, after `answer_s` without a word while one is waited for."""

        answer_s = float("inf")
        on_silence: Callable[[float], None] | None = None  # called about ten times a second with its length

        def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
            """Wait for a step of the protocol, as psycopg does."""
            return super().wait(self._heard(gen), *args, **kwargs)

        def _heard(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
            try:
                wants = next(gen)
                heard_at = monotonic()
                while True:
                    if ready := (yield wants):
                        heard_at = monotonic()
                    else:
                        self._be_silent(monotonic() - heard_at)
                    wants = gen.send(ready)
            except StopIteration as end:
                return end.value

        def _be_silent(self, silent_s: float) -> None:
            if silent_s > self.answer_s:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"the server has not answered for {silent_s:.0f} s")
            if self.on_silence is not None:
                self.on_silence(silent_s)

    return BoundedConnection


@functools.cache
def connection_class() -> Any:
    """Return the class of connections, bounded in time, which can do without a connection to the server of their own."""

    class LentConnection(bounded_connection()):  # type: ignore[misc]
        """One that sets what lasts in each transaction anew, where there is a pooler."""

        local_settings: dict[str, str] | None = None  # set in each transaction, where there is a pooler
        _is_inside = False  # a transaction

        def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
            """Execute a statement, as psycopg does."""
            if query in ("commit", "rollback"):
                self._is_inside = False
            elif self.local_settings and not self._is_inside:
                return self._execute_alone(query, params, **kwargs)
            return super().execute(query, params, **kwargs)

        def _execute_alone(self, query: Any, params: Any, **kwargs: Any) -> Any:
            if str(query).startswith("begin"):
                begun = super().execute(query)
                self._set_local()
                return begun
            with self.transaction():
                return super().execute(query, params, **kwargs)

        @contextlib.contextmanager
        def transaction(self, *args: Any, **kwargs: Any) -> Generator[Any, None, None]:
            """Open a transaction, as psycopg does."""
            with super().transaction(*args, **kwargs) as begun:
                if self.local_settings and not self._is_inside:
                    self._set_local()
                try:
                    yield begun
                finally:
                    self._is_inside = False

        def _set_local(self) -> None:
            self._is_inside = True
            names = list(self.local_settings or {})
            listed = ", ".join(f"set_config('{name}', ${at}, true)" for at, name in enumerate(names, 1))
            super().execute(f"select {listed}", list((self.local_settings or {}).values()))

    return LentConnection


def give_up(connection: Any, after_s: float, on_silence: Callable[[float], None] | None = None) -> None:
    """Let a connection of ours be taken as gone after so long without a word; `on_silence` hears of each wait."""
    connection.answer_s, connection.on_silence = after_s, on_silence


def is_pooled(connection: Any) -> bool:
    """Whether there is a pooler between: then nothing lasts longer than a transaction."""
    return getattr(connection, "local_settings", None) is not None


def set_for(connection: Any, **settings: str) -> None:
    """Set what holds for all that is done by a connection of ours."""
    if is_pooled(connection):
        connection.local_settings.update(settings)
        return
    for name, value in settings.items():
        connection.execute("select set_config($1, $2, false)", [name, value])
