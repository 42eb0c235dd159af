"""Operations that the server does not have yet, on this machine's disk: those of an outage outlive the process.

One file a process, in the folder of the project and the server, locked while the process lives. It is begun with the first
batch that cannot be sent, and goes when all of it is sent. Whoever of the project connects next, or looks for dead
processes' runs, sends what they have left. One thread at a time (`keeping.py`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import orjson

from nbagent.store.access import make_folder
from nbagent.store.duckdb.lock_file import OPEN_FLAGS, try_lock, unlock
from nbagent.store.postgres.write.apply import Sender
from nbagent.store.postgres.write.operations import Operation, read_line

_ENDING = ".outbox"


class Outbox:
    """This process's file, and those that dead processes have left in the folder."""

    def __init__(self, folder: Path, sender: Sender) -> None:
        self._folder = folder
        self._sender = sender
        self._path = folder / (sender.writer + _ENDING)
        self._fd: int | None = None
        self.last = 0  # the number of the last operation in the file

    @property
    def is_empty(self) -> bool:
        """Whether the file is not there."""
        return self._fd is None

    def keep(self, operations: Iterable[Operation]) -> None:
        """Put those of these operations on disk that are not there yet. Raises OSError."""
        new = [one for one in operations if one.number > self.last]
        if not new:
            return
        if self._fd is None:
            make_folder(self._folder)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | OPEN_FLAGS, 0o600)
            try_lock(self._fd)
            os.ftruncate(self._fd, 0)
            os.write(self._fd, orjson.dumps(asdict(self._sender)) + b"\n")
        text = b"".join(one.line() for one in new)
        while text:
            text = text[os.write(self._fd, text) :]
        os.fsync(self._fd)
        self.last = new[-1].number

    def clear(self) -> None:
        """Delete the file: the server has all of it."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            unlock(self._fd)
            os.close(self._fd)
            self._fd = None

    def forget(self) -> None:
        """In a forked child: the file is the parent's."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def left(self) -> Iterator[tuple[Sender, list[Operation]]]:
        """What each dead process has left; its file goes when the caller asks for the next one."""
        try:
            found = sorted(self._folder.glob("*" + _ENDING))
        except OSError:
            return
        for path in found:
            if path == self._path:
                continue
            try:
                fd = os.open(path, os.O_RDWR | OPEN_FLAGS)
            except OSError:
                continue
            try:
                if try_lock(fd):
                    if read := _read(path):
                        yield read
                    path.unlink(missing_ok=True)
            finally:
                os.close(fd)


def _read(path: Path) -> tuple[Sender, list[Operation]] | None:
    """The process and its operations; a last line that was cut off is none."""
    lines = path.read_bytes().splitlines()
    operations: list[Operation] = []
    try:
        sender = Sender(**orjson.loads(lines[0]))
        operations.extend(map(read_line, lines[1:]))
    except (IndexError, ValueError, KeyError, TypeError):
        if not operations:
            return None
    return sender, operations
