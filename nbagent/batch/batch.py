"""`Batch`: what a user holds of many runs that were asked for at once, and how one is started. Used from any thread.

Waiting never hurts a batch: Stop on a waiting cell ends the wait. Single rows that failed are rows of its frame.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import weakref
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbagent.batch.feed import Ask, Feed
from nbagent.batch.frame import frame_of
from nbagent.batch.gate import PacedSlots
from nbagent.batch.grouping import group_schema
from nbagent.batch.jobs import JobFeed
from nbagent.batch.outcome import spent_on
from nbagent.batch.plan import Plan
from nbagent.batch.progress import bar_of
from nbagent.batch.prompts import RowKeys
from nbagent.batch.results import BatchProgress, Results
from nbagent.batch.rows import Source
from nbagent.batch.snapshot import kept
from nbagent.errors import PromptError, StoreError, WaitTimeout, show_as
from nbagent.runtime import Launching, current
from nbagent.runtime.bulk import BulkLaunch
from nbagent.runtime.launching import check_models, uuid7
from nbagent.runtime.turns import call_limits
from nbagent.store import BatchRecord
from nbagent.traces import check_traces

if TYPE_CHECKING:
    import pandas as pd

WAKE_S = 0.25
CANCEL_WAIT_S = 0.5
_GOES_ON = ("stopped waiting; the batch goes on", "batch.cancel() stops it")


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

    def __init__(self, plan: Plan, source: Source, batch_id: str) -> None:
        self.batch_id = batch_id
        self._plan = plan
        self._source = source
        self._runtime = current()
        self._store = self._runtime.store
        self._results = Results(source.total)
        self._created_at = datetime.now(UTC)
        self._slots = PacedSlots(
            self._runtime.slots,
            self._results.note,
            requests_per_minute=plan.limits.requests_per_minute,
            tokens_per_minute=plan.limits.tokens_per_minute,
        )
        self._feed = self._make_feed()
        self._working: concurrent.futures.Future[None] = concurrent.futures.Future()
        _batches[batch_id] = self

    # ----------------------------------------------------------------- state

    @property
    def label(self) -> str | None:
        """The name given at launch (`-o NAME`)."""
        return self._plan.label

    @property
    def cell_id(self) -> str | None:
        """The cell that launched it, where the front end says so."""
        return self._plan.cell_id

    @property
    def progress(self) -> BatchProgress:
        """Where it stands: rows done, failed and left, rate, cost so far, time left."""
        spending = self._feed.spending
        return self._results.progress(
            running=self._feed.in_flight,
            cost_usd=spending.cost_usd if spending.cost_known else None,
            tokens=spending.tokens,
            pace_per_s=self._slots.rate_per_s,
        )

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

    def result(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait for the end and return `to_frame()`; `timeout` in seconds.

        A row that failed does not raise: it is a row with its status and error. Raises WaitTimeout if the wait ran
        out, BlockingCallError on the background thread, and what the rows' own generator raised.
        """
        self._wait(timeout)
        self._working.result()
        return self.to_frame()

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
                show_as(stop, *_GOES_ON)
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
            show_as(stop, *_GOES_ON)
            raise
        future.result()
        return self.to_frame()

    # --------------------------------------------------------------- results

    def to_frame(self, *, join: bool = True, explode: bool | str | None = False) -> pd.DataFrame:
        """Return the rows so far as a DataFrame with the index of the rows given.

        Columns: those of the rows given, as they were given to `map` (none with `join=False`; a generator's are not
        kept), the answer's fields, or `content` where it is no record, then `status` (`not asked`: the batch ended
        before that row), `stop_reason` (`max_output_tokens`: the answer is cut), `from_earlier` (an earlier batch had
        the answer), `error`, `error_type`, `cost_usd` (US dollars that this batch has spent on the row, failed tries
        and its part of a group's included; 0 where it is from earlier or another row with the same prompt paid),
        `duration_s` and `run_id`. The columns given keep their names, whatever these are: one of ours with a name
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

        results, source = self._results, self._source
        outcomes = list(results.outcomes)
        if source.frame is not None or self.done():
            outcomes += [None] * ((source.total or 0) - len(outcomes))
        given = None if source.frame is None else source.frame().iloc[: len(outcomes)]
        index = given.index if given is not None else pd.Index(results.labels[: len(outcomes)])
        if len(index) < len(outcomes):
            index = pd.RangeIndex(len(outcomes))
        if given is None or not join:
            given = pd.DataFrame(index=index)
        schema = self._plan.output_schema
        return frame_of(outcomes, given, schema, explode=explode, raw_answers=raw_answers)

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
        self._runtime.thread.soon(self._feed.cancel)
        if not self._runtime.thread.is_current():
            concurrent.futures.wait([self._working], timeout=CANCEL_WAIT_S)
        return True

    def retry_failed(self) -> Batch:
        """Ask the rows that failed once more, in the background, and return this batch; the others keep their answers.

        What they have cost counts on: `max_cost` bounds the batch over all of its tries. Rows whose prompt could not
        be made stay as they are. While the batch is at work nothing is asked again.
        """
        if not self.done():
            return self
        results = self._results
        keys = RowKeys()
        asks = [
            Ask((position,), (one.prompt,), (one.key or keys.key_of(one.prompt)[0],), spent_on(one), one)
            for position, one in enumerate(results.outcomes)
            if one is not None and one.has_failed and one.prompt is not None
        ]
        if asks:
            results.reopen([ask.positions[0] for ask in asks])
            self._work(self._feed.ask_again(asks))
        return self

    # ------------------------------------------------------------------ work

    def begin(self) -> None:
        """Begin; called once, by `start_batch`."""
        self._record()
        self._work(self._feed.run())

    def _work(self, work: Any) -> None:
        self._working = concurrent.futures.Future()
        self._runtime.thread.submit(self._at_work(work, self._working))

    async def _at_work(self, work: Any, working: concurrent.futures.Future[None]) -> None:
        failure: BaseException | None = None
        try:
            await work
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asks for the result
            failure = error
            self._feed.cancel()
        self._record()
        self._results.finish()
        if failure is None:
            working.set_result(None)
        else:
            working.set_exception(failure)

    async def _recorded(self) -> None:
        with contextlib.suppress(StoreError):  # the store says so itself; the jobs are in memory
            await asyncio.wrap_future(self._record())

    def _record(self) -> concurrent.futures.Future[bool]:
        progress = self.progress
        written: concurrent.futures.Future[bool] = self._store.submit(
            BatchRecord(
                batch_id=self.batch_id,
                batch_key=self._plan.key,
                created_at=self._created_at,
                owner=self._store.owner,
                label=self.label,
                agent_name=self._plan.crew.spec.name,
                total=progress.total,
                reused=progress.reused,
                details=self._feed.details,
            )
        )
        return written

    def _make_feed(self) -> Feed:
        plan, runtime, limits = self._plan, self._runtime, call_limits()
        given = Launching(
            prompt="", label=plan.label, cell_id=plan.cell_id, tags=plan.tags, batch_id=self.batch_id
        )
        alone = BulkLaunch(runtime, self._store, plan.crew, given, slots=self._slots, limits=limits)
        together = alone
        if plan.group > 1:
            spec = replace(plan.crew.spec, output_schema=group_schema(plan.output_schema))
            crew = replace(plan.crew, spec=spec)
            together = BulkLaunch(runtime, self._store, crew, given, slots=self._slots, limits=limits)
        given_to: dict[str, Any] = {"store": self._store, "alone": alone, "together": together}
        if plan.mode == "provider-batch":
            return JobFeed(plan, self._source, self._results, recorded=self._recorded, **given_to)
        return Feed(plan, self._source, self._results, **given_to)

    def __repr__(self) -> str:
        name = f" {self.label}" if self.label else ""
        return f"<Batch{name} {self.progress}>"


def start_batch(plan: Plan, source: Source) -> Batch:
    """Check everything that can be wrong before anything is sent, and start a batch in the background.

    Raises the ConfigurationErrors of a launch, and TemplateError where the first row's prompt cannot be made.
    """
    plan.check()
    check_models(plan.crew, bounded=plan.limits.max_cost_usd is not None)
    check_traces()
    if not source.runs_code and (first := source.peek()) is not None:
        with contextlib.suppress(PromptError):  # of an empty row: one that fails, as any other would
            plan.prompts.of_row(*first)
    batch = Batch(plan, source, str(uuid7()))
    batch.begin()
    return batch


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
