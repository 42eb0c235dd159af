"""The launch log: launches that are durable before the database has them, in a file beside it.

Only who has the turn (the lock is held and the database open) adds to it, a line of JSON for each launch, and
empties it once their rows are committed; a turn ends with an empty log. What a killed process left in it goes into
the database at the beginning of the next turn, whoever takes it, before anything is read. A line is 0.1 ms of CPU,
a row with a commit of its own 1 to 2 ms. `append`, `sync` and `is_open` are for the launching thread, the rest for
the writer's; all but `sync` under the writer's lock.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.errors import StoreDamagedError, StoreError
from nbagent.store.columns import COLUMNS, Row
from nbagent.store.jobs import Jobs
from nbagent.store.memory import Memory
from nbagent.store.rows import launch_row
from nbagent.store.transaction import write_all
from nbagent.store.writes import Launch, Logged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINE_MAX = 1 << 18  # a longer one goes into the database only: it would be written twice
SLOW_S = 1.0  # a disk that takes longer than this for a line ...
AVOID_S = 10.0  # ... is left to the writer thread for this long: a launch waits 2 s at most

_NAMES = tuple(COLUMNS["launches"])
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
_sync = getattr(os, "fdatasync", os.fsync)


class LaunchLog:
    """The log of one database at `path`. `syncing` is how many threads are in `sync`."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".launches")
        self.syncing = 0
        self._fd: int | None = None
        self._taking = False
        self._size = 0
        self._avoided_until = 0.0

    def leftover(self) -> tuple[list[Row], list[bytes]]:
        """Open the log for a turn; give the rows that a turn before did not get into the database.

        The second list holds lines that nobody can read. A torn last line was never acknowledged and is left out.
        """
        self.end()
        try:
            self._fd = os.open(self.path, _FLAGS)
        except FileNotFoundError:
            return [], []
        self._size = os.fstat(self._fd).st_size
        return _parsed(os.pread(self._fd, self._size, 0)) if self._size else ([], [])

    def set_aside(self, lines: list[bytes]) -> str:
        """Keep lines that nobody can read in a file of their own; gives the sentence that says so."""
        aside = self.path.with_name(f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(b"\n".join(lines))
        return str(
            StoreDamagedError(
                f"{len(lines)} launches in {str(self.path)!r} cannot be read",
                f"they are kept in {aside.name}",
            )
        )

    def open(self) -> None:
        """From now on launches are taken, until `close`."""
        self._taking = True

    def close(self) -> None:
        """Take no more in this turn."""
        self._taking = False

    @property
    def is_open(self) -> bool:
        """Whether launches are taken."""
        return self._taking and monotonic() >= self._avoided_until

    def append(self, row: Row) -> bool:
        """Add a launch; `sync` makes it durable. False if the log does not take it."""
        try:
            line = orjson.dumps(dict(zip(_NAMES, row, strict=True))) + b"\n"
        except TypeError:  # text that is no UTF-8: the batch repairs it
            return False
        if len(line) > LINE_MAX:
            return False
        try:
            if self._fd is None:
                self._fd = _created(self.path)
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
        """End the turn. What is still in the log, because it could not be committed, stays for the next turn."""
        self._taking = False
        fd, self._fd, self._size = self._fd, None, 0
        if fd is not None:
            os.close(fd)


def row_for_log(write: Launch, memory: Memory, jobs: Jobs) -> Row | None:
    """The row of a launch that nobody need ask the database about: no other can have its id, and its turn is known."""
    if not write.minted or write.row["run_id"] in memory.cancels:
        return None
    session_id, turn = write.row["session_id"], write.row.get("turn")
    if turn is None:
        if session_id not in memory.last_turn or jobs.numbering():
            return None
        turn = memory.last_turn[session_id] + 1
    try:
        return launch_row(write.row, owner=memory.owner, turn=turn)
    except (TypeError, ValueError):  # a lone surrogate: the batch repairs it, or says what is wrong
        return None


def take_over(log: LaunchLog, con: DuckDBPyConnection, memory: Memory, notices: list[str]) -> bool:
    """Open the log and write what a turn that did not end well has left in it. True if there was anything.

    On the writer thread, at the beginning of a turn, while no launch is taken. Raises what means that the turn failed.
    """
    rows, unreadable = log.leftover()
    results: list[Any] = []
    write_all(con, [Logged(row) for row in rows], memory, results)
    notices += [str(result) for result in results if isinstance(result, StoreError)]
    if unreadable:
        notices.append(log.set_aside(unreadable))
    log.clear()
    return bool(rows)


def _created(path: Path) -> int:
    fd = os.open(path, _FLAGS | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):  # where a folder cannot be synced, there is no need
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return fd


def _parsed(content: bytes) -> tuple[list[Row], list[bytes]]:
    rows: list[Row] = []
    bad: list[bytes] = []
    *lines, _torn = content.split(b"\n")
    for line in lines:
        try:
            data = orjson.loads(line)
            data["created_at"] = datetime.fromisoformat(data["created_at"])
            rows.append(tuple(data.get(name) for name in _NAMES))
        except (ValueError, TypeError, KeyError, AttributeError):
            bad.append(line)
    return rows, bad
