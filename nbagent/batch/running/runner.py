"""Asking a batch's rows: pulls them, launches their runs with a bounded number in flight, takes in what comes of them.

One `BatchRunner` a batch, on the background loop. A row is pulled when it can be asked, so that neither a
generator nor the record runs ahead; its outcome is given out when the store has it, so that what a person saw
survives a kill.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nbagent.batch.inputs.prompts import Attached, RowKeys, files_with
from nbagent.batch.inputs.row_source import Numbered, RowSource
from nbagent.batch.plan import BatchLimits, BatchPlan
from nbagent.batch.row_outcome import (
    NOT_ASKED,
    RowOutcome,
    data_of_outcome,
    outcome_of,
    parts_of,
    share_of,
    spent_on,
)
from nbagent.batch.running.budget import BatchBudget
from nbagent.batch.running.earlier_answers import JOINT, earlier_answers
from nbagent.batch.running.packing import pack_prompt
from nbagent.batch.running.results import Results
from nbagent.batch.running.row_queue import EqualPrompts, RowQueue, RowRequest
from nbagent.core import run_in_daemon_thread, utc_now
from nbagent.errors import NBAgentError, StoreError
from nbagent.frames import ROWS, key_data
from nbagent.models import ESTIMATED
from nbagent.store import BatchRow, BatchRows

if TYPE_CHECKING:
    from nbagent.runtime import ActiveRun, BatchLauncher

UNCOMMITTED_MOST = 2_000  # rows that have ended and are not in the store yet: a slow disk slows the batch
WRITTEN_AT_ONCE = 500
TICK_S = 0.5


class BatchRunner:
    """See the module. `single_launcher` launches one row's run, `group_launcher` that of a group; `budget` is the batch's."""

    def __init__(
        self,
        plan: BatchPlan,
        source: RowSource,
        results: Results,
        *,
        single_launcher: BatchLauncher,
        group_launcher: BatchLauncher,
        budget: BatchBudget,
    ) -> None:
        self.budget = budget
        self._batch_id = single_launcher.batch_id
        self._plan, self._source, self._results, self._store = plan, source, results, single_launcher.store
        self._single_launcher, self._group_launcher = single_launcher, group_launcher
        self._keys = RowKeys()
        self._answered: dict[str, RowOutcome] = {}
        self._equal = EqualPrompts()
        self._queue = RowQueue(plan.group)
        self._slots = single_launcher.slots
        self._running: dict[str, ActiveRun] = {}  # without an end yet
        self._uncommitted = 0
        self._unwritten: list[BatchRow] = []  # rows that have no run of their own
        self._ticking: asyncio.TimerHandle | None = None
        self._committed: deque[tuple[RowRequest, RowOutcome]] = deque()
        self._splitting: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._slots.changed = self._woken.set
        self._stopped: str | None = None  # why no further row is asked
        self._failure: BaseException | None = None  # what the source's code raised

    @property
    def in_flight(self) -> int:
        """How many prompts are being answered; those that wait after a refusal are not."""
        return len(self._running) - len(self._slots.resting)

    @property
    def details(self) -> dict[str, Any]:
        """What the batch's record says of where it lives."""
        return {"mode": self._plan.mode}

    @property
    def limits(self) -> BatchLimits:
        """What bounds it now."""
        return self.budget.limits

    def set_limits(self, limits: BatchLimits) -> None:
        """Be bounded by these from now on, for what is not asked yet; what is in flight goes on."""
        self.budget.limits = limits
        self._single_launcher.bound_by(
            limits.max_concurrency, limits.requests_per_minute, limits.tokens_per_minute
        )
        self._woken.set()

    async def run(self) -> None:
        """Ask every row; return when the last outcome is in the store. Raises what the source's own code raises."""
        self._tick()
        try:
            await self._look_up()
            await self._ask_all()
        finally:
            self._end()

    async def _ask_all(self) -> None:
        while not self._source.ended and await self._room():
            await self._take_some()
        await self._drain()
        while not self._source.ended and not self._source.runs_code:
            # nothing is asked any more: what earlier batches know, and who was left out
            await self._take_some()
        if self._failure is not None:
            raise self._failure

    async def ask_again(self, requests: Iterable[RowRequest]) -> None:
        """Ask rows a second time."""
        self._stopped = None
        for request in requests:
            if not self._plan.dedupe or self._equal.ask_again(request):
                self._queue.put(request)
        self._tick()
        try:
            await self._drain()
        finally:
            self._end()

    def _tick(self) -> None:
        """Now and then, heed the kernel's limits as they are set now, and write what came of rows without a run."""
        self._single_launcher.refresh_limits()
        self._write_rows()
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _end(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        self._write_rows()

    def _write_rows(self) -> None:
        if self._unwritten:
            self._store.submit(BatchRows(self._batch_id, tuple(self._unwritten)))
            self._unwritten.clear()

    def stop(self, why: str) -> None:
        """Ask no further row; what is in flight goes on."""
        if self._stopped is None:
            self._stopped = why
            self._woken.set()

    def cancel(self) -> None:
        """Ask no further row, and cancel what is in flight."""
        self.stop("the batch was cancelled")
        for live in list(self._running.values()):
            live.stop("cancelled")

    # ----------------------------------------------------------------- rows

    async def _look_up(self) -> None:
        """Learn what earlier batches with the same key have answered."""
        if self._plan.fresh or self._store.untouched:
            return
        try:
            read = partial(earlier_answers, self._store, self._plan)
            self._answered.update(await run_in_daemon_thread(read))
        except StoreError as error:
            self._results.note(f"earlier answers cannot be looked up, every row is asked: {error.what}")

    async def _take_some(self) -> None:
        rows = await self._pull()
        attached: Sequence[Attached | None] = [None] * len(rows)
        if self._plan.prompts.files and rows:
            read = self._plan.prompts.attached_to
            attached = await run_in_daemon_thread(lambda: [read(row) for _, row in rows], name="nbagent-rows")
        for (label, row), files in zip(rows, attached, strict=True):
            self._take(label, row, files)
        await asyncio.sleep(0)  # rows that the store knows cost no waiting: the others' streams go first

    async def _pull(self) -> list[Numbered]:
        most = max(1, self.limits.max_concurrency - self.in_flight) * self._plan.group
        if not self._source.runs_code:
            return self._source.pull(most)
        try:
            return await run_in_daemon_thread(partial(self._source.pull, most), name="nbagent-rows")
        except Exception as error:  # noqa: BLE001 - the user's own generator
            self._failure, self._source.ended = error, True
            self.stop(f"the source of rows failed: {error!r}")
            return []

    def _take(self, label: Any, row: Any, attached: Attached | None) -> None:
        """Take in one row: what is known of it is its outcome, else it is ready to be asked."""
        position = self._results.add(label, self._plan.key_of(label, row))
        try:
            prompt = self._plan.prompts.of_row(label, row, attached)
        except NBAgentError as error:
            self._put(position, RowOutcome(status="error", error=str(error), error_type=type(error).__name__))
            return
        key, before = self._keys.key_of(prompt)
        self._take_prompt(position, prompt, key, before)

    def _take_prompt(self, position: int, prompt: str, key: str, before: int) -> None:
        """Take in a row's prompt, of which there were so many `before`."""
        if before and self._plan.dedupe:
            self._take_equal(position, key.partition("#")[0], prompt)
        elif (known := self._answered.pop(key, None)) is not None:
            self._settle(RowRequest((position,), (prompt,), (key,)), known)
        elif self._stopped is not None:
            self._put(position, RowOutcome(status=NOT_ASKED, error=self._stopped, prompt=prompt, key=key))
        else:
            if self._plan.dedupe:
                self._equal.expect(key)
            self._queue.add(position, prompt, key)

    def _take_equal(self, position: int, key: str, prompt: str) -> None:
        """Give a row the outcome of the first one with its prompt, now or when it comes."""
        if (known := self._equal.join(key, position)) is not None:
            self._put(position, known.copy(), copied=True)
        elif not self._equal.is_waiting(key):
            self._put(position, RowOutcome(status=NOT_ASKED, error=self._stopped, prompt=prompt, key=key))

    # --------------------------------------------------------------- asking

    async def _room(self) -> bool:
        """Launch what is ready; return True once there is room for more rows, False if no more are to be asked."""
        while self._stopped is None:
            self._launch_ready()
            if self._may_launch and not self._queue:
                return True
            await self._change()
        return False

    async def _drain(self) -> None:
        """Return when everything that was taken in has its outcome."""
        self._queue.close_pack()
        while True:
            self._launch_ready()
            if self._stopped is not None:
                self._queue.close_pack()
                self._leave_ready()
            if not self._queue and not self._unfinished and not self._uncommitted:
                return
            await self._change()

    async def _change(self) -> None:
        await self._woken.wait()
        self._woken.clear()

    @property
    def _unfinished(self) -> int:
        """How many runs have no end yet."""
        return len(self._running)

    @property
    def _may_launch(self) -> bool:
        unfinished, limits = self._unfinished, self.limits
        # rows that wait after a refusal will cost something yet: where that is bounded, nobody takes their places
        bounded = limits.max_cost_usd is not None or limits.max_tokens is not None
        room = unfinished < limits.max_concurrency if bounded else self._slots.may_launch(unfinished)
        return room and self._uncommitted < UNCOMMITTED_MOST and self.budget.may_ask(unfinished)

    def _launch_ready(self) -> None:
        if self._single_launcher.must_stop:
            self.stop("the kernel, or the run whose tool has made the batch, ended")
        while self._stopped is None and self._queue and self._may_launch:
            self._launch(self._queue.pop())
        more = self._queue or not self._source.ended
        if more and self._stopped is None and not self._unfinished and not self.budget.may_ask(0):
            self._results.note(f"no further row is asked: {self.budget.reached}")
            self.stop(self.budget.reached)

    def _launch(self, request: RowRequest) -> None:
        row = self._row_of(request)
        if len(request.positions) == 1:
            prompt = request.prompts[0]
            live = self._single_launcher.launch(prompt, row, files_with(prompt))
        else:
            live = self._group_launcher.launch(pack_prompt(request.prompts), row)
        self._hear(request, live)

    def _hear(self, request: RowRequest, live: ActiveRun) -> None:
        """Hear of a run's end."""
        self._running[live.run_id] = live
        live.ended.add_done_callback(lambda _: self._ended(request, live))

    def _row_of(self, request: RowRequest) -> dict[str, Any]:
        """Return what the launch of a row, or of several, says of them."""
        keys = [key_data(self._results.keys[position]) for position in request.positions]
        return {
            "position": request.positions[0] if len(request.positions) == 1 else list(request.positions),
            "row_key": keys[0] if len(request.positions) == 1 else {ROWS: keys},
            # what is asked in another way gives no answers to later batches that ask as this one did
            "answer_key": (f"{self._plan.key[:16]}:" if self._plan.is_variant else "")
            + JOINT.join(request.keys),
        }

    def _ended(self, request: RowRequest, live: ActiveRun) -> None:
        """A run has its end: the next may begin; its outcome comes when it is committed."""
        outcome = outcome_of(live.record)
        was_estimated = self.budget.is_estimated
        self.budget.add(outcome)
        if self.budget.is_estimated and not was_estimated:
            self._results.note(ESTIMATED.format(provider=self._plan.crew.model.provider))
        del self._running[live.run_id]
        self._single_launcher.ended(live.run_id)
        self._uncommitted += 1
        if len(request.positions) == 1:
            self._check_on_error(request.positions[0], outcome)
        self._woken.set()
        loop = asyncio.get_running_loop()

        def committed(_: object) -> None:  # for many runs in a row
            self._committed.append((request, outcome))
            if len(self._committed) == 1:
                loop.call_soon(self._settle_committed)

        live.done.add_done_callback(committed)

    def _settle_committed(self) -> None:
        while self._committed:
            request, outcome = self._committed.popleft()
            schema = self._plan.output_schema
            if len(request.positions) > 1 and schema is not None and schema.runs_code:
                splitting = asyncio.create_task(self._settle_off_loop(request, outcome))
                self._splitting.add(splitting)
                splitting.add_done_callback(self._splitting.discard)
            else:
                self._uncommitted -= 1
                self._settle(request, outcome)
        self._woken.set()

    # -------------------------------------------------------------- outcomes

    async def _settle_off_loop(self, request: RowRequest, outcome: RowOutcome) -> None:
        """Settle a group whose answers are checked by the user's validators, one by one, in a thread."""
        try:
            rows = await run_in_daemon_thread(partial(self._split, outcome, len(request.positions)))
            self._settle_group(request, outcome, rows)
        finally:
            self._uncommitted -= 1
            self._woken.set()

    def _settle(self, request: RowRequest, outcome: RowOutcome) -> None:
        """Give the rows of a prompt their outcomes; ask a row alone that its group's answer left out."""
        if len(request.positions) == 1:
            self._put_first(request.positions[0], request.keys[0], outcome.after(request.spent))
        else:
            self._settle_group(request, outcome, self._split(outcome, len(request.positions)))

    def _settle_group(self, request: RowRequest, outcome: RowOutcome, rows: list[RowOutcome | None]) -> None:
        for position, prompt, key, row in zip(
            request.positions, request.prompts, request.keys, rows, strict=True
        ):
            if row is not None:
                self._put_first(position, key, replace(row, prompt=None if row.is_good else prompt))
            else:
                share = share_of(outcome, len(request.positions))
                self._queue.put(RowRequest((position,), (prompt,), (key,), spent_on(share)))

    def _split(self, outcome: RowOutcome, count: int) -> list[RowOutcome | None]:
        """Return each row's part of a group's outcome, None for a row that is to be asked alone."""
        if not outcome.is_good and outcome.status in {"error", "timeout"} and self._stopped is None:
            return [None] * count
        return parts_of(outcome, count, self._plan.output_schema)

    def _put_first(self, position: int, key: str, outcome: RowOutcome) -> None:
        """Give a row its outcome, and those with the same prompt."""
        if not outcome.is_good:
            outcome = replace(outcome, key=key)
        self._put(position, outcome)
        if self._plan.dedupe:
            for other in self._equal.settle(key, outcome):
                self._put(other, outcome.copy(), copied=True)

    def _put(self, position: int, outcome: RowOutcome, *, copied: bool = False) -> None:
        if copied or outcome.reused or outcome.run_id is None:
            self._unwritten.append(
                BatchRow(
                    position=position,
                    created_at=utc_now(),
                    row_key=key_data(self._results.keys[position]),
                    answer_key=outcome.key,
                    outcome=data_of_outcome(outcome),
                )
            )
            if len(self._unwritten) >= WRITTEN_AT_ONCE:
                self._write_rows()
        self._results.put(position, outcome)
        self._check_on_error(position, outcome)

    def _check_on_error(self, position: int, outcome: RowOutcome) -> None:
        """Stop at a row that failed, where that is wished; a run's end is heard before it is committed."""
        if not outcome.is_good and self._plan.on_error == "stop" and self._stopped is None:
            label = self._results.labels[position]
            self._results.note(f"row {label!r} failed, no further row is asked: {outcome.error}")
            self.stop(f"row {label!r} failed before")

    def _leave_ready(self) -> None:
        for request in self._queue.take_all():
            for position, key, prompt in zip(request.positions, request.keys, request.prompts, strict=True):
                outcome = RowOutcome(status=NOT_ASKED, error=self._stopped, prompt=prompt).after(
                    request.spent
                )
                self._put_first(position, key, request.earlier or outcome)
