"""A worker's word that it lives, what dead workers have left, and what the engine has to be given. A thread of its own.

Its connection holds the lock by which others see that the process lives, hears of launches as they are committed, and looks
once a second for whatever it did not hear of. After a connection of its own was lost it declares nobody dead for a while:
when the way to the server was cut, everybody else seems silent too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

from nbagent.errors import ConfigurationError, NBAgentError
from nbagent.runtime import DIED, GIVEN_BACK
from nbagent.store import InterruptOrphans, RunStore, placed_batches, placed_runs, worker_rows
from nbagent.worker.logs import say

BEAT_S = 1.0
CAREFUL_S = 15.0  # after a lost connection, before anybody is declared dead
SWEEP_S = 10.0
HEAR_S = 0.25  # between two looks whether it is to end
GATHER_S = 0.01  # launches come in series: they go to the engine together
APART_S = 0.1  # two times of handing out: the engine looks no more often for what it was given
COUNT_S = (
    0.2  # what is handed out is at work after this time, here or elsewhere: then places are counted anew
)
MOST = 500  # handed out in one transaction
_AGAIN_S = 0.5


class GivesWork(Protocol):
    """What the lease uses of the engine."""

    def enqueue(self, runs: Sequence[placed_runs.PlacedRun]) -> None:
        """Give these runs to whoever takes from the queue."""

    def give_back(self, workers: Sequence[str]) -> None:
        """Put what these workers had taken into the queue again."""


class Lease:
    """One worker's. `running` says how many runs it has, `free` for how many more it has a place."""

    def __init__(
        self,
        store: RunStore,
        worker: str,
        served: Mapping[str, str],
        *,
        queue: str,
        running: Callable[[], int],
        free: Callable[[], int],
    ) -> None:
        self._store, self._worker, self._served, self._queue = store, worker, served, queue
        self._running, self._free = running, free
        self._places, self._counted_at = 0, float("-inf")
        self._is_more, self._next_at = False, 0.0  # whether there is something to hand out, and when
        self._engine: GivesWork | None = None
        self._stop = threading.Event()
        self._joined = threading.Event()
        self._refused: ConfigurationError | None = None
        self._careful_until = 0.0
        self._left_by: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="nbagent-lease", daemon=True)
        self.on_beat: Callable[[Any], None] = lambda _connection: (
            None
        )  # hears of each word, on its connection
        self.draining = False
        self.heard_at = 0.0

    def begin(self, timeout_s: float = 30.0) -> None:
        """Return once this worker is known to the record. Raises ConfigurationError where another process has its id."""
        self._thread.start()
        if not self._joined.wait(timeout_s):
            raise ConfigurationError(
                f"the record {self._store.name!r} cannot be reached",
                "look whether its server runs, and start again",
            )
        if self._refused is not None:
            raise self._refused

    def give(self, engine: GivesWork) -> None:
        """Give runs to this engine from now on."""
        self._engine = engine

    def end(self) -> None:
        """Say that this worker has ended in order, and end."""
        self._stop.set()
        self._thread.join(5.0)

    def left_by(self, owner: str) -> str | None:
        """Why a process works no longer on what it has begun; None where it does, as far as is known."""
        return self._left_by.get(owner)

    # ---------------------------------------------------------------------------------------- its own thread

    def _run(self) -> None:
        mirror = self._store.mirror
        assert mirror is not None
        while not self._stop.is_set():
            try:
                with mirror.server() as connection:
                    self._hold(connection)
            except NBAgentError as error:
                say("no record", why=str(error).partition("\n")[0])
            except Exception as error:  # noqa: BLE001 - whatever it is, a worker without its lease is a dead one
                say("lease failed", why=f"{type(error).__name__}: {error}")
            if self._refused is not None:
                return
            if self._joined.is_set():
                self._careful_until = monotonic() + CAREFUL_S
            self._stop.wait(_AGAIN_S)

    def _hold(self, connection: Any) -> None:
        owner, mirror = self._store.owner, self._store.mirror
        assert mirror is not None
        if not worker_rows.join_workers(connection, self._worker, owner, self._served):
            if not self._joined.is_set():
                self._refused = ConfigurationError(
                    f"another process is worker {self._worker!r} of {self._store.name!r}",
                    "leave --id out, or give each worker one of its own",
                )
                self._joined.set()
            return
        placed_runs.listen_for_work(connection, mirror.schema)
        self._joined.set()
        while not self._stop.is_set():
            beats_at = monotonic() + BEAT_S
            worker_rows.beat(connection, owner, running=self._running(), draining=self.draining)
            self.heard_at = monotonic()
            self.on_beat(connection)
            self._look(connection)
            while (left := beats_at - monotonic()) > 0 and not self._stop.is_set():
                if self._is_more:
                    self._stop.wait(min(left, max(0.0, self._next_at - monotonic())))
                    if monotonic() >= self._next_at:
                        list(connection.notifies(timeout=0))
                        self._hand_out(connection)
                elif list(connection.notifies(timeout=min(left, HEAR_S), stop_after=1)):
                    self._is_more = True
                    self._next_at = max(self._next_at, monotonic() + GATHER_S)
        worker_rows.leave_workers(connection, owner)

    def _look(self, connection: Any) -> None:
        placed_runs.drop_ended(connection)
        placed_batches.drop_ended_batches(connection)
        if monotonic() >= self._careful_until:
            self._take_over(connection)
        self._hand_out(connection)

    def _take_over(self, connection: Any) -> None:
        """Hand out anew what workers have left that are gone."""
        engine = self._engine
        if engine is None:
            return
        gone: dict[str, str] = {}
        for one in worker_rows.workers_of(connection):
            if not one.is_gone or one.owner == self._store.owner:
                continue
            gone[one.owner] = GIVEN_BACK if one.left else DIED
            if one.owner not in self._left_by:
                if not one.left:
                    worker_rows.end_sessions(connection, one.owner)
                # its members' runs first, so that they can go on with their team
                self._store.submit(InterruptOrphans(gone=(one.owner,))).result(SWEEP_S)
                engine.give_back([one.worker])
                say("worker is gone", worker=one.worker, host=one.host, pid=one.pid, why=gone[one.owner])
        self._left_by = gone
        for run_id in placed_runs.give_back_of(connection, list(gone)):
            say("run is given back", run_id=run_id)
        for batch_id in placed_batches.give_back_batches_of(connection, list(gone)):
            say("batch is given back", batch_id=batch_id)

    def _hand_out(self, connection: Any) -> None:
        """Give the engine as much as there is a place for; what waits longer waits in the record, for whoever has one."""
        engine = self._engine
        if engine is None or self.draining:
            return
        if monotonic() - self._counted_at >= COUNT_S:
            self._places, self._counted_at = self._free(), monotonic()
        most = min(self._places, MOST)
        self._next_at = monotonic() + APART_S
        self._is_more = most < 1
        if self._is_more:
            return
        with placed_runs.handed_out(connection, self._queue, self._served, most) as runs:
            engine.enqueue(runs)
        self._places -= len(runs)
        self._is_more = len(runs) == most
