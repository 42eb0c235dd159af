"""The work of one batch: its runner, its budget of model calls, and the batch's own row in the record.

Made by `Batch` on any thread; the runner works on the background loop. A batch that another kernel works on
has a `Follower` in place of a runner.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from nbagent.batch.inputs.row_source import RowSource
from nbagent.batch.plan import BatchIdentity, BatchLimits, BatchPlan
from nbagent.batch.recorded import Follower
from nbagent.batch.running.budget import BatchBudget
from nbagent.batch.running.packing import group_schema
from nbagent.batch.running.provider_batch import ProviderBatchRunner
from nbagent.batch.running.results import BatchProgress, Results
from nbagent.batch.running.row_queue import RowRequest
from nbagent.batch.running.runner import BatchRunner
from nbagent.core import utc_now
from nbagent.errors import StoreError
from nbagent.runtime import BatchLauncher, BatchSlots, LaunchRequest, call_limits, current
from nbagent.store import BatchRecord

CANCEL_WAIT_S = 0.5


class ActiveBatch:
    """See the module. `finished` ends when every row has its end and each run's end is committed."""

    def __init__(self, identity: BatchIdentity, results: Results, definition: Mapping[str, Any]) -> None:
        self._identity, self._results, self._definition = identity, results, definition
        self._runtime = current()
        self._store = self._runtime.store
        self._runner: BatchRunner | Follower | None = None
        self._slots: BatchSlots | None = None
        self.finished: concurrent.futures.Future[None] = concurrent.futures.Future()

    # ------------------------------------------------------------ any thread

    @property
    def budget(self) -> BatchBudget:
        """What the batch has spent, against its limits."""
        assert self._runner is not None
        return self._runner.budget

    @property
    def progress(self) -> BatchProgress:
        """Where the batch stands."""
        assert self._runner is not None
        return self._results.progress(
            self._runner.budget,
            running=self._runner.in_flight,
            pace_per_s=self._slots.rate_per_s if self._slots is not None else None,
        )

    @property
    def is_followed(self) -> bool:
        """True where another process works on the batch, or did to its end: its runs are in the record alone."""
        return isinstance(self._runner, Follower)

    @property
    def is_elsewhere(self) -> bool:
        """True while another kernel works on the batch."""
        return self.is_followed and not self.finished.done()

    def start(self, plan: BatchPlan, source: RowSource) -> None:
        """Ask all rows of the source, in the background."""
        runner = self._make_runner(plan, source)
        self._work(runner, runner.run())

    def ask_again(self, plan: BatchPlan, requests: Sequence[RowRequest]) -> None:
        """Ask some rows once more, in the background."""
        self._store = self._runtime.store
        runner = self._make_runner(plan, RowSource(rows=iter(()), total=0, ended=True))
        self._results.reopen([request.positions[0] for request in requests])
        self._work(runner, runner.ask_again(requests))

    def follow(self, follower: Follower) -> None:
        """Take the batch's state from the record, until it ends where another kernel works on it."""
        self._runner = follower
        if follower.has_ended:
            self._results.finish()
            self.finished.set_result(None)
        else:
            self._runtime.thread.submit(self._follow(follower, self.finished))

    def set_limits(self, limits: BatchLimits) -> None:
        """Be bounded by these from now on."""
        self._runtime.thread.submit(self._set_limits(limits))

    def cancel(self) -> None:
        """Cancel what is in flight and ask no further row; wait a moment for the end."""
        assert self._runner is not None
        self._runtime.thread.soon(self._runner.cancel)
        if not self._runtime.thread.is_current():
            concurrent.futures.wait([self.finished], timeout=CANCEL_WAIT_S)

    # --------------------------------------------------- the background loop

    def _work(self, runner: BatchRunner, work: Coroutine[Any, Any, None]) -> None:
        self._record(runner)
        self.finished = concurrent.futures.Future()
        self._runtime.thread.submit(self._run(runner, work, self.finished))

    async def _run(
        self, runner: BatchRunner, work: Coroutine[Any, Any, None], finished: concurrent.futures.Future[None]
    ) -> None:
        failure: BaseException | None = None
        slots, limiter = self._slots, self._runtime.slots
        assert slots is not None
        limiter.open(slots)
        self._runtime.watch_batch(self._identity.batch_id, self._store, runner.cancel)
        try:
            await work
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever asks for the result
            failure = error
            runner.cancel()
        limiter.close(slots)
        self._runtime.unwatch_batch(self._identity.batch_id)
        self._record(runner, finished=self._has_finished(runner))
        self._results.finish()
        if failure is None:
            finished.set_result(None)
        else:
            finished.set_exception(failure)

    def _has_finished(self, runner: BatchRunner) -> bool:  # noqa: ARG002 - one that can be handed over says so itself
        """False for a batch that ends with its kernel: another kernel may go on with it."""
        return not self._runtime.is_closing

    async def _follow(self, follower: Follower, finished: concurrent.futures.Future[None]) -> None:
        try:
            await follower.run()
        finally:
            self._results.finish()
            finished.set_result(None)

    async def _set_limits(self, limits: BatchLimits) -> None:
        assert self._runner is not None
        self._runner.budget.limits = limits
        self._runner.set_limits(limits)
        if isinstance(self._runner, BatchRunner):
            self._record(self._runner, finished=self.finished.done())

    def _record(self, runner: BatchRunner, *, finished: bool = False) -> concurrent.futures.Future[bool]:
        progress, identity = self.progress, self._identity
        limits = {one.name: getattr(runner.limits, one.name) for one in fields(BatchLimits)}
        written: concurrent.futures.Future[bool] = self._store.submit(
            BatchRecord(
                batch_id=identity.batch_id,
                batch_key=identity.batch_key,
                created_at=identity.created_at,
                owner=self._store.owner,
                label=identity.label,
                agent_name=identity.agent_name,
                total=progress.total,
                reused=progress.reused,
                details={**runner.details, "notices": list(self._results.notices)},
                finished_at=utc_now() if finished else None,
                definition={**self._definition, "limits": limits},
            )
        )
        return written

    async def _record_durably(self) -> None:
        assert isinstance(self._runner, BatchRunner)
        with contextlib.suppress(StoreError):  # the store says so itself; the jobs are in memory
            await asyncio.wrap_future(self._record(self._runner))

    def _make_runner(self, plan: BatchPlan, source: RowSource) -> BatchRunner:
        """Make what asks the rows: all of the source, or some once more. It spends of the same budget."""
        budget = BatchBudget(plan.limits) if self._runner is None else self._runner.budget
        slots = BatchSlots(
            at_a_time=budget.limits.max_concurrency,
            requests_per_minute=budget.limits.requests_per_minute,
            tokens_per_minute=budget.limits.tokens_per_minute,
            notify=self._results.note,
        )
        call_limits()  # here, so that an option that does not fit is the launching cell's error
        request = LaunchRequest(
            prompt="",
            label=plan.label,
            cell_id=plan.cell_id,
            tags=plan.tags,
            batch_id=self._identity.batch_id,
        )
        single_launcher = BatchLauncher(self._runtime, self._store, plan.crew, request, slots=slots)
        group_launcher = single_launcher
        if plan.group > 1:
            spec = replace(plan.crew.spec, output_schema=group_schema(plan.output_schema))
            crew = replace(plan.crew, spec=spec)
            group_launcher = BatchLauncher(self._runtime, self._store, crew, request, slots=slots)
        parts: dict[str, Any] = {
            "single_launcher": single_launcher,
            "group_launcher": group_launcher,
            "budget": budget,
        }
        runner = self._runner_of(plan, source, parts)
        self._runner, self._slots = runner, slots
        return runner

    def _runner_of(self, plan: BatchPlan, source: RowSource, parts: Mapping[str, Any]) -> BatchRunner:
        """Make the runner of these parts."""
        if plan.mode == "provider-batch":
            return ProviderBatchRunner(plan, source, self._results, record=self._record_durably, **parts)
        return BatchRunner(plan, source, self._results, **parts)
