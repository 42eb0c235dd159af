"""A session's claim: of all the processes on one record, the one whose run of that session may work now.

A claim is the `flock` of a small file in `<database>.sessions/`, one for each session that somebody has or waits
for: a process that dies lets go of it, and it needs nothing of the database. Who has the claim leaves a note in the
file for those who wait; who waits holds a shared lock of a second file beside it, so that the holder can see it.
Files go with the last who used them. The claim excludes and nothing more: in which order runs work is for the
record to say (`duckdb/read/sessions.py`) and for `runtime/scheduling/session_queue.py` to keep.

Where a file cannot be locked (a file system without `flock`, a folder that cannot be written), everybody gets a claim
that excludes nobody, and `trouble` says so. Any thread; nothing here waits.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import orjson
from pydantic import TypeAdapter

from nbagent.store.access import make_folder, open_file
from nbagent.store.duckdb.lock_file import OPEN_FLAGS, share_lock, try_lock, unlock

NOTE_MAX = 4096
SWEPT_MAX = 1000  # files of dead processes that are looked at when the first claim is taken
_TRIES = 50  # each is lost only to somebody who has just removed the file
_FLAGS = os.O_RDWR | OPEN_FLAGS | getattr(os, "O_NONBLOCK", 0)  # nothing that is no file is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNote:
    """What the holder of a claim says to those who wait: its run, its process, since when (seconds since 1970).

    `owner` is the process as `process_id.py` names it.

    `over`: the run has ended, and whoever is next may take the claim.
    """

    run_id: str
    turn: int | None = None
    label: str | None = None
    owner: str = ""
    since: float = 0.0
    state: Literal["working", "paused", "over"] = "working"


_NOTE = TypeAdapter(ClaimNote)


class SessionClaims:
    """The claims of one database's sessions. `trouble` says why claims exclude nobody, in two lines; None if they do."""

    def __init__(self, database: Path) -> None:
        self.trouble: str | None = None
        self._database = database
        self._folder = database.with_name(database.name + ".sessions")
        self._lock = threading.Lock()
        self._held: dict[str, SessionClaim] = {}
        self._marks: set[int] = set()
        self._swept = False

    def take(self, session_id: str) -> SessionClaim | None:
        """Take the claim of a session; None while somebody has it, in this process or in another."""
        path = self._path(session_id)
        with self._lock:
            if path.name in self._held:
                return None
            try:
                self._sweep()
                fd = self._locked(path)
            except OSError as error:
                self._cannot_lock(error)
                return SessionClaim(self, path, None)
            if fd is None:
                return None
            claim = self._held[path.name] = SessionClaim(self, path, fd)
            return claim

    def note(self, session_id: str) -> ClaimNote | None:
        """What the holder of the claim has left for others, or the last one has; None if nothing can be read."""
        try:
            fd = os.open(self._path(session_id), _FLAGS)
        except OSError:
            return None
        try:
            return _NOTE.validate_json(os.read(fd, NOTE_MAX))
        except (OSError, ValueError):  # it is being written, or is by somebody else
            return None
        finally:
            os.close(fd)

    def wait(self, session_id: str) -> int | None:
        """Let the holder see that somebody waits, until `done_waiting`; None where that cannot be shown now."""
        path = _waiting(self._path(session_id))
        with contextlib.suppress(OSError), self._lock:
            fd = self._opened(path)
            with _closed_on_error(fd):
                if share_lock(fd) and _is_at(fd, path):
                    self._marks.add(fd)
                    return fd
                raise FileNotFoundError(path)  # the holder was just looking
        return None

    def done_waiting(self, mark: int | None) -> None:
        """Wait no more."""
        with self._lock:
            if mark is not None and mark in self._marks:
                self._marks.discard(mark)
                _let_go(mark)

    def forget(self) -> None:
        """In a forked child: claims and waits are the parent's, and must not outlive it here."""
        self._lock = threading.Lock()
        for fd in (*self._marks, *(claim.fd for claim in self._held.values())):
            if fd is not None:
                os.close(fd)  # said nothing: unlocking would unlock the parent's
        self._marks.clear()
        self._held.clear()

    def tidy(self) -> None:
        """Remove the folder, if nobody has a claim."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    # ------------------------------------------------------------------ files

    def _path(self, session_id: str) -> Path:
        """A session's id may be any text of any length."""
        name = hashlib.blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return self._folder / name

    def _locked(self, path: Path) -> int | None:
        """Open and lock a file that has its name still; None if somebody has it. Raises OSError."""
        for _ in range(_TRIES):
            fd = self._opened(path)
            with _closed_on_error(fd):
                if not try_lock(fd):
                    os.close(fd)
                    return None
                if _is_at(fd, path):
                    return fd
            os.close(fd)
        return None

    def _opened(self, path: Path) -> int:
        """Open or make a file, and the folder with it. Raises OSError."""
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                return open_file(path, _FLAGS | os.O_CREAT, self._database)
            make_folder(self._folder.parent)
            with contextlib.suppress(FileExistsError):
                make_folder(self._folder, self._database)
        raise FileNotFoundError(path)

    def _sweep(self) -> None:
        """Remove what dead processes have left, once. Raises OSError."""
        if self._folder.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if self._swept:
            return
        self._swept = True
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as found:
            for _, entry in zip(range(SWEPT_MAX), found, strict=False):
                with contextlib.suppress(OSError):
                    self._remove_if_left(Path(entry.path))

    def _remove_if_left(self, path: Path) -> None:
        fd = os.open(path, _FLAGS)
        try:
            if try_lock(fd):
                if _is_at(fd, path) and not _is_waited_for(path):
                    path.unlink()
                unlock(fd)
        finally:
            os.close(fd)

    def _cannot_lock(self, error: OSError) -> None:
        why = (error.strerror or type(error).__name__).lower()
        self.trouble = (
            f"turns of a session that several kernels use are kept by the record alone: {why} ({str(self._folder)!r})\n"
            "a kernel may be a second late to see another's run; a folder on a local disk has locks"
        )

    def let_go(self, claim: SessionClaim, *, remove: bool) -> None:
        """Give a claim back; `remove` its file, where nobody wants it any more. Does nothing a second time."""
        with self._lock:
            if claim.fd is None or self._held.get(claim.path.name) is not claim:
                return
            del self._held[claim.path.name]
            if remove:
                with contextlib.suppress(OSError):
                    if _is_at(claim.fd, claim.path):
                        claim.path.unlink()
            fd, claim.fd = claim.fd, None
            _let_go(fd)


class SessionClaim:
    """The claim of one session, held until `release` or `hand_back`. Without a descriptor it excludes nobody."""

    __slots__ = ("_claims", "_note", "fd", "path")

    def __init__(self, claims: SessionClaims, path: Path, fd: int | None) -> None:
        self.path = path
        self.fd = fd
        self._claims = claims
        self._note: ClaimNote | None = None

    @property
    def excludes(self) -> bool:
        """Whether others are kept out."""
        return self.fd is not None

    def leave_note(self, note: ClaimNote) -> None:
        """Tell those who wait whose run works."""
        if self.fd is None or note == self._note:
            return
        self._note = note
        with contextlib.suppress(OSError):  # a full disk: they know less, and wait all the same
            content = orjson.dumps(asdict(note))
            os.lseek(self.fd, 0, os.SEEK_SET)
            os.ftruncate(self.fd, os.write(self.fd, content[:NOTE_MAX]))

    def others_wait(self) -> bool:
        """Whether another process waits for this claim."""
        return _is_waited_for(self.path)

    def release(self, over: ClaimNote | None = None) -> None:
        """Let the next one in; `over` tells those who wait which run has ended."""
        waited_for = self.fd is not None and self.others_wait()
        if waited_for and over is not None:
            self.leave_note(over)
        self._claims.let_go(self, remove=not waited_for)

    def hand_back(self) -> None:
        """Give back a claim that was another's turn to have: its file and its note stay as they are."""
        self._claims.let_go(self, remove=False)


def _waiting(path: Path) -> Path:
    return path.with_name(path.name + ".wait")


def _is_waited_for(path: Path) -> bool:
    path = _waiting(path)
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return False
    try:
        if not try_lock(fd):
            return True
        if _is_at(fd, path):  # left by who waits no more
            path.unlink()
        unlock(fd)
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _is_at(fd: int, path: Path) -> bool:
    """Whether others who open the path get this file."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _let_go(fd: int) -> None:
    # said, not left to close(): a forked child may hold a copy of the descriptor
    with contextlib.suppress(OSError):
        unlock(fd)
    os.close(fd)


@contextlib.contextmanager
def _closed_on_error(fd: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(fd)
        raise
