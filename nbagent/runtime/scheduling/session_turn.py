"""One run's turn in its session: queued for, waited for, given back.

In this kernel that is a queue (`session_queue.py`). Between kernels the session's claim keeps two runs from
working at once, and the record says whose turn it is: who has the claim reads what came before, once, and
hands the claim back if a run of another kernel comes first. Where the record cannot be read the claim alone
must do, and a run is shown what this kernel remembers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from nbagent.core import run_in_daemon_thread
from nbagent.errors import StoreError
from nbagent.run import EarlierRun, RunRecord, RunStatus, StopReason, whole_seconds
from nbagent.runtime.execution.history import SessionHistory, before_of, turn_of
from nbagent.runtime.scheduling.session_memory import SessionMemory
from nbagent.runtime.scheduling.session_queue import SessionQueue
from nbagent.runtime.scheduling.turn_watch import TurnWatch
from nbagent.runtime.timeouts import READ_IN_TROUBLE_S, READ_PATIENCE_S, READ_S, SWEEP_WAIT_S
from nbagent.spec import AgentSpec
from nbagent.store import (
    ClaimNote,
    InterruptOrphans,
    LaunchResult,
    RunStore,
    SessionClaim,
    SessionState,
    StoredTurn,
    UnfinishedRun,
    is_alive,
    load_session,
    process_name,
)

WORTH_TELLING_S = 1.0  # a shorter wait for another kernel is not mentioned
NAMED = 3


def launch_result(launched: concurrent.futures.Future[LaunchResult]) -> LaunchResult | None:
    """Return what the store said of a launch; None while it is in trouble."""
    if not launched.done() or launched.exception() is not None:
        return None
    return launched.result()


_LAUNCHED: concurrent.futures.Future[LaunchResult] = concurrent.futures.Future()  # of every run that is over
_LAUNCHED.set_result(LaunchResult(0, cancelled=False))


@dataclass(slots=True, kw_only=True, eq=False)
class SessionTurn:
    """A run's way to its turn: what is known of the run, and what it is told.

    `keep_unwritten` makes a change of the record that the store need not hear of; `waits_elsewhere` is called
    when it turns out that another kernel's run comes first; `memory` is what was said in sessions that only this
    kernel has used, `remembered` what it knows by itself of any.
    """

    store: RunStore
    queue: SessionQueue
    record: RunRecord
    spec: AgentSpec
    has_history: bool
    launched: concurrent.futures.Future[LaunchResult]
    ended: concurrent.futures.Future[None]
    done: concurrent.futures.Future[None]
    memory: SessionMemory
    remembered: Callable[[RunStore, str], list[StoredTurn]]
    notice: Callable[[str], None]
    stop: Callable[[StopReason], None]
    keep_unwritten: Callable[[Callable[[], None]], None]
    waits_elsewhere: Callable[[], None]
    _queued: bool = field(default=False, init=False)
    _began: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _after: frozenset[str] = field(default=frozenset(), init=False)
    _watch: TurnWatch | None = field(default=None, init=False)  # while another kernel is waited for
    # other kernels' runs: each one's name and owner
    _waited_for: dict[str, tuple[str, str]] = field(default_factory=dict, init=False)
    _swept: set[str] = field(default_factory=set, init=False)  # those of them that were found dead

    @property
    def key(self) -> tuple[RunStore, str]:
        """The session: a store and an id."""
        return self.store, self.record.launch.session_id

    @property
    def number(self) -> int | None:
        """The run's place in its session; None while the record has not said it."""
        if self.record.turn is None and (launched := launch_result(self.launched)) is not None:
            self.record.turn = launched.turn
        return self.record.turn

    @property
    def is_waiting(self) -> bool:
        """True while a run before it is known to be unfinished. Any thread."""
        before = self.queue.before(self) if self._queued and not self._began else None
        return self._watch is not None or (before is not None and not before.ended.done())

    def enter(self, claim: SessionClaim | None = None, after: Sequence[UnfinishedRun] = ()) -> None:
        """Queue the run in its session, with a claim taken for it; a session's first one takes it now.

        `after` are other kernels' runs that it waits for, also where they take no turns.
        """
        self._queued = True
        self._after = frozenset(one.run_id for one in after)
        if self.queue.enter(self) and claim is None and self.has_history:
            claim = self.store.claims.take(self.record.launch.session_id)
        if claim is not None:
            self.queue.keep(self, claim)

    def release(self, settled: concurrent.futures.Future[None]) -> None:
        """Share `settled` with all runs that are over; the run's number is in its record by now."""
        self.ended = self.done = settled
        if launch_result(self.launched) is not None:
            self.launched = _LAUNCHED

    async def take(self) -> SessionHistory:
        """Return once it is the run's turn, with what was said before it."""
        state = None
        launched = launch_result(self.launched) if self.has_history else None
        if launched is not None and launched.alone and launched.turn == 1:
            self.memory.begin(self.key)
        if self._queued:
            self.queue.place(self)
            state = await self._in_turn()
        if not self.has_history:
            return SessionHistory()
        spec = self.spec
        return before_of(
            state or self._in_memory() or await self._read(),
            last=spec.history_runs,
            tokens=spec.history_tokens,
        )

    def leave(self) -> None:
        """Let the next one go: the run has ended and its rows are committed, or are waited for no longer."""
        if self.has_history and self.record.launch.parent_run_id is None:
            self.memory.add(self.key, self.number, turn_of(self.record))
        if self._queued:
            self.queue.leave(self, self._note("over") if self._began else None)

    def watch(self) -> None:
        """Show what the run waits for, and who waits for it; asked once a second."""
        record = self.record
        if not self._queued or record.end is not None:
            return
        earlier, others_wait = None, False
        if not self._began:
            earlier = self._earlier_here() or self._earlier_elsewhere()
        else:
            others_wait = self.queue.others_wait(self)
            if self._paused != (record.status is RunStatus.paused):
                self._leave_note()
        if (earlier, others_wait) != (record.waits_for, record.others_wait):
            self.keep_unwritten(partial(record.wait_for, earlier, others_wait=others_wait))

    # ------------------------------------------------------------- whose turn

    async def _in_turn(self) -> SessionState | None:
        """Wait for all that come first, here and elsewhere; return the session's state, if it was read."""
        store, session_id = self.key
        mark = None
        try:
            while True:
                await self._behind_this_kernels()
                if not self.has_history:  # its session is its own: no other kernel takes turns with it
                    return self._begin(None)
                claim = self.queue.claim(self, take=True)
                if claim is not None and (self._watch is None or self._watch.may_look(time.monotonic())):
                    state = self._in_memory() or await self._read()
                    if store.cancel_heard(self.record.launch.run_id):
                        self.stop("cancelled")  # who cancelled the one before it meant this one too
                        await asyncio.sleep(0)
                    if self.queue.before(self) is not None:
                        continue
                    ahead = state.ahead_of(self.number, also=self._after)
                    if not ahead:
                        self._report_wait()
                        return self._begin(state)
                    if await self._sweep(ahead):
                        continue
                    self._watching().looked(ahead, time.monotonic())
                self.queue.hand_back(self)
                if mark is None:
                    mark = store.claims.wait(session_id)
                await self._pause()
        finally:
            self._watch = None
            store.claims.done_waiting(mark)

    async def _behind_this_kernels(self) -> None:
        """Wait until no run of this kernel comes first."""
        waited = False
        while (before := self.queue.before(self)) is not None:
            self.watch()
            waited = True
            await asyncio.shield(asyncio.wrap_future(before.done))
        if waited:
            self.watch()

    def _begin(self, state: SessionState | None) -> SessionState | None:
        self.queue.begin(self)
        self._began = True
        self._leave_note()
        self._watch = None
        self.watch()
        return state

    def _in_memory(self) -> SessionState | None:
        """The session as this kernel knows it; None where others may have worked in it, and it has to be read."""
        launched = launch_result(self.launched)
        if launched is None or not launched.alone or launched.turn is None:
            return None
        turns = self.memory.turns(self.key, launched.turn)
        if turns is None or not self.store.is_alone(self.record.launch.session_id):
            return None
        own = frozenset(turn.run_id for turn in turns)
        return SessionState(turns=turns, own=own, unfinished=(), turn=launched.turn)

    async def _read(self) -> SessionState:
        """Read the session; where the record cannot be read, it is what this kernel remembers of it."""
        store, session_id = self.key
        deadline = time.monotonic() + READ_PATIENCE_S
        while True:
            timeout_s = READ_S if store.trouble is None else READ_IN_TROUBLE_S
            here = self.queue.here(store, session_id)
            read = partial(
                load_session,
                store,
                session_id,
                run_id=self.record.launch.run_id,
                before_turn=self.number,
                here=here,
                timeout_s=timeout_s,
            )
            try:
                state: SessionState = await run_in_daemon_thread(read)
            except StoreError as error:
                if store.trouble is None and time.monotonic() < deadline:
                    continue
                return self._remembered(error)
            self.record.turn = state.turn
            return state

    def _remembered(self, error: StoreError) -> SessionState:
        turns = self.remembered(*self.key)
        self.notice(
            f"the run goes on, but what its session holds cannot be read: {error.what}; "
            f"it sees what this kernel remembers, {len(turns)} earlier run{'s' * (len(turns) != 1)}"
        )
        return SessionState(turns=turns, own=frozenset(turn.run_id for turn in turns), unfinished=())

    async def _sweep(self, ahead: tuple[UnfinishedRun, ...]) -> bool:
        """End the runs before this one whose process is gone, unless paused. True if it is news."""
        left = [one for one in ahead if not one.paused and one.is_left]
        if not left:
            return False
        news = not self._swept.issuperset(one.run_id for one in left)
        for one in left:
            self._swept.add(one.run_id)
            self._waited_for[one.run_id] = _name(one), one.owner
        swept = asyncio.wrap_future(self.store.submit(InterruptOrphans()))
        with contextlib.suppress(TimeoutError, StoreError):
            await asyncio.wait_for(asyncio.shield(swept), SWEEP_WAIT_S)
        return news

    # ------------------------------------------------------- waiting, telling

    def _watching(self) -> TurnWatch:
        if self._watch is None:
            self._watch = TurnWatch(time.monotonic())
            self.waits_elsewhere()
        return self._watch

    async def _pause(self) -> None:
        store, session_id = self.key
        watch = self._watching()
        watch.saw(store.claims.note(session_id), time.monotonic())
        note = watch.note
        if note is not None and note.state != "over":
            self._waited_for.setdefault(note.run_id, (note.label or note.run_id, note.owner))
        await asyncio.sleep(watch.pause_s(time.monotonic()))

    def _earlier_here(self) -> EarlierRun | None:
        """The paused run of this kernel that comes first, or the run that the one before this waits for."""
        before = self.queue.before(self)
        if before is None or before.record.end is not None:
            return None
        there = before.record
        if there.pending_approvals:
            return EarlierRun(name=there.launch.label or there.launch.run_id, paused=True)
        return there.waits_for

    def _earlier_elsewhere(self) -> EarlierRun | None:
        watch = self._watch
        if watch is None:
            return None
        waited_s = whole_seconds(time.monotonic() - watch.since)
        note = watch.note
        if note is not None and note.state != "over":
            return EarlierRun(
                name=note.label or note.run_id,
                paused=note.state == "paused",
                process=process_name(note.owner),
                waited_s=waited_s,
            )
        if not watch.ahead:
            return None
        first = watch.ahead[0]
        return EarlierRun(
            name=_name(first),
            paused=first.paused,
            process=process_name(first.owner),
            gone=first.paused and first.is_left,
            waited_s=waited_s,
        )

    def _report_wait(self) -> None:
        """Say what was waited for, where that was long or where somebody had died."""
        waited_s = time.monotonic() - self._watch.since if self._watch is not None else 0.0
        owners = {owner for _, owner in self._waited_for.values()}
        gone = {owner for owner in owners if is_alive(owner) is False}
        if not owners or (waited_s < WORTH_TELLING_S and not gone):
            return
        names = [
            f"{name!r} of {process_name(owner)}{', which is gone' if owner in gone else ''}"
            for name, owner in self._waited_for.values()
        ]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        before = f"run {', '.join(names[:NAMED])}{more}"
        self.notice(f"waited {waited_s:.1f} s for its turn: before it came {before}")

    def _leave_note(self) -> None:
        """Tell other kernels whose run works."""
        claim = self.queue.claim(self)
        self._paused = self.record.status is RunStatus.paused
        if claim is not None:
            claim.leave_note(self._note("paused" if self._paused else "working"))
            if not claim.excludes:
                self._report_trouble()

    def _report_trouble(self) -> None:
        trouble = self.store.claims.trouble
        if trouble is not None:
            self.notice(trouble.partition("\n")[0])

    def _note(self, state: Literal["working", "paused", "over"]) -> ClaimNote:
        launch = self.record.launch
        return ClaimNote(
            run_id=launch.run_id,
            turn=self.number,
            label=launch.label,
            owner=self.store.owner,
            since=time.time(),
            state=state,
        )


def _name(one: UnfinishedRun) -> str:
    return one.label or one.run_id
