"""The kernel's one `Runtime`: launches runs, finds them, cancels them, and closes down with the kernel.

Public methods are called from any thread; names with an underscore run on the background loop.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import os
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nbagent import settings
from nbagent.core import call_when_done, show_runs, uuid7
from nbagent.errors import PromptError, RunIdInUseError, UnknownNameError, did_you_mean
from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.run import RunOutput, RunRecord, RunStatus
from nbagent.runtime.execution import run_context
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.callbacks import Callbacks
from nbagent.runtime.execution.executor import Executor, KernelExecutor
from nbagent.runtime.launch.cache_lookup import READING
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, check_models, run_launch
from nbagent.runtime.limits.allowance import allowance_of
from nbagent.runtime.limits.budgets import CallLimits
from nbagent.runtime.limits.limiter import ConcurrencyLimiter, call_limits
from nbagent.runtime.placement.placed_launch import launch_placed
from nbagent.runtime.placement.placed_retry import launched_again
from nbagent.runtime.placement.placed_runs import PlacedRuns
from nbagent.runtime.placement.status_watch import StatusWatch
from nbagent.runtime.ports import LiveRun, Runnable, RunServices
from nbagent.runtime.recovery.abandoned import cancel_abandoned
from nbagent.runtime.recovery.decide_approvals import decide_live, decide_stored
from nbagent.runtime.recovery.heartbeat import Heartbeat
from nbagent.runtime.recovery.load import typed_output
from nbagent.runtime.recovery.resume import Resumer
from nbagent.runtime.recovery.resume_state import ResumeState
from nbagent.runtime.recovery.write_builders import launch_write
from nbagent.runtime.registry import RunRegistry
from nbagent.runtime.run_handle import Run
from nbagent.runtime.scheduling.background_loop import BackgroundThread, at_exit
from nbagent.runtime.scheduling.main_thread import MainThread
from nbagent.runtime.scheduling.session_conflicts import (
    busy_error,
    cancel_elsewhere,
    claim_idle,
    unfinished_elsewhere,
)
from nbagent.runtime.scheduling.session_memory import SessionMemory
from nbagent.runtime.scheduling.session_queue import SessionQueue
from nbagent.runtime.shutdown import report_unreported_failures, shut_down
from nbagent.runtime.timeouts import COMMIT_WAIT_S, EXIT_S, STOP_WAIT_S
from nbagent.store import (
    CancelRequest,
    LaunchResult,
    RunStore,
    SessionClaim,
    UnfinishedRun,
    load_run,
    load_stopped,
    open_store,
)  # fmt: skip
from nbagent.tracing import check_traces

_NEW_ID = "leave the run id out, or choose another one"


class Runtime:
    """Everything this kernel runs. `executor` works on attempts."""

    def __init__(self, executor: Executor | None = None) -> None:
        self._pid = os.getpid()
        self.thread = BackgroundThread()
        self.main = MainThread()
        self.slots = ConcurrencyLimiter()
        self.sessions = SessionQueue()
        self.session_memory = SessionMemory()
        self.registry = RunRegistry()
        self.placed, self.statuses = PlacedRuns(), StatusWatch()
        self.executor = executor or KernelExecutor()
        self.is_closing = False  # the kernel ends: nothing is launched any more
        self.resumer = Resumer(
            registry=self.registry,
            thread=self.thread,
            store=lambda: self.store,
            services=self.services,
            begin=self._begin_attempt,
        )
        self._stores: dict[Path | settings.ServerUrl, RunStore] = {}
        self._cancelled_early: set[str] = set()
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        self._start = Path.cwd()  # a later %cd moves no store
        self._folder = settings.store_folder(self._start)
        self._batches: dict[str, tuple[RunStore, Callable[[], None]]] = {}
        self._heartbeat = Heartbeat(self.registry.unfinished, self._batches)
        at_exit(self.close)

    @property
    def store(self) -> RunStore:
        """The store at the configured place."""
        place = settings.store_place(self._start)
        with self._lock:
            return self._stores.get(place) or self._stores.setdefault(place, open_store(place, self._folder))

    def services(self, store: RunStore) -> RunServices:
        """Return what a live run uses of this runtime."""
        return RunServices(
            store=store,
            slots=self.slots, allowance=allowance_of(store), sessions=self.sessions, main=self.main,
            executor=self.executor,
            start=self.start,
            resume=self.resumer.continue_member,
            memory=self.session_memory,
            remembered=self.registry.turns,
        )  # fmt: skip

    # ---------------------------------------------------------------- launch

    def launch(
        self, agent: ResolvedAgent, request: LaunchRequest, *, callbacks: Callbacks | None = None
    ) -> Run:
        """Launch a run and return its handle; see `start`, and for one with an `address` `launch_placed`."""
        if request.address is not None:
            run = launch_placed(self, agent, request, here=self.registry.unfinished_in, callbacks=callbacks)
            self.placed.add(run, request.cell_id)
            return run
        live = self.start(agent, request, callbacks=callbacks)
        return Run(live.run_id, live.record.launch.session_id, runtime=self, live=live)

    def start(
        self,
        agent: ResolvedAgent,
        request: LaunchRequest,
        *,
        callbacks: Callbacks | None = None,
        begins_at: ResumeState | None = None,
    ) -> ActiveRun:
        """Launch a run; return once its row is durable, or after 2 s with `durable` False.

        `begins_at` is where its work begins, by default with its prompt.

        On the background thread it returns at once: `await run.launched()` there. Raises PromptError,
        RunIdInUseError, SessionBusyError, and what `model.check()` raises.
        """
        if not request.prompt.strip():
            raise PromptError("the prompt is empty", "write what the agent should do")
        if request.cache not in READING:  # else first it is seen whether a model is needed
            check_models(agent)
            allowance_of(self.store).check(agent, may_read=not self.thread.is_current())
        check_traces()
        self.registry.budget_bytes = settings.get("remembered_bytes")
        limits = call_limits()  # here, so that an option that does not fit is the launching cell's error
        live = self._new_run(agent, run_context.as_child(request), callbacks, begins_at)
        begin = partial(contextvars.copy_context().run, self._begin, live, limits)
        if self.thread.is_current():
            loop = self.thread.loop
            call_when_done(live.launched, loop, lambda _: begin())
            loop.call_later(COMMIT_WAIT_S, begin)
            return live
        try:
            live.launched.result(COMMIT_WAIT_S)
        except RunIdInUseError:
            self.registry.remember(live)
            raise
        except concurrent.futures.TimeoutError:
            trouble = self.store.trouble or f"the store {self.store.name!r} is busy"
            warnings.warn(f"run {live.run_id} goes on, but is not recorded yet: {trouble}", stacklevel=4)
        finally:
            self.thread.soon(begin)
        self._warn_of(live.store)
        if request.cache in READING and not live.session_turn.is_waiting:
            live.cache.wait_for_decision(live.ended)
        return live

    def _warn_of(self, store: RunStore) -> None:
        """Warn once of a damaged file set aside, a refused row, rows that must wait."""
        for text in filter(None, [*store.take_notices(), store.trouble]):
            if text not in self._warned:
                self._warned.add(text)
                warnings.warn(text, stacklevel=5)

    def _new_run(
        self,
        agent: ResolvedAgent,
        request: LaunchRequest,
        callbacks: Callbacks | None,
        begins_at: ResumeState | None,
    ) -> ActiveRun:
        """Build the live run, queue it in its session and hand its row to the store."""
        session_id = request.session_id or str(uuid7())
        on_busy = request.on_busy if request.in_session else "parallel"
        busy = self.registry.unfinished_in(session_id) if on_busy in {"reject", "cancel"} else []
        if busy and on_busy == "reject":
            raise busy_error(session_id)
        launch = run_launch(agent, request, session_id)
        if self.registry.is_unfinished(launch.run_id):
            raise RunIdInUseError(f"run id {launch.run_id!r} is taken by a run that is not done", _NEW_ID)
        store = self.store
        on_loop = self.thread.is_current()  # which waits for no disk
        claim: SessionClaim | None = None
        elsewhere: tuple[UnfinishedRun, ...] = ()
        if on_busy == "reject":
            claim = claim_idle(store, session_id, self.sessions, may_read=not on_loop)
        elif on_busy == "cancel" and not on_loop:
            elsewhere = unfinished_elsewhere(store, session_id)
        write = launch_write(launch, agent, request)
        try:
            launched: concurrent.futures.Future[LaunchResult] = (
                store.submit(write) if on_loop else store.launch(write)
            )
        except BaseException:  # Stop was pressed
            if claim is not None:
                claim.release()
            raise
        live = ActiveRun(
            RunRecord(launch), agent, self.services(store),
            launched=launched, has_history=request.in_session, files=request.files, callbacks=callbacks,
            resumed=begins_at, cache=request.cache if request.member_of_turn is None else None,
        )  # fmt: skip
        self.registry.add(live, request)
        if request.parent_run_id is not None:
            self.registry.show_to_parent(live, detached=request.detached)
        if request.on_busy != "parallel":
            live.session_turn.enter(claim, after=elsewhere)
        for one in reversed(busy):  # the last first, so that none of them begins
            self.thread.soon(one.stop, "cancelled")
        if elsewhere:
            cancel_elsewhere(store, elsewhere)
        if launch.run_id in self._cancelled_early:
            self._cancelled_early.discard(launch.run_id)
            live.node.stop_reason = "cancelled"
        return live

    def begin_row(self, live: ActiveRun) -> None:
        """Let a run begin that a batch has made; on the background loop. It changes no limits."""
        self.registry.add(live)
        if live.record.launch.parent_run_id is not None:
            self.registry.show_to_parent(live)
        self._begin(live, None)

    def _begin(self, live: ActiveRun, limits: CallLimits | None) -> None:
        # a launch's own timer may come late: its limits may be old by then
        if limits is not None and not live.has_begun:
            self.slots.limit(limits)
        if not live.rejected:
            for listener in self.registry.followers:
                listener(live)
        live.begin()
        self._heartbeat.begin(live)

    def watch_batch(self, batch_id: str, store: RunStore, cancel: Callable[[], None]) -> None:
        """Call `cancel` when another kernel wants this batch cancelled; on the background loop."""
        self._batches[batch_id] = store, cancel
        self._heartbeat.start(store)

    def unwatch_batch(self, batch_id: str) -> None:
        """Watch a batch no longer; on the background loop."""
        self._batches.pop(batch_id, None)

    # ---------------------------------------------------------------- resume

    def resume(self, key: str, **options: Any) -> Run:
        """Go on with the run of this id or label, as a new attempt; see `Run.resume` for the options."""
        return self.handle(self.resume_run(key, **options))

    def retry(self, key: str, *, agent: Runnable | None = None, prompt: str | None = None) -> Run:
        """Launch the work of the run of this id or label anew, as a new run, where that one was; raises as `resume`."""
        if agent is None and (run := launched_again(self, key, prompt)) is not None:
            self.placed.add(run, None)
            return run
        return self.handle(self.retry_run(key, agent=agent, prompt=prompt))

    def resume_run(self, key: str, **options: Any) -> ActiveRun:
        """Begin the next attempt of a stopped run."""
        return self.resumer.resume(key, **options)

    def retry_run(self, key: str, *, agent: Runnable | None = None, prompt: str | None = None) -> ActiveRun:
        """Launch the work of a run anew."""
        return self.start(*self.resumer.retry_request(key, agent=agent, prompt=prompt))

    def fork_run(self, key: str, step: int = 0, **options: Any) -> ActiveRun:
        """Launch a run that shares the first steps of another one; see `Run.fork` for the options."""
        agent, request, state = self.resumer.fork_request(key, step, **options)
        return self.start(agent, request, begins_at=state)

    def _begin_attempt(self, live: ActiveRun, takes_turn: bool) -> None:  # noqa: FBT001 - a callback
        """Take up a claimed attempt: queue it in its session, where it takes turns, and let it work."""
        launch, limits = live.record.launch, call_limits()
        parent_id, current = launch.parent_run_id, run_context.parent_run_id()
        self.registry.add(live)
        # its team may have stopped meanwhile
        if self.registry.is_unfinished(parent_id) or parent_id == current:
            self.registry.show_to_parent(live)
        if takes_turn and current is None and parent_id is None:
            live.session_turn.enter()
        self.thread.soon(self._begin, live, limits, context=contextvars.copy_context())

    def decide(
        self,
        run_id: str,
        live: LiveRun | None,
        decision: Decision,
        *,
        agent: Runnable | None = None,
        **which: Any,
    ) -> tuple[PendingApproval, ...]:
        """Decide on the calls of a run that wait for a person, live here or not; return those decided on."""
        if live is not None:
            return decide_live(self.thread, live, decision, **which)
        self.thread.forbid_blocking("run.approve() and run.deny() of another kernel's run")
        adopt = partial(self.resumer.adopt_or_leave, agent=agent)
        return decide_stored(self.store, run_id, decision, adopt=adopt, **which)

    # ---------------------------------------------------------------- lookup

    def live(self, run_id: str) -> ActiveRun | None:
        """Return the latest attempt of a run that this kernel worked on, in any store; None for others."""
        return self.registry.live(run_id)

    def live_here(self, run_id: str) -> ActiveRun | None:
        """Return the same where it is of the present store, and no other process has taken it over."""
        live = self.live(run_id)
        return live if live is not None and live.store is self.store and not live.lost else None

    def runs(self) -> list[ActiveRun]:
        """Return this kernel's runs in the present store, oldest first: the unfinished and the remembered."""
        return self.registry.runs(self.store)

    def unfinished(self) -> list[Run]:
        """Return handles on this kernel's unfinished runs, without their children, then those it has with workers."""
        lives = self.registry.unfinished()
        nodes = {live.node for live in lives}
        here = [self.handle(live) for live in lives if live.node.parent not in nodes]
        return [*here, *self.placed.unfinished(self.store)]

    def get(self, key: str) -> Run:
        """Return the run of this id or label (the latest), from any kernel. Raises UnknownNameError."""
        lives = self.runs()
        for live in reversed(lives):
            if key in (live.run_id, live.record.launch.label):
                return self.handle(live)
        output = load_run(self.store, key)
        if output is None:
            known = [name for live in lives for name in (live.record.launch.label, live.run_id) if name]
            raise UnknownNameError(f"no run {key!r}{did_you_mean(key, known)}", show_runs())
        return Run(output.run_id, output.session_id, runtime=self, read=output)

    def stored(self, run_id: str) -> RunOutput:
        """Return a run as the store has it, its answer as plain data. Raises UnknownNameError."""
        output = load_run(self.store, run_id)
        if output is None:
            raise UnknownNameError(f"no run {run_id!r} in {self.store.name!r}", show_runs())
        return output

    def typed(self, output: RunOutput) -> RunOutput:
        """Return the same with its answers in the types that the notebook or a module defines."""
        return typed_output(output, vars(sys.modules["__main__"]), self.schema_known)

    def schema_known(self, run_id: str) -> object:
        """Return the schema of an answer of this kernel's, also where the run is not remembered; None for others."""
        past = self.registry.past(self.store, run_id)
        return None if past is None else past.schema

    def handle(self, live: LiveRun) -> Run:
        """Return a handle on a live run."""
        return Run(live.run_id, live.record.launch.session_id, runtime=self, live=live)

    # ---------------------------------------------------------------- cancel

    def cancel(self, run_id: str) -> bool:
        """Cancel a run by id: here, in another kernel, or before it is launched. False if it has ended."""
        store, live = self.store, self.live_here(run_id)
        if live is not None:
            return self.stop(live)
        stopped = load_stopped(store, run_id)
        if stopped is not None and stopped.output.is_final:
            return False
        if stopped is None:
            self._cancelled_early.add(run_id)
        elif cancel_abandoned(store, stopped):
            return True
        store.submit(CancelRequest(run_id=run_id)).result(COMMIT_WAIT_S)
        return True

    def stop(self, live: LiveRun) -> bool:
        """Cancel a live run, and wait for its end except on the background thread; False if it had ended."""
        if live.record.end is not None:
            return False
        self.thread.soon(live.stop, "cancelled")
        if not self.thread.is_current():
            concurrent.futures.wait([live.ended], timeout=STOP_WAIT_S)
        return (status := live.record.status) is RunStatus.cancelled or not status.is_final

    # ----------------------------------------------------------------- close

    def close(self, timeout_s: float = EXIT_S) -> None:
        """End every run as interrupted and write what is there; a kernel's exit gives about two seconds.

        A paused run is left paused.
        """
        if self._pid != os.getpid():
            return  # a forked child has nothing of its parent's to close
        self.is_closing = True
        stores = tuple(self._stores.values())
        report = partial(report_unreported_failures, self.runs() if stores else ())
        shut_down(self.thread, self.registry.unfinished(), stores, report, timeout_s)


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
