"""This kernel's batches, as far as the table shows more of them than their runs do: rows left, rows without a run.

Asked at each tick on the background loop, and by the commands of `actions.py`. A batch's runs share its id, and
rows that have not been asked yet have no run. Another kernel's batch is shown by its runs alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

BATCHES = "nbagent.batch"


def here() -> dict[str, Any]:
    """Return the batches that this kernel holds by their ids: none before the first, whose room loads with it."""
    room = sys.modules.get(BATCHES)
    return {} if room is None else {batch.batch_id: batch for batch in room.batches()}


def standing() -> dict[str, Mapping[str, Any]]:
    """Return where each of them stands, as short plain data that changes only as far as it is shown."""
    return {batch_id: _standing(batch.progress) for batch_id, batch in here().items()}


def _standing(progress: Any) -> Mapping[str, Any]:
    return {
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed + progress.cancelled,  # the front end knows which runs were cancelled
        "not_asked": progress.not_asked,
        "rate": None if progress.finished else float(f"{progress.rate_per_s:.2g}"),
        "finished": progress.finished,
    }
