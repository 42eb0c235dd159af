"""The runs as a table shows them: one short row each, sums and beginnings only. Any thread but the writer's.

Called by the panel: once for the newest runs, then for what other processes may have changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from nbagent.store.process_id import PLACED

if TYPE_CHECKING:
    from nbagent.store.ports import Ask, Reader

HEAD_CHARS = 400  # of prompt, answer and error: what a line of a table can show, and be searched for
LAST = 100  # launches that are always looked at: their clock may have been set back
SLACK = timedelta(seconds=60)  # the clocks of two hosts differ; a row is also found by its being unfinished

_COUNTS = """
    select (select count(*) from launches) as runs,
           greatest((select max(created_at) from launches), (select max(created_at) from attempt_starts),
                    (select max(finished_at) from attempt_ends),
                    (select max(heartbeat_at) from attempt_progress)) as latest
"""
_NEWEST = "select run_id from launches order by created_at desc, run_id desc limit ?"
_NEWEST_OF_BATCH = (
    "select run_id from launches where batch_id = ? order by created_at desc, run_id desc limit ?"
)
_SINCE = """
    select run_id from launches where created_at >= ?
    union select run_id from attempt_starts where created_at >= ?
    union select run_id from attempt_ends where finished_at >= ?
    union select run_id from attempt_progress where heartbeat_at >= ?
    union select run_id from launches where rowid > (select max(rowid) from launches) - {last}
    union select unnest(?::varchar[])
"""
_ROWS = """
    select r.run_id, r.label, r.agent_name, r.provider, r.model, r.status, r.stop_reason, r.session_id,
           r.parent_run_id, r.batch_id, r.cached_from, r.created_at, r.started_at, r.finished_at, r.attempt,
           r.owner, left(r.prompt, {head}) as prompt, left(r.error, {head}) as error, left(r.content, {head}) as content,
           right(r.partial_text, {head}) as partial_text,
           case when r.status = 'paused' then r.pending_approvals end as pending_approvals,
           c.total_tokens, c.cost_usd, coalesce(c.calls, 0) as calls, coalesce(c.priced, 0) as priced
    from runs r left join (
        select run_id, count(*) as calls, count(cost_usd) as priced, sum(cost_usd) as cost_usd,
               sum(coalesce(total_tokens, input_tokens + output_tokens)) as total_tokens
        from model_calls where run_id in (select unnest($1)) group by run_id
    ) c using (run_id)
    where r.run_id in (select unnest($1))
"""


_PLACED = "select run_id from launches where owner = ? and run_id in (select unnest(?::varchar[]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """Rows of runs as a table shows them. `total` counts all runs of the file, `latest` is its latest moment."""

    rows: Sequence[dict[str, Any]]
    total: int
    latest: datetime | None


def newest_runs(
    store: Reader, limit: int, *, batch_id: str | None = None, timeout_s: float = 10.0
) -> RunSummary:
    """The newest runs of the file, or of one batch, in no order; nothing, and no new file, where there is none.

    Raises StoreError.
    """
    if store.untouched:
        return RunSummary(rows=(), total=0, latest=None)
    with store.reader(timeout_s=timeout_s) as ask:
        (counts,) = ask(_COUNTS)
        chosen = ask(_NEWEST, [limit]) if batch_id is None else ask(_NEWEST_OF_BATCH, [batch_id, limit])
        picked = [row["run_id"] for row in chosen]
        rows = _rows_of(ask, picked)
    return RunSummary(rows=rows, total=counts["runs"], latest=counts["latest"])


def runs_since(store: Reader, since: datetime, unfinished: Sequence[str]) -> RunSummary:
    """The runs that somebody wrote to after `since` (an earlier `latest`), and these unfinished ones as they are.

    Waits for no row of this process. Raises StoreError.
    """
    moment = since - SLACK
    with store.reader(flush=False) as ask:
        (counts,) = ask(_COUNTS)
        picked = [row["run_id"] for row in ask(_SINCE.format(last=LAST), [*[moment] * 4, list(unfinished)])]
        rows = _rows_of(ask, picked)
    return RunSummary(rows=rows, total=counts["runs"], latest=counts["latest"])


def _rows_of(ask: Ask, picked: list[str]) -> list[dict[str, Any]]:
    """The rows of these runs, each with `placed`: whether it was launched for workers."""
    if not picked:
        return []
    rows = ask(_ROWS.format(head=HEAD_CHARS), [picked])
    placed = {row["run_id"] for row in ask(_PLACED, [PLACED, picked])}
    return [{**row, "placed": row["run_id"] in placed} for row in rows]
