"""What a user does with runs by handle, id or label: get, gather, resume, cancel. Used from any thread.

`nb.get` and the others are those of the batch room, which take batches too and have the examples.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from nbagent.errors import WaitTimeout
from nbagent.run import RunOutput, RunStatus
from nbagent.runtime.ports import Runnable
from nbagent.runtime.run_handle import Run
from nbagent.runtime.runtime import current
from nbagent.store import load_runs


def get(key: str) -> Run:
    """The run with this id or label (the latest of that label), from any kernel. Raises UnknownNameError."""
    return current().get(key)


def get_many(keys: Sequence[str]) -> dict[str, Run]:
    """Return the runs of these ids or labels by key, those of the store in one read; without those that are nowhere."""
    runtime = current()
    here: dict[str, Run] = {}
    wanted = set(keys)
    for live in runtime.runs():
        here |= {
            name: runtime.handle(live) for name in (live.record.launch.label, live.run_id) if name in wanted
        }
    for key, output in load_runs(runtime.store, [key for key in keys if key not in here]).items():
        here[key] = Run(output.run_id, output.session_id, runtime=runtime, read=output)
    return here


def read_ahead(runs: Iterable[Run]) -> None:
    """Read those in one go that have ended and would be read from the store one by one."""
    store = current().store
    unread = {run.run_id: run for run in runs if run.must_read and run.store is store}
    if len(unread) > 1:
        for run_id, output in load_runs(store, list(unread)).items():
            if output.is_final:
                unread[run_id].take_read(output)


def gather(*runs: Run | Iterable[Run], timeout: float | None = None) -> list[RunOutput]:
    """Block until many runs have ended, return their `RunOutput`s in order; never raise for a run's failure.

    Takes runs, or lists of them; `await asyncio.gather(*runs)` is the way that does not block.

    `timeout` in seconds is for all of them together; whoever has not ended by then is returned as it stands.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    listed = [run for one in runs for run in ([one] if isinstance(one, Run) else one)]
    read_ahead(listed)
    for run in listed:
        try:
            run.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except WaitTimeout:
            continue
    read_ahead(listed)  # some may have been let go while others were waited for
    return [run.output for run in listed]


def pending_output(run: Run) -> RunOutput:
    """The snapshot as it was at launch, so that its status is `pending` whatever the run did meanwhile."""
    output = run.output
    return RunOutput(status=RunStatus.pending, **{name: getattr(output, name) for name in _LAUNCH_FIELDS})


_LAUNCH_FIELDS = (
    "run_id", "session_id", "agent_name", "kind", "label", "provider", "model", "prompt", "created_at",
)  # fmt: skip


def resume(run: str | Run, *, agent: Runnable | None = None, **options: Any) -> Run:
    """Go on with a stopped run, by handle, id or label, from any kernel; see `Run.resume` for the options."""
    key = run if isinstance(run, str) else run.run_id
    return current().resume(key, agent=agent, **options)


def cancel_run(run_id: str) -> bool:
    """Cancel the run with this id, here or in another kernel, or before it is launched.

    True if it had not ended (an id not launched yet counts); False if it had: then nothing changes.
    """
    return current().cancel(run_id)


def supersede(cell_id: str) -> list[str]:
    """Cancel the unfinished runs that a cell launched earlier, here or for workers; return their ids."""
    runtime = current()
    lives = [live for live in runtime.registry.unfinished() if live.record.launch.cell_id == cell_id]
    cancelled = [live.run_id for live in lives if runtime.stop(live)]
    return cancelled + [run.run_id for run in runtime.placed.of_cell(cell_id) if run.cancel()]
