"""Turns of a session in this kernel: its runs in order, and the claim that keeps other kernels' runs waiting.

A run waits for the runs of its session that have lower turns, whichever kernel has them, and is shown what
they said. All waits go from higher turns to lower ones, and who works waits for nobody, so that nothing can
wait in a circle. A kernel keeps the claim (`store/session_claim.py`) from run to run while no other wants it:
a session that only one kernel uses pays for one claim. How a run waits for its turn is in `session_turn.py`.

Runs that runs have started take no turn, nor do those with `on_busy="parallel"`. `enter` is for the launching
thread, `leave` for any, the rest for the background loop.
"""

from __future__ import annotations

import concurrent.futures
import threading
from dataclasses import dataclass, field
from typing import Protocol

from nbagent.run import RunRecord
from nbagent.store import ClaimNote, RunStore, SessionClaim


class QueuedTurn(Protocol):
    """A run in its session's queue. `number` is its turn, None while the store has not given it."""

    record: RunRecord
    ended: concurrent.futures.Future[None]
    done: concurrent.futures.Future[None]

    @property
    def key(self) -> tuple[RunStore, str]:
        """The session: a store and an id."""
        ...

    @property
    def number(self) -> int | None:
        """The run's turn."""
        ...


@dataclass(slots=True)
class _LocalQueue:
    """A session's runs in this kernel, in order, the one that works, and the claim if it is here."""

    turns: list[QueuedTurn] = field(default_factory=list)
    at_work: QueuedTurn | None = None
    claim: SessionClaim | None = None


class SessionQueue:
    """The queues of all sessions that have unfinished runs in this kernel."""

    def __init__(self) -> None:
        self._queues: dict[tuple[RunStore, str], _LocalQueue] = {}
        self._lock = threading.Lock()

    def is_here(self, store: RunStore, session_id: str) -> bool:
        """Whether a run of the session has or waits for its turn in this kernel."""
        with self._lock:
            return (store, session_id) in self._queues

    def here(self, store: RunStore, session_id: str) -> frozenset[str]:
        """The ids of this kernel's runs that have or wait for a turn in the session."""
        with self._lock:
            queue = self._queues.get((store, session_id))
            turns = queue.turns if queue is not None else []
            return frozenset(turn.record.launch.run_id for turn in turns)

    def enter(self, turn: QueuedTurn) -> bool:
        """Queue a run as the last of its session; True if it is the only one."""
        with self._lock:
            queue = self._queues.setdefault(turn.key, _LocalQueue())
            queue.turns.append(turn)
            return len(queue.turns) == 1

    def place(self, turn: QueuedTurn) -> None:
        """Put a run where its number belongs: a resumed one goes before those that only wait."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or turn.number is None or turn not in queue.turns:
                return
            at = queue.turns.index(turn)
            while at > 0 and _comes_after(queue.turns[at - 1], turn):
                at -= 1
            queue.turns.remove(turn)
            queue.turns.insert(at, turn)

    def before(self, turn: QueuedTurn) -> QueuedTurn | None:
        """Return the run of this kernel that has to end first: the one before it, or the one at work."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or turn not in queue.turns or queue.at_work is turn:
                return None
            at = queue.turns.index(turn)
            return queue.turns[at - 1] if at else queue.at_work

    def begin(self, turn: QueuedTurn) -> None:
        """It is this run's turn."""
        with self._lock:
            if (queue := self._queues.get(turn.key)) is not None:
                queue.at_work = turn

    def claim(self, turn: QueuedTurn, *, take: bool = False) -> SessionClaim | None:
        """The session's claim, if this kernel has it; with `take` it is taken, if nobody has it."""
        with self._lock:
            queue = self._queues.get(turn.key)
            found = queue.claim if queue is not None else None
        if found is None and take:
            store, session_id = turn.key
            return self.keep(turn, store.claims.take(session_id))
        return found

    def keep(self, turn: QueuedTurn, claim: SessionClaim | None) -> SessionClaim | None:
        """Have a claim that was taken for this run, unless it has left meanwhile."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is not None and queue.claim is None and turn in queue.turns:
                queue.claim = claim
                return claim
        if claim is not None:
            claim.release()
        return None

    def hand_back(self, turn: QueuedTurn) -> None:
        """Let another kernel have the claim, whose turn it is."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or queue.claim is None or queue.at_work not in (None, turn):
                return
            claim, queue.claim = queue.claim, None
        claim.hand_back()

    def leave(self, turn: QueuedTurn, over: ClaimNote | None) -> None:
        """Take out a run that has ended and let the next one go, here or elsewhere. Idempotent."""
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

    def others_wait(self, turn: QueuedTurn) -> bool:
        """Whether runs of this kernel or of another one wait for this one."""
        with self._lock:
            queue = self._queues.get(turn.key)
            if queue is None or queue.at_work is not turn:
                return False
            return len(queue.turns) > 1 or (queue.claim is not None and queue.claim.others_wait())


def _comes_after(one: QueuedTurn, turn: QueuedTurn) -> bool:
    """Whether a run that only waits has a higher number."""
    return one.number is not None and turn.number is not None and one.number > turn.number
