"""Launch the work of a run on workers anew: its row once more, with an id of its own. Nothing of the agent is needed here.

Called for `run.retry()` and `%agent retry`, on any thread but the background one.
"""

from __future__ import annotations

from typing import Any

from nbagent.core import load_json, utc_now, uuid7
from nbagent.runtime.placement.placed_launch import commit_placed
from nbagent.runtime.ports import RuntimePort
from nbagent.runtime.run_handle import Run
from nbagent.store import Launch, StoredRun, load_stopped

_ROW = "select session_id, label, agent_name, kind, details from launches where run_id = ?"
_OF_ONE_LAUNCH = frozenset({"forked_from", "forked_step", "started_by"})


def launched_again(runtime: RuntimePort, key: str, prompt: str | None = None) -> Run | None:
    """Launch for workers what the run of this id or label was to do there, or `prompt` in its place.

    None for one that was launched for a kernel, or has not ended. Raises StoreError.
    """
    if runtime.store.mirror is None:  # a file has no workers
        return None
    stopped = load_stopped(runtime.store, key)
    if stopped is None or stopped.placement is None or not stopped.output.is_final:
        return None
    row = _row_again(runtime, stopped)
    if prompt is not None:
        row |= {"prompt": str(prompt), "template": getattr(prompt, "template", None)}
    return commit_placed(runtime, Launch(row=row, minted=True))


def _row_again(runtime: RuntimePort, stopped: StoredRun) -> dict[str, Any]:
    """Return the row of a launch that says the same, dated now."""
    (row,) = runtime.store.read(_ROW, [stopped.output.run_id])
    details = load_json(row.pop("details"))
    own = {
        "run_id": str(uuid7()),
        "session_id": str(uuid7()) if stopped.own_session else row["session_id"],
        "turn": 1 if stopped.own_session else None,
        "owner": stopped.placement,
        "created_at": utc_now(),
    }
    return {**row, **{name: one for name, one in details.items() if name not in _OF_ONE_LAUNCH}, **own}
