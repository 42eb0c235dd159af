"""A worker goes on with a run of a batch that an earlier worker has left. On a thread that may wait, not on the loop."""

from __future__ import annotations

from typing import Any

from nbagent.errors import UnknownNameError
from nbagent.run import RunStatus
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.runtime.placement.take_up import (
    DIED,
    GIVEN_BACK,
    GUEST_LEFT,
    MOST_DEATHS,
    POISONED,
    end_as_error,
)
from nbagent.runtime.recovery.abandoned import abandoned_end
from nbagent.runtime.recovery.resume import Resumer
from nbagent.store import StoredRun, load_stopped

# what its process left at work was ended as any dead process's run is, before the batch went on
_DEATHS = (
    f"select count(*) as n from attempt_ends where run_id = ? and error_type in ('KernelDied', '{DIED}')"  # noqa: S608 - a name of ours
)


def take_up_row(resumer: Resumer, run_id: str, agent: ResolvedAgent) -> ActiveRun | str:
    """Make its next attempt ours and let it work; or end it as an error, which is returned, where it cannot go on.

    Raises what `resume` raises.
    """
    store = resumer.store()
    stopped = load_stopped(store, run_id)
    if stopped is None:
        raise UnknownNameError(f"run {run_id!r} was deleted", "ask its row again with batch.retry_failed()")
    ends = None if stopped.output.is_final else _end_of_earlier(stopped)
    died = ends is not None and ends["error_type"] == DIED
    (counted,) = store.read(_DEATHS, [run_id], flush=False)
    if counted["n"] + died >= MOST_DEATHS:
        end_as_error(store, stopped, ends, "WorkersDiedError", POISONED)
        return POISONED
    if "guest" in stopped.spec:
        end_as_error(store, stopped, ends, "ConfigurationError", GUEST_LEFT)
        return GUEST_LEFT
    state = resumer.state_of(stopped, agent, from_partial=False)
    return resumer.go_on(stopped, agent, state, ends=ends)


def _end_of_earlier(stopped: StoredRun) -> dict[str, Any]:
    """The end of an attempt that has none; one that waited for a person has killed nobody."""
    why = GIVEN_BACK if stopped.output.status is RunStatus.paused else DIED
    said = "its worker is gone, and another one went on with the run"
    return {**abandoned_end(stopped), "error_type": why, "error": said}
