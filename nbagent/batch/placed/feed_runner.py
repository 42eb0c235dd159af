"""Asking the rows of a batch on a worker: as in a kernel, but begun by another process, perhaps, and left to another at any time.

On the background loop. Rows that have their end in the record are taken as they are; runs that a dead worker has left go on
where they stood; whatever is left is asked. Nothing is asked while it is not certain that the batch is this worker's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from nbagent.batch.inputs.prompts import Attached
from nbagent.batch.row_outcome import RowOutcome
from nbagent.batch.running.row_queue import RowRequest
from nbagent.batch.running.runner import BatchRunner
from nbagent.core import run_in_daemon_thread
from nbagent.errors import NBAgentError
from nbagent.store import PLACED

if TYPE_CHECKING:
    from nbagent.runtime import ActiveRun

TRIES = 3
BETWEEN_TRIES_S = 1.0


@dataclass(slots=True)
class LeftRun:
    """A run that an earlier worker has left: which rows' it is, and their prompts and keys as they come."""

    run_id: str
    positions: tuple[int, ...]
    prompts: dict[int, tuple[str, str]] = field(default_factory=dict)


class FeedRunner(BatchRunner):
    """See the module. `known` are the rows' ends by position, `left` the runs to go on with; `may_ask` says whether it is certain."""

    def __init__(
        self,
        *given: Any,
        known: dict[int, RowOutcome],
        left: dict[int, LeftRun],
        may_ask: Callable[[], bool],
        **named: Any,
    ) -> None:
        super().__init__(*given, **named)
        self._known, self._left, self._may_ask = known, left, may_ask
        self._goes_on: dict[tuple[int, ...], str] = {}  # requests that a run is there for
        self._taking: set[asyncio.Task[None]] = set()
        self._is_cancelled = False
        self.is_abandoned = False

    @property
    def details(self) -> dict[str, Any]:
        """What the batch's record says of where it lives."""
        return {**super().details, "placement": PLACED}

    def wake(self) -> None:
        """Look again whether something may be asked."""
        self._woken.set()

    def abandon(self) -> None:
        """Leave the batch as it is to another worker: nothing more is asked, and no row gets its end here."""
        self.is_abandoned = True
        self._stopped = self._stopped or "another worker goes on with the batch"
        self._queue.take_all()
        self._source.ended = True
        for live in list(self._running.values()):
            live.stop("kernel_died")
        self._woken.set()

    def stop(self, why: str) -> None:
        """Ask no further row; a worker that ends leaves the batch."""
        if self._single_launcher.must_stop and not self.is_abandoned:
            self.abandon()
        super().stop(why)

    def cancel(self) -> None:
        """Ask no further row, and cancel what is in flight, also what is being taken up."""
        self._is_cancelled = True
        super().cancel()

    # ----------------------------------------------------------------- rows

    def _take(self, label: Any, row: Any, attached: Attached | None) -> None:
        if row is not None:
            super()._take(label, row, attached)
            return
        position = self._results.add(label, label)
        outcome = self._known.pop(position, None)
        if outcome is not None:
            self._keep(position, outcome)
        else:
            lost = "its prompt is not in the record"
            self._put(position, RowOutcome(status="error", error=lost, error_type="StoreError"))

    def _take_prompt(self, position: int, prompt: str, key: str, before: int) -> None:
        known, left = self._known.pop(position, None), self._left.pop(position, None)
        if self._plan.dedupe and not before and (known is not None or left is not None):
            self._equal.expect(key)
        if known is not None:
            if self._plan.dedupe and not before:
                self._equal.settle(key, known)
            self._keep(position, known)
        elif left is not None:
            left.prompts[position] = prompt, key
            if len(left.prompts) == len(left.positions):
                self._go_on_later(left)
        else:
            super()._take_prompt(position, prompt, key, before)

    def _keep(self, position: int, outcome: RowOutcome) -> None:
        """Take in the end that a row has in the record."""
        self._results.put(position, outcome)
        self._check_on_error(position, outcome)

    def _go_on_later(self, left: LeftRun) -> None:
        taken = [left.prompts[position] for position in left.positions]
        self._goes_on[left.positions] = left.run_id
        self._queue.put(
            RowRequest(left.positions, tuple(one for one, _ in taken), tuple(key for _, key in taken))
        )

    def _leave_ready(self) -> None:
        if self.is_abandoned:
            self._queue.take_all()
        else:
            super()._leave_ready()

    # --------------------------------------------------------------- asking

    @property
    def _unfinished(self) -> int:
        return super()._unfinished + len(self._taking)

    @property
    def _may_launch(self) -> bool:
        # a row is in flight until its end is committed: so many are asked again after a death, and no more
        in_flight = self._unfinished - len(self._slots.resting) + self._uncommitted
        has_room = in_flight < self.limits.max_concurrency
        return has_room and not self.is_abandoned and self._may_ask() and super()._may_launch

    def _row_of(self, request: RowRequest) -> dict[str, Any]:
        # whoever launches a row gives its run the same id: of two workers one has it
        return {**super()._row_of(request), "run_id": row_run_id(self._batch_id, request.positions)}

    def _launch(self, request: RowRequest) -> None:
        run_id = self._goes_on.pop(request.positions, None)
        if run_id is None:
            super()._launch(request)
            return
        taking = asyncio.get_running_loop().create_task(self._go_on(request, run_id))
        self._taking.add(taking)

    async def _go_on(self, request: RowRequest, run_id: str) -> None:
        """Take up a run that was left, and hear of its end; one that cannot go on has it already."""
        launcher = self._single_launcher if len(request.positions) == 1 else self._group_launcher
        taken: ActiveRun | str = ""
        for again in range(TRIES):
            try:
                taken = await run_in_daemon_thread(lambda: launcher.take_up(run_id), name="nbagent-take-up")
                break
            except NBAgentError as error:
                taken = str(error)
                if again < TRIES - 1:
                    await asyncio.sleep(BETWEEN_TRIES_S)
        task = asyncio.current_task()
        assert task is not None
        self._taking.discard(task)
        if not isinstance(taken, str):
            self._hear(request, taken)
            if self._is_cancelled:
                taken.stop("cancelled")
            elif self.is_abandoned:
                taken.stop("kernel_died")
        elif not self.is_abandoned:
            self._settle(request, RowOutcome(status="interrupted", error=taken, run_id=run_id))
        self._woken.set()

    def _ended(self, request: RowRequest, live: ActiveRun) -> None:
        """Take in a run's end. One that has none was left to another worker, as the batch is."""
        if live.record.end is not None and not live.lost:
            super()._ended(request, live)
            return
        del self._running[live.run_id]
        self._single_launcher.ended(live.run_id)
        if not self.is_abandoned:
            self.abandon()
        self._woken.set()


def row_run_id(batch_id: str, positions: tuple[int, ...]) -> str:
    """Return the id of the run that asks these rows of a batch: the batch's own time, and a digest."""
    digest = hashlib.blake2b(f"{batch_id} {positions}".encode(), digest_size=10).digest()
    value = UUID(batch_id).int >> 80 << 80 | int.from_bytes(digest, "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(UUID(int=value))
