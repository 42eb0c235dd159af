"""One unfinished run: a task on the background loop, its record, and its end.

All methods run on the background loop unless they say otherwise. Invariants: `_settle` happens once; after it
the record has its end and nothing more is emitted; `done` resolves after the end was committed, or after
`COMMIT_WAIT_S` if the store is in trouble.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import weakref
from typing import TYPE_CHECKING

from nbagent.core import call_when_done, utc_now
from nbagent.errors import RunIdInUseError
from nbagent.events import (
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    Event,
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
from nbagent.loop import Decision, LoopContext, LoopState, run_loop, run_team
from nbagent.models import Model
from nbagent.run import RunRecord, StopReason, catch_up_events
from nbagent.runtime.execution import run_context
from nbagent.runtime.execution.end_events import failed_end, stopped_end
from nbagent.runtime.execution.event_stream import Callbacks, EventBuffer
from nbagent.runtime.execution.history import SessionHistory
from nbagent.runtime.execution.members import MemberRunner
from nbagent.runtime.execution.pausable_timeout import PausableTimeout
from nbagent.runtime.execution.run_tree import RunNode
from nbagent.runtime.execution.services import ResumeState, RunServices
from nbagent.runtime.launch.cache_lookup import CacheLookup
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.runtime.recovery.pending_approvals import PendingApprovals, unapproved
from nbagent.runtime.recovery.persister import COMMIT_WAIT_S, RunPersister
from nbagent.runtime.scheduling.concurrency import RunGate
from nbagent.runtime.scheduling.session_queue import SessionTurn
from nbagent.spec import AgentSpec, TeamSpec
from nbagent.store import LaunchResult
from nbagent.tracing import start_trace

if TYPE_CHECKING:
    from nbagent.events import FilePart

GRACE_S = 0.05  # what a cancelled task gets to close its connection before the end is written without it


class ActiveRun:
    """A run between its launch and its committed end, and afterwards its record."""

    def __init__(
        self,
        record: RunRecord,
        spec: AgentSpec,
        model: Model,
        services: RunServices,
        *,
        launching: concurrent.futures.Future[LaunchResult],
        has_history: bool = False,
        files: tuple[FilePart, ...] = (),
        resumed: ResumeState | None = None,
        callbacks: Callbacks | None = None,
        members: tuple[ResolvedAgent, ...] = (),
        cache: str | None = None,
    ) -> None:
        self.record = record
        self.spec = spec
        self.model = model
        self.services = services
        self.has_history = has_history
        self.files = files
        self.resumed = resumed
        self.callbacks = callbacks
        self.members = members
        self.reuse = CacheLookup(cache)
        self.kin = RunNode(self)
        self.launching = launching
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.lost = False  # another process has ended this attempt: the store's word counts, not the record's
        self.asked = False  # somebody has looked at how it ended
        self._end_stored = False
        self.approvals = PendingApprovals(record.waiting, resumed.decided if resumed is not None else None)
        self.rows = RunPersister(record, services.store, self._lose)
        self.session_turn = SessionTurn(self)
        self.stop_reason: StopReason | None = None
        self._why: str | None = None  # the error that a limit of somebody above means
        self._over: asyncio.Task[None] | None = None  # its task, ended, while its children still end
        self._task: asyncio.Task[None] | None = None
        self._settled = False
        self._timers: list[asyncio.TimerHandle] = []
        self._clock = PausableTimeout(spec.limits.timeout_s, lambda: self.stop("timeout"))
        self._listeners: tuple[weakref.ref[EventBuffer], ...] = ()
        self._trace = start_trace(record.launch)

    # ------------------------------------------------------------------ life

    def begin(self) -> None:
        """Start to work; does nothing a second time."""
        if self.has_begun:
            return
        self.stop_reason = self.stop_reason or self.kin.orphaned
        if self.rejected:
            self._settle()
            return
        if self.callbacks is not None:
            self.callbacks.start(self)
        loop = asyncio.get_running_loop()
        if self.spec.limits.queue_timeout_s is not None:
            self._timers.append(loop.call_later(self.spec.limits.queue_timeout_s, self._queue_ran_out))
        self._task = loop.create_task(self._work(), name=f"nbagent-run-{self.record.launch.run_id}")
        self._task.add_done_callback(self._task_ended)
        if self.stop_reason is not None:
            self._task.cancel()

    @property
    def has_begun(self) -> bool:
        """True once the run works, or has ended without."""
        return self._task is not None or self._settled

    def stop(self, reason: StopReason, why: str | None = None) -> None:
        """End the run and all that it has started now, with `reason`; does nothing once it is ending."""
        if self._settled or self.stop_reason is not None:
            return
        self.stop_reason, self._why = reason, why
        self.kin.stop(reason)
        if self._task is not None:
            self._task.cancel(reason)  # the message: a call that lives at the provider outlives `kernel_died`
        self._timers.append(asyncio.get_running_loop().call_later(GRACE_S, self._settle))

    @property
    def is_ending(self) -> bool:
        """True between the order to stop and the end."""
        return self.stop_reason is not None and not self._settled

    async def until_ended(self) -> None:
        """Return once the run has its end; its rows are on their way, before any that come later."""
        await asyncio.shield(asyncio.wrap_future(self.ended))

    async def until_done(self) -> None:
        """Return once the run has ended and its rows are committed."""
        await asyncio.shield(asyncio.wrap_future(self.done))

    def emit(self, event: Event) -> None:
        """Fold an event of the loop into the record, and tell it to whoever listens."""
        self.record.apply(event)
        if self._listeners:
            self._spread(event)
        if self._trace is not None and type(event) is not TextAdded:
            self._traced(event)
        if type(event) is RunStarted:
            self._clock.start()
        elif not isinstance(event, _UNEVENTFUL):
            self._keep(event)

    def _keep(self, event: Event) -> None:
        """Count what was paid, hand over what must not be lost, let the clock stand while a person is waited for."""
        if isinstance(event, ModelCallFinished):
            self.kin.charge(event.call)
        elif self._is_stopping() or self.record.cached_from is not None:
            return
        elif isinstance(event, ToolCallFinished):
            self.rows.append(waited=True)  # soon this call is not repeated, whatever happens to the process
            if event.call.status == "denied":
                self.rows.progress()  # after its row: what waits no longer in the store has its end there
        elif isinstance(event, ApprovalRequested):
            self.kin.pause_clocks()
            self.rows.progress()  # before the request's row: what waits is never taken for a call at work
        elif isinstance(event, ApprovalGiven):
            self.kin.resume_clocks()
            self.rows.progress()
        elif isinstance(event, ApprovalDenied):
            self.kin.resume_clocks()

    def _traced(self, event: Event) -> None:
        try:
            assert self._trace is not None
            self._trace.take(event)
        except Exception as error:  # noqa: BLE001 - the user's own exporters and processors; no run fails over them
            self._trace = None
            self.note(f"the run's trace is cut off: {error}")

    def _spread(self, event: Event) -> None:
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

    def note(self, text: str) -> None:
        """Say something that a person should know, also after the end."""
        if self.record.end is None:
            self.emit(NoticeGiven(text=text))
        else:
            self.record.note(text)

    def pause_clock(self) -> None:
        """Let `timeout` stand still, and count the time as no work; pauses nest."""
        self._clock.pause()
        self.record.pause(utc_now())

    def resume_clock(self) -> None:
        """Let `timeout` go on with what is left of it, unless the run has ended meanwhile."""
        self.record.unpause(utc_now())
        if not self._settled:
            self._clock.resume()

    def _take_place(self, position: int | None) -> None:
        """Show where the run's model call stands in the queue; the store is not told."""
        if position == self.record.queue_position or self.record.end is not None:
            return
        self.rows.unheard(lambda: self.record.move(position))

    def progress_due(self) -> bool:
        """True if the store should hear of the run."""
        return not self._settled and self.rows.progress_due()

    def _lose(self) -> None:
        """Stop an attempt that another process ended while this one slept; nothing more of it is written."""
        self.lost = True
        self.stop("kernel_died")

    # ------------------------------------------------------------------ work

    async def _work(self) -> None:
        run_context.set_current_run(self.record.launch.run_id)
        launched = self.launch_outcome()
        if launched is not None:
            self.rows.turn = launched.turn
            if launched.cancelled:
                self.stop_reason = "cancelled"
                return
        before = await self.session_turn.take()
        context = LoopContext(
            emit=self.emit,
            gate=RunGate(self.services.slots, self._take_place),
            stopped=self._is_stopping,
            commit=self.rows.commit,
            on_main_thread=self.services.main.call,
            bound=self.kin.bound,
            approve=self._approve,
        )
        state = await self._begin_with(before)
        if await self.reuse.answer(self, self.rows.answer_keys):
            return
        if isinstance(self.spec, TeamSpec):
            earlier = self.resumed.members if self.resumed is not None else {}
            await run_team(self.spec, self.model, state, context, MemberRunner(self, earlier))
        else:
            await run_loop(self.spec, self.model, state, context)

    async def _approve(self, call: PendingApproval) -> Decision:
        """Return what a person decides, or what is done where nobody has in the time that the agent gives."""
        how, given_s = self.spec.on_approval, self.spec.limits.approval_timeout_s
        if how == "wait" and given_s is None:
            return await self.approvals.ask(call)
        try:
            async with asyncio.timeout(given_s or 0.0):
                return await self.approvals.ask(call)
        except TimeoutError:
            reason, why = unapproved(call, how, given_s)
        if how == "deny":
            return Decision(approved=False, reason=why)
        self.stop(reason, why)
        stopped: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        return await stopped  # it is cancelled there

    async def _begin_with(self, before: SessionHistory) -> LoopState:
        """The session's history and the prompt, or where an earlier attempt stood."""
        self.rows.answer_keys = await self.reuse.keys_of(self, before)
        if self.resumed is not None:
            for event in self.resumed.events:
                self.emit(event)
            self.resumed.state.messages[:0] = before.shown
            return self.resumed.state
        prompt = Message(role="user", content=self.record.launch.prompt or "", files=self.files)
        self.emit(MessageAdded(message=prompt))
        if self.files:  # they are nowhere else in the store: without them the run could not be resumed
            self.rows.append()
        return LoopState(messages=[*before.shown, prompt])

    def launch_outcome(self) -> LaunchResult | None:
        """What the store said of the launch; None while it is in trouble."""
        if not self.launching.done() or self.launching.exception() is not None:
            return None
        return self.launching.result()

    @property
    def durable(self) -> bool:
        """True once the launch, or the whole run, is committed to the store's file. Any thread."""
        return self._end_stored or (self.launching.done() and self.launching.exception() is None)

    @property
    def rejected(self) -> bool:
        """True if the run id was taken: this run never was, and nothing of it is written."""
        return self.launching.done() and isinstance(self.launching.exception(), RunIdInUseError)

    def _is_stopping(self) -> bool:
        return self._settled or self.stop_reason is not None

    def _queue_ran_out(self) -> None:
        if self.record.started_at is None:
            self.stop("queue_timeout")

    # ------------------------------------------------------------------- end

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Settle, after the children that are stopping too: members commit before their leader."""
        if self.kin.are_ending:
            self._over = task  # the last of them calls again; the grace period bounds it
        else:
            self._settle(task)

    def child_ended(self) -> None:
        """Settle, if only this was waited for."""
        if self._over is not None:
            self._task_ended(self._over)

    def _settle(self, task: asyncio.Task[None] | None = None) -> None:
        """Give the record its end, once, and hand everything to the store."""
        if self._settled:
            _consume(task)
            return
        self._settled = True
        for timer in self._timers:
            timer.cancel()
        self._clock.stop()
        self.reuse.close()
        for _ in self.record.pending_approvals:  # nobody waits for these any more
            self.kin.resume_clocks()
        left = self._is_left_paused()
        if self.record.end is None and not left:
            self.emit(self._end(task))
        self._listeners = ()
        written = None if self.rejected else self.rows.leave() if left else self.rows.finish()
        self.ended.set_result(None)  # after the rows are on their way: whoever asks the store next sees them
        if written is None:
            self.kin.disown()
            self.kin.ended()
            self._stored()
            return
        loop = asyncio.get_running_loop()
        call_when_done(written, loop, self._stored)
        self._timers = [loop.call_later(COMMIT_WAIT_S, self._stored)]
        self.kin.ended()

    def _end(self, task: asyncio.Task[None] | None) -> RunFinished:
        error = task.exception() if task is not None and task.done() and not task.cancelled() else None
        if self.stop_reason is not None or error is None:
            return stopped_end(self.stop_reason or "cancelled", self.spec.limits, self._why)
        return failed_end(error)

    def _is_left_paused(self) -> bool:
        """True if the kernel ends while a person is waited for: the run stays paused, and who approves it adopts it."""
        return self.stop_reason == "kernel_died" and not self.lost and bool(self.record.pending_approvals)

    def _stored(self, written: concurrent.futures.Future[bool] | None = None) -> None:
        """Wake whoever waits: after the commit, or once it has been waited for long enough."""
        if written is not None and written.exception() is None:
            self._end_stored = True
            self.lost = self.lost or not written.result()
        if self.done.done():
            return
        for timer in self._timers:
            timer.cancel()
        self.session_turn.leave()
        self.done.set_result(None)
        self.services.finished(self)


_UNEVENTFUL = (TextAdded, ReasoningAdded)  # the hot path: once for each piece of text


def _consume(task: asyncio.Task[None] | None) -> None:
    """Read a late task's exception, so that asyncio does not complain of one nobody looked at."""
    if task is not None and not task.cancelled():
        task.exception()
