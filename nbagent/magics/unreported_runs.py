"""The runs that a bare `%agent wait` waits for: background runs whose end has not been reported yet. Main thread.

A run that ended before the cell came counts too. A run that is answered from an earlier one ends at once: the
cell must say the same of it as it said of the run that was asked, or two executions of a notebook would
differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbagent.runtime import Run, Runtime

_reported: set[str] = set()


def unreported(current: Runtime) -> list[Run]:
    """This kernel's runs that nobody was told the end of, in launch order; without those that runs started."""
    unfinished = current.unfinished()
    known = {run.run_id for run in unfinished} | _reported
    from nbagent.runtime import Run

    ended = [(live, live.record.launch) for live in current.runs() if live.record.end is not None]
    roots = [
        Run(launch.run_id, launch.session_id, runtime=current, live=live)
        for live, launch in ended
        if launch.parent_run_id is None and launch.run_id not in known
    ]
    return sorted([*unfinished, *roots], key=lambda run: run.run_id)


def mark_reported(runs: Iterable[Run]) -> None:
    """Remember that a cell has said how these ended."""
    _reported.update(run.run_id for run in runs if run.done())
