"""The database file, one turn at a time: lock, attach, work, detach, unlock.

A turn is the only time when the file is open. DuckDB itself is started once, on an in-memory database, and the
file is attached to it for each turn: that costs 1 to 3 ms of CPU, a whole `duckdb.connect` 11 to 18 ms.
All of it runs on the writer thread, except `cursor`'s result, which a reader's thread uses during the turn.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import shutil
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.errors import StoreBusyError, StoreDamagedError, StoreError, StoreForeignError, StoreTooNewError
from nbagent.store.access import access_trouble, can_only_read, make_folder, set_mode
from nbagent.store.duckdb.lock_file import LockFile
from nbagent.store.duckdb.salvage import is_whole, salvage
from nbagent.store.duckdb.schema import migrate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Stats = tuple[Any, ...]

_CONFIG = {
    "threads": 1,
    # nothing is ever fetched from the network, and a query's names mean tables, not Python variables
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
_OLDEST_READER = "v1.4.0"  # DuckDB that can open the files we make
_DAMAGED = re.compile(
    r"not a valid DuckDB database|corrupt|checksum|failed to load metadata|deserializ|replaying WAL|read enough bytes",
    re.IGNORECASE,
)
_SQLITE = b"SQLite format 3\0"
_NEWER = re.compile(r"version number|newer version", re.IGNORECASE)
_HOLDER = re.compile(r"\(PID (\d+)\)")
_ALIAS = "record"


class DatabaseFile:
    """One database file. `open` and `close` bracket a turn; in between `con` works on the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = LockFile(path)
        self.notices: list[str] = []
        self._con: DuckDBPyConnection | None = None
        self._attached = False
        self._seen: Stats = ()  # the files at the end of our last turn
        self.held = threading.Lock()  # held while the file is open; a fork waits for it
        self._stale = True  # others may have written since our last turn that went well
        self._damage = ""  # what DuckDB said of the file in the middle of a turn
        self._doubted = ""  # what it said to a reader, who may have read a bad copy
        self._aside: Path | None = None  # a damaged file whose rows are to be carried over
        self.is_read_only = False  # the user may not write it: turns are with a private copy, for readers
        self._copy: tuple[Path, Stats] | None = None
        self._inode: int | None = None  # of the file that our last turn was with
        self.begun_anew = False  # it is another file now

    @property
    def con(self) -> DuckDBPyConnection:
        """The writer's connection; the file is open."""
        assert self._con is not None
        return self._con

    def open(self) -> bool:
        """Begin a turn, waiting for it. True if another process may have written since our last turn.

        Raises StoreError: Busy where a program that does not take turns holds the file, TooNew, or other trouble.
        """
        try:
            make_folder(self.path.parent)
            self.is_read_only = can_only_read(self.path)
            others = False if self.is_read_only else self.lock.acquire()
        except OSError as error:
            raise access_trouble(error, self.path) from error
        self.held.acquire()
        try:
            self._stale |= others or stats_of(self.path) != self._seen
            if self.is_read_only:
                self._attach_copy()
            else:
                self._attach()
            migrate(self.con, self.path)
            self._carry_over()
            inode = self.path.stat().st_ino
            self.begun_anew |= inode != self._inode and self._inode is not None
            self._inode = inode
        except BaseException as error:
            found = trouble_of(error, self.path)
            self.close(broken=not isinstance(found, StoreBusyError))
            if isinstance(found, StoreForeignError) and self.lock.is_new:
                self.lock.remove()
            raise found from error
        stale, self._stale = self._stale, False
        return stale

    def close(self, *, broken: bool = False) -> None:
        """End the turn. A broken database is dropped whole, DuckDB included."""
        try:
            if self._attached:
                self._attached = False
                try:
                    self.con.execute("use memory")
                    self.con.execute(f"detach {_ALIAS}")
                except Exception:  # noqa: BLE001 - whatever DuckDB says, the file must be let go
                    broken = True
            if broken:
                with contextlib.suppress(Exception):
                    self.shut_down()
                self._con = None
                self._stale = True
            self._seen = stats_of(self.path)
        finally:
            self.held.release()
            self.lock.release()

    def suspect(self, error: Exception) -> None:
        """A turn has failed with this error: where it says that the file is damaged, the next one sets it aside."""
        if damage_in(error, self.path) is not None:
            self._damage = str(error)

    def doubt(self, reason: str) -> None:
        """A reader has met damage: the next turn sets the file aside. Any thread.

        Where the words could be of the reader's own query, the turn looks at all of the file first.
        """
        if "computed checksum" in reason:
            self._damage = reason
        else:
            self._doubted = reason

    @property
    def is_doubted(self) -> bool:
        """Whether the next turn is to look at the file, or to set it aside."""
        return bool(self._damage or self._doubted)

    def shut_down(self) -> None:
        """Let DuckDB go as well, between turns; the next turn starts it again."""
        if self._con is not None:
            self._con.close()
            self._con = None

    def cursor(self) -> DuckDBPyConnection:
        """A connection of its own on the open file, for a reader; to be closed before the turn ends."""
        cursor = self.con.cursor()
        cursor.execute(f"use {_ALIAS}")
        return cursor

    def changed(self) -> bool:
        """Whether somebody has written since our last turn, as far as can be seen from outside. Any thread."""
        return stats_of(self.path) != self._seen or not self.lock.was_mine()

    def keep_private(self) -> None:
        """Let nobody but the user read the log that DuckDB has just begun beside the file."""
        with contextlib.suppress(OSError):
            set_mode(wal_of(self.path), self.path)

    def forget(self) -> None:
        """In a forked child: leave the parent's file alone, also when this interpreter ends."""
        if self._con is not None:
            let_it_be(self._con)
            self._con = None
        self.lock.forget()

    @property
    def source(self) -> Path:
        """Where copies are made from, under `held`: the file, or the private copy that brings it up to date."""
        return self._copy[0] if self.is_read_only and self._copy is not None else self.path

    def _attach_copy(self) -> None:
        """Attach a private copy of a record that can only be read: it may be migrated, and rows of logs come in."""
        seen = stats_of(self.path)
        if self._copy is None or self._copy[1] != seen:
            if self._copy is not None:
                shutil.rmtree(self._copy[0].parent, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix="nbagent-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            copy = folder / "record.duckdb"
            with self.lock.shared():
                copy_files(self.path, copy)
            self._copy = copy, seen
        self._connect().execute(f"attach {_quoted(self._copy[0])} as {_ALIAS}")
        self._attached = True
        self.con.execute(f"use {_ALIAS}")

    def _connect(self) -> DuckDBPyConnection:
        import duckdb

        if self._con is None:
            spill = {"temp_directory": f"{self.path}.tmp"}  # made only when a query outgrows the memory
            self._con = duckdb.connect(":memory:", config=_CONFIG | spill)  # type: ignore[arg-type]
        return self._con

    def _attach(self) -> None:
        import duckdb

        con = self._connect()
        doubted, self._doubted = self._doubted, ""
        if doubted and not self._damage and self.path.exists() and not is_whole(self.path):
            self._damage = doubted
        if self._damage:
            reason, self._damage = self._damage, ""
            self._set_aside(reason)
        new = self._is_new()
        options = f"type duckdb, storage_version '{_OLDEST_READER}'"
        for last_try in (False, False, True):
            try:
                con.execute(f"attach {_quoted(self.path)} as {_ALIAS} ({options})")
                break
            except duckdb.Error as error:
                if last_try or _NEWER.search(str(error)):
                    raise
                if "storage version" in str(error):  # made by somebody else: whose it is is seen inside
                    options = "type duckdb"
                elif _DAMAGED.search(str(error)):
                    self._set_aside_ours(error)
                    new = True
                else:
                    raise
        self._attached = True
        con.execute(f"use {_ALIAS}")
        if new:
            # the mode that the option asks for: there was no record to follow
            self.path.chmod(0o660 if settings.get("store_mode") == "group" else 0o600)
            self.begun_anew = self._inode is not None  # a new file may have its predecessor's inode

    def _set_aside_ours(self, error: Exception) -> None:
        """Set the file aside, unless it is another program's database. Raises StoreForeignError."""
        with self.path.open("rb") as file:  # nobody has it open here: it could not be attached
            if file.read(len(_SQLITE)) == _SQLITE:
                raise StoreForeignError(
                    f"{str(self.path)!r} is a SQLite file, and no DuckDB file; it is left untouched",
                    "set NBAGENT_STORE to another file",
                ) from None
        self._set_aside(str(error))

    def _is_new(self) -> bool:
        """Whether there is no database yet. An empty file, which a crash can leave, is no database."""
        try:
            if self.path.stat().st_size:
                return False
        except FileNotFoundError:
            return True
        self.path.unlink()
        return True

    def _set_aside(self, reason: str) -> None:
        """Rename what cannot be opened: the log alone if that is what is broken, else file and log."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        log_alone = "WAL" in reason and wal_of(self.path).exists()
        moved = []
        for path in [wal_of(self.path)] if log_alone else [self.path, wal_of(self.path)]:
            aside = path.with_name(path.name.replace(self.path.stem, f"{self.path.stem}.damaged-{stamp}", 1))
            with contextlib.suppress(FileNotFoundError):
                path.rename(aside)
                moved.append(aside)
        names = ", ".join(path.name for path in moved)
        if not log_alone and moved:
            self._aside = moved[0]
        notice = StoreDamagedError(
            f"the record {str(self.path)!r} is damaged ({_first_line(reason)}); it was renamed, a new one is begun",
            f"what could not be read is kept in {names}",
        )
        self.notices.append(str(notice))

    def _carry_over(self) -> None:
        """Bring what can be read of a file that was set aside into the new one."""
        aside, self._aside = self._aside, None
        if aside is not None and (found := salvage(self.con, aside)).rows:
            self.notices[-1] += f"; {found}"


def wal_of(path: Path) -> Path:
    """DuckDB's own log beside a database, which is there after a crash, and while it is open."""
    return path.with_name(path.name + ".wal")


def copy_files(path: Path, copy: Path) -> None:
    """Copy a database and its log; nobody but this user can read the copy. Raises OSError."""
    for source, target in ((path, copy), (wal_of(path), wal_of(copy))):
        with contextlib.suppress(FileNotFoundError):
            if source.exists():
                target.touch(mode=0o600, exist_ok=False)
                shutil.copyfile(source, target)


def stats_of(path: Path) -> Stats:
    """What tells from outside whether a database was written to: inode, size and time of it and of its log."""
    found: list[Any] = []
    for one in (path, wal_of(path)):
        try:
            stat = one.stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def let_it_be(con: DuckDBPyConnection) -> None:
    """In a forked child: never close a connection of the parent's. Its destructor would write into the file."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(con))


def trouble_of(error: BaseException, path: Path) -> BaseException:
    """Say in our words why the file cannot be used; what is no such reason is given back as it is."""
    import duckdb

    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return StoreError(
            f"the record {str(path)!r} cannot be used: {error.filename!r} is a symbolic link, which is not followed",
            "remove that link, and see who else can write in the folder; rows wait in memory until then",
        )
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return StoreError(
            f"the record {str(path)!r} cannot be opened: this process has no file descriptors left",
            "allow it more (ulimit -n before the kernel starts), or run fewer at a time; rows wait in memory until then",
        )
    if isinstance(error, OSError):
        return access_trouble(error, path)
    if not isinstance(error, duckdb.Error):
        return error
    text = str(error)
    if "Could not set lock" in text or "used by another process" in text:
        pid = _HOLDER.search(text)
        return busy(path, int(pid[1]) if pid else None)
    if _NEWER.search(text):
        return StoreTooNewError(
            f"the record {str(path)!r} was made by a newer DuckDB; it is left untouched: {_first_line(text)}",
            "update duckdb, or set NBAGENT_STORE to another file",
        )
    return StoreError(
        f"the record {str(path)!r} cannot be written: {_first_line(text)}",
        "free disk space or set NBAGENT_STORE to another file; rows wait in memory until then",
    )


def is_damage(error: BaseException) -> bool:
    """Whether an error in the middle of a turn says that the file is damaged."""
    import duckdb

    kinds = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.SerializationException,
    )
    # some damaged blocks are reported as no more than the base class
    known = isinstance(error, kinds) or type(error) is duckdb.Error
    return known and bool(_DAMAGED.search(str(error))) and not _NEWER.search(str(error))


def damage_in(error: BaseException, path: Path) -> StoreDamagedError | None:
    """What an error in the middle of a turn says of a damaged file; None for any other error."""
    if not is_damage(error):
        return None
    return StoreDamagedError(
        f"the record {str(path)!r} is damaged in part: {_first_line(str(error))}",
        "it is looked at now: what can be read is carried over into a new file; ask again",
    )


def busy(path: Path, pid: int | None) -> StoreBusyError:
    """Say who holds the file."""
    return StoreBusyError(
        f"the record {str(path)!r} is held by another process{f' (pid {pid})' if pid else ''}",
        "close the program that has it open; rows wait in memory until then",
    )


def _quoted(path: Path) -> str:
    return "'" + os.fspath(path).replace("'", "''") + "'"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
