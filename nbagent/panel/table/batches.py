"""This kernel's batches, as far as the table shows more of them than their runs do: rows left, rows without a run.

Asked at each tick on the background loop, and by the commands of `row_commands.py`. A batch's runs share its
id, and rows that have not been asked yet have no run. Another kernel's batch is shown by its runs alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

BATCHES = "nbagent.batch"


def own_batches() -> dict[str, Any]:
    """Return the batches that this kernel holds by their ids: none before the first, whose room loads with it."""
    # while another thread imports the room it is there by half
    batches = getattr(sys.modules.get(BATCHES), "batches", None)
    return {} if batches is None else {batch.batch_id: batch for batch in batches()}


def batch_states() -> dict[str, Mapping[str, Any]]:
    """Return the state of each, as short plain data that changes only as far as it is shown."""
    return {batch_id: _state_of(batch.progress) for batch_id, batch in own_batches().items()}


def ended_since(batch_id: str, count: int) -> tuple[int, list[tuple[int, Any, Any]]]:
    """Return how many ends of a batch's rows there were, and those after the first `count`."""
    batch = own_batches().get(batch_id)
    return (count, []) if batch is None else batch.ended_since(count)


def is_followed(batch_id: str) -> bool:
    """Say whether another process asks a batch's rows, so that its runs are in the record alone."""
    batch = own_batches().get(batch_id)
    return batch is not None and batch.is_followed


def has_ended(batch_id: str) -> bool:
    """Say whether a batch has ended; one that was let go has."""
    batch = own_batches().get(batch_id)
    return batch is None or batch.done()


def static_state(batch_id: str) -> Mapping[str, Any]:
    """Return a batch's state for its static form, with its names; what is known of one that was let go is its id."""
    batch = own_batches().get(batch_id)
    if batch is None:
        return {"batch_id": batch_id}
    return state_of(batch)


def state_of(batch: Any) -> Mapping[str, Any]:
    """Return where a batch stands, with its names."""
    return {**_state_of(batch.progress), "batch_id": batch.batch_id, "label": batch.label}


def _state_of(progress: Any) -> Mapping[str, Any]:
    return {
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed + progress.cancelled,  # the front end knows which runs were cancelled
        "not_asked": progress.not_asked,
        "rate": None if progress.finished else float(f"{progress.rate_per_s:.2g}"),
        "finished": progress.finished,
        # nothing counted is 0 only where nothing was asked, which cost nothing; else no server has told
        "tokens": progress.tokens or (0 if progress.cost_usd == 0 else None),
        "cost": progress.cost_usd,
    }
