"""A batch's rows in the provider's own batch files: submitted, looked after, taken up again after a restart.

A `BatchRunner` whose rows are not asked one by one. The jobs' ids are in the batch's record before anything
is waited for; a row's run is written when its answer is there. Rows that an earlier start has submitted are
answered by its job.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nbagent.batch.inputs.row_source import Numbered
from nbagent.batch.row_outcome import CUT, NOT_ASKED, RowOutcome
from nbagent.batch.running.row_queue import RowRequest
from nbagent.batch.running.runner import BatchRunner
from nbagent.core import run_in_daemon_thread
from nbagent.errors import ModelError, StoreError
from nbagent.events import Message, ModelCall, TypedAnswer
from nbagent.loop import answered
from nbagent.models import (
    PRICE_SHARE,
    BatchJob,
    ModelRequest,
    ReplyFinished,
    batch_client,
)
from nbagent.runtime import allowance_of
from nbagent.schemas import InvalidOutputError, check_text
from nbagent.store import batch_details

POLLS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # between looks at a job
AT_ONCE = 1_000  # rows pulled in one go


class ProviderBatchRunner(BatchRunner):
    """See the module. `record` writes the batch's record and returns once it is durable."""

    def __init__(self, *given: Any, record: Callable[[], Awaitable[None]], **named: Any) -> None:
        super().__init__(*given, **named)
        self._files = batch_client(self._plan.crew.model)
        self._record = record
        self._waiting: dict[str, RowRequest] = {}
        self._submitted: set[str] = set()
        self._jobs: list[str] = []
        self._ended_jobs: list[str] = []

    @property
    def in_flight(self) -> int:
        """How many rows are with the provider."""
        return len(self._submitted)

    @property
    def details(self) -> dict[str, Any]:
        """What the batch's record says of where it lives."""
        return {"mode": self._plan.mode, "jobs": list(self._jobs), "ended": list(self._ended_jobs)}

    async def run(self) -> None:
        """Submit what nobody has answered, and return when every row has its outcome."""
        self._tick()
        try:
            await self._look_up()
            while not self._source.ended and self._failure is None:
                await self._take_some()
            self._wait_for(self._queue.take_all())
            for job_id in await self._open_jobs():
                if self._waiting:
                    await self._follow(job_id)
            await self._submit_waiting()
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure

    async def ask_again(self, requests: Iterable[RowRequest]) -> None:
        """Submit rows a second time, as a job of their own."""
        self._stopped = None
        self._wait_for(requests)
        self._tick()
        try:
            await self._submit_waiting()
        finally:
            self._end()

    def cancel(self) -> None:
        """Have the provider stop; rows without an answer end as cancelled."""
        self.stop("the batch was cancelled")

    async def _pull(self) -> list[Numbered]:
        try:
            return await run_in_daemon_thread(partial(self._source.pull, AT_ONCE), name="nbagent-rows")
        except Exception as error:  # noqa: BLE001 - the user's own generator
            self._failure, self._source.ended = error, True
            return []

    def _wait_for(self, requests: Iterable[RowRequest]) -> None:
        self._waiting.update((request.keys[0], request) for request in requests)

    async def _open_jobs(self) -> list[str]:
        """Jobs of earlier starts of this batch that nobody has read to their end."""
        found = await run_in_daemon_thread(partial(batch_details, self._store, self._plan.key))
        ended = {job for details in found for job in details.get("ended", ())}
        jobs = dict.fromkeys(job for details in found for job in details.get("jobs", ()))
        return [] if self._plan.fresh else [job for job in jobs if job not in ended]

    async def _submit_waiting(self) -> None:
        """Submit all rows that wait, in as many files as they need, and follow them to their end."""
        jobs: list[str] = []
        if self._stopped is None and self._waiting:
            allowance_of(self._store).check(self._plan.crew, may_read=False)
        if self._stopped is None:
            async for lines in self._in_files():
                job = await self._files.submit(lines, note={"nbagent_batch": self._plan.key[:64]})
                jobs.append(job.id)
                self._jobs.append(job.id)
                await self._record()
            self._submitted.update(self._waiting)
        for job_id in jobs:
            await self._follow(job_id)
        await self._settle_rest()

    async def _in_files(self) -> Any:
        lines: list[bytes] = []
        size, files = 0, self._files
        for key, request in self._waiting.items():
            line = await self._files.line(key, self._request(request.prompts[0]))
            if lines and (len(lines) == files.most_lines or size + len(line) > files.most_bytes):
                yield lines
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            yield lines

    def _request(self, prompt: str) -> ModelRequest:
        return ModelRequest.for_agent(self._plan.crew.spec, [Message(role="user", content=prompt)])

    async def _follow(self, job_id: str) -> None:
        """Look at a job until it ends, and take in its answers."""
        polls = 0
        while True:
            job = await self._poll(job_id)
            if job is not None and job.has_ended:
                break
            if self._stopped is not None:
                with contextlib.suppress(ModelError):
                    await self._files.cancel(job_id)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLLS_S[min(polls, len(POLLS_S) - 1)])
            self._woken.clear()
            polls += 1
        lines = await self._files.answers(job)
        for first in range(0, len(lines), AT_ONCE):
            await self._take_answers(lines[first : first + AT_ONCE], job)
        if job.problem is not None:
            self._results.note(f"the provider's batch {job.id!r} {job.status}: {job.problem}")
        self._ended_jobs.append(job_id)
        await self._record()

    async def _poll(self, job_id: str) -> BatchJob | None:
        """Return a job as it stands, None where the provider cannot be reached just now."""
        try:
            return await self._files.look(job_id)
        except ModelError as error:
            if not error.retryable:
                raise
            return None

    async def _take_answers(self, lines: Sequence[Mapping[str, Any]], job: BatchJob) -> None:
        """Write the runs of these lines, and give their rows their outcomes once that is durable."""
        asks = [(self._waiting.pop(str(line.get("custom_id")), None), line) for line in lines]
        stored = [
            (request, *await self._store_answer(request, line, job))
            for request, line in asks
            if request is not None
        ]
        with contextlib.suppress(StoreError):  # the store says so itself
            await asyncio.gather(*(asyncio.wrap_future(written) for _, _, written in stored))
        for request, outcome, _ in stored:
            self._submitted.discard(request.keys[0])
            self.budget.add(outcome)
            self._settle(request, outcome)

    async def _store_answer(
        self, request: RowRequest, line: Mapping[str, Any], job: BatchJob
    ) -> tuple[RowOutcome, concurrent.futures.Future[bool]]:
        created_at = datetime.fromtimestamp(job.created_at, UTC)
        duration_s = float((job.ended_at or job.created_at) - job.created_at)
        reply: ReplyFinished | None = None
        typed: TypedAnswer | None = None
        try:
            reply = await self._files.reply_of(line)
            outcome, typed = await self._outcome_of(reply)
        except ModelError as error:
            outcome = RowOutcome(
                status="error", stop_reason="error", error=str(error), error_type=type(error).__name__
            )
        call = self._call(reply, outcome, created_at, duration_s)
        allowance_of(self._store).charge(call)
        end = {**_end(outcome, self._plan), "typed": typed}
        run_id, written = self._single_launcher.keep(
            request.prompts[0], self._row_of(request), call=call, end=end
        )
        outcome = replace(
            outcome,
            cost_usd=call.cost_usd,
            total_tokens=call.usage.total_tokens,
            duration_s=duration_s,
            run_id=run_id,
            prompt=None if outcome.is_good else request.prompts[0],
        )
        return outcome, written

    async def _outcome_of(self, reply: ReplyFinished) -> tuple[RowOutcome, TypedAnswer | None]:
        schema = self._plan.output_schema
        if reply.refusal is not None:
            refused = RowOutcome(
                status="error",
                content=reply.text,
                stop_reason="refusal",
                error=f"the model refused: {reply.refusal}",
                error_type="Refusal",
            )
            return refused, None
        if schema is None or schema.is_text:
            ended = CUT if reply.finish_reason == "length" else "end"
            return RowOutcome(status="completed", content=reply.text, stop_reason=ended), None
        try:
            typed = await check_text(schema, reply.text)
        except InvalidOutputError as error:
            invalid = RowOutcome(
                status="error",
                content=reply.text,
                output_valid=False,
                stop_reason="invalid_output",
                error=f"the answer does not fit {schema.name}: {'; '.join(error.problems[:5])}",
                error_type=type(error).__name__,
                error_fields=error.fields,
            )
            return invalid, None
        good = RowOutcome(status="completed", content=typed.value, output_valid=True, stop_reason="end")
        return good, typed

    def _call(
        self, reply: ReplyFinished | None, outcome: RowOutcome, started_at: datetime, duration_s: float
    ) -> ModelCall:
        model = self._plan.crew.model
        call = ModelCall(
            step=1, attempt=1, provider=model.provider, request_model=model.id, started_at=started_at,
            duration_s=duration_s, status="error" if reply is None else "completed", error=outcome.error,
        )  # fmt: skip
        if reply is None:
            return call
        call = answered(call, reply)
        return replace(call, cost_usd=None if call.cost_usd is None else call.cost_usd * PRICE_SHARE)

    async def _settle_rest(self) -> None:
        """Give rows that no job has answered their end."""
        submitted, why = set(self._submitted), self._stopped
        for key, request in list(self._waiting.items()):
            status = "error" if why is None else "cancelled" if key in submitted else NOT_ASKED
            reason = why or "the provider's batch ended without an answer to this row"
            stored = request.earlier if status == NOT_ASKED else None
            self._settle(
                request, stored or RowOutcome(status=status, error=reason, prompt=request.prompts[0])
            )
        self._waiting.clear()
        self._submitted.clear()


def _end(outcome: RowOutcome, plan: Any) -> dict[str, Any]:
    """Return a run's end as the store has it."""
    good, schema = outcome.is_good, plan.output_schema
    return {
        "status": outcome.status,
        "stop_reason": outcome.stop_reason,
        "content": outcome.content,
        "content_type": schema.content_type if good and outcome.output_valid else "text",
        "output_valid": outcome.output_valid,
        "error_type": outcome.error_type,
        "error_fields": outcome.error_fields,
        "error": outcome.error,
        "mode_effective": "provider",
    }
