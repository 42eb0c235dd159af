"""One unfinished run: a task on the background loop, its record, and its end.

All methods run on the background loop unless they say otherwise. Invariants: `_finalize` happens once; after
it the record has its end and nothing more is emitted; `done` resolves after the end was committed, or after
`COMMIT_WAIT_S` if the store is in trouble.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import weakref
from collections.abc import Iterable, Mapping
from functools import partial

from nbagent.core import call_when_done
from nbagent.errors import RunIdInUseError
from nbagent.events import (
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    Event,
    FilePart,
    Message,
    MessageAdded,
    ModelCallFinished,
    NoticeGiven,
    PendingApproval,
    ReasoningAdded,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCallFinished,
)
from nbagent.loop import Decision, LoopContext, LoopState
from nbagent.run import RunRecord, StopReason, catch_up_events
from nbagent.runtime.execution import run_context
from nbagent.runtime.execution.budget import Budget
from nbagent.runtime.execution.callbacks import Callbacks
from nbagent.runtime.execution.end_events import error_of, failed_end, stopped_end
from nbagent.runtime.execution.event_stream import EventBuffer
from nbagent.runtime.execution.executor import Work
from nbagent.runtime.execution.history import SessionHistory, files_of_prompt
from nbagent.runtime.execution.members import MemberRunner
from nbagent.runtime.execution.pausable_timeout import PausableTimeout
from nbagent.runtime.execution.run_tree import RunNode
from nbagent.runtime.launch.cache_lookup import CacheLookup, EarlierAnswer
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.runtime.ports import Holder, RunServices
from nbagent.runtime.recovery import standing_approvals
from nbagent.runtime.recovery.pending_approvals import PendingApprovals, decision_in_time
from nbagent.runtime.recovery.persister import RunPersister
from nbagent.runtime.recovery.resume_state import ResumeState
from nbagent.runtime.scheduling.session_turn import SessionTurn, launch_result
from nbagent.runtime.steering.inbox import Inbox, is_sent
from nbagent.runtime.timeouts import COMMIT_WAIT_S, GRACE_S
from nbagent.spec import TeamSpec
from nbagent.store import LaunchResult, SendMessage
from nbagent.tracing import start_trace


class ActiveRun:
    """A run between its launch and its committed end, and afterwards its record."""

    def __init__(
        self,
        record: RunRecord,
        agent: ResolvedAgent,
        services: RunServices,
        *,
        launched: concurrent.futures.Future[LaunchResult],
        has_history: bool = False,
        files: tuple[FilePart, ...] = (),
        resumed: ResumeState | None = None,
        callbacks: Callbacks | None = None,
        cache: str | None = None,
    ) -> None:
        self.record = record
        self.agent, self.store = agent, services.store
        self.has_history, self.launched = has_history, launched
        self._services = services
        self._limits = agent.spec.limits
        self._files, self._resumed = files, resumed
        self._told_by_record = resumed is not None  # what it does next may be what stands there
        self._callbacks = callbacks
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.lost = False  # another process has ended this attempt: the store's word counts, not the record's
        self.asked = False  # somebody has looked at how it ended
        self.end_is_stored = False
        self.holders: list[weakref.ref[Holder]] = []  # who reads it again once it is remembered no longer
        self.cache = CacheLookup(cache, agent, record.launch)
        self.persister = RunPersister(
            record, services.store, self._lose, patient=services.executor.hands_over
        )
        self._approvals = PendingApprovals(record.waiting, resumed.decided if resumed is not None else None)
        self._inbox = Inbox(record, services.store, self.emit)
        self._clock = PausableTimeout(self._limits.timeout_s, partial(self.stop, "timeout"))
        budget = Budget(agent.spec) if isinstance(agent.spec, TeamSpec) else None
        self.node = RunNode(
            record,
            budget=budget,
            clock=self._clock,
            stop=self.stop,
            child_ended=self._child_ended,
        )
        self.session_turn = SessionTurn(
            store=services.store, queue=services.sessions, record=record, spec=agent.spec,
            has_history=has_history, launched=launched, ended=self.ended, done=self.done,
            memory=services.memory, remembered=services.remembered, notice=self.notice, stop=self.stop,
            keep_unwritten=self.persister.keep_unwritten, waits_elsewhere=partial(self.cache.decide, found=False),
        )  # fmt: skip
        self.why: str | None = None  # the error that a limit of somebody above means
        self._over: asyncio.Task[None] | None = None  # its task, ended, while its children still end
        self._task: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._listeners: tuple[weakref.ref[EventBuffer], ...] = ()
        self._trace = start_trace(record.launch)

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.record.launch.run_id

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it was told to stop; None while it was not."""
        return self.node.stop_reason

    # ------------------------------------------------------------------ life

    def begin(self) -> None:
        """Start to work; does nothing a second time."""
        if self.has_begun:
            return
        self.node.stop_reason = self.node.stop_reason or self.node.parent_stop_reason
        if self.rejected:
            self._finalize()
            return
        if self._callbacks is not None:
            self._callbacks.start(self.record, listen=self.listen, notice=self.notice)
        loop = asyncio.get_running_loop()
        if self._limits.queue_timeout_s is not None:
            self._timers.append(loop.call_later(self._limits.queue_timeout_s, self._queue_ran_out))
        self._task = loop.create_task(self._work(), name=f"{run_context.RUN_TASK}{self.run_id}")
        self._task.add_done_callback(self._task_ended)
        if self.stop_reason is not None:
            self._task.cancel()

    @property
    def has_begun(self) -> bool:
        """True once the run works, or has ended without."""
        return self._task is not None or self.node.is_over

    def stop(self, reason: StopReason, why: str | None = None) -> None:
        """End the run and all that it has started now, with `reason`; does nothing once it is ending."""
        if self._is_stopping():
            return
        self.node.stop_reason, self.why = reason, why
        self.node.stop_children(reason)
        if self._task is not None:
            self._task.cancel(reason)  # the message: a call that lives at the provider outlives `kernel_died`
        self._timers.append(asyncio.get_running_loop().call_later(GRACE_S, self._finalize))

    async def until_ended(self) -> None:
        """Return once the run has its end; its rows are on their way, before any that come later."""
        await asyncio.shield(asyncio.wrap_future(self.ended))

    async def until_done(self) -> None:
        """Return once the run has ended and its rows are committed."""
        await asyncio.shield(asyncio.wrap_future(self.done))

    def emit(self, event: Event) -> None:
        """Fold an event of the loop into the record, and pass it on to those who listen."""
        self.record.apply(event)
        if self._listeners:
            self._notify(event)
        if self._trace is not None and type(event) is not TextAdded:
            self._traced(event)
        if type(event) is RunStarted:
            self._clock.start()
        elif not isinstance(event, _UNEVENTFUL):
            self._persist(event)

    def _persist(self, event: Event) -> None:
        """Count what was paid, hand over what must not be lost, pause the clock for a person."""
        if isinstance(event, ModelCallFinished):
            self.node.charge(event.call)
            used_up = self._services.allowance.charge(event.call)
            if used_up and not self.agent.spec.resumable:  # a guest asks its models itself
                self.stop("max_cost", used_up)
        elif self._is_stopping() or self.record.cached_from is not None:
            return
        elif isinstance(event, ToolCallFinished):
            self.persister.append(
                waited=True
            )  # soon this call is not repeated, whatever happens to the process
            if event.call.status == "denied":
                self.persister.progress()  # after its row: what waits no longer in the store has its end there
        elif isinstance(event, ApprovalRequested):
            self.node.pause_clocks()
            self.persister.progress()  # before the request's row: what waits is never taken for a call at work
        elif isinstance(event, ApprovalGiven):
            self.node.resume_clocks()
            self.persister.progress()
        elif isinstance(event, ApprovalDenied):
            self.node.resume_clocks()
        elif isinstance(event, MessageAdded) and is_sent(event.message):
            self.persister.append()  # before it goes from where messages wait
            self._inbox.said()

    def _traced(self, event: Event) -> None:
        try:
            assert self._trace is not None
            self._trace.take(event)
        except Exception as error:  # noqa: BLE001 - the user's own exporters and processors; no run fails over them
            self._trace = None
            self.notice(f"the run's trace is cut off: {error}")

    def _notify(self, event: Event) -> None:
        if self.record.end is not None and event is not self.record.end:
            return  # too late: the record has not taken it either
        boxes = [(kept, kept()) for kept in self._listeners]
        for _, box in boxes:
            if box is not None:
                box.put(event)
        self._listeners = tuple(kept for kept, box in boxes if box is not None)

    def listen(self, box: EventBuffer) -> None:
        """Put what was, in short, and from now on every event into `box`, as long as somebody holds it."""
        for event in catch_up_events(self.record):
            box.put(event)
        if self.record.end is None:
            self._listeners = (*self._listeners, weakref.ref(box))

    def notice(self, text: str) -> None:
        """Record something that a person should know, also after the end."""
        if self.record.end is None:
            self.emit(NoticeGiven(text=text))
        else:
            self.record.note(text)

    def _show_queue_position(self, position: int | None) -> None:
        """Show where the run's model call stands in the queue; the store is not told."""
        if position == self.record.queue_position or self.record.end is not None:
            return
        self.persister.keep_unwritten(partial(self.record.move, position))

    def write_progress(self) -> None:
        """Show what the run waits for, and hand the store where it stands, if that is due; once a second."""
        self.session_turn.watch()
        if not self.node.is_over and self.persister.progress_due():
            self.persister.progress()

    def decide_from_record(self, step: int, tool_call_id: str, decision: Decision) -> bool:
        """Decide on a call as the record says, which may not start a tool of this kernel; False if it waits no longer."""
        if why := standing_approvals.refusal(self.agent, self.record.waiting.get(tool_call_id), decision):
            self.notice(why)
            return False
        return self._approvals.decide(step, tool_call_id, decision)

    async def decide_all(self, calls: Iterable[PendingApproval], decision: Decision) -> list[PendingApproval]:
        """Decide on calls that wait and return those that did; by then the run's record knows."""
        return await self._approvals.decide_all(calls, decision)

    def receive(self, message: SendMessage, *, is_stored: bool = False) -> bool:
        """Take a person's message for the next model call; False if the run is ending."""
        if self._is_stopping() or self.record.end is not None:
            return False
        self._told_by_record = self._told_by_record or is_stored
        self._inbox.put(message, is_stored=is_stored)
        return True

    def _lose(self) -> None:
        """Stop an attempt that another process ended while this one slept; nothing more of it is written."""
        self.lost = True
        self.stop("kernel_died")

    # ------------------------------------------------------------------ work

    async def _work(self) -> None:
        launch, services = self.record.launch, self._services
        run_context.set_current_run(launch.run_id)
        launched = launch_result(self.launched)
        if launched is not None:
            self.record.turn = launched.turn
            if launched.cancelled:
                self.node.stop_reason = "cancelled"
                return
        before = await self.session_turn.take()
        files = self._files if self._resumed is None else files_of_prompt(self.record.messages)
        own = before.own if self.has_history else None
        keys = self.persister.answer_keys = await self.cache.keys(before.shown, own, files)
        state, earlier = self._initial_state(before)
        if (
            self._resumed is None
            and (found := await self.cache.find(self.store, keys, self.notice)) is not None
        ):
            self._replay(found)
            return
        self.cache.decide(found=False)
        context = LoopContext(
            emit=self.emit,
            gate=services.gate(self._show_queue_position, launch.run_id),
            stopped=self._is_stopping,
            commit=self.persister.commit,
            on_main_thread=services.main.call,
            limit_reached=self.node.limit_reached,
            approve=self._approve,
            take_sent=self._inbox.take,
        )
        members = MemberRunner(
            team=self.agent, record=self.record, files=self._files, earlier=earlier,
            start=services.start, resume=services.resume, notice=self.notice,
        )  # fmt: skip
        work = Work(
            run_id=launch.run_id, attempt=launch.attempt, kind=launch.kind, state=state, started=earlier
        )
        await services.executor.execute(work, self.agent, context, members)

    async def _approve(self, call: PendingApproval) -> Decision:
        """Return what a person decides, or what is done where nobody has in the time that the agent gives."""
        ask = partial(decision_in_time, self._approvals, call, self.agent.spec, self.stop)
        return await standing_approvals.decided(self.agent, call.name, ask, stands=not self._told_by_record)

    def _initial_state(self, before: SessionHistory) -> tuple[LoopState, Mapping[tuple[int, str], str]]:
        """Return the history and the prompt, or where an earlier attempt stood and what it had started."""
        if self._resumed is not None:
            self._inbox.load()
            for event in self._resumed.events:
                self.emit(event)
            self._resumed.state.messages[:0] = before.shown
            return self._resumed.state, self._resumed.members
        prompt = Message(role="user", content=self.record.launch.prompt or "", files=self._files)
        self.emit(MessageAdded(message=prompt))
        if self._files:  # they are nowhere else in the store: without them the run could not be resumed
            self.persister.append()
        return LoopState(messages=[*before.shown, prompt]), {}

    def _replay(self, found: EarlierAnswer) -> None:
        """Replay the cached run's events into this run; no tokens are charged."""
        for member in found.output.member_responses:
            self.record.join(member)
        if found.schema is not None:
            self.record.reused_schema = found.schema
        for event in found.events():
            self.emit(event)
        self.cache.decide(found=True)

    @property
    def durable(self) -> bool:
        """True once the launch, or the whole run, is committed to the store's file. Any thread."""
        return self.end_is_stored or (self.launched.done() and self.launched.exception() is None)

    @property
    def rejected(self) -> bool:
        """True if the run id was taken: this run never was, and nothing of it is written."""
        return self.launched.done() and isinstance(self.launched.exception(), RunIdInUseError)

    def _is_stopping(self) -> bool:
        return self.node.is_over or self.node.stop_reason is not None

    def _queue_ran_out(self) -> None:
        if self.record.started_at is None:
            self.stop("queue_timeout")

    # ------------------------------------------------------------------- end

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Settle, after the children that are stopping too: members commit before their leader."""
        if self.node.children_are_ending:
            self._over = task  # the last of them calls again; the grace period bounds it
        else:
            self._finalize(task)

    def _child_ended(self) -> None:
        """Settle, if only this was waited for."""
        if self._over is not None:
            self._task_ended(self._over)

    def _finalize(self, task: asyncio.Task[None] | None = None) -> None:
        """Give the record its end, once, and hand everything to the store."""
        if self.node.is_over:
            error_of(task)  # so that asyncio does not complain of one nobody looked at
            return
        self.node.is_over = True
        for timer in self._timers:
            timer.cancel()
        self._clock.stop()
        self.cache.decide(found=False)
        for _ in self.record.pending_approvals:  # nobody waits for these any more
            self.node.resume_clocks()
        left = self._is_left()
        if self.record.end is None and not left:
            self.emit(self._end(task))
        if (told := self._inbox.left_over()) is not None and not left:
            self.notice(told)
        self._listeners = ()
        written = None if self.rejected else self.persister.save_paused() if left else self.persister.finish()
        self.ended.set_result(None)  # after the rows are on their way: whoever asks the store next sees them
        if written is None:
            self.node.detach()
            self.node.leave_parent()
            self._stored()
            return
        loop = asyncio.get_running_loop()
        call_when_done(written, loop, self._stored)
        self._timers = [loop.call_later(COMMIT_WAIT_S, self._stored)]
        self.node.leave_parent()

    def _end(self, task: asyncio.Task[None] | None) -> RunFinished:
        error = error_of(task) if self.stop_reason is None else None
        if error is None:
            return stopped_end(self.stop_reason or "cancelled", self._limits, self.why)
        return failed_end(error)

    def _is_left(self) -> bool:
        """True if the process ends while a person is waited for, or hands over: the run stays as it is until it is adopted."""
        may = self.agent.spec.resumable and not self.lost and self.stop_reason == "kernel_died"
        return may and (bool(self.record.pending_approvals) or self._services.executor.hands_over)

    def _stored(self, written: concurrent.futures.Future[bool] | None = None) -> None:
        """Wake those who wait: after the commit, or once it has been waited for long enough."""
        if written is not None and written.exception() is None:
            self.end_is_stored = True
            self.lost = self.lost or not written.result()
        if self.done.done():
            return
        for timer in self._timers:
            timer.cancel()
        self.session_turn.leave()
        self.done.set_result(None)
        if self.end_is_stored:
            self._release()

    def _release(self) -> None:
        """Hold nothing more that only an unfinished run needs: thousands of finished ones are remembered."""
        self._task = self._over = self._resumed = self._callbacks = None
        self._timers = []
        if self.record.turn is None:
            self.record.turn = self.session_turn.number
        self.session_turn.release(_SETTLED)
        self.launched = self.session_turn.launched
        self.ended = self.done = _SETTLED


_SETTLED: concurrent.futures.Future[None] = concurrent.futures.Future()  # of every run that is over
_SETTLED.set_result(None)

_UNEVENTFUL = (TextAdded, ReasoningAdded)  # the hot path: once for each piece of text
