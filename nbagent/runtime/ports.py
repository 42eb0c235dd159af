"""What the files of this room need of each other, as Protocols: a file names these, never its own caller.

`execution/active_run.py` makes a run, `registry.py` finds it, a person holds it as a `run_handle.Run`; a
team's members, the heartbeat, approvals and recovery know it by what they use of it.
"""

from __future__ import annotations

import concurrent.futures
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.models import ModelGiven
from nbagent.run import RunOutput, RunRecord, StopReason
from nbagent.runtime.execution.event_stream import EventBuffer
from nbagent.runtime.execution.executor import Executor
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent
from nbagent.runtime.limits.allowance import Allowance
from nbagent.runtime.limits.budgets import BatchSlots
from nbagent.runtime.limits.limiter import ConcurrencyLimiter, RunGate
from nbagent.runtime.placement.status_watch import StatusWatch
from nbagent.runtime.scheduling.background_loop import BackgroundThread
from nbagent.runtime.scheduling.main_thread import MainThread
from nbagent.runtime.scheduling.session_memory import SessionMemory
from nbagent.runtime.scheduling.session_queue import SessionQueue
from nbagent.spec import Limits
from nbagent.store import LaunchResult, RunStore, SendMessage, StoredTurn


class HasModel(Protocol):
    """Whose model an agent without one takes."""

    @property
    def model(self) -> ModelGiven | None:
        """A name, a model object, a list of these, or None."""
        ...


@runtime_checkable
class Runnable(HasModel, Protocol):
    """What can be launched, be a team's member and go on with a stopped run: an agent, a team, a guest.

    None as `model` or `limits` takes the leader's or the stopped run's.
    """

    name: str

    @property
    def limits(self) -> Limits | None:
        """The limits of its runs, or None."""
        ...

    def resolved(self, *, leader: HasModel | None = None) -> ResolvedAgent:
        """Return spec and model of a run; one without a model has that of `leader`."""
        ...


class HasProgress(Protocol):
    """An unfinished run as the heartbeat knows it; all on the background loop."""

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def store(self) -> RunStore:
        """Where it is recorded."""
        ...

    @property
    def record(self) -> RunRecord:
        """What is known of it."""
        ...

    def listen(self, box: EventBuffer) -> None:
        """Put what was, in short, and from now on every event into `box`, as long as somebody holds it."""
        ...

    def write_progress(self) -> None:
        """Hand the store where the run stands, where that is news or a sign of life is due."""
        ...

    def stop(self, reason: StopReason, why: str | None = None) -> None:
        """End the run and all that it has started."""
        ...

    def decide_from_record(self, step: int, tool_call_id: str, decision: Decision) -> bool:
        """Decide on a call that waits for a person as the record says; False if it waits no longer, or must not."""
        ...

    def receive(self, message: SendMessage, *, is_stored: bool = False) -> bool:
        """Take a person's message for the next model call; False if the run is ending."""
        ...


class Holder(Protocol):
    """Who holds a run that is over, and can read it again: a person's handle."""

    def let_go(self, live: LiveRun) -> None:
        """Hold this run no longer. Any thread."""
        ...


class LiveRun(HasProgress, Protocol):
    """A run that this kernel works or worked on, as a person's handle and recovery know it."""

    record: RunRecord
    agent: ResolvedAgent
    lost: bool
    asked: bool
    holders: list[weakref.ref[Holder]]
    launched: concurrent.futures.Future[LaunchResult]
    ended: concurrent.futures.Future[None]
    done: concurrent.futures.Future[None]

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it was told to stop; None while it was not."""
        ...

    @property
    def durable(self) -> bool:
        """True once the launch, or the whole run, is committed. Any thread."""
        ...

    def listen(self, box: EventBuffer) -> None:
        """Put what was, in short, and from now on every event into `box`."""
        ...

    async def until_ended(self) -> None:
        """Return once the run has its end."""
        ...

    async def until_done(self) -> None:
        """Return once the run has ended and its rows are committed."""
        ...

    async def decide_all(self, calls: Iterable[PendingApproval], decision: Decision) -> list[PendingApproval]:
        """Decide on calls that wait and return those that did; by then the run's record knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """What a live run uses of its runtime.

    `start` launches a child run on the loop; `resume` goes on with one, and blocks: in a thread of its own.
    `memory` is what was said in sessions that only this kernel has used, `remembered` what it knows of any.
    `allowance` is what this process may spend of the record's budgets. `batch` is the budget of the batch whose row it is.
    """

    store: RunStore
    slots: ConcurrencyLimiter
    allowance: Allowance
    sessions: SessionQueue
    main: MainThread
    executor: Executor
    start: Callable[[ResolvedAgent, LaunchRequest], LiveRun]
    resume: Callable[[str, ResolvedAgent], LiveRun]
    memory: SessionMemory
    remembered: Callable[[RunStore, str], list[StoredTurn]]
    batch: BatchSlots | None = None

    def gate(self, place: Callable[[int | None], None], run_id: str) -> RunGate:
        """Return what a run's model calls pass; `place` hears where it stands."""
        return RunGate(self.slots, place, run_id, self.batch, self.allowance)


class ReadHolder(Protocol):
    """Who keeps what was read of a stored run, and can read it again."""

    def drop_read(self) -> None:
        """Keep it no longer. Any thread."""
        ...


class KeepsReads(Protocol):
    """Who lets handles keep what they have read of stored runs, as long as it fits in memory."""

    def keep_read(self, holder: ReadHolder, size: int) -> None:
        """Let a handle keep what it has read, until others have read more than fits."""
        ...


class RuntimePort(Protocol):
    """What a person's handle on a run uses of the runtime."""

    thread: BackgroundThread
    main: MainThread
    statuses: StatusWatch

    @property
    def registry(self) -> KeepsReads:
        """Who bounds what handles keep of stored runs."""
        ...

    @property
    def store(self) -> RunStore:
        """The store at the configured path."""
        ...

    def live(self, run_id: str) -> LiveRun | None:
        """The latest attempt of a run that this kernel worked on; None for all other runs."""
        ...

    def stored(self, run_id: str) -> RunOutput:
        """The snapshot of a run as the store has it, its answer as plain data. Raises UnknownNameError."""
        ...

    def schema_known(self, run_id: str) -> object:
        """The schema of an answer of this kernel's, also where the run is not remembered; None for others."""
        ...

    def typed(self, output: RunOutput) -> RunOutput:
        """The same with its answer in the types that the notebook or a module defines."""
        ...

    def stop(self, live: LiveRun) -> bool:
        """Cancel a live run; False if it had ended."""
        ...

    def cancel(self, run_id: str) -> bool:
        """Cancel a run by id, in whatever kernel it works; False if it has ended."""
        ...

    def decide(
        self, run_id: str, live: LiveRun | None, decision: Decision, **which: Any
    ) -> tuple[PendingApproval, ...]:
        """Decide on calls of a run that wait for a person, and return those that this decided."""
        ...

    def resume_run(self, key: str, **options: Any) -> LiveRun:
        """Begin the next attempt of a stopped run."""
        ...

    def retry(self, key: str, *, agent: Runnable | None = None) -> object:
        """Launch the work of a run anew, and return its handle."""
        ...

    def fork_run(self, key: str, step: int = 0, **options: Any) -> LiveRun:
        """Launch a run that shares the first steps of another one."""
        ...
