"""A private copy of the record that can only be read: what a person's SQL is asked of. On the callers' threads.

DuckDB opens the copy read only, without any access to files, network or settings, so that no statement can write,
whatever it says. The copy is kept for as long as the record does not change. Its file is in a folder of this user's
alone and loses its name once it is open (where the system allows that): it goes with the process, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any, Protocol

from nbagent.errors import StoreError
from nbagent.store.access import is_there
from nbagent.store.duckdb.database_file import Stats, copy_files, let_it_be, stats_of, trouble_of, wal_of
from nbagent.store.duckdb.lock_file import LockFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from nbagent.store.duckdb.write.writer import Writer

MOST_THREADS = 4
KEEP_BYTES = 1 << 30  # a larger copy is dropped after each question: it takes room that the user may want
SETTLED_NS = 100_000_000  # file times are coarser than turns: within this time of a write they do not tell

_LOCKED = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "lock_configuration": True,
}


@dataclass(eq=False, slots=True, kw_only=True)
class _Opened:
    """One copy that is open, and how many read it: closing it would end their queries."""

    con: DuckDBPyConnection
    folder: Path
    size: int
    seen: Any
    readers: int = 0


class CopySource(Protocol):
    """What can be copied: a record's file (`RecordFile`), or what this machine keeps of a server's record."""

    @property
    def path(self) -> Path:
        """The file, for messages."""

    def copy_to(self, copy: Path, timeout_s: float) -> Any:
        """Copy the record with all that was submitted before, and give its state. Raises StoreError, OSError."""

    def is_current(self, seen: Any) -> bool:
        """Whether the record is still in the state that `copy_to` gave."""


class PrivateCopy:
    """The copy of one store's record. `connection` gives cursors on it, anew where the record has changed."""

    def __init__(self, source: CopySource) -> None:
        self._source = source
        self._guard = threading.Lock()
        self._kept: _Opened | None = None
        _copies.add(self)

    @contextlib.contextmanager
    def connection(self, timeout_s: float) -> Iterator[DuckDBPyConnection]:
        """A connection that can only read, on the record with all that was submitted before. Raises StoreError.

        `timeout_s` bounds the wait for the file; once it is copied, nobody waits for this reader.
        """
        import duckdb

        with self._guard:
            if self._kept is None or not self._source.is_current(self._kept.seen):
                self._drop()
                self._kept = self._open(timeout_s)
            one = self._kept
            one.readers += 1
            cursor = one.con.cursor()
        keep = one.size <= KEEP_BYTES
        try:
            yield cursor
        except (duckdb.FatalException, duckdb.InternalException):
            keep = False  # such an error can end the whole database, which is only the copy
            raise
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.close()
            self._done(one, keep=keep)

    def drop(self) -> None:
        """Delete the copy; who still reads it reads on."""
        with self._guard:
            self._drop()

    def forked(self) -> None:
        """In a forked child: the copy is the parent's."""
        self._guard = threading.Lock()
        if self._kept is not None:
            let_it_be(self._kept.con)
            self._kept = None

    def _done(self, one: _Opened, *, keep: bool) -> None:
        with self._guard:
            one.readers -= 1
            if one is self._kept and not keep:
                self._drop()
            elif one is not self._kept and not one.readers:
                _end(one)

    def _drop(self) -> None:
        one, self._kept = self._kept, None
        if one is not None and not one.readers:
            _end(one)

    def _open(self, timeout_s: float) -> _Opened:
        folder = Path(tempfile.mkdtemp(prefix="nbagent-"))
        copy = folder / "record.duckdb"
        try:
            seen = self._source.copy_to(copy, timeout_s)
            opened = _Opened(con=_connect(copy), folder=folder, size=copy.stat().st_size, seen=seen)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise _not_copied(error, self._source.path) from error
        if sys.platform != "win32":
            for one in (copy, wal_of(copy)):
                one.unlink(missing_ok=True)
        return opened


def _connect(copy: Path) -> DuckDBPyConnection:
    import duckdb

    config: dict[str, Any] = {
        **_LOCKED,
        "threads": min(os.cpu_count() or 1, MOST_THREADS),
        "temp_directory": str(copy.with_name("spilled")),  # made when a query outgrows the memory
    }
    return duckdb.connect(str(copy), read_only=True, config=config)


def _end(one: _Opened) -> None:
    import duckdb

    with contextlib.suppress(duckdb.Error):
        one.con.close()
    shutil.rmtree(one.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class RecordFile:
    """The file of a record, as a source of copies."""

    writer: Writer

    @property
    def path(self) -> Path:
        """The file."""
        return self.writer.file.path

    def copy_to(self, copy: Path, timeout_s: float) -> tuple[Stats, bytes | None]:
        """Copy the record with all that was submitted before, while no process has it open.

        Give its state, and whose turn was last where the state alone may not tell. Raises StoreError, OSError.
        """
        writer, path = self.writer, self.path
        with writer.letting_go():
            if not (writer.has_begun and is_there(path) and writer.is_settled()):
                with writer.reading(timeout_s):
                    pass  # a turn brings all into the file: rows of this process, launches in other processes' logs
            if writer.file.is_read_only:
                with writer.file.held:
                    copy_files(writer.file.source, copy)
                return stats_of(path), None
            lock = LockFile(path)
            lock.acquire(sign=False)
        try:
            stats = stats_of(path)
            copy_files(path, copy)
            newest = max((one[2] for one in stats if one is not None), default=0)
            return stats, None if time_ns() - newest > SETTLED_NS else lock.mark()
        finally:
            lock.release()
            lock.close()

    def is_current(self, seen: tuple[Stats, bytes | None]) -> bool:
        """Whether nobody has written since, and nothing waits to be."""
        stats, mark = seen
        file = self.writer.file
        return (
            self.writer.is_settled()
            and stats_of(file.path) == stats
            and (mark is None or mark == file.lock.mark())
        )


@contextlib.contextmanager
def private_copy(source: CopySource, timeout_s: float = 10.0) -> Iterator[DuckDBPyConnection]:
    """A connection on a copy of its own that may be written to, deleted afterwards: for queries of ours to files."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="nbagent-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "record.duckdb"
        try:
            source.copy_to(copy, timeout_s)
            con = duckdb.connect(str(copy), config={"python_enable_replacements": False})
        except (OSError, duckdb.Error) as error:
            raise _not_copied(error, source.path) from error
        try:
            yield con
        finally:
            con.close()


def _not_copied(error: BaseException, path: Path) -> BaseException:
    if isinstance(error, OSError):
        return StoreError(
            f"the record {str(path)!r} cannot be copied to {tempfile.gettempdir()!r}: {error.strerror or error}",
            "free disk space there, or set TMPDIR to another folder",
        )
    return trouble_of(error, path)


_copies: weakref.WeakSet[PrivateCopy] = weakref.WeakSet()


@atexit.register
def _drop_all() -> None:
    for copy in list(_copies):
        copy.drop()


def _after_fork_in_child() -> None:
    for copy in list(_copies):
        copy.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
