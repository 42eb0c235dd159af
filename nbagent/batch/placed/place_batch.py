"""Launch a batch for workers: its rows are read to their end, and are in the record, with the batch, when it returns.

On the caller's thread. The batch's own row comes last: whatever happens to this process before, there is no batch.
"""

from __future__ import annotations

import concurrent.futures
import warnings
from collections.abc import Mapping
from typing import Any

from nbagent.batch.inputs.row_source import RowSource
from nbagent.batch.placed.stored_rows import stored_rows
from nbagent.batch.plan import BatchIdentity, BatchPlan
from nbagent.core import dump_json
from nbagent.errors import ConfigurationError
from nbagent.runtime import check_placed, current, warn_if_unserved
from nbagent.store import PLACED, BatchRecord, BatchRows, RunStore, StoredBatch

WRITTEN_AT_ONCE = 500
COMMIT_WAIT_S = 2.0  # without a row committed, while the record is in trouble
_HERE = 'launch it in this kernel: on="kernel"'


def check_placeable(plan: BatchPlan) -> None:
    """Refuse what only this kernel can ask. Raises ConfigurationError."""
    if plan.mode == "provider-batch":
        raise ConfigurationError(
            "mode='provider-batch' hands the rows to the provider, and no worker is needed for it",
            f"leave mode= out, or {_HERE}",
        )
    if plan.prompts.files:
        raise ConfigurationError(
            "files= are read in this kernel as each row is asked, and a worker asks the rows",
            f"leave files= out, or {_HERE}",
        )
    check_placed(plan.crew)


def place_batch(
    plan: BatchPlan,
    source: RowSource,
    identity: BatchIdentity,
    definition: Mapping[str, Any],
    address: str,
) -> StoredBatch:
    """Write the batch and return it once all of it is committed; with a warning where the record is in trouble."""
    runtime = current()
    store, batch_id = runtime.store, identity.batch_id
    rows = list(stored_rows(plan, source))  # before anything is written: a generator may raise
    for first in range(0, len(rows), WRITTEN_AT_ONCE):
        store.submit(BatchRows(batch_id, tuple(rows[first : first + WRITTEN_AT_ONCE])))
    row: dict[str, Any] = {
        "batch_id": batch_id,
        "batch_key": identity.batch_key,
        "created_at": identity.created_at,
        "owner": PLACED,
        "label": identity.label,
        "agent_name": identity.agent_name,
        "total": len(rows),
        "reused": 0,
        "details": {"mode": plan.mode, "placement": PLACED},
        "finished_at": None,
    }
    written = store.submit(BatchRecord(**row, definition=definition, address=address))
    if not runtime.thread.is_current() and _is_committed(store, written, identity):
        warn_if_unserved(store, address)
    details = dump_json(row["details"]).decode()
    return StoredBatch(
        row={**row, "details": details}, definition=definition, runs=(), rows=(), answers={}, heard_at=None
    )


def _is_committed(store: RunStore, written: concurrent.futures.Future[Any], identity: BatchIdentity) -> bool:
    """Wait for the commit; say so and go on where the record is in trouble."""
    while True:
        try:
            written.result(COMMIT_WAIT_S)
        except concurrent.futures.TimeoutError:
            if (trouble := store.trouble) is None:
                continue
            told = f"batch {identity.label or identity.batch_id} is not recorded yet: {trouble}"
            warnings.warn(told, stacklevel=6)
            return False
        return True
