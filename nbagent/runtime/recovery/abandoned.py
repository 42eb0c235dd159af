"""Paused runs whose kernel is gone, and runs that wait for a worker: they end or go on by a person's decision. On any thread."""

from __future__ import annotations

import concurrent.futures
from typing import Any

from nbagent.core import utc_now
from nbagent.errors import StoreBusyError
from nbagent.run import RunStatus
from nbagent.runtime.timeouts import DECISION_WAIT_S
from nbagent.store import PLACED, DecisionRequest, Finish, RunStore, StoredRun

_KEPT = ("started_at", "partial_text", "mode_effective", "response_id", "last_sequence_number", "paused_s")


def abandoned_end(stopped: StoredRun) -> dict[str, Any]:
    """Return the end of a paused attempt that its process left: dated when that was last heard of."""
    row = stopped.row
    return {
        "status": "interrupted",
        "stop_reason": "kernel_died",
        "error_type": "KernelDied",
        "error": "the process that worked on this run is gone; a person's decision took it up again",
        "finished_at": row["heartbeat_at"] or row["created_at"],
        **{name: row[name] for name in _KEPT},
    }


def cancel_abandoned(store: RunStore, stopped: StoredRun) -> bool:
    """End a run that nobody has as `cancelled`; False for others, or if another was first.

    That is a paused run whose kernel is gone, and one that waits for a worker.
    """
    is_left = stopped.output.status is RunStatus.paused and stopped.is_left
    if not is_left and stopped.row["owner"] != PLACED:
        return False
    cancelled = {"status": "cancelled", "stop_reason": "cancelled", "error_type": None, "error": None}
    end = {**abandoned_end(stopped), **cancelled, "finished_at": utc_now()}
    write = Finish(run_id=stopped.output.run_id, attempt=stopped.output.attempt, end=end)
    return bool(write_decision(store, write))


def write_decision(store: RunStore, write: DecisionRequest | Finish) -> Any:
    """Write what a person decided and return what the store says of it. Raises StoreBusyError."""
    try:
        return store.submit(write).result(DECISION_WAIT_S)
    except concurrent.futures.TimeoutError:
        raise StoreBusyError(
            f"the decision on run {write.run_id!r} is not recorded yet: {store.trouble or 'the store is busy'}",
            "it waits in memory and is written when the store can be",
        ) from None
