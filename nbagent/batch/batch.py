"""`Batch`: what a user holds of many runs that were asked for at once. Used from any thread.

Waiting never hurts a batch: Stop on a waiting cell ends the wait. Single rows that failed are rows of its
frame.
"""

from __future__ import annotations

import concurrent.futures
import weakref
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.batch.active_batch import ActiveBatch
from nbagent.batch.changes import RowChanges, RowsAgain, changed_limits
from nbagent.batch.definition import plan_of
from nbagent.batch.frame import checked, frame_of, given_rows
from nbagent.batch.inputs.prompts import NAMES_TODO
from nbagent.batch.inputs.row_source import RowSource
from nbagent.batch.plan import BatchIdentity, BatchPlan
from nbagent.batch.recorded import Follower
from nbagent.batch.row_outcome import CANCELLED, NOT_ASKED, RowOutcome, RowResult
from nbagent.batch.running.results import BatchProgress, Results
from nbagent.batch.waiting import arrived_rows, arriving_rows, await_end, end_off_the_loop, wait_for_end
from nbagent.core import check_mapping
from nbagent.errors import ConfigurationError
from nbagent.run import RunMetrics, RunStatus
from nbagent.runtime import DoneCallbacks, catch_up_prices, check_models, current
from nbagent.schemas import OutputSchema
from nbagent.store import batch_metrics

if TYPE_CHECKING:
    import pandas as pd

_NOT_ENDED = frozenset({CANCELLED, NOT_ASKED, RunStatus.interrupted.value})


class Batch(DoneCallbacks):
    """Many runs as one: `progress`, `to_frame()`, `result()`, `await batch`, `cancel()`, `retry_failed()`, iteration.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"country": ["France", "Japan"]}, index=["fr", "jp"])
    >>> batch = nb.Agent().map(table, "What is the capital of {{ row.country }}?")
    >>> batch.result(timeout=30)[["country", "status", "content"]]
       country     status                         content
    fr  France  completed  The capital of France is Paris.
    jp   Japan  completed   The capital of Japan is Tokyo.
    >>> batch.failed().empty
    True
    """

    def __init__(
        self,
        identity: BatchIdentity,
        results: Results,
        *,
        definition: Mapping[str, Any],
        schema: OutputSchema | None,
        plan: BatchPlan | None = None,
        source: RowSource | None = None,
    ) -> None:
        self.batch_id = identity.batch_id
        self._identity = identity
        self._results = results
        self._definition = definition
        self._schema = schema
        self._plan = plan
        self._source = source
        self._active = ActiveBatch(identity, results, definition)
        self._are_records = True

    # ----------------------------------------------------------------- state

    @property
    def label(self) -> str | None:
        """The name given at launch (`-o NAME`)."""
        return self._identity.label

    @property
    def cell_id(self) -> str | None:
        """The cell that launched it, where the front end says so."""
        return self._identity.cell_id

    @property
    def progress(self) -> BatchProgress:
        """Where it stands: rows done, failed and left, rate, cost so far, time left."""
        return self._active.progress

    @property
    def metrics(self) -> RunMetrics:
        """What its own runs have cost, failed tries and group calls included, and those below them; from the record.

        The sum that `nb.metrics.by_model(batch=...)` counts. Rows from earlier cost nothing here. Raises
        StoreError.
        """
        runtime = current()
        catch_up_prices(runtime)
        return batch_metrics(runtime.store, self.batch_id)

    @property
    def notices(self) -> list[str]:
        """What happened to the batch as a whole, in sentences: slowed down, stopped at a limit, answers cut, ..."""
        if not (count := self._results.cut):
            return list(self._results.notices)
        answers = "1 answer was" if count == 1 else f"{count} answers were"
        hint = "raise max_output_tokens and map again"
        cut = f"{answers} cut off at the output token limit (`stop_reason`): {hint}"
        return [*self._results.notices, cut]

    @property
    def is_followed(self) -> bool:
        """True where workers or another kernel ask the rows: what this kernel knows comes from the record."""
        return self._active.is_followed

    def done(self) -> bool:
        """Return True once every row has its end and each run's end is committed."""
        return self._active.finished.done()

    # --------------------------------------------------------------- waiting

    def result(self, timeout: float | None = None, *, check: bool = False) -> pd.DataFrame:
        """Wait for the end and return `to_frame()`; `timeout` in seconds.

        A row that failed does not raise: it is a row with its status and error; with `check` rows without an
        answer, those not asked at a limit too, are a BatchError, so that a script ends with one. Raises
        WaitTimeout, BlockingCallError, and what the rows' generator raised.
        """
        wait_for_end(self.batch_id, self._active.finished, lambda: self.progress, timeout)
        self._active.finished.result()
        frame = self.to_frame()
        total = max(self._results.total or 0, len(self._results.outcomes))
        return checked(frame, self._results.outcomes, self.label, total) if check else frame

    def wait(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait for the end and return `to_frame()`, whatever happened. Raises WaitTimeout and BlockingCallError."""
        wait_for_end(self.batch_id, self._active.finished, lambda: self.progress, timeout)
        return self.to_frame()

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        """Wait without blocking: the same as `result()`, shielded from the waiting task's cancellation."""
        return self._awaited().__await__()

    async def _awaited(self) -> pd.DataFrame:
        await await_end(self.batch_id, self._active.finished)
        return self.to_frame()

    def _end_future(self) -> concurrent.futures.Future[None]:
        return end_off_the_loop(self._active.finished)

    # --------------------------------------------------------------- results

    def to_frame(self, *, join: bool = True, explode: bool | str | None = False) -> pd.DataFrame:
        """Return the rows so far as a DataFrame with the index of the rows given.

        Columns: those of the rows given, as they were given to `map` (none with `join=False`; a generator's
        are not kept), the answer's fields, or `content` where it is no record, then `status` (`not asked`:
        the batch ended before that row), `stop_reason` (`max_output_tokens`: the answer is cut),
        `from_earlier` (an earlier batch had the answer), `error`, `error_type`, `error_fields`, `cost_usd`
        (US dollars that this batch has spent on the row, failed tries and its part of a group's included; 0
        where it is from earlier or another row with the same prompt paid), `duration_s` and `run_id`. Where a
        server reported no usage there are `estimated_tokens` and `estimated_cost_usd` beside them. The
        columns given keep their names, whatever these are: one of ours with a name that is taken is
        `answer.NAME` (`answer.answer.NAME` if that is too); so is an answer's field with the name of a
        measure.

        The answer's columns and their types are those of the output schema, whatever was answered: `Int64`,
        `Float64`, `boolean`, `string`, datetimes in UTC, objects for the rest; fields of an object inside are
        `city.name`. Lists are whole in their cells, unless `explode` makes a row of each element, as in
        `run.to_frame`: None of the one list of objects, True of the one list there is, a field's name of that
        one. A row with an empty list is one row; what a row cost then stands in each of its rows.
        """
        return self._frame(join=join, explode=explode)

    def _frame(
        self, *, join: bool = True, explode: bool | str | None = False, raw_answers: bool = False
    ) -> pd.DataFrame:
        results, table = self._results, self._source.frame if self._source is not None else None
        outcomes = list(results.outcomes)
        if table is not None or self.done():
            outcomes += [None] * ((results.total or 0) - len(outcomes))
        repeat = self._definition.get("repeat", 1)
        index_names = self._definition.get("index", {}).get("names") or [None]
        given = given_rows(table, len(outcomes), repeat, results.labels, index_names, join=join)
        times = [n % repeat + 1 for n in range(len(outcomes))] if repeat > 1 else None
        return frame_of(outcomes, given, self._schema, explode=explode, raw_answers=raw_answers, repeat=times)

    def row_results(self) -> list[RowResult | None]:
        """Return each row's result so far in the order of the rows, each as often as it is asked; None for no end yet."""
        outcomes = list(self._results.outcomes)
        outcomes += [None] * ((self._results.total or 0) - len(outcomes))
        return [
            None if one is None else RowResult.of(self._results.labels[position], one)
            for position, one in enumerate(outcomes)
        ]

    def failed(self) -> pd.DataFrame:
        """Return the rows that have failed so far, with what the model said as `raw_answer`.

        Rows that were not asked or that a person cancelled are not among them.
        """
        frame, outcomes = self._frame(raw_answers=True), list(self._results.outcomes)
        failed = [one is not None and one.has_failed for one in outcomes][: len(frame)]
        return frame[[*failed, *([False] * (len(frame) - len(failed)))]]

    def __iter__(self) -> Iterator[RowResult]:
        """Yield each row's result as it comes, in the order of their ends, and wait for the next."""
        for position in arrived_rows(self._results):
            yield self._row_result(position)

    async def __aiter__(self) -> AsyncIterator[RowResult]:
        """Yield each row's result as it comes; `async for`, on any event loop."""
        async for position in arriving_rows(self._results):
            yield self._row_result(position)

    def ended_since(self, count: int) -> tuple[int, list[tuple[int, Any, RowOutcome]]]:
        """Return how many ends there were, and of those after the first `count`: position, index label, outcome."""
        results = self._results
        arrived = results.arrived[count:]
        ended = ((position, results.outcomes[position]) for position in arrived)
        rows = [(position, results.labels[position], one) for position, one in ended if one is not None]
        return count + len(arrived), rows

    def _row_result(self, position: int) -> RowResult:
        outcome = self._results.outcomes[position]
        assert outcome is not None
        return RowResult.of(self._results.labels[position], outcome)

    # -------------------------------------------------------------- commands

    def cancel(self) -> bool:
        """Stop it now: rows in flight end as cancelled, the others are not asked. False if it had ended."""
        if self.done():
            return False
        self._active.cancel()
        return True

    def set_limits(self, **limits: float | None) -> None:
        """Replace limits of this batch; they hold for every row that is not asked yet, here and when rows are asked again.

        Takes `max_concurrency`, `max_cost`, `max_tokens`, `requests_per_minute` and `tokens_per_minute`; None
        is no limit. Raises UnknownOptionError, and ConfigurationError for a batch that another kernel works
        on.
        """
        if self._active.is_elsewhere:
            raise ConfigurationError(
                f"{self!r} is at work in another kernel, and is bounded there",
                "set its limits there, or cancel it",
            )
        self._active.set_limits(changed_limits(self._active.budget.limits, limits))

    def retry_failed(
        self,
        *,
        template: str | None = None,
        agent: Any = None,
        max_cost: float | None = None,
        rows: Any = None,
        names: Mapping[str, Any] | None = None,
    ) -> Batch:
        """Ask the rows that failed once more, in the background, and return this batch; the others keep their answers.

        `template` and `agent` ask them in another way, into the same frame; a template needs the rows, which
        the kernel that made the batch has, and any other is given as `rows`. What rows have cost counts on:
        `max_cost` bounds the batch over all of its tries, the one given here replaces the batch's. Rows whose
        prompt could not be made stay as they are, unless there is a `template`. While the batch is at work
        nothing is asked again. Raises the ConfigurationErrors of a launch where this kernel has not what the
        batch's agent needs.
        """
        check_mapping("names", names, NAMES_TODO)
        if not self.done():
            return self
        failed = [
            position
            for position, one in enumerate(self._results.outcomes)
            if one is not None and one.has_failed and (one.prompt is not None or template is not None)
        ]
        return self._ask_again(failed, RowChanges(template, agent, max_cost, rows, names or {}))

    def resume(
        self,
        *,
        rows: Any = None,
        agent: Any = None,
        max_cost: float | None = None,
    ) -> Batch:
        """Ask the rows that were cancelled, interrupted or not asked, in the background, and return this batch.

        In any kernel: after a cancel, a limit (`max_cost` sets another) or the death of its kernel. Rows that
        nobody had come to are not in the record: `rows` gives their table again. Raises ConfigurationError
        without it.
        """
        if not self.done():
            return self
        outcomes = self._results.outcomes
        unfinished = [n for n, one in enumerate(outcomes) if one is not None and one.status in _NOT_ENDED]
        unknown = [n for n in unfinished if (one := outcomes[n]) is not None and one.prompt is None]
        has_table = self._source is not None and self._source.frame is not None
        if unknown and rows is None and not has_table:
            raise ConfigurationError(
                f"{len(unknown)} rows of batch {self.label or self.batch_id!r} were never asked, and the record does not hold them",
                "give their table again: batch.resume(rows=table)",
            )
        return self._ask_again(unfinished, RowChanges(None, agent, max_cost, rows, {}))

    def _ask_again(self, positions: Sequence[int], changes: RowChanges) -> Batch:
        plan = self._plan_for(changes)
        rows = RowsAgain(self._results, self._source, self._definition.get("repeat", 1), self._are_records)
        requests = rows.requests(positions, plan, changes)
        budget = self._active.budget
        if changes.max_cost is not None:
            budget.limits = changed_limits(budget.limits, {"max_cost": changes.max_cost})
        if requests:
            check_models(plan.crew, bounded=budget.limits.max_cost_usd is not None)
            _batches[self.batch_id] = self
            self._active.ask_again(plan, requests)
        return self

    def _plan_for(self, changes: RowChanges) -> BatchPlan:
        """Return the plan by which rows are asked again. Raises ConfigurationError."""
        plan = self._plan
        if plan is None:
            if not self._definition.get("spec"):
                raise ConfigurationError(
                    f"{self!r} is of an earlier release, which kept no plan of a batch",
                    "map the table again: rows that have answers are not asked",
                )
            plan = plan_of(self._definition, self.label, changes.agent)
            if changes.agent is None:
                self._plan = plan
        return changes.of(plan, self._identity.batch_key)

    # ------------------------------------------------------------------ work

    def begin(self, *, are_records: bool) -> None:
        """Begin; called once, by `start_batch`. `are_records`: its rows have columns."""
        assert self._plan is not None
        assert self._source is not None
        self._are_records = are_records
        _batches[self.batch_id] = self
        self._active.start(self._plan, self._source)

    def begin_elsewhere(self, follower: Follower, *, are_records: bool) -> None:
        """Follow a batch that workers ask; called once, by `start_batch`."""
        self._are_records = are_records
        _batches[self.batch_id] = self
        self._active.follow(follower)

    def follow(self, follower: Follower) -> None:
        """Take the state from the record, and follow it where another kernel works; called once, by `recorded_batch`."""
        self._active.follow(follower)

    def __repr__(self) -> str:
        name = f" {self.label}" if self.label else ""
        return f"<Batch{name} {self.progress}>"


def batches() -> list[Batch]:
    """Return the batches that this kernel has started and still holds, oldest first."""
    return sorted(_batches.values(), key=lambda batch: batch.batch_id)


_batches: weakref.WeakValueDictionary[str, Batch] = weakref.WeakValueDictionary()
