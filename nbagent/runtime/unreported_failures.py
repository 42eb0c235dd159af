"""Runs of a script that failed and were never looked at: said once, at exit. On the exiting thread.

In a notebook their cards have said it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from nbagent.core import in_notebook
from nbagent.run import RunStatus
from nbagent.runtime.ports import LiveRun

MOST = 5
_FAILED = (RunStatus.error, RunStatus.timeout)


def report_unreported_failures(lives: Iterable[LiveRun]) -> None:
    """Write a line for each failed run that a script launched and never looked at, the first few."""
    if in_notebook():
        return
    failed = [live for live in lives if live.record.status in _FAILED and not live.asked and _is_own(live)]
    for live in failed[:MOST]:
        launch, end = live.record.launch, live.record.end
        why = ((end.error if end is not None else None) or launch.run_id).splitlines()[0]
        sys.stderr.write(
            f"nbagent: run {launch.label or launch.run_id!r} failed, and nobody asked for its result: {why}\n"
        )
    if len(failed) > MOST:
        sys.stderr.write(
            f"nbagent: and {len(failed) - MOST} more runs failed; nb.runs(status='error') shows them\n"
        )


def _is_own(live: LiveRun) -> bool:
    """True for a run that is no part of a team, tool or batch, which have their own way to tell."""
    launch = live.record.launch
    return launch.parent_run_id is None and launch.batch_id is None
