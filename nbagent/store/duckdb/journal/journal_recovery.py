"""The launch logs of other processes, living and dead: their rows come into the database at the beginning of a turn.

Used by `writer.py`, on its thread. A living process goes on with its log, and finds its rows in the database when it
writes them itself; a dead one's log is removed once its rows are committed.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from nbagent.core import load_json
from nbagent.errors import StoreDamagedError
from nbagent.store.access import NO_ACCESS, open_file
from nbagent.store.commands import JournaledLaunch
from nbagent.store.duckdb.lock_file import OPEN_FLAGS, try_lock, unlock
from nbagent.store.duckdb.tables import COLUMNS

_NAMES = tuple(COLUMNS["launches"])
_DAMAGED = ".launches.damaged-"


class OrphanJournals:
    """What the other logs of one database hold: `launches`, to be committed before anything is read, then `settle`."""

    def __init__(self, database: Path, own: Path) -> None:
        self.launches: list[JournaledLaunch] = []
        self._database = database
        self._own = own
        self._left: list[tuple[Path, int]] = []  # logs of dead processes, locked by us
        self._unreadable: list[bytes] = []

    def read(self) -> bool:
        """Read them. True if there was a launch. Raises OSError where a log cannot be read; then `let_go`."""
        for path in _others(self._database, self._own):
            self._read(path)
        return bool(self.launches)

    def _read(self, path: Path) -> None:
        try:
            fd = os.open(path, os.O_RDWR | OPEN_FLAGS)
        except FileNotFoundError:  # its process has just ended
            return
        except OSError as error:
            if error.errno not in NO_ACCESS:
                raise
            self._read_anothers(path)  # in a record that can only be read
            return
        try:
            is_left = try_lock(fd)
            if is_left:
                self._left.append((path, fd))
            launches, unreadable = _parsed(_content(fd))
        finally:
            if (path, fd) not in self._left:
                os.close(fd)
        self.launches += launches
        if is_left:
            self._unreadable += unreadable

    def _read_anothers(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
            try:
                self.launches += _parsed(_content(fd))[0]
            finally:
                os.close(fd)

    @property
    def some_are_left(self) -> bool:
        """Whether there is a log whose process is gone: its runs are to be interrupted."""
        return bool(self._left)

    def settle(self) -> str | None:
        """The launches are committed: remove dead processes' logs. Gives a sentence on lines that nobody can read."""
        notice = self._set_aside() if self._unreadable else None
        left = [path for path, _ in self._left]
        self.let_go()  # an open file cannot be deleted everywhere; nobody takes it now: we have the turn
        for path in left:
            with contextlib.suppress(OSError):  # then it is read once more, which changes nothing
                path.unlink()
        return notice

    def let_go(self) -> None:
        """Leave the logs as they are."""
        for _, fd in self._left:
            unlock(fd)
            os.close(fd)
        self._left.clear()

    def _set_aside(self) -> str:
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        aside = self._database.with_name(f"{self._database.name}{_DAMAGED}{stamp}")
        fd = open_file(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, self._database)
        with os.fdopen(fd, "wb") as file:
            file.write(b"\n".join(self._unreadable))
        return str(
            StoreDamagedError(
                f"{len(self._unreadable)} launches of a process that is gone cannot be read",
                f"they are kept in {aside.name}",
            )
        )


def others_hold(database: Path, own: Path) -> bool:
    """Whether another process has launches that the database may not have. Any thread; opens no file."""
    try:
        return any(path.stat().st_size for path in _others(database, own))
    except OSError:  # one that has just gone
        return True


def _others(database: Path, own: Path) -> list[Path]:
    start = f"{database.name}.launches"
    with os.scandir(database.parent) as found:
        paths = [
            Path(one.path)
            for one in found
            if one.name.startswith(start) and _DAMAGED not in one.name and not one.is_symlink()
        ]
    return [path for path in paths if path != own]


def _content(fd: int) -> bytes:
    """All that is in the file now; its process may be adding to it."""
    size = os.fstat(fd).st_size
    parts = []
    while size > 0 and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _parsed(content: bytes) -> tuple[list[JournaledLaunch], list[bytes]]:
    """The launches of a log, and the lines that nobody can read. A torn last line was never acknowledged and is left out."""
    launches: list[JournaledLaunch] = []
    bad: list[bytes] = []
    *lines, _torn = content.split(b"\n")
    for line in lines:
        try:
            data = load_json(line)
            data["created_at"] = datetime.fromisoformat(data["created_at"])
            row = tuple(data.get(name) for name in _NAMES)
            launches.append(JournaledLaunch(row, data.get("hint"), follows=bool(data.get("follows"))))
        except (ValueError, TypeError, KeyError, AttributeError):
            bad.append(line)
    return launches, bad
