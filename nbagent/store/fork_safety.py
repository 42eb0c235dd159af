"""The end and the forks of this process: each store's rows are flushed at the first, no file is open at the second."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbagent.store.ports import Flushable

FORK_WAIT_S = 2.0  # a turn ends sooner than that
EXIT_S = 2.0  # what Jupyter gives a kernel to end

_writers: weakref.WeakSet[Flushable] = weakref.WeakSet()
_held_for_fork: list[Flushable] = []


def watch(writer: Flushable) -> None:
    """Look after a writer until it is gone. Any thread."""
    _writers.add(writer)


@atexit.register
def _stop_all() -> None:
    # registered when this module is imported, so it runs after the exit hooks of those who use it
    for writer in list(_writers):
        writer.stop(EXIT_S)


def _before_fork() -> None:
    """Let no file be open at a fork: the child's DuckDB would go on believing that it has the file."""
    _held_for_fork[:] = [writer for writer in list(_writers) if writer.held.acquire(timeout=FORK_WAIT_S)]


def _after_fork_in_parent() -> None:
    while _held_for_fork:
        _held_for_fork.pop().held.release()


def _after_fork_in_child() -> None:
    _held_for_fork.clear()
    for writer in list(_writers):
        writer.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
