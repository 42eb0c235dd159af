"""`Batch`: what a user holds of many runs that were asked for at once, and how one is started. Used from any thread.

Waiting never hurts a batch: Stop on a waiting cell ends the wait. Single rows that failed are rows of its frame.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import weakref
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbagent.batch.changes import RowChanges, RowsAgain, changed_limits
from nbagent.batch.definition import plan_of
from nbagent.batch.frame import checked, frame_of
from nbagent.batch.inputs.row_source import RowSource
from nbagent.batch.inputs.snapshot import kept
from nbagent.batch.plan import BatchLimits, BatchPlan
from nbagent.batch.progress_bar import bar_of
from nbagent.batch.recorded import Follower
from nbagent.batch.row_outcome import CANCELLED, NOT_ASKED
from nbagent.batch.running.adaptive_limit import AdaptiveLimiter
from nbagent.batch.running.budget import BatchBudget
from nbagent.batch.running.packing import group_schema
from nbagent.batch.running.provider_batch import ProviderBatchRunner
from nbagent.batch.running.results import BatchProgress, Results
from nbagent.batch.running.runner import BatchRunner
from nbagent.core import utc_now
from nbagent.errors import ConfigurationError, StoreError, WaitTimeout, replace_traceback
from nbagent.run import RunMetrics, RunStatus
from nbagent.runtime import BatchLauncher, LaunchRequest, call_limits, catch_up_prices, check_models, current
from nbagent.schemas import OutputSchema
from nbagent.store import BatchRecord, batch_metrics

if TYPE_CHECKING:
    import pandas as pd

WAKE_S = 0.25
CANCEL_WAIT_S = 0.5
_GOES_ON = ("stopped waiting; the batch goes on", "batch.cancel() stops it")


_LEFT = frozenset({CANCELLED, NOT_ASKED, RunStatus.interrupted.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a batch is called, in this kernel and in the record."""

    batch_id: str
    batch_key: str
    created_at: datetime
    label: str | None = None
    cell_id: str | None = None
    agent_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """One row's end: `index` is its label in the table; `content` is typed, None where the row has no answer."""

    index: Any
    status: str
    content: Any
    error: str | None
    cost_usd: float | None
    duration_s: float | None
    run_id: str | None
    reused: bool


class Batch:
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
        identity: Identity,
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
        self._runtime = current()
        self._store = self._runtime.store
        self._slots: AdaptiveLimiter | None = None
        self._are_records = True
        self._feed: BatchRunner | Follower | None = None
        self._working: concurrent.futures.Future[None] = concurrent.futures.Future()

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
        assert self._feed is not None
        return self._results.progress(
            self._feed.spending,
            running=self._feed.in_flight,
            pace_per_s=self._slots.rate_per_s if self._slots is not None else None,
        )

    @property
    def metrics(self) -> RunMetrics:
        """What its own runs have cost, failed tries and group calls included, and those below them; from the record.

        The sum that `nb.metrics.by_model(batch=...)` counts. Rows from earlier cost nothing here. Raises StoreError.
        """
        catch_up_prices(self._runtime)
        return batch_metrics(self._store, self.batch_id)

    @property
    def notices(self) -> list[str]:
        """What happened to the batch as a whole, in sentences: slowed down, stopped at a limit, answers cut, ..."""
        cut = self._results.cut
        few = "1 answer was" if cut == 1 else f"{cut} answers were"
        said = (
            f"{few} cut off at the output token limit (`stop_reason`): raise max_output_tokens and map again"
        )
        return [*self._results.notices, *([said] if cut else [])]

    def done(self) -> bool:
        """True once every row has its end and each run's end is committed."""
        return self._working.done()

    # --------------------------------------------------------------- waiting

    def result(self, timeout: float | None = None, *, check: bool = False) -> pd.DataFrame:
        """Wait for the end and return `to_frame()`; `timeout` in seconds.

        A row that failed does not raise: it is a row with its status and error; with `check` rows without an answer,
        those not asked at a limit too, are a BatchError, so that a script ends with one. Raises WaitTimeout, BlockingCallError, and what the rows' generator raised.
        """
        self._wait(timeout)
        self._working.result()
        frame = self.to_frame()
        total = max(self._results.total or 0, len(self._results.outcomes))
        return checked(frame, self._results.outcomes, self.label, total) if check else frame

    def wait(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait for the end and return `to_frame()`, whatever happened. Raises WaitTimeout and BlockingCallError."""
        self._wait(timeout)
        return self.to_frame()

    def _wait(self, timeout: float | None) -> None:
        self._runtime.thread.forbid_blocking("batch.wait()")
        left_s = timeout
        with bar_of(lambda: self.progress) as refresh:
            try:
                while not self._working.done():
                    refresh()
                    step_s = WAKE_S if left_s is None else min(WAKE_S, left_s)
                    try:
                        self._runtime.main.wait(self._working, step_s)
                    except concurrent.futures.TimeoutError:
                        left_s = None if left_s is None else left_s - step_s
                        if left_s is not None and left_s <= 0:
                            raise WaitTimeout(
                                f"the batch is not done after {timeout:g} s: {self.progress}",
                                "wait again, or stop it with batch.cancel()",
                            ) from None
                    except Exception:  # noqa: BLE001 - the batch's own failure: `result` raises it
                        break
                refresh()
            except KeyboardInterrupt as stop:
                replace_traceback(stop, *_GOES_ON)
                raise

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        """Wait without blocking: the same as `result()`, shielded from the waiting task's cancellation."""
        return self._awaited().__await__()

    async def _awaited(self) -> pd.DataFrame:
        future = asyncio.wrap_future(_shielded(self._working))
        try:
            with self._runtime.main.serving():
                while not future.done():
                    # a kernel's loop sees Stop only when it wakes
                    await asyncio.wait({future}, timeout=WAKE_S)
        except asyncio.CancelledError as stop:
            replace_traceback(stop, *_GOES_ON)
            raise
        future.result()
        return self.to_frame()

    # --------------------------------------------------------------- results

    def to_frame(self, *, join: bool = True, explode: bool | str | None = False) -> pd.DataFrame:
        """Return the rows so far as a DataFrame with the index of the rows given.

        Columns: those of the rows given, as they were given to `map` (none with `join=False`; a generator's are not
        kept), the answer's fields, or `content` where it is no record, then `status` (`not asked`: the batch ended
        before that row), `stop_reason` (`max_output_tokens`: the answer is cut), `from_earlier` (an earlier batch had
        the answer), `error`, `error_type`, `error_fields`, `cost_usd` (US dollars that this batch has spent on the row, failed tries
        and its part of a group's included; 0 where it is from earlier or another row with the same prompt paid),
        `duration_s` and `run_id`. Where a server reported no usage there are `estimated_tokens` and
        `estimated_cost_usd` beside them. The columns given keep their names, whatever these are: one of ours with a name
        that is taken is `answer.NAME` (`answer.answer.NAME` if that is too); so is an answer's field with the name of
        a measure.

        The answer's columns and their types are those of the output schema, whatever was answered: `Int64`,
        `Float64`, `boolean`, `string`, datetimes in UTC, objects for the rest; fields of an object inside are
        `city.name`. Lists are whole in their cells, unless `explode` makes a row of each element, as in
        `run.to_frame`: None of the one list of objects, True of the one list there is, a field's name of that one. A
        row with an empty list is one row; what a row cost then stands in each of its rows.
        """
        return self._frame(join=join, explode=explode)

    def _frame(
        self, *, join: bool = True, explode: bool | str | None = False, raw_answers: bool = False
    ) -> pd.DataFrame:
        import pandas as pd

        results, table = self._results, self._source.frame if self._source is not None else None
        outcomes = list(results.outcomes)
        if table is not None or self.done():
            outcomes += [None] * ((results.total or 0) - len(outcomes))
        repeat = self._definition.get("repeat", 1)
        given = None
        if table is not None:
            given = table()
            if repeat > 1:
                given = given.iloc[[n // repeat for n in range(len(given) * repeat)]]
            given = given.iloc[: len(outcomes)]
        index = given.index if given is not None else self._index(len(outcomes))
        if len(index) < len(outcomes):
            index = pd.RangeIndex(len(outcomes))
        if given is None or not join:
            given = pd.DataFrame(index=index)
        times = [n % repeat + 1 for n in range(len(outcomes))] if repeat > 1 else None
        return frame_of(outcomes, given, self._schema, explode=explode, raw_answers=raw_answers, repeat=times)

    def _index(self, count: int) -> pd.Index:
        """The rows' labels as an index; of a batch from the record, their keys with the names that these had."""
        import pandas as pd

        labels = self._results.labels[:count]
        names = self._definition.get("index", {}).get("names") or [None]
        if labels and all(isinstance(label, tuple) for label in labels):
            made: pd.Index = pd.MultiIndex.from_tuples(labels)
        else:
            made = pd.Index(labels)
        return made.set_names(names) if len(names) == made.nlevels else made

    def failed(self) -> pd.DataFrame:
        """Return the rows that have failed so far, with what the model said as `raw_answer`.

        Rows that were not asked or that a person cancelled are not among them.
        """
        frame, outcomes = self._frame(raw_answers=True), list(self._results.outcomes)
        failed = [one is not None and one.has_failed for one in outcomes][: len(frame)]
        return frame[[*failed, *([False] * (len(frame) - len(failed)))]]

    def __iter__(self) -> Iterator[RowResult]:
        """Yield each row's result as it comes, in the order of their ends, and wait for the next."""
        self._runtime.thread.forbid_blocking("iterating a batch")
        results, position = self._results, 0
        while True:
            with results.changed:
                while position == len(results.arrived) and not results.finished:
                    results.changed.wait(WAKE_S)
                if position == len(results.arrived):
                    return
                arrived = results.arrived[position]
            position += 1
            yield self._row_result(arrived)

    async def __aiter__(self) -> AsyncIterator[RowResult]:
        """Yield each row's result as it comes; `async for`, on any event loop."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        results, position = self._results, 0
        stop = results.listen(lambda: loop.call_soon_threadsafe(woken.set))
        try:
            while True:
                while position < len(results.arrived):
                    position += 1
                    yield self._row_result(results.arrived[position - 1])
                if results.finished:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), WAKE_S)
                woken.clear()
        finally:
            stop()

    def _row_result(self, position: int) -> RowResult:
        outcome = self._results.outcomes[position]
        assert outcome is not None
        return RowResult(
            index=self._results.labels[position],
            status=outcome.status,
            content=kept(outcome.answer),
            error=outcome.error,
            cost_usd=outcome.cost_usd,
            duration_s=outcome.duration_s,
            run_id=outcome.run_id,
            reused=outcome.reused,
        )

    # -------------------------------------------------------------- commands

    def cancel(self) -> bool:
        """Stop it now: rows in flight end as cancelled, the others are not asked. False if it had ended."""
        if self.done():
            return False
        assert self._feed is not None
        self._runtime.thread.soon(self._feed.cancel)
        if not self._runtime.thread.is_current():
            concurrent.futures.wait([self._working], timeout=CANCEL_WAIT_S)
        return True

    def set_limits(self, **limits: float | None) -> None:
        """Bound it otherwise from now on, at work or asked again: what is not asked yet heeds it, other batches do not.

        Takes `max_concurrency`, `max_cost`, `max_tokens`, `requests_per_minute` and `tokens_per_minute`; None is no
        limit. Raises UnknownOptionError, and ConfigurationError for a batch that another kernel works on.
        """
        if isinstance(self._feed, Follower) and not self.done():
            raise ConfigurationError(
                f"{self!r} is at work in another kernel, and is bounded there",
                "set its limits there, or cancel it",
            )
        assert self._feed is not None
        bounds = changed_limits(self._feed.spending.limits, limits)
        self._runtime.thread.submit(self._bound(bounds))

    async def _bound(self, limits: BatchLimits) -> None:
        assert self._feed is not None
        self._feed.spending.limits = limits
        if self._slots is not None and not self.done():
            self._slots.set_rates(limits.requests_per_minute, limits.tokens_per_minute)
        self._feed.set_limits(limits)
        if isinstance(self._feed, BatchRunner):
            self._record(finished=self.done())

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

        `template` and `agent` ask them in another way, into the same frame; a template needs the rows, which the
        kernel that made the batch has, and any other is given as `rows`. What rows have cost counts on: `max_cost`
        bounds the batch over all of its tries, the one given here replaces the batch's. Rows whose prompt could not
        be made stay as they are, unless there is a `template`. While the batch is at work nothing is asked again.
        Raises the ConfigurationErrors of a launch where this kernel has not what the batch's agent needs.
        """
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

        In any kernel: after a cancel, a limit (`max_cost` sets another) or the death of its kernel. Rows that nobody
        had come to are not in the record: `rows` gives their table again. Raises ConfigurationError without it.
        """
        if not self.done():
            return self
        outcomes = self._results.outcomes
        left = [n for n, one in enumerate(outcomes) if one is not None and one.status in _LEFT]
        lost = [n for n in left if (one := outcomes[n]) is not None and one.prompt is None]
        known = self._source is not None and self._source.frame is not None
        if lost and rows is None and not known:
            raise ConfigurationError(
                f"{len(lost)} rows of batch {self.label or self.batch_id!r} were never asked, and the record does not hold them",
                "give their table again: batch.resume(rows=table)",
            )
        return self._ask_again(left, RowChanges(None, agent, max_cost, rows, {}))

    def _ask_again(self, positions: Sequence[int], otherwise: RowChanges) -> Batch:
        plan = self._plan_for(otherwise)
        repeat = self._definition.get("repeat", 1)
        rows = RowsAgain(self._results, self._source, repeat, self._are_records)
        asks = rows.asks(positions, plan, otherwise)
        if otherwise.max_cost is not None:
            assert self._feed is not None
            self._feed.spending.limits = changed_limits(
                self._feed.spending.limits, {"max_cost": otherwise.max_cost}
            )
        if not asks:
            return self
        check_models(plan.crew, bounded=self.progress_limits.max_cost_usd is not None)
        self._store = self._runtime.store
        self._make_feed(plan, RowSource(rows=iter(()), total=0, ended=True))
        self._results.reopen([ask.positions[0] for ask in asks])
        assert isinstance(self._feed, BatchRunner)
        self._record()
        self._work(self._feed.ask_again(asks))
        return self

    @property
    def progress_limits(self) -> BatchLimits:
        """What bounds it now."""
        assert self._feed is not None
        return self._feed.spending.limits

    def _plan_for(self, otherwise: RowChanges) -> BatchPlan:
        """The plan by which rows are asked again. Raises ConfigurationError."""
        plan = self._plan
        if plan is None:
            if not self._definition.get("spec"):
                raise ConfigurationError(
                    f"{self!r} is of an earlier release, which kept no plan of a batch",
                    "map the table again: rows that have answers are not asked",
                )
            plan = plan_of(self._definition, self.label, otherwise.agent)
            if otherwise.agent is None:
                self._plan = plan
        return otherwise.of(plan, self._identity.batch_key)

    # ------------------------------------------------------------------ work

    def begin(self, *, are_records: bool) -> None:
        """Begin; called once, by `start_batch`. `are_records`: its rows have columns."""
        self._are_records = are_records
        assert self._plan is not None
        assert self._source is not None
        self._make_feed(self._plan, self._source)
        assert isinstance(self._feed, BatchRunner)
        self._record()
        self._work(self._feed.run())

    def follow(self, follower: Follower) -> None:
        """Stand as the record has it, and follow it where another kernel is at work; called once, by `recorded_batch`."""
        self._feed = follower
        if follower.has_ended:
            self._results.finish()
            self._working.set_result(None)
        else:
            self._runtime.thread.submit(self._following(follower, self._working))

    async def _following(self, follower: Follower, working: concurrent.futures.Future[None]) -> None:
        try:
            await follower.run()
        finally:
            self._results.finish()
            working.set_result(None)

    def _work(self, work: Any) -> None:
        self._working = concurrent.futures.Future()
        _batches[self.batch_id] = self
        self._runtime.thread.submit(self._at_work(work, self._working))

    async def _at_work(self, work: Any, working: concurrent.futures.Future[None]) -> None:
        failure: BaseException | None = None
        assert isinstance(self._feed, BatchRunner)
        assert self._slots is not None
        self._slots.open()
        self._runtime.works_on(self.batch_id, self._store, self._feed.cancel)
        try:
            await work
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asks for the result
            failure = error
            self._feed.cancel()
        self._slots.close()
        self._runtime.has_ended(self.batch_id)
        # one that ends with its kernel is not finished: another kernel may go on with it
        self._record(finished=not self._runtime.is_closing)
        self._results.finish()
        if failure is None:
            working.set_result(None)
        else:
            working.set_exception(failure)

    async def _recorded(self) -> None:
        with contextlib.suppress(StoreError):  # the store says so itself; the jobs are in memory
            await asyncio.wrap_future(self._record())

    def _record(self, *, finished: bool = False) -> concurrent.futures.Future[bool]:
        progress, identity = self.progress, self._identity
        assert isinstance(self._feed, BatchRunner)
        bounds = {one.name: getattr(self._feed.limits, one.name) for one in fields(BatchLimits)}
        written: concurrent.futures.Future[bool] = self._store.submit(
            BatchRecord(
                batch_id=self.batch_id,
                batch_key=identity.batch_key,
                created_at=identity.created_at,
                owner=self._store.owner,
                label=identity.label,
                agent_name=identity.agent_name,
                total=progress.total,
                reused=progress.reused,
                details={**self._feed.details, "notices": list(self._results.notices)},
                finished_at=utc_now() if finished else None,
                definition={**self._definition, "limits": bounds},
            )
        )
        return written

    def _make_feed(self, plan: BatchPlan, source: RowSource) -> None:
        """Make what asks the rows: all of the source, or some once more."""
        limits = plan.limits if self._feed is None else self._feed.spending.limits
        spending = BatchBudget(limits) if self._feed is None else self._feed.spending
        self._slots = AdaptiveLimiter(
            self._runtime.slots,
            self._results.note,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
        )
        call_limits()  # here, so that an option that does not fit is the launching cell's error
        given = LaunchRequest(
            prompt="", label=plan.label, cell_id=plan.cell_id, tags=plan.tags, batch_id=self.batch_id
        )
        alone = BatchLauncher(self._runtime, self._store, plan.crew, given, slots=self._slots)
        together = alone
        if plan.group > 1:
            spec = replace(plan.crew.spec, output_schema=group_schema(plan.output_schema))
            crew = replace(plan.crew, spec=spec)
            together = BatchLauncher(self._runtime, self._store, crew, given, slots=self._slots)
        given_to: dict[str, Any] = {"alone": alone, "together": together, "spending": spending}
        if plan.mode == "provider-batch":
            self._feed = ProviderBatchRunner(plan, source, self._results, recorded=self._recorded, **given_to)
        else:
            self._feed = BatchRunner(plan, source, self._results, **given_to)

    def __repr__(self) -> str:
        name = f" {self.label}" if self.label else ""
        return f"<Batch{name} {self.progress}>"


def batches() -> list[Batch]:
    """Return the batches that this kernel has started and still holds, oldest first."""
    return sorted(_batches.values(), key=lambda batch: batch.batch_id)


_batches: weakref.WeakValueDictionary[str, Batch] = weakref.WeakValueDictionary()


def _shielded(working: concurrent.futures.Future[None]) -> concurrent.futures.Future[None]:
    """A future that ends with `working`; cancelling it leaves the batch alone."""
    waiting: concurrent.futures.Future[None] = concurrent.futures.Future()

    def settle(_: object) -> None:
        if waiting.set_running_or_notify_cancel():
            if (error := working.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(None)

    working.add_done_callback(settle)
    return waiting
