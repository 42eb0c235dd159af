"""The file of a mirror: a DuckDB database in this user's cache folder that one process has open.

Each process has a file of its own, so that nobody waits for another's long query and no file is opened by two. A file
is kept when its process ends: the next one on this machine that asks the same server as the same user takes it over,
warm. So there are as many as processes have asked at one time; what nobody has used for a month is deleted.

The tables are in the schema `pulled`, each with the `row_id` of its rows; views with the names and columns of the
record's tables stand in front, and the views `attempts` and `runs` over those. Used under `Mirror`'s lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreError
from nbagent.store.duckdb.database_file import damage_in, let_it_be, wal_of
from nbagent.store.duckdb.lock_file import OPEN_FLAGS, try_lock, unlock
from nbagent.store.duckdb.read.private_copy import MOST_THREADS
from nbagent.store.duckdb.schema import VERSION, views
from nbagent.store.duckdb.tables import COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAYOUT = 1  # of the tables below; another one is another file
TEXTS = "messages"  # the table that is kept only where the option `mirror_messages` says so
# in the order in which their rows refer to each other; what processes wish of each other is not mirrored
TABLES = (
    "launches", "attempt_starts", "attempt_progress", "attempt_ends", "model_calls", "tool_calls", "messages", "answers",
    "batches", "batch_rows", "scores",
)  # fmt: skip
_UNUSED_S = 30 * 86400
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which rows a file mirrors: those that one user sees in one schema of one database of one server."""

    system_id: str
    database: str
    schema: str
    user: str

    @property
    def stem(self) -> str:
        """The beginning of its files' names."""
        said = repr((astuple(self), LAYOUT, VERSION))
        return hashlib.sha256(said.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What must be the same for rows that were pulled to stand: else the file begins anew."""

    record_id: str  # a schema that was dropped and made again has another
    epoch: int  # raised where rows went without tombstones
    timeline: str  # another after a failover or a restore, which may have lost transactions


def cache_folder() -> Path:
    """The folder of this user's mirrors."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "nbagent" / "mirrors"


class MirrorFile:
    """A file that this process has. `con` is its connection; cursors of it read while others pull."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self._lock, self._stem = _take_one(place.stem, folder)
        found = sorted(folder.glob(f"{self._stem.name}-*.duckdb"))
        self.path = found[0] if len(found) == 1 else self._new_path()
        self.con: DuckDBPyConnection
        try:
            self._open()
        except BaseException:
            self._let_go()
            raise

    def _open(self) -> None:
        import duckdb

        try:
            self.con = self._connect()
        except (duckdb.Error, OSError):
            # it is a copy of what the server has: one that cannot be opened is made again
            self.delete()
            self.path = self._new_path()
            self.con = self._connect()

    def _connect(self) -> DuckDBPyConnection:
        import duckdb

        con = duckdb.connect(
            str(self.path),
            config={"threads": min(os.cpu_count() or 1, MOST_THREADS), "python_enable_replacements": False},
        )
        try:
            con.execute("begin")
            con.execute(_tables())
            con.execute("commit")
        except BaseException:
            con.close()
            raise
        self.keep_private()
        return con

    def begin_anew(self) -> None:
        """Throw away what was pulled; queries at work on it go on."""
        self.con.close()
        self.delete()
        self.path = self._new_path()
        self.con = self._connect()

    def _new_path(self) -> Path:
        # another name each time: while somebody reads, DuckDB takes one path for one database
        return self._stem.with_name(f"{self._stem.name}-{token_hex(4)}.duckdb")

    def keep_private(self) -> None:
        """Let nobody but this user read it, whatever the umask."""
        for one in (self.path, wal_of(self.path)):
            with contextlib.suppress(OSError):
                one.chmod(0o600)

    def is_damaged(self, error: BaseException) -> bool:
        """Whether an error says that the file is."""
        return damage_in(error, self.path) is not None

    def delete(self) -> None:
        """Take its rows away; the server has them all."""
        for one in self._stem.parent.glob(f"{self._stem.name}-*.duckdb*"):
            with contextlib.suppress(PermissionError):  # where an open file cannot be unlinked
                one.unlink(missing_ok=True)

    def close(self) -> None:
        """Close it and let another process have it."""
        self.con.close()
        self._let_go()

    def forked(self) -> None:
        """In a forked child: file and lock are the parent's."""
        let_it_be(self.con)
        os.close(self._lock)

    def _let_go(self) -> None:
        unlock(self._lock)
        os.close(self._lock)

    def state(self) -> State | None:
        """What the rows of the file were pulled from; None for a new one."""
        row = self.con.execute("select record_id, epoch, timeline from pulled.state").fetchone()
        return None if row is None else State(record_id=row[0], epoch=row[1], timeline=row[2])

    def horizons(self) -> dict[str, int]:
        """For each table the transaction from which on rows are to be asked for; without one, all are."""
        return dict(self.con.execute("select table_name, horizon from pulled.horizons").fetchall())


def _take_one(stem: str, folder: Path) -> tuple[int, Path]:
    """Lock the first file that no process has."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        _delete_unused(folder)
        for number in range(_MOST_FILES):
            path = folder / f"{stem}-{number}"
            fd = _open_lock(path.with_suffix(".lock"))
            if try_lock(fd):
                os.utime(fd)
                return fd, path
            os.close(fd)
    except OSError as error:
        raise StoreError(
            f"the mirror of the record cannot be made in {str(folder)!r}: {error.strerror or error}",
            "make that folder writable, or set XDG_CACHE_HOME to another one",
        ) from error
    raise StoreError(
        f"{_MOST_FILES} processes have a mirror in {str(folder)!r}", "end those that are not needed"
    )


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, 0o600)


def _delete_unused(folder: Path) -> None:
    for lock in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            if time() - lock.stat().st_mtime < _UNUSED_S:
                continue
            fd = _open_lock(lock)
            try:
                if try_lock(fd):
                    for one in (*folder.glob(f"{lock.stem}-*.duckdb*"), lock):
                        one.unlink(missing_ok=True)
            finally:
                os.close(fd)


def _tables() -> str:
    statements: list[Any] = [
        "create schema if not exists pulled",
        "create table if not exists pulled.state (record_id varchar, epoch integer, timeline varchar)",
        "create table if not exists pulled.horizons (table_name varchar, horizon ubigint)",
    ]
    for table in TABLES:
        listed = ", ".join(f"{name} {kind}" for name, kind in COLUMNS[table].items())
        statements += [
            f"create table if not exists pulled.{table} ({listed}, row_id bigint)",
            _view(table),
        ]
    return ";\n".join([*statements, views()])


def _view(table: str) -> str:
    """The view with the names and columns of the file; of two scores of one moment the later row counts, as there."""
    more = ", row_id as rowid" if table == "scores" else ""
    return f"create or replace view {table} as select {', '.join(COLUMNS[table])}{more} from pulled.{table}"  # noqa: S608 - names of ours
