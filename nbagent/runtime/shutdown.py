"""The process ends: its runs end as interrupted, servers and connections close, what is written is flushed.

A script is told here of runs that failed and were never looked at; in a notebook their cards have said it. On the
exiting thread.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import sys
import time
from collections.abc import Callable, Iterable

from nbagent.core import in_notebook
from nbagent.mcp import close_servers
from nbagent.models import close_connections
from nbagent.run import RunStatus
from nbagent.runtime.ports import LiveRun
from nbagent.runtime.scheduling.background_loop import BackgroundThread
from nbagent.store import RunStore

MOST = 5
_FAILED = (RunStatus.error, RunStatus.timeout)


def shut_down(
    thread: BackgroundThread,
    unfinished: Iterable[LiveRun],
    stores: Iterable[RunStore],
    report: Callable[[], None],
    timeout_s: float,
) -> None:
    """End these runs as interrupted, but for paused ones, `report` what nobody has looked at, and close all stores."""
    deadline = time.monotonic() + timeout_s
    # a run's end is told a moment before it is no longer among these
    lives = [live for live in unfinished if not live.done.done()]
    ends = [one for one in lives if not one.stop_reason and not one.record.status.is_final]
    ends = [one for one in ends if one.record.status is not RunStatus.paused]
    for live in lives:
        thread.soon(live.stop, "kernel_died")
    if ends and "ipykernel" not in sys.modules:
        few = "1 unfinished run ends" if len(ends) == 1 else f"{len(ends)} unfinished runs end"
        sys.stderr.write(f"nbagent: {few} as interrupted; wait with run.result() before a script ends\n")
    closing = thread.submit(close_servers()) if thread.is_started() else None
    concurrent.futures.wait([live.done for live in lives], timeout=timeout_s * 0.7)
    if closing is not None:
        with contextlib.suppress(Exception):  # the process ends: nobody is left to hear of it
            closing.result(max(0.1, deadline - time.monotonic()))
            thread.submit(close_connections()).result(0.6)  # a cancel on its way may still arrive
    report()
    for store in stores:
        store.close(max(0.1, deadline - time.monotonic()))


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
