"""Which sessions have been launched in, by whom: so that a run knows that nothing was said before it, and reads nothing.

`<database>.session-ids` is a file that all processes on one record append to before they acknowledge a launch: 16 bytes
each, the session's hash and the process's token. It needs no sync: what was launched before the file began is in the
database, which is asked once (`load`), and the file is begun anew by whoever finds that nobody has it (each holds a
shared lock of it). The order of the lines is the order of the launches: who is first in a session that the database
does not know has it to himself until another's line follows. A line without a hash says that somebody has changed
what sessions hold, by deleting or resuming: then nobody knows a session without reading it. Of a session into which
messages were carried over a line says so.

Where files cannot be locked together, no session is known to be new. Any thread; nothing here waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from nbagent.store.access import make_folder, open_file
from nbagent.store.duckdb.lock_file import OPEN_FLAGS, share_lock, try_lock, unlock

LINE = 16
MOST_KNOWN = 100_000  # ids that are kept in memory; a record with more is read for each session
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | OPEN_FLAGS | getattr(os, "O_NONBLOCK", 0)
_TRIES = 20  # each is lost only to somebody who has just begun the file anew
_CHANGED = bytes(8)  # in place of a hash
_NOBODY = bytes(8)  # in place of a token: a session that is made for one run
_CARRIED = b"\xff" * 8  # in place of a token: messages that no run of this record has left


class Standing(Enum):
    """What a launch is in its session."""

    FIRST = "first"  # nobody has launched in it before
    ALONE = "alone"  # it goes on with a session of this process, in which nobody else has launched
    FOLLOWS = "follows"  # another process has been first in it
    UNKNOWN = "unknown"  # the database may know of earlier ones


# all of a session's lines are ours; ours was the first; another's was; or it has to be read whoever began it
_OURS, _FOLLOWED, _OTHERS, _RECORDED = range(4)
_BEGUN_HERE = (_OURS, _FOLLOWED)


class SessionIds:
    """The sessions of one database, as far as this process has to know them."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".session-ids")
        self._token = secrets.token_bytes(8)
        self._lock = threading.Lock()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._fd: int | None = None
        self._read_to = 0
        self._known: dict[bytes, int] = {}
        self._joined: set[bytes] = set()  # sessions of others in which we have launched, too
        self._loaded = False  # what was launched before the file began is among them
        self.is_wanted = False  # somebody asks, and `load` has not been called yet

    def launched(self, session_id: str) -> Standing:
        """Write down that this process launches in a session, and say what the launch is in it."""
        key = _key(session_id)
        with self._lock:
            try:
                self._open()
                self._read()
                before = self._known.get(key)
                if before not in _BEGUN_HERE and key not in self._joined:
                    self._write(key)
                    if before is not None:
                        self._joined.add(key)
                    self._read()
            except OSError:
                self._close()
                return Standing.UNKNOWN
            self.is_wanted |= not self._loaded
            now = self._known.get(key)
            if before is None and now in _BEGUN_HERE:  # whoever has followed meanwhile
                return Standing.FIRST if self._loaded else Standing.UNKNOWN
            if now in (_FOLLOWED, _OTHERS):
                return Standing.FOLLOWS
            return Standing.ALONE if now == _OURS and self._loaded else Standing.UNKNOWN

    def is_alone(self, session_id: str) -> bool:
        """Whether still nobody else has launched in a session that this process has begun."""
        with self._lock:
            try:
                return self._fd is not None and self._read() and self._known.get(_key(session_id)) == _OURS
            except OSError:
                return False

    def minted(self, session_id: str) -> None:
        """Write down a session that is made for one run: who goes on with it has to read it."""
        self._note(_key(session_id), _NOBODY)

    def carried(self, session_id: str) -> None:
        """Write down that messages are put into a session: whoever launches in it has to read them."""
        self._note(_key(session_id), _CARRIED)

    def changed(self) -> None:
        """Write down that what sessions hold is changed otherwise than by launches in them."""
        self._note(_CHANGED, _NOBODY)

    def _note(self, key: bytes, token: bytes) -> None:
        with self._lock:
            try:
                self._open()
                os.write(self._fd or 0, key + token)
            except OSError:
                self._close()

    @property
    def is_unread(self) -> bool:
        """Whether what the database has could be taken in."""
        return self._fd is not None and not self._loaded

    def load(self, session_ids: Iterable[str] | None) -> None:
        """Take in what the database has: read after `is_wanted` was seen. None: it has too many."""
        with self._lock:
            self.is_wanted = False
            if self._fd is None or session_ids is None:
                return
            for session_id in session_ids:
                self._known[_key(session_id)] = _RECORDED
            self._loaded = True

    def forget(self) -> None:
        """In a forked child, or with another database: nothing is known."""
        self._lock = threading.Lock()
        self._token = secrets.token_bytes(8)
        if self._fd is not None:
            os.close(self._fd)  # said nothing: unlocking would unlock the parent's
        self._begin_anew()

    def close(self) -> None:
        """Let go of the file, and remove it where nobody else has it."""
        with self._lock:
            self._close()

    # ---------------------------------------------------------------- the file

    def _open(self) -> None:
        """Have the file that others see. Raises OSError."""
        if self._fd is not None:
            if _is_at(self._fd, self._path):
                return
            self._close()
        make_folder(self._path.parent)
        for _ in range(_TRIES):
            fd = open_file(self._path, _FLAGS, self._database)
            try:
                # where nobody has it, what is in it is in the database, or in journals of dead processes
                if try_lock(fd):
                    if _is_at(fd, self._path):
                        os.ftruncate(fd, 0)
                    unlock(fd)
                if share_lock(fd) and _is_at(fd, self._path):
                    self._fd = fd
                    return
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        raise BlockingIOError(self._path)

    def _write(self, key: bytes) -> None:
        assert self._fd is not None
        os.write(self._fd, key + self._token)

    def _read(self) -> bool:
        """Take in what was appended. False where the file is no longer the one that others see."""
        assert self._fd is not None
        size = os.fstat(self._fd).st_size
        if size - self._read_to >= LINE:
            lines = os.pread(self._fd, size - self._read_to, self._read_to)
            for at in range(0, len(lines) - LINE + 1, LINE):
                self._take_in(lines[at : at + 8], lines[at + 8 : at + LINE])
                self._read_to += LINE
        return _is_at(self._fd, self._path)

    def _take_in(self, key: bytes, token: bytes) -> None:
        known = self._known.get(key)
        if key == _CHANGED:
            self._known = dict.fromkeys(self._known, _RECORDED)
        elif token == _CARRIED:
            self._known[key] = _RECORDED
        elif token == self._token:
            self._known.setdefault(key, _OURS)
        elif known != _RECORDED:
            self._known[key] = _FOLLOWED if known in _BEGUN_HERE else _OTHERS

    def _close(self) -> None:
        fd = self._fd
        self._begin_anew()
        if fd is None:
            return
        with contextlib.suppress(OSError):
            unlock(fd)  # said, not left to close(): a forked child may hold a copy of the descriptor
            if try_lock(fd):
                if _is_at(fd, self._path):
                    self._path.unlink()
                unlock(fd)
        os.close(fd)


def _key(session_id: str) -> bytes:
    key = hashlib.blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return key if key != _CHANGED else key[:7] + b"1"


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False
