"""The runs that this kernel has launched for workers: what `%agent wait`, `cancel --all` and a cell run again look for.

Any thread. A run that has ended is let go with the next look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from nbagent.runtime.run_handle import Run
from nbagent.store import RunStore

REMEMBERED = 10_000  # who launches more finds the earlier ones in the record


class PlacedRuns:
    """Handles by run id, each with the cell that launched it, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[Run, str | None]] = {}

    def add(self, run: Run, cell_id: str | None) -> None:
        """Remember a launch."""
        with self._lock:
            self._runs[run.run_id] = run, cell_id
            if len(self._runs) > REMEMBERED:
                del self._runs[next(iter(self._runs))]

    def unfinished(self, store: RunStore) -> list[Run]:
        """Return those in this record that have not ended; reads it."""
        return self._unfinished(lambda run, _: run.store is store)

    def of_cell(self, cell_id: str) -> list[Run]:
        """Return those that a cell has launched and that have not ended; reads the record."""
        return self._unfinished(lambda _, cell: cell == cell_id)

    def _unfinished(self, chosen: Callable[[Run, str | None], bool]) -> list[Run]:
        with self._lock:
            found = [run for run, cell in self._runs.values() if chosen(run, cell)]
        ended = [run for run in found if run.done()]
        with self._lock:
            for run in ended:
                self._runs.pop(run.run_id, None)
        return [run for run in found if run not in ended]
