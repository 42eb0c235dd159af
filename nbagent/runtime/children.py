"""Which run a launch comes from: a run launched inside a tool is a child of the run that called the tool.

A context variable, set in each run's task and copied into its tools' threads. A child takes no turn in any
session: its parent, or a run that waits for its parent, may hold that session until the child has ended. It is
stopped with its parent, unless it was launched detached.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING

from nbagent.errors import ConfigurationError
from nbagent.runtime.launching import Launching

if TYPE_CHECKING:
    from nbagent.runtime.live import LiveRun

MAX_DEPTH = 16  # a tool that launches the agent whose tool it is would never come to an end

_ancestors: ContextVar[tuple[str, ...]] = ContextVar("nbagent_ancestors", default=())


def enter(run_id: str) -> None:
    """Say that what follows in this context is the work of this run."""
    _ancestors.set((*_ancestors.get(), run_id))


def parent_run_id() -> str | None:
    """Return the run that the calling code belongs to, None outside of tools."""
    ancestors = _ancestors.get()
    return ancestors[-1] if ancestors else None


def as_child(launching: Launching) -> Launching:
    """Return the launch as that of a child where it is one. Raises ConfigurationError for too deep a nesting."""
    parent = launching.parent_run_id or parent_run_id()
    if parent is None:
        return launching
    if len(_ancestors.get()) >= MAX_DEPTH:
        raise ConfigurationError(
            f"runs are nested {MAX_DEPTH} deep: tools launch runs whose tools launch runs",
            "give the inner agent other tools",
        )
    return replace(launching, parent_run_id=parent, on_busy="parallel")


class Children:
    """The unfinished runs that are stopped with their parents, by the parents' ids. Used from any thread."""

    def __init__(self) -> None:
        self._of: dict[str, list[LiveRun]] = {}
        self._lock = threading.Lock()

    def add(self, parent: str, child: LiveRun) -> None:
        """Have `child` stopped with its parent."""
        with self._lock:
            self._of.setdefault(parent, []).append(child)

    def of(self, parent: str) -> list[LiveRun]:
        """Return the children of a run that have not been removed, in launch order."""
        with self._lock:
            return list(self._of.get(parent, ()))

    def remove(self, child: LiveRun) -> None:
        """Forget a run that has ended; does nothing for one that is no child."""
        parent = child.record.launch.parent_run_id
        with self._lock:
            if parent in self._of and child in self._of[parent]:
                self._of[parent].remove(child)
                if not self._of[parent]:
                    del self._of[parent]
