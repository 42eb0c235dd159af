"""The launch log: launches that are durable before the database has them, in a file of this process beside it.

A launch that nobody need ask the database about is a line of JSON in `<database>.launches.<token>`, synced; it needs
no turn with the database, so that no other process is waited for. The log is emptied once its rows are committed.
Whoever begins a turn puts the rows of all logs into the database first (`journal_recovery.py`): others find each launch
from then on, and what a killed process left is not lost. A line is 0.1 ms of CPU, a row with a commit of its own
1 to 2 ms. `append`, `sync` and `is_open` are for the launching thread, the rest for the writer's; all but `sync`
under the writer's lock.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from time import monotonic

from nbagent.core import dump_json
from nbagent.store.access import open_file
from nbagent.store.commands import JournaledLaunch
from nbagent.store.duckdb.lock_file import OPEN_FLAGS, try_lock
from nbagent.store.duckdb.tables import COLUMNS

LINE_MAX = 1 << 18  # a longer one goes into the database only: it would be written twice
LOG_MAX = 1 << 22  # a log that is never empty, because launches never pause, is left alone until it is
SLOW_S = 1.0  # a disk that takes longer than this for a line ...
AVOID_S = 10.0  # ... is left to the writer thread for this long: a launch waits 2 s at most

_NAMES = tuple(COLUMNS["launches"])
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | OPEN_FLAGS
_sync = getattr(os, "fdatasync", os.fsync)


class Journal:
    """This process's log of one database. `syncing` is how many threads are in `sync`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.path = self._new_path()
        self.syncing = 0
        self._fd: int | None = None
        self._taking = False
        self._size = 0
        self._avoided_until = 0.0

    def open(self) -> None:
        """From now on launches are taken, until `close`: a turn has shown that the database can be written."""
        if self._fd is not None and not _is_there(self._fd, self.path):  # the folder was deleted or swapped
            if self.syncing:
                return
            self.end()
        self._taking = True

    def close(self) -> None:
        """Take no more until a turn has gone well again."""
        self._taking = False

    @property
    def is_open(self) -> bool:
        """Whether launches are taken."""
        return self._taking and self._size < LOG_MAX and monotonic() >= self._avoided_until

    def append(self, launch: JournaledLaunch) -> bool:
        """Add a launch; `sync` makes it durable. False if the log does not take it."""
        data = dict(zip(_NAMES, launch.row, strict=True))
        if launch.hint is not None:
            data["hint"] = launch.hint
        if launch.follows:
            data["follows"] = True
        try:
            line = dump_json(data) + b"\n"
        except ValueError:  # text that is no UTF-8: the batch repairs it
            return False
        if len(line) > LINE_MAX:
            return False
        try:
            if self._fd is None:
                self._fd = _created(self.path, self._database)
            elif not _is_there(self._fd, self.path):
                self._taking = False
                return False
            written = os.write(self._fd, line)
        except OSError:
            written = 0
        self._size += written
        if written != len(line):
            self._taking = False  # what is there of the line is torn: nothing may follow it
        return written == len(line)

    def sync(self) -> bool:
        """Make what was appended durable. False if the disk refused; only the database can keep it then."""
        assert self._fd is not None
        began = monotonic()
        try:
            _sync(self._fd)
        except OSError:
            self._taking = False
            return False
        if (now := monotonic()) - began > SLOW_S:
            self._avoided_until = now + AVOID_S
        return True

    def clear(self) -> None:
        """Empty the log: the database has all of it."""
        if self._size and self._fd is not None:
            with contextlib.suppress(OSError):  # then it is taken over once more, which changes nothing
                os.ftruncate(self._fd, 0)
                self._size = 0

    def end(self) -> None:
        """Let the log go, nobody being in `sync`. Rows that could not be committed stay, for whoever has a turn next."""
        self._taking = False
        if self._fd is not None and not self._size:
            with contextlib.suppress(OSError):
                self.path.unlink()
        self.forget()
        self.path = self._new_path()

    def forget(self) -> None:
        """In a forked child: the log is the parent's."""
        self._taking = False
        fd, self._fd, self._size = self._fd, None, 0
        if fd is not None:
            os.close(fd)

    def _new_path(self) -> Path:
        return self._database.with_name(f"{self._database.name}.launches.{secrets.token_hex(6)}")


def _is_there(fd: int, path: Path) -> bool:
    """Whether others can see what is written: the file has its name still."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _created(path: Path, database: Path) -> int:
    """Begin a log, locked for as long as this process lives: so others know that it does. Raises OSError."""
    fd = open_file(path, _FLAGS, database)
    if not (
        try_lock(fd) and _is_there(fd, path)
    ):  # somebody has just found it unlocked, and taken it for left
        os.close(fd)
        raise FileNotFoundError(path)
    with contextlib.suppress(OSError):  # where a folder cannot be synced, there is no need
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return fd
