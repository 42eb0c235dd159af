"""A worker takes up a batch: it reads where the batch stands, makes it its own, and asks its rows.

`take_up_batch` is called on a worker's thread; `confirm` and `lose` on the one that keeps the worker's lease. A row is asked
only while the record was seen, a moment ago, to name this worker: one that was frozen asks nothing when it wakes. Who takes a
batch over from a worker that may still live waits for as long as that one may still ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from nbagent.batch.active_batch import ActiveBatch
from nbagent.batch.definition import plan_with
from nbagent.batch.inputs.row_source import RowSource
from nbagent.batch.placed.feed_runner import FeedRunner, LeftRun
from nbagent.batch.placed.stored_rows import StoredPrompts, source_of_stored
from nbagent.batch.plan import BatchIdentity, BatchPlan
from nbagent.batch.recorded import Answers, Rows, rows_of
from nbagent.batch.row_outcome import RowOutcome
from nbagent.batch.running.results import Results
from nbagent.batch.running.runner import BatchRunner
from nbagent.core import load_json, utc_now
from nbagent.run import UNFINISHED, RunStatus
from nbagent.runtime import GIVEN_BACK, ResolvedAgent, agent_as_launched, check_models, current
from nbagent.store import PLACED, StoredBatch, is_alive, load_batch

FRESH_S = 2.5  # after a look at whose the batch is: until then it is this worker's
_LEFT = UNFINISHED | {RunStatus.interrupted}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLease:
    """What a worker knows of the others and of itself, and how it makes a batch its own that belonged to a process before."""

    left_by: Callable[[str], str | None]
    is_draining: Callable[[], bool]
    claim: Callable[[str, str], bool]


class Feeder(ActiveBatch):
    """The work of a batch on a worker. `rows` is what the record has of it; nothing is asked for the first `wait_s`."""

    def __init__(
        self,
        identity: BatchIdentity,
        results: Results,
        definition: Mapping[str, Any],
        *,
        stored: StoredBatch,
        rows: Rows,
        is_draining: Callable[[], bool],
        wait_s: float,
    ) -> None:
        super().__init__(identity, results, definition)
        self.batch_id = identity.batch_id
        self._known = {at: one for at, one in enumerate(rows.outcomes) if one is not None}
        self._left = _left_runs(stored, rows.outcomes)
        self._spent = rows.budget
        self._is_draining = is_draining
        self._begins_s = monotonic() + wait_s
        self._confirmed_s = float("-inf")
        self._is_lost = False

    def confirm(self, asked_s: float) -> None:
        """Take it that the batch was this worker's at this moment."""
        self._confirmed_s = asked_s
        self._runtime.thread.soon(self._wake)

    def lose(self) -> None:
        """Leave the batch to whoever has it."""
        self._is_lost = True
        self._runtime.thread.soon(self._abandon)

    @property
    def is_given_up(self) -> bool:
        """True for one that has ended here unfinished, although no other worker has it."""
        is_abandoned = isinstance(self._runner, FeedRunner) and self._runner.is_abandoned
        return self.finished.done() and is_abandoned and not (self._is_lost or self._runtime.is_closing)

    def _may_ask(self) -> bool:
        now_s = monotonic()
        fresh = now_s - self._confirmed_s < FRESH_S
        return fresh and now_s >= self._begins_s and not (self._is_lost or self._is_draining())

    def _wake(self) -> None:
        if isinstance(self._runner, FeedRunner):
            self._runner.wake()

    def _abandon(self) -> None:
        if isinstance(self._runner, FeedRunner):
            self._runner.abandon()

    def _runner_of(self, plan: BatchPlan, source: RowSource, parts: Mapping[str, Any]) -> BatchRunner:
        made = {**parts, "budget": self._spent, "known": self._known, "left": self._left}
        return FeedRunner(plan, source, self._results, may_ask=self._may_ask, **made)

    def _has_finished(self, runner: BatchRunner) -> bool:
        is_abandoned = isinstance(runner, FeedRunner) and runner.is_abandoned
        return not is_abandoned and super()._has_finished(runner)


def take_up_batch(batch_id: str, agents: Sequence[ResolvedAgent], lease: FeedLease) -> Feeder | None:
    """Make a batch ours and let it work; None where it has ended, somebody works on it, or it is none for workers.

    `agents` are the one at its address and whatever else this worker serves. Raises ChangedAgentError, and what a
    launch raises.
    """
    store = current().store
    stored = load_batch(store, batch_id)
    if stored is None or not stored.is_placed or stored.row["finished_at"] is not None:
        return None
    before = stored.row["owner"]
    why = lease.left_by(before)
    if before not in (PLACED, store.owner) and why is None:
        return None
    definition = stored.definition
    crew = agent_as_launched(definition["spec"], agents)
    plan = plan_with(definition, stored.row["label"], crew)
    check_models(crew, bounded=plan.limits.max_cost_usd is not None)
    rows = rows_of(stored, Answers(definition))
    is_certain = before in (PLACED, store.owner) or why == GIVEN_BACK or is_alive(before) is False
    feeder = _feeder_of(stored, rows, plan, lease, wait_s=0.0 if is_certain else FRESH_S)
    asked_s = monotonic()
    if not lease.claim(batch_id, before):
        return None
    feeder.confirm(asked_s)
    prompts = StoredPrompts(plan.prompts.template, plan.prompts.names)
    asked = replace(plan, prompts=prompts, key_columns=(), fresh=definition.get("fresh", False))
    feeder.start(asked, source_of_stored(stored.rows, stored.row["total"] or 0))
    return feeder


def _feeder_of(
    stored: StoredBatch, rows: Rows, plan: BatchPlan, lease: FeedLease, *, wait_s: float
) -> Feeder:
    row = stored.row
    identity = BatchIdentity(
        batch_id=row["batch_id"],
        batch_key=row["batch_key"],
        created_at=row["created_at"],
        label=row["label"],
        cell_id=plan.cell_id,
        agent_name=row["agent_name"],
    )
    results = Results(row["total"])
    results.lasted((utc_now() - row["created_at"]).total_seconds())
    for notice in load_json(row["details"] or "{}").get("notices", ()):
        results.note(notice)
    return Feeder(
        identity, results, stored.definition,
        stored=stored, rows=rows, is_draining=lease.is_draining, wait_s=wait_s,
    )  # fmt: skip


def _left_runs(stored: StoredBatch, outcomes: Sequence[RowOutcome | None]) -> dict[int, LeftRun]:
    """Return the runs that have no end, or none that counts, by the positions of their rows."""
    found: dict[int, LeftRun] = {}
    for row in stored.runs:
        position = load_json(row["position"])
        positions = tuple(position) if isinstance(position, list) else (position,)
        if RunStatus(row["status"]) in _LEFT and all(outcomes[one] is None for one in positions):
            left = LeftRun(row["run_id"], positions)
            found |= dict.fromkeys(positions, left)
    return found
