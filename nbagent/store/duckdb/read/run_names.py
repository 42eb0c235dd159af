"""The newest runs by the names that a person types: ids, labels, sessions, models. Any thread but the writer's.

Called by the magics' completion, on a thread of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbagent.store.ports import Reader

_NEWEST = """
    select run_id from launches where parent_run_id is null order by created_at desc, run_id desc limit ?
"""
# given as plain values DuckDB finds the rows by its index, however large the file is
_THESE = """
    select run_id, label, session_id, batch_id, created_at, status, provider || ':' || model as model
    from runs where run_id in ({ids}) order by created_at desc, run_id desc
"""
_OWN = "select run_id from launches where run_id in ({ids}) and details ->> '$.own_session' = 'true'"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNames:
    """What one run can be called by. `session_id` is None where nobody named a session, `model` is "provider:name"."""

    run_id: str
    label: str | None
    session_id: str | None
    model: str
    status: str
    created_at: datetime
    batch_id: str | None = None


def run_names(store: Reader, *, limit: int = 100, timeout_s: float = 10.0) -> list[RunNames]:
    """The newest runs, newest first, without those that runs started; none, and no new file, where there is none.

    Waits for no row of this process, and `timeout_s` at most for the file. Raises StoreError.
    """
    if store.untouched:
        return []
    with store.reader(flush=False, timeout_s=timeout_s) as ask:
        ids = [row["run_id"] for row in ask(_NEWEST, [limit])]
        marks = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
        rows = ask(_THESE.format(ids=marks), ids) if ids else []
        own = {row["run_id"] for row in ask(_OWN.format(ids=marks), ids)} if ids else set()
    return [
        RunNames(
            run_id=row["run_id"],
            label=row["label"],
            session_id=None if row["run_id"] in own else row["session_id"],
            model=row["model"] or "",
            status=row["status"],
            created_at=row["created_at"],
            batch_id=row["batch_id"],
        )
        for row in rows
    ]
