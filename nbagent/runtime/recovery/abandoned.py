"""Paused runs whose kernel is gone, and runs that wait for a worker: they end or go on by a person's decision. On any thread.

So does an attempt whose claim came too late: nobody works on it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from functools import partial
from typing import Any

from nbagent.core import call_when_done, utc_now
from nbagent.errors import ConfigurationError, StoreBusyError
from nbagent.run import RunStatus
from nbagent.runtime.timeouts import CLAIM_WAIT_S, DECISION_WAIT_S
from nbagent.store import PLACED, DecisionRequest, Finish, NewAttempt, RunStore, StoredRun

_KEPT = ("started_at", "partial_text", "mode_effective", "response_id", "last_sequence_number", "paused_s")


_BATCH = (
    "select details ->> '$.placement' as placement from batches where batch_id = ? and finished_at is null"
)


def is_of_workers(store: RunStore, stopped: StoredRun) -> bool:
    """Whether workers go on with a run: it was launched for them, or is a row of a batch that they ask. Raises StoreError."""
    if stopped.placement is not None:
        return True
    batch_id = stopped.row["batch_id"]
    if batch_id is None or store.mirror is None:
        return False
    return any(row["placement"] == PLACED for row in store.read(_BATCH, [batch_id]))


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


def check_claimed(
    store: RunStore,
    attempt: NewAttempt,
    written: concurrent.futures.Future[bool],
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Return once an attempt is ours. Raises ConfigurationError if another process was first, StoreBusyError."""
    try:
        claimed = written.result(CLAIM_WAIT_S)
    except concurrent.futures.TimeoutError:
        call_when_done(written, loop, partial(_end_claimed, store, attempt))
        raise StoreBusyError(
            f"run {attempt.run_id!r} was not resumed: {store.trouble or 'the store is busy'}",
            "try again when the store can be written",
        ) from None
    if not claimed:
        raise ConfigurationError(
            f"run {attempt.run_id!r} was resumed by another process at this moment",
            f"follow it with nbagent.get({attempt.run_id!r})",
        )


def _end_claimed(store: RunStore, attempt: NewAttempt, written: concurrent.futures.Future[bool]) -> None:
    """End an attempt whose claim came too late, on the background loop: nobody works on it."""
    if written.exception() is None and written.result():
        end = {
            "status": "interrupted",
            "stop_reason": "kernel_died",
            "error": "the store was busy for too long",
        }
        store.submit(Finish(run_id=attempt.run_id, attempt=attempt.attempt, end=end))
