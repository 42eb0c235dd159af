"""The kernel's one `Runtime`: launches runs, finds them, cancels them, and closes down with the kernel.

Public methods are called from any thread; names with an underscore run on the background loop.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import os
import sys
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from nbagent import settings
from nbagent.core import call_when_done, show_runs, uuid7
from nbagent.errors import (
    ConfigurationError,
    PromptError,
    RunIdInUseError,
    UnknownNameError,
    did_you_mean,
)
from nbagent.mcp import close_servers
from nbagent.models import Model, close_connections
from nbagent.run import RunOutput, RunRecord, RunStatus
from nbagent.runtime.execution import run_context
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.history import turn_of
from nbagent.runtime.execution.services import RunServices
from nbagent.runtime.launch.cache_lookup import READING
from nbagent.runtime.launch.request import (
    LaunchRequest,
    ResolvedAgent,
    check_models,
    mode_requested,
    run_launch,
)
from nbagent.runtime.recovery import decide_approvals, resume
from nbagent.runtime.recovery.dependencies import HasDependencies
from nbagent.runtime.recovery.heartbeat import Heartbeat
from nbagent.runtime.recovery.load import typed_output
from nbagent.runtime.recovery.persister import COMMIT_WAIT_S
from nbagent.runtime.recovery.write_builders import launch_write
from nbagent.runtime.run_handle import Run
from nbagent.runtime.scheduling.background_loop import BackgroundThread, at_exit
from nbagent.runtime.scheduling.concurrency import CallLimits, ConcurrencyLimiter, call_limits
from nbagent.runtime.scheduling.main_thread import MainThread
from nbagent.runtime.scheduling.session_conflicts import busy as session_busy
from nbagent.runtime.scheduling.session_conflicts import cancel_elsewhere, claim_idle, unfinished_elsewhere
from nbagent.runtime.scheduling.session_queue import SessionQueue
from nbagent.runtime.unreported_failures import report_unreported_failures
from nbagent.spec import AgentSpec
from nbagent.store import CancelRequest, LaunchResult, Store, StoredTurn, load_run, load_stopped
from nbagent.tracing import check_traces

_NEW_ID = "leave the run id out, or choose another one"
REMEMBERED = 2_000  # finished runs whose live record is kept, so that looking at them reads no file


class Runtime:
    """Everything this kernel runs."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self.thread = BackgroundThread()
        self.sessions = SessionQueue()
        self.slots = ConcurrencyLimiter()
        self.main = MainThread()
        self._stores: dict[Path, Store] = {}
        self._unfinished: dict[str, ActiveRun] = {}
        self._finished: OrderedDict[str, ActiveRun] = OrderedDict()
        self._cancelled_early: set[str] = set()
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self.taking_up = threading.Lock()  # from the claim of an attempt until it is live here
        self._start = Path.cwd()  # a later %cd moves no store
        self._batches: dict[str, tuple[Store, Callable[[], None]]] = {}
        self._ticker = Heartbeat(self._lives, self._batches)
        self.is_closing = False  # the kernel ends: nothing is launched any more
        self._followers: tuple[Callable[[ActiveRun], None], ...] = ()
        at_exit(self.close)

    @property
    def store(self) -> Store:
        """The store at the configured path."""
        path = settings.store_path(self._start)
        with self._lock:
            if path not in self._stores:
                self._stores[path] = Store(path)
            return self._stores[path]

    # ---------------------------------------------------------------- launch

    def launch(self, spec: AgentSpec, model: Model, launching: LaunchRequest) -> Run:
        """Launch a run; returns once its row is in the launch log or committed, or after 2 s with `durable` False.

        On the background thread it returns at once: `await run.launched()` there. Raises PromptError,
        RunIdInUseError, SessionBusyError, and what `model.check()` raises.
        """
        if not launching.prompt.strip():
            raise PromptError("the prompt is empty", "write what the agent should do")
        if launching.cache not in READING:  # else first it is seen whether a model is needed
            check_models(ResolvedAgent(spec=spec, model=model, members=launching.members))
        check_traces()
        limits = call_limits()  # here, so that an option that does not fit is the launching cell's error
        launching = run_context.as_child(launching)
        live = self._new_run(spec, model, launching)
        run = Run(live.record.launch.run_id, live.record.launch.session_id, runtime=self, live=live)
        context = contextvars.copy_context()
        if self.thread.is_current():
            loop = self.thread.loop
            begin = partial(context.run, self._begin, live, limits)
            call_when_done(live.launching, loop, lambda _: begin())
            loop.call_later(COMMIT_WAIT_S, self._begin, live, limits, context=context)
            return run
        try:
            live.launching.result(COMMIT_WAIT_S)
        except RunIdInUseError:
            self._remember(live)
            raise
        except concurrent.futures.TimeoutError:
            trouble = self.store.trouble or f"the store {str(self.store.path)!r} is busy"
            warnings.warn(f"run {run.run_id} goes on, but is not recorded yet: {trouble}", stacklevel=3)
        finally:
            self.thread.soon(self._begin, live, limits, context=context)
        self._tell(live.services.store)
        live.reuse.tell_launch(live)
        return run

    def _tell(self, store: Store) -> None:
        """Say once what the store has to say: a damaged file set aside, a refused row, rows that must wait."""
        trouble = store.trouble
        for text in [*store.take_notices(), *([trouble] if trouble else [])]:
            if text not in self._told:
                self._told.add(text)
                warnings.warn(text, stacklevel=4)

    def _new_run(self, spec: AgentSpec, model: Model, launching: LaunchRequest) -> ActiveRun:
        """Build the live run, queue it in its session and hand its row to the store."""
        session_id = launching.session_id or str(uuid7())
        rivals = launching.on_busy if launching.in_session else "parallel"
        busy = self._unfinished_in(session_id) if rivals in {"reject", "cancel"} else []
        if busy and rivals == "reject":
            raise session_busy(session_id)
        launch = run_launch(spec, model, launching, session_id)
        with self._lock:
            if launch.run_id in self._unfinished:
                raise RunIdInUseError(f"run id {launch.run_id!r} is taken by a run that is not done", _NEW_ID)
        store = self.store
        on_loop = self.thread.is_current()  # which waits for no disk
        claim = (
            claim_idle(store, session_id, self.sessions, may_read=not on_loop) if rivals == "reject" else None
        )
        elsewhere = unfinished_elsewhere(store, session_id) if rivals == "cancel" and not on_loop else ()
        write = launch_write(launch, spec, launching, mode_requested=mode_requested(model))
        try:
            written: concurrent.futures.Future[LaunchResult] = (
                store.submit(write) if on_loop else store.launch(write)
            )
        except BaseException:  # Stop was pressed
            if claim is not None:
                claim.release()
            raise
        live = ActiveRun(
            RunRecord(launch), spec, model, self.services(store),
            launching=written, has_history=launching.in_session, files=launching.files,
            callbacks=launching.callbacks, members=launching.members,
            cache=launching.cache if launching.member_of_turn is None else None,
        )  # fmt: skip
        with self._lock:
            self._unfinished.setdefault(launch.run_id, live)
        self._show_to_parent(live, launch.parent_run_id, detached=launching.detached)
        if launching.on_busy != "parallel":
            live.session_turn.enter(claim, after=elsewhere)
        for one in reversed(busy):  # the last first, so that none of them begins
            self.thread.soon(one.stop, "cancelled")
        cancel_elsewhere(store, elsewhere)
        if launch.run_id in self._cancelled_early:
            self._cancelled_early.discard(launch.run_id)
            live.stop_reason = "cancelled"
        return live

    def start_child(self, spec: AgentSpec, model: Model, launching: LaunchRequest) -> ActiveRun:
        """Launch a member of a team; on the background loop, from its team's context."""
        live = self.live(self.launch(spec, model, launching).run_id)
        assert live is not None
        return live

    def _show_to_parent(self, live: ActiveRun, parent_id: str | None, *, detached: bool = False) -> None:
        """Tell the run that started this one, if this kernel knows it."""
        parent = self.live(parent_id) if parent_id is not None else None
        if parent is not None and parent.services.store is live.services.store:
            parent.kin.adopt(live, detached=detached)

    def _unfinished_in(self, session_id: str) -> list[ActiveRun]:
        """This kernel's unfinished runs of a session, without those that runs started."""
        lives = self._lives()
        launches = [(live, live.record.launch) for live in lives if not live.ended.done()]
        return [live for live, one in launches if one.session_id == session_id and one.parent_run_id is None]

    def works_on(self, batch_id: str, store: Store, cancel: Callable[[], None]) -> None:
        """Hear of it when another kernel wants this batch cancelled; on the background loop."""
        self._batches[batch_id] = store, cancel
        self._ticker.start()

    def has_ended(self, batch_id: str) -> None:
        """Hear no more of a batch; on the background loop."""
        self._batches.pop(batch_id, None)

    def take_in(self, live: ActiveRun) -> None:
        """Take in a run that a batch has made, and let it begin; on the background loop. It changes no limits."""
        with self._lock:
            self._unfinished[live.record.launch.run_id] = live
        self._show_to_parent(live, live.record.launch.parent_run_id)
        self._begin(live, None)

    def _begin(self, live: ActiveRun, limits: CallLimits | None) -> None:
        if (
            limits is not None and not live.has_begun
        ):  # else the launch's own timer comes late: its limits may be old by now
            self.slots.limit(limits)
        if not live.rejected:
            for hear in self._followers:
                hear(live)
        live.begin()
        self._ticker.start()

    def _remember(self, live: ActiveRun) -> None:
        """Move a run from the unfinished to the finished ones; called on the loop."""
        run_id = live.record.launch.run_id
        with self._lock:
            if self._unfinished.get(run_id) is live:
                del self._unfinished[run_id]
                # a batch holds what it needs of its own runs; ten thousand of them are not kept whole
                if not live.rejected and not live.lost and live.record.launch.batch_id is None:
                    self._finished[run_id] = live
                    self._finished.move_to_end(run_id)  # another store may have had a run of this id
            while len(self._finished) > REMEMBERED:
                self._finished.popitem(last=False)

    # ---------------------------------------------------------------- resume

    def adopt(self, live: ActiveRun, *, takes_turn: bool) -> Run:
        """Take up a claimed attempt: queue it in its session, where it takes turns, and let it work."""
        launch, limits = live.record.launch, call_limits()
        with self._lock:
            self._unfinished[launch.run_id] = live
            self._finished.pop(launch.run_id, None)
            works = launch.parent_run_id in self._unfinished
        if (
            works or launch.parent_run_id == run_context.parent_run_id()
        ):  # its team may have stopped meanwhile
            self._show_to_parent(live, launch.parent_run_id)
        if takes_turn and run_context.parent_run_id() is None and launch.parent_run_id is None:
            live.session_turn.enter()
        self.thread.soon(self._begin, live, limits, context=contextvars.copy_context())
        return self._handle(live)

    def resume(self, key: str, **options: Any) -> Run:
        """Go on with the run of this id or label, as a new attempt; see `Run.resume` for the options."""
        return resume.resume(self, key, **options)

    def retry(self, key: str, *, agent: HasDependencies | None = None) -> Run:
        """Launch the work of the run of this id or label anew, as a new run; raises as `resume`."""
        return resume.retry(self, key, agent=agent)

    def outdone(self, run_id: str, attempt: int) -> None:
        """Leave a run to another process, which works or worked on a later attempt than this kernel: the store knows."""
        with self._lock:
            live = self._finished.get(run_id)
            if live is not None and live.record.launch.attempt < attempt:
                live.lost = True
                del self._finished[run_id]

    def services(self, store: Store) -> RunServices:
        """What a live run uses of this runtime."""
        return RunServices(
            store=store,
            slots=self.slots,
            sessions=self.sessions,
            main=self.main,
            finished=self._remember,
            start=self.start_child,
            resume=self._resume_child,
            remembered=self._remembered,
        )

    def _remembered(self, store: Store, session_id: str) -> list[StoredTurn]:
        """What this kernel's ended runs left in a session, oldest first, as far as they are remembered."""
        with self._lock:
            lives = [*self._finished.values(), *self._unfinished.values()]
        records = sorted(
            (
                live.record
                for live in lives
                if live.services.store is store
                and live.record.launch.session_id == session_id
                and live.record.launch.parent_run_id is None
                and live.record.end is not None
            ),
            key=lambda record: record.launch.created_at,
        )
        return [turn_of(record) for record in records]

    def _resume_child(self, run_id: str, crew: ResolvedAgent) -> ActiveRun:
        """Go on with a member of a resumed team, as a new attempt of its run. Blocks; not on the loop.

        One that a person has taken up again by itself, as by approving a call, joins its team, at work or done.
        """
        try:
            resume.continue_run(self, run_id, agent=resume.given(crew))
        except ConfigurationError:
            taken_up = self.live(run_id)
            if taken_up is None or taken_up.record.status is RunStatus.interrupted:
                raise
        live = self.live(run_id)
        assert live is not None
        if live.kin.parent is None:
            self._show_to_parent(live, live.record.launch.parent_run_id)
        return live

    def forget(self, run_ids: Iterable[str]) -> None:
        """Let go of finished runs that were deleted, and of those that they started."""
        gone = set(run_ids)
        with self._lock:
            for run_id, live in sorted(self._finished.items()):  # a run comes after the one that started it
                if live.record.launch.parent_run_id in gone:
                    gone.add(run_id)
            for run_id in gone:
                self._finished.pop(run_id, None)

    # ---------------------------------------------------------------- lookup

    def follow(self, hear: Callable[[ActiveRun], None]) -> None:
        """Call `hear(live)` for each run that this kernel launches or resumes from now on, members included.

        Called on the background loop before the run begins to work, perhaps twice; it must return at once and
        raise nothing.
        """
        self._followers = (*self._followers, hear)

    def live(self, run_id: str) -> ActiveRun | None:
        """The latest attempt of a run that this kernel worked on, whatever its store; None for all other runs."""
        with self._lock:  # a run that ends or is resumed goes from one to the other
            return self._unfinished.get(run_id) or self._finished.get(run_id)

    def runs(self) -> list[ActiveRun]:
        """This kernel's runs in the present store, oldest first: the unfinished ones and those still remembered."""
        store = self.store
        with self._lock:
            listed = [*self._finished.values(), *self._unfinished.values()]
        listed = [live for live in listed if live.services.store is store]
        return sorted(listed, key=lambda live: live.record.launch.run_id)

    def _lives(self) -> list[ActiveRun]:
        """This kernel's unfinished runs, in launch order; any thread."""
        with self._lock:
            return list(self._unfinished.values())

    def unfinished(self) -> list[Run]:
        """Handles on this kernel's unfinished runs, in launch order; a run under an unfinished one ends with it."""
        lives = self._lives()
        return [self._handle(live) for live in lives if live.kin.parent not in lives]

    def get(self, key: str) -> Run:
        """The run with this id or label (the latest of that label), from any kernel. Raises UnknownNameError."""
        lives = self.runs()
        for live in reversed(lives):
            if key in (live.record.launch.run_id, live.record.launch.label):
                return self._handle(live)
        output = load_run(self.store, key)
        if output is None:
            known = [
                name
                for live in lives
                for name in (live.record.launch.label, live.record.launch.run_id)
                if name
            ]
            raise UnknownNameError(f"no run {key!r}{did_you_mean(key, known)}", show_runs())
        return Run(output.run_id, output.session_id, runtime=self)

    def stored(self, run_id: str) -> RunOutput:
        """The snapshot of a run as the store's file has it, its answer as plain data. Raises UnknownNameError."""
        output = load_run(self.store, run_id)
        if output is None:
            raise UnknownNameError(f"no run {run_id!r} in {str(self.store.path)!r}", show_runs())
        return output

    def typed(self, output: RunOutput) -> RunOutput:
        """The same with its answer, and those of its members, in the types that the notebook or a module defines."""
        return typed_output(output, vars(sys.modules["__main__"]))

    def _handle(self, live: ActiveRun) -> Run:
        return Run(live.record.launch.run_id, live.record.launch.session_id, runtime=self, live=live)

    # ---------------------------------------------------------------- cancel

    def cancel(self, run_id: str) -> bool:
        """Cancel a run by id: here, in another kernel, or before it is launched. False if it has ended."""
        store = self.store
        live = self.live(run_id)
        if live is not None and live.services.store is store:
            return self._handle(live).cancel()
        stopped = load_stopped(store, run_id)
        if stopped is not None and stopped.output.is_final:
            return False
        if stopped is None:
            self._cancelled_early.add(run_id)
        elif decide_approvals.cancel_abandoned(store, stopped):
            return True
        self.store.submit(CancelRequest(run_id=run_id)).result(COMMIT_WAIT_S)
        return True

    def supersede(self, cell_id: str) -> list[str]:
        """Cancel the unfinished runs that a cell launched earlier; return their ids."""
        lives = [live for live in self._lives() if live.record.launch.cell_id == cell_id]
        return [live.record.launch.run_id for live in lives if self._handle(live).cancel()]

    # ----------------------------------------------------------------- close

    def close(self, timeout_s: float = 1.8) -> None:
        """End every run as interrupted and write what is there; a kernel's exit gives about two seconds.

        A paused run is left paused.
        """
        if self._pid != os.getpid():
            return  # a forked child has nothing of its parent's to close
        deadline = time.monotonic() + timeout_s
        self.is_closing = True
        # a run's end is told a moment before it is no longer among these
        lives = [live for live in self._lives() if not live.done.done()]
        ends = [one for one in lives if not one.stop_reason and not one.record.status.is_final]
        ends = [one for one in ends if one.record.status is not RunStatus.paused]
        for live in lives:
            self.thread.soon(live.stop, "kernel_died")
        if ends and "ipykernel" not in sys.modules:
            few = "1 unfinished run ends" if len(ends) == 1 else f"{len(ends)} unfinished runs end"
            sys.stderr.write(f"nbagent: {few} as interrupted; wait with run.result() before a script ends\n")
        closing = self.thread.submit(close_servers()) if self.thread.is_started() else None
        concurrent.futures.wait([live.done for live in lives], timeout=timeout_s * 0.7)
        if closing is not None:
            with contextlib.suppress(Exception):  # the process ends: nobody is left to hear of it
                closing.result(max(0.1, deadline - time.monotonic()))
                self.thread.submit(close_connections()).result(0.6)  # a cancel on its way may still arrive
        report_unreported_failures(self.runs() if self._stores else ())
        for store in self._stores.values():
            store.close(max(0.1, deadline - time.monotonic()))


_current: Runtime | None = None
_current_lock = threading.Lock()


def current() -> Runtime:
    """The kernel's one runtime, made at first use."""
    global _current  # noqa: PLW0603 - one runtime a process is the point
    with _current_lock:
        if _current is None:
            _current = Runtime()
        return _current


def _forget_after_fork() -> None:
    """A forked child has neither the thread nor the file: it starts with nothing of its parent's."""
    global _current, _current_lock
    _current, _current_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
