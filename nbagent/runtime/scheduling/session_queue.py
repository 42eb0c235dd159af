"""Turns of a session: in one kernel as a queue, between kernels by the session's claim and the record's numbers.

A run waits for the runs of its session that have lower turns, whichever kernel has them, and is shown what they
said. In this kernel that is a list (`SessionQueue`). Between kernels the claim (`store/session_claim.py`) keeps two runs
from working at once, and the record says whose turn it is: who has the claim reads what came before, once, and hands
the claim back if somebody of another kernel comes first. All waits go from higher turns to lower ones, and who works
waits for nobody, so that nothing can wait in a circle. A kernel keeps the claim from run to run while no other wants
it: a session that only one kernel uses pays for one claim, and reads nothing that it would not read anyhow.

Where the record cannot be read the claim alone must do, and a run is shown what this kernel remembers.

Runs that runs have started take no turn, nor do those with `on_busy="parallel"`. `enter` is for the launching thread,
`leave` for any, the rest for the background loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from nbagent.core import run_in_daemon_thread
from nbagent.errors import StoreError
from nbagent.events import NoticeGiven
from nbagent.run import EarlierRun, RunStatus, whole_seconds
from nbagent.runtime.execution.history import SessionHistory, before_of
from nbagent.runtime.scheduling.turn_watch import TurnWatch
from nbagent.store import (
    ClaimNote,
    InterruptOrphans,
    SessionClaim,
    SessionState,
    Store,
    UnfinishedRun,
    is_alive,
    load_session,
    process_name,
)

if TYPE_CHECKING:
    from nbagent.runtime.execution.active_run import ActiveRun

READ_S = 1.0  # how long a read of the record may take before it is asked whether it is in trouble
READ_IN_TROUBLE_S = 0.2
PATIENCE_S = 10.0  # how long a record that is only busy is waited for
SWEEP_WAIT_S = 2.0
WORTH_TELLING_S = 1.0  # a shorter wait for another kernel is not mentioned
NAMED = 3


@dataclass(slots=True)
class _LocalQueue:
    """A session's runs in this kernel, in the order of their turns: who works, who waits, and the claim if it is here."""

    turns: list[SessionTurn] = field(default_factory=list)
    at_work: SessionTurn | None = None
    claim: SessionClaim | None = None


class SessionQueue:
    """The queues of all sessions that have unfinished runs in this kernel."""

    def __init__(self) -> None:
        self._queues: dict[tuple[Store, str], _LocalQueue] = {}
        self._lock = threading.Lock()

    def is_here(self, store: Store, session_id: str) -> bool:
        """Whether a run of the session has or waits for its turn in this kernel."""
        with self._lock:
            return (store, session_id) in self._queues

    def here(self, store: Store, session_id: str) -> frozenset[str]:
        """The ids of this kernel's runs that have or wait for a turn in the session."""
        with self._lock:
            queue = self._queues.get((store, session_id))
            turns = queue.turns if queue is not None else []
            return frozenset(turn.run.record.launch.run_id for turn in turns)

    def enter(self, turn: SessionTurn) -> bool:
        """Queue a run as the last of its session; True if it is the only one."""
        with self._lock:
            queue = self._queues.setdefault(turn.key, _LocalQueue())
            queue.turns.append(turn)
            return len(queue.turns) == 1

    def place(self, turn: SessionTurn) -> None:
        """Put a run where its number belongs, now that it is known: a resumed one goes before those that only wait."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or turn.number is None or turn not in queue.turns:
                return
            at = queue.turns.index(turn)
            while at > 0 and _comes_after(queue.turns[at - 1], turn):
                at -= 1
            queue.turns.remove(turn)
            queue.turns.insert(at, turn)

    def before(self, turn: SessionTurn) -> SessionTurn | None:
        """The run of this kernel that has to end first: the one before it in the queue, or the one at work."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or turn not in queue.turns or queue.at_work is turn:
                return None
            at = queue.turns.index(turn)
            return queue.turns[at - 1] if at else queue.at_work

    def begin(self, turn: SessionTurn) -> None:
        """It is this run's turn."""
        with self._lock:
            if (queue := self._queues.get(turn.key)) is not None:
                queue.at_work = turn

    def claim(self, turn: SessionTurn, *, take: bool = False) -> SessionClaim | None:
        """The session's claim, if this kernel has it; with `take` it is taken, if nobody has it."""
        with self._lock:
            queue = self._queues.get(turn.key)
            found = queue.claim if queue is not None else None
        if found is None and take:
            store, session_id = turn.key
            return self.keep(turn, store.claims.take(session_id))
        return found

    def keep(self, turn: SessionTurn, claim: SessionClaim | None) -> SessionClaim | None:
        """Have a claim that was taken for this run, unless it has left meanwhile."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is not None and queue.claim is None and turn in queue.turns:
                queue.claim = claim
                return claim
        if claim is not None:
            claim.release()
        return None

    def hand_back(self, turn: SessionTurn) -> None:
        """Let another kernel have the claim, whose turn it is."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or queue.claim is None or queue.at_work not in (None, turn):
                return
            claim, queue.claim = queue.claim, None
        claim.hand_back()

    def leave(self, turn: SessionTurn, over: ClaimNote | None) -> None:
        """Take out a run that has ended and let the next one go, here or elsewhere; does nothing a second time."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or turn not in queue.turns:
                return
            queue.turns.remove(turn)
            worked = queue.at_work is turn
            if worked:
                queue.at_work = None
            if not queue.turns:
                del self._queues[turn.key]
            claim = queue.claim
            if claim is None or (queue.turns and not (worked and claim.others_wait())):
                return
            queue.claim = None
        claim.release(over if worked else None)

    def others_wait(self, turn: SessionTurn) -> bool:
        """Whether runs of this kernel or of another one wait for this one."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or queue.at_work is not turn:
                return False
            return len(queue.turns) > 1 or (queue.claim is not None and queue.claim.others_wait())


def _comes_after(one: SessionTurn, turn: SessionTurn) -> bool:
    """Whether a run that only waits has a higher number."""
    return one.number is not None and turn.number is not None and one.number > turn.number


class SessionTurn:
    """One run's turn in its session: queued for, waited for, given back."""

    def __init__(self, run: ActiveRun) -> None:
        self._run = run
        self._sessions = run.services.sessions
        self._queued = False
        self._began = False
        self._paused = False
        self._after: frozenset[str] = frozenset()
        self._watch: TurnWatch | None = None  # while another kernel is waited for
        self._waited_for: dict[str, tuple[str, str]] = {}  # other kernels' runs: each one's name and owner
        self._swept: set[str] = set()  # those of them that were found dead

    @property
    def key(self) -> tuple[Store, str]:
        """The session: a record and an id."""
        return self._run.services.store, self._run.record.launch.session_id

    @property
    def number(self) -> int | None:
        """The run's place in its session; None while the record has not said it."""
        rows = self._run.rows
        if rows.turn is None and (launched := self._run.launch_outcome()) is not None:
            rows.turn = launched.turn
        return rows.turn

    @property
    def run(self) -> ActiveRun:
        """The run whose turn it is."""
        return self._run

    @property
    def is_waiting(self) -> bool:
        """True while a run before it is known to be unfinished. Any thread."""
        before = self._sessions.before(self) if self._queued and not self._began else None
        return self._watch is not None or (before is not None and not before.run.ended.done())

    def enter(self, claim: SessionClaim | None = None, after: Sequence[UnfinishedRun] = ()) -> None:
        """Queue the run in its session, with a claim that was taken for it; the first one of a session takes it now.

        `after` are other kernels' runs that it waits for, also where they take no turns.
        """
        self._queued = True
        self._after = frozenset(one.run_id for one in after)
        if self._sessions.enter(self) and claim is None and self._run.has_history:
            claim = self._run.services.store.claims.take(self.key[1])
        if claim is not None:
            self._sessions.keep(self, claim)

    async def take(self) -> SessionHistory:
        """Return once it is the run's turn, with what was said before it."""
        state = None
        if self._queued:
            self._sessions.place(self)
            state = await self._in_turn()
        if not self._run.has_history:
            return SessionHistory()
        spec = self._run.spec
        return before_of(state or await self._read(), last=spec.history_runs, tokens=spec.history_tokens)

    def leave(self) -> None:
        """Let the next one go: the run has ended and its rows are committed, or nobody waits for that any more."""
        if self._queued:
            self._sessions.leave(self, self._note("over") if self._began else None)

    def watch(self) -> None:
        """Show what the run waits for, and who waits for it; asked once a second."""
        record = self._run.record
        if not self._queued or record.end is not None:
            return
        earlier, others_wait = None, False
        if not self._began:
            earlier = self._earlier_here() or self._earlier_elsewhere()
        else:
            others_wait = self._sessions.others_wait(self)
            if self._paused != (record.status is RunStatus.paused):
                self._leave_note()
        if (earlier, others_wait) != (record.waits_for, record.others_wait):
            self._run.rows.unheard(partial(record.wait_for, earlier, others_wait=others_wait))

    # ------------------------------------------------------------- whose turn

    async def _in_turn(self) -> SessionState | None:
        """Wait for all that come first, here and elsewhere; gives what the record says then, if it was read."""
        store, session_id = self.key
        mark = None
        try:
            while True:
                await self._behind_this_kernels()
                if not self._run.has_history:  # its session is its own: no other kernel takes turns with it
                    return self._begin(None)
                claim = self._sessions.claim(self, take=True)
                if claim is not None and (self._watch is None or self._watch.may_look(time.monotonic())):
                    state = await self._read()
                    if store.cancel_heard(self._run.record.launch.run_id):
                        self._run.stop("cancelled")  # who cancelled the one before it meant this one too
                        await asyncio.sleep(0)
                    if self._sessions.before(self) is not None:
                        continue
                    ahead = state.ahead_of(self.number, also=self._after)
                    if not ahead:
                        self._tell_wait()
                        return self._begin(state)
                    if await self._sweep(ahead):
                        continue
                    self._watching().looked(ahead, time.monotonic())
                self._sessions.hand_back(self)
                if mark is None:
                    mark = store.claims.wait(session_id)
                await self._pause()
        finally:
            self._watch = None
            store.claims.done_waiting(mark)

    async def _behind_this_kernels(self) -> None:
        """Wait until no run of this kernel comes first."""
        waited = False
        while (before := self._sessions.before(self)) is not None:
            self.watch()
            waited = True
            await asyncio.shield(asyncio.wrap_future(before.run.done))
        if waited:
            self.watch()

    def _begin(self, state: SessionState | None) -> SessionState | None:
        self._sessions.begin(self)
        self._began = True
        self._leave_note()
        self._watch = None
        self.watch()
        return state

    async def _read(self) -> SessionState:
        """Read the session; where the record cannot be read, it is what this kernel remembers of it."""
        store, session_id = self.key
        deadline = time.monotonic() + PATIENCE_S
        while True:
            timeout_s = READ_S if store.trouble is None else READ_IN_TROUBLE_S
            here = self._sessions.here(store, session_id)
            read = partial(
                load_session, store, session_id, before_turn=self.number, here=here, timeout_s=timeout_s
            )
            try:
                return await run_in_daemon_thread(read)
            except StoreError as error:
                if store.trouble is None and time.monotonic() < deadline:
                    continue
                return self._remembered(error)

    def _remembered(self, error: StoreError) -> SessionState:
        run = self._run
        turns = run.services.remembered(*self.key)
        self._run.emit(
            NoticeGiven(
                text=f"the run goes on, but what its session holds cannot be read: {error.what}; "
                f"it sees what this kernel remembers, {len(turns)} earlier run{'s' * (len(turns) != 1)}"
            )
        )
        return SessionState(turns=turns, own=frozenset(turn.run_id for turn in turns), unfinished=())

    async def _sweep(self, ahead: tuple[UnfinishedRun, ...]) -> bool:
        """End the runs before this one whose process is gone; those that wait for a person stay. True if it is news."""
        left = [one for one in ahead if not one.paused and one.is_left]
        if not left:
            return False
        news = not self._swept.issuperset(one.run_id for one in left)
        for one in left:
            self._swept.add(one.run_id)
            self._waited_for[one.run_id] = _name(one), one.owner
        swept = asyncio.wrap_future(self.key[0].submit(InterruptOrphans()))
        with contextlib.suppress(TimeoutError, StoreError):
            await asyncio.wait_for(asyncio.shield(swept), SWEEP_WAIT_S)
        return news

    # ------------------------------------------------------- waiting, telling

    def _watching(self) -> TurnWatch:
        if self._watch is None:
            self._watch = TurnWatch(time.monotonic())
            self._run.reuse.close()  # whoever launches it does not wait for this
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
        before = self._sessions.before(self)
        if before is None or before.run.record.end is not None:
            return None
        there = before.run.record
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

    def _tell_wait(self) -> None:
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
        self._run.emit(NoticeGiven(text=f"waited {waited_s:.1f} s for its turn: before it came {before}"))

    def _leave_note(self) -> None:
        """Tell other kernels whose run works."""
        claim = self._sessions.claim(self)
        self._paused = self._run.record.status is RunStatus.paused
        if claim is not None:
            claim.leave_note(self._note("paused" if self._paused else "working"))
            if not claim.excludes:
                self._tell_trouble()

    def _tell_trouble(self) -> None:
        trouble = self.key[0].claims.trouble
        if trouble is not None:
            self._run.note(trouble.partition("\n")[0])

    def _note(self, state: Literal["working", "paused", "over"]) -> ClaimNote:
        launch = self._run.record.launch
        return ClaimNote(
            run_id=launch.run_id,
            turn=self.number,
            label=launch.label,
            owner=self.key[0].owner,
            since=time.time(),
            state=state,
        )


def _name(one: UnfinishedRun) -> str:
    return one.label or one.run_id
