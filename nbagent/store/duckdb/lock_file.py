"""The lock beside the store's file: who holds it may open the database, nobody else.

DuckDB 2.0 loses committed rows when two processes open one file in turn, so every open of ours happens
inside this lock. Two files do it: `<store>.lock` is held for a turn; `<store>.gate` is held while waiting
for it. The gate keeps the order of those who wait (a process that lets go and asks again at once stands
behind them) and lets the holder see that somebody waits. Used by `database_file.py`, on the writer thread.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

from nbagent.store.access import open_file

if sys.platform == "win32":
    import msvcrt
    import time

    def _take(fd: int, *, wait: bool) -> bool:
        while True:
            try:
                os.lseek(fd, 1 << 20, os.SEEK_SET)  # beyond the text: a locked byte cannot be read
                msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    return False
                time.sleep(0.005)
            else:
                return True

    def _share(_fd: int) -> bool:
        return False  # it knows no shared locks

    def _drop(fd: int) -> None:
        os.lseek(fd, 1 << 20, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _take(fd: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _share(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _drop(fd: int) -> None:
        # said, not left to close(): a forked child may hold a copy of the descriptor
        fcntl.flock(fd, fcntl.LOCK_UN)


SHARE_WAIT_S = 5.0  # turns are shorter

# a name beside the record that somebody has made a link of must not lead us into another file
OPEN_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def try_lock(fd: int) -> bool:
    """Lock a file of one's own, if nobody else has it, for as long as the descriptor or this process lives."""
    return _take(fd, wait=False)


def share_lock(fd: int) -> bool:
    """Lock a file together with others who share it, if nobody has it for himself; False where that cannot be."""
    return _share(fd)


def unlock(fd: int) -> None:
    """Unlock it."""
    _drop(fd)


class LockFile:
    """The sidecar lock of one store. One thread uses it; `holder` may be read by any."""

    def __init__(self, path: Path) -> None:
        self._lock_path = path.with_name(path.name + ".lock")
        self._gate_path = path.with_name(path.name + ".gate")
        self._lock: int | None = None
        self._gate: int | None = None
        self._database = path
        self._turn = 0
        self.is_new = False  # this object has made the files: no process has worked with the database before
        self._mine = b""

    def acquire(self, *, sign: bool = True) -> bool:
        """Wait for the lock. True if another process has had it since this one last did.

        Who only reads does not sign: nobody need look at the file again because of it.
        """
        if self._lock is None or self._gate is None or self._replaced():
            self.forget()
            self.is_new = not self._lock_path.exists()
            self._lock = self._open(self._lock_path)
            self._gate = self._open(self._gate_path)
        assert self._gate is not None
        _take(self._gate, wait=True)
        try:
            _take(self._lock, wait=True)
        finally:
            _drop(self._gate)
        others = not self.was_mine()
        if sign:
            self._sign()
        return others

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock beside others who only read; where it cannot even be opened, nobody here can tell."""
        try:
            fd = os.open(self._lock_path, os.O_RDONLY | OPEN_FLAGS)
        except OSError:
            yield
            return
        try:
            until = monotonic() + SHARE_WAIT_S
            with contextlib.suppress(OSError):
                while not _share(fd) and monotonic() < until:
                    sleep(0.005)
            yield
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Take the files away again: the database is not ours."""
        for path in (self._lock_path, self._gate_path):
            path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let the next one in."""
        if self._lock is not None:
            _drop(self._lock)

    def wanted(self) -> bool:
        """Whether another process waits for the lock that this one holds."""
        if self._gate is None or not _take(self._gate, wait=False):
            return self._gate is not None
        _drop(self._gate)
        return False

    def mark(self) -> bytes:
        """What the last holder wrote: its pid and how often it held the lock. Needs no lock; any thread."""
        if (held := self._lock) is not None and sys.platform != "win32":
            # not by a descriptor of its own: where flock is built on POSIX locks, closing that one unlocks
            with contextlib.suppress(OSError):  # closed by the store's end on another thread
                return os.pread(held, 64, 0)
            return b""
        try:
            fd = os.open(self._lock_path, os.O_RDONLY | OPEN_FLAGS)
        except OSError:
            return b""
        try:
            return os.read(fd, 64)
        finally:
            os.close(fd)

    def was_mine(self) -> bool:
        """Whether nobody else has had the lock since this one first did. Needs no lock; any thread."""
        return bool(self._mine) and self.mark() == self._mine

    def holder(self) -> int | None:
        """The pid of the process that holds the lock or held it last, if it left one."""
        first = self.mark().split(maxsplit=1)
        return int(first[0]) if first and first[0].isdigit() else None

    def forget(self) -> None:
        """Begin anew: in a forked child the lock is the parent's."""
        self.close()
        self._mine = b""

    def close(self) -> None:
        """Close the descriptors, between turns; the next turn opens them again."""
        for fd in (self._lock, self._gate):
            if fd is not None:
                os.close(fd)
        self._lock = self._gate = None

    def _open(self, path: Path) -> int:
        return open_file(path, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, self._database)

    def _sign(self) -> None:
        assert self._lock is not None
        self._turn += 1
        self._mine = f"{os.getpid()} {self._turn}\n".encode().ljust(32)
        os.lseek(self._lock, 0, os.SEEK_SET)
        os.write(self._lock, self._mine)

    def _replaced(self) -> bool:
        """Whether the folder was deleted or swapped: the descriptors then lock a file nobody sees."""
        assert self._lock is not None
        assert self._gate is not None
        try:
            return not all(
                os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116 - compared with fstat
                for fd, path in ((self._lock, self._lock_path), (self._gate, self._gate_path))
            )
        except FileNotFoundError:
            return True
