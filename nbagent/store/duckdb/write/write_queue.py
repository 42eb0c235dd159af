"""What waits to be written, and when it is due: decisions only, no thread, no clock, no file.

Launches that ask the file for something are waited for by a person and go at once; the rest goes in batches, at
most 0.2 s apart while several runs are under way and at once when none is. Used by `writer.py`, under its lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from nbagent.store.commands import (
    AppendRows,
    BudgetAccount,
    CancelRequest,
    DecisionRequest,
    Finish,
    JournaledLaunch,
    Launch,
    NewAttempt,
    SendMessage,
    SetBudget,
    Write,
)

SPACING_S = 0.2  # between batches of what nobody waits for
WAITED_SPACING_S = 0.02  # between batches in which somebody waits: a tool must not start before its row
SPACING_PER_RUN_S = 0.005  # less where few runs are under way: their number bounds what a batch can gather
BATCH = 500

_URGENT = (BudgetAccount, CancelRequest, DecisionRequest, SendMessage, NewAttempt, SetBudget)


@dataclass(eq=False, slots=True)
class QueuedWrite:
    """A write and who waits for it."""

    write: Write
    number: int  # in the order of submission
    future: Future[Any] = field(default_factory=Future)

    def settle(self, result: Any) -> None:
        """Tell who waits what came of it: the result, or the exception that it is."""
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(result, BaseException):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class WriteQueue:
    """The jobs of one store that are not committed yet. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self.submitted = 0
        self.hurry = False  # somebody waits for all of it
        self.writing: list[QueuedWrite] = []
        self._urgent: deque[QueuedWrite] = deque()
        self._logged: deque[QueuedWrite] = deque()  # launches that the log holds and the database does not
        self._deferred: deque[QueuedWrite] = deque()
        self._under_way: set[str] = set()  # runs launched here and not finished
        self._waited = False  # somebody waits for one of the deferred rows
        self._last_batch = 0.0
        self._logged_since = 0.0  # when the first launch that only the log holds came

    def __len__(self) -> int:
        return len(self._urgent) + len(self._logged) + len(self._deferred) + len(self.writing)

    def __iter__(self) -> Any:
        return iter([*self.writing, *self._urgent, *self._logged, *self._deferred])

    @property
    def logged(self) -> int:
        """How many launches the log holds and the database may not have."""
        return len(self._logged) + sum(isinstance(job.write, JournaledLaunch) for job in self.writing)

    def put(self, write: Write, now: float) -> QueuedWrite:
        """Queue a write as the last of its kind."""
        self.submitted += 1
        job = QueuedWrite(write, self.submitted)
        match write:
            case Launch():
                self._under_way.add(write.row.get("run_id", ""))
            case JournaledLaunch():
                self._under_way.add(write.run_id)
                self._logged_since = self._logged_since if self._logged else now
            case Finish():
                self._under_way.discard(write.run_id)
            case AppendRows():
                self._waited |= write.waited
            case _:
                pass
        self._line_of(write).append(job)
        return job

    def _line_of(self, write: Write) -> deque[QueuedWrite]:
        if isinstance(write, JournaledLaunch):
            return self._logged
        return self._urgent if _is_urgent(write) else self._deferred

    def due(self) -> float | None:
        """When the next of it is to be written; None if there is nothing."""
        if self._urgent:
            return 0.0
        return min((at for at in (self._batch_due(), self._logged_due()) if at is not None), default=None)

    def _logged_due(self) -> float | None:
        """When launches that are durable already go by themselves: only other processes could miss them."""
        if not self._logged:
            return None
        return 0.0 if self.hurry else max(self._last_batch, self._logged_since) + SPACING_S

    def _batch_due(self) -> float | None:
        """When what nobody waits for is to be written; None if there is none of it."""
        if not self._deferred:
            return None
        if self.hurry or not self._under_way or len(self._deferred) >= BATCH:
            return 0.0
        longest = WAITED_SPACING_S if self._waited else SPACING_S
        return self._last_batch + min(longest, SPACING_PER_RUN_S * len(self._under_way))

    def deferred(self) -> bool:
        """Whether there is anything beside the urgent."""
        return bool(self._deferred or self._logged)

    def last_of(self, session_id: str) -> int:
        """The number of the last job that a run of this session would miss in the file; 0 if there is none."""
        return max((job.number for job in self if _is_of(job.write, session_id)), default=0)

    def launches_in(self, session_id: str) -> bool:
        """Whether a launch in this session waits for its number."""
        return any(
            isinstance(job.write, Launch | JournaledLaunch) and _is_of(job.write, session_id) for job in self
        )

    def first(self) -> int | None:
        """The number of the earliest job that is not being written."""
        lines = (self._urgent, self._logged, self._deferred)
        return min((line[0].number for line in lines if line), default=None)

    def take(self, now: float, *, everything: bool) -> list[QueuedWrite]:
        """What is due now: what is urgent, launches, and the rest if its time has come or `everything` is to go."""
        jobs = [self._urgent.popleft() for _ in range(min(BATCH, len(self._urgent)))]
        jobs += self._logged  # whoever opens the file next would commit them first, too
        jobs.sort(key=lambda job: job.number)
        self._logged.clear()
        due = self._batch_due()
        if everything or (due is not None and due <= now):
            jobs += [self._deferred.popleft() for _ in range(min(BATCH, len(self._deferred)))]
            self._waited = self._waited and bool(self._deferred)
            self._last_batch = now
        self.hurry = self.hurry and bool(self._deferred)
        self.writing = jobs
        return jobs

    def written(self, count: int) -> None:
        """The first `count` of what was taken are done with, the others wait again, in their old order."""
        left = self.writing[count:]
        self.writing = []
        for job in reversed(left):
            self._line_of(job.write).appendleft(job)

    def refused(self, runs: Sequence[str]) -> None:
        """These runs were not launched after all."""
        self._under_way.difference_update(runs)


def _is_urgent(write: Write) -> bool:
    """Whether a write goes at once; the launch of a batch's row is waited for by nobody."""
    if isinstance(write, Launch):
        return write.waited
    return isinstance(write, _URGENT)


def _is_of(write: Write, session_id: str) -> bool:
    match write:
        case Launch(row):
            return bool(row.get("session_id") == session_id)
        case JournaledLaunch(row):
            return bool(row[1] == session_id)
        case AppendRows() | Finish():
            return write.session_id in (None, session_id)
        case _:
            return False
