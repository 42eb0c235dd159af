"""`nb.workers()`, and the same as text for the command line and the panel: who works for this record, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbagent import runtime
from nbagent.core import format_seconds
from nbagent.frames.build import frame_of_rows
from nbagent.frames.columns import WORKERS, documented
from nbagent.store import RunStore, WaitingRun, WorkerRow, load_waiting, load_workers

if TYPE_CHECKING:
    import pandas as pd


@documented(WORKERS)
def workers() -> pd.DataFrame:
    """The workers of the record, one row each, the first to begin first; none for a record in a file.

    >>> nb.workers()[["host", "state", "running", "serves"]]
    Empty DataFrame
    Columns: [host, state, running, serves]
    Index: []
    """
    rows = [
        {
            "worker": one.worker,
            "host": one.host,
            "pid": one.pid,
            "state": state_of(one),
            "running": one.running,
            "serves": sorted(one.addresses),
            "began_at": one.began_at.replace(tzinfo=None),
            "beat_at": one.beat_at.replace(tzinfo=None),
        }
        for one in load_workers(runtime.current().store)
    ]
    return frame_of_rows(WORKERS, rows)


def state_of(worker: WorkerRow) -> str:
    """Return what a worker does, in a word."""
    if worker.is_gone:
        return "gone"
    return "draining" if worker.draining else "working"


def workers_text(store: RunStore) -> str:
    """Return workers and waiting runs as lines for a terminal: `nbagent workers`. Raises StoreError."""
    found, now = load_workers(store), datetime.now(UTC)
    lines = [_line(one, now) for one in found]
    if not lines:
        lines = [f"no worker works for {store.name}; start one: nbagent worker MODULE --store {store.name}"]
    return "\n".join([*lines, *_waiting_lines(load_waiting(store), found)])


def workers_line(store: RunStore) -> str | None:
    """Return in a few words who works for a record, for the panel; None where it has no workers. Raises StoreError."""
    found = load_workers(store)
    waiting = load_waiting(store) if found else []
    here = [one for one in found if not one.is_gone]
    if not found or not (here or waiting):
        return None
    running = sum(one.running for one in here)
    said = [f"{len(here)} worker{'' if len(here) == 1 else 's'}", f"{running:,} at work" if running else ""]
    return ", ".join(filter(None, [*said, f"{len(waiting):,} waiting" if waiting else ""]))


def _line(worker: WorkerRow, now: datetime) -> str:
    quiet_s = max(0.0, (now - worker.beat_at).total_seconds())
    runs = f"{worker.running} run{'' if worker.running == 1 else 's'}"
    heard = f"heard {format_seconds(quiet_s)} ago"
    told = [
        f"{worker.pid} on {worker.host}",
        state_of(worker),
        runs,
        heard,
        " ".join(sorted(worker.addresses)),
    ]
    return "  ".join(told)


def _waiting_lines(waiting: Sequence[WaitingRun], found: Sequence[WorkerRow]) -> list[str]:
    """Return a line for each agent whose runs wait: how many, and for what."""
    served = {address for one in found if state_of(one) == "working" for address in one.addresses}
    counts: dict[tuple[str, str], int] = {}
    for one in waiting:
        why = one.waits_for or ("" if one.address in served else f"no worker serves {one.address}")
        counts[one.address, why] = counts.get((one.address, why), 0) + 1
    return [
        f"{count:,} run{'' if count == 1 else 's'} of {address} wait{'s' if count == 1 else ''}"
        + (f": {why}" if why else "")
        for (address, why), count in sorted(counts.items())
    ]
