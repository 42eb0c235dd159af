"""One worker process: the product's own runtime, without a notebook, that takes runs from the engine.

The engine's loop awaits `_take` for what it hands out at once; the runs themselves work on the runtime's background loop, as
a kernel's do. A run that waits, for a person or for its turn, stays here but holds none of its places.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from nbagent.batch import Feeder
from nbagent.errors import NBAgentError
from nbagent.run import RunStatus
from nbagent.runtime import ActiveRun, ChangedAgentError, WorkerExecutor, current, take_up, take_up_new
from nbagent.settings import ServerUrl
from nbagent.store import placed_runs
from nbagent.worker.feeding import Feeders
from nbagent.worker.health import serve_health
from nbagent.worker.lease import Lease
from nbagent.worker.logs import say
from nbagent.worker.serving import Served

if TYPE_CHECKING:
    from nbagent.worker.engine import Engine

TAKERS = 4  # threads that read where runs stand: as many as the store keeps connections for
LOOK_S = 0.5
POSTPONED_S = 5.0
FORGET_S = 3600.0
FLUSH_S = 10.0
HEALTHY_S = 15.0  # without the record: others go on with its runs then


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works. `drain_s` is how long runs at work may go on after it was told to end."""

    concurrency: int = 100
    drain_s: float = 60.0
    health_port: int | None = None
    worker: str | None = None


class Worker:
    """Serves agents on the record at `url`, which is the runtime's store, until it is told to end."""

    def __init__(self, url: ServerUrl, served: Served, options: WorkerOptions) -> None:
        from nbagent.worker.engine import Engine

        self.runtime = current()
        self.runtime.executor = WorkerExecutor()
        self.store = self.runtime.store
        self._served, self._options = served, options
        self.worker = options.worker or self.store.owner
        self._ending = threading.Event()
        self._hurry = threading.Event()
        self._free = options.concurrency  # places for runs; changed on the engine's loop alone
        self._at_work: set[ActiveRun | Feeder] = set()  # those that have one
        self._takers = concurrent.futures.ThreadPoolExecutor(TAKERS, "nbagent-take-up")
        self.lease = Lease(
            self.store, self.worker, served.fingerprints, queue=served.queue, running=self.running,
            free=self.free,
        )  # fmt: skip
        self._feeders = Feeders(self.store, self.lease.left_by, lambda: self.lease.draining)
        self.lease.on_beat = self._feeders.confirm
        self._make_engine = partial(
            Engine, url, worker=self.worker, queue=served.queue, concurrency=options.concurrency,
            free=self.free,
        )  # fmt: skip

    def run(self) -> None:
        """Work until a signal, then let runs end or give them back. Raises ConfigurationError where its id is in use."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_end)
        self.lease.begin()
        engine = self._make_engine()
        engine.work(self._take)
        self.lease.give(engine)
        if self._options.health_port is not None:
            serve_health(self._options.health_port, self.health)
        say("worker begins", worker=self.worker, serves=sorted(self._served.agents), store=self.store.name)
        forget_at = monotonic()
        while not self._ending.wait(LOOK_S):
            if monotonic() >= forget_at:
                forget_at = monotonic() + FORGET_S
                self._forget_old(engine)
        self.lease.draining = True
        engine.stop_taking()
        self._drain()

    def _forget_old(self, engine: Engine) -> None:
        try:
            engine.forget_old()
        except Exception as error:  # noqa: BLE001 - the engine's own; rows that stay do no harm
            say("old work is kept", why=f"{type(error).__name__}: {error}".partition("\n")[0])

    def running(self) -> int:
        """How many runs are at work here; one that waits for a person or its turn is not."""
        lives = [one for one in self.runtime.registry.unfinished() if one.node.parent is None]
        return sum(not _waits(live) for live in lives)

    def free(self) -> int:
        """How many runs it has a place for."""
        return self._free

    def health(self) -> dict[str, Any]:
        """What whoever watches the process is told."""
        quiet_s = monotonic() - self.lease.heard_at
        return {
            "worker": self.worker,
            "healthy": quiet_s < HEALTHY_S,
            "draining": self.lease.draining,
            "running": self.running(),
            "serves": sorted(self._served.agents),
            "record_heard_s": round(quiet_s, 1),
            "trouble": self.store.trouble,
        }

    def _told_to_end(self, _number: int, _frame: object) -> None:
        if self._ending.is_set():
            self._hurry.set()
        self._ending.set()

    def _drain(self) -> None:
        """Let runs end; what is left at the end of the time goes on at another worker."""
        say("worker drains", worker=self.worker, running=self.running())
        deadline = monotonic() + self._options.drain_s
        while self.running() and monotonic() < deadline and not self._hurry.wait(0.1):
            pass
        left = self.running()
        self.runtime.close(FLUSH_S)
        self.lease.end()
        say("worker ends", worker=self.worker, given_back=left)

    # ------------------------------------------------------------------------------------- the engine's loop

    async def _take(self, runs: Sequence[tuple[str, str]]) -> None:
        """Take up as many runs as there are places for, and return once each has ended, or waits."""
        mine, left = runs[: self._free], runs[self._free :]
        self._free -= len(mine)
        lives: list[ActiveRun | Feeder] = []
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._takers, self._taken_up, mine, left)
            # what a dead worker had comes from the engine and from the record: it has one place
            lives = [one for one in found if one not in self._at_work]
            self._at_work.update(lives)
        except Exception as error:  # noqa: BLE001 - the engine is told nothing: the record says how runs end
            say("runs were not taken up", run_ids=[one for one, _ in runs], why=_said(error))
        finally:
            self._free += len(mine) - len(lives)
        feeders = [one for one in lives if isinstance(one, Feeder)]
        runs_at_work = [one for one in lives if not isinstance(one, Feeder)]
        await asyncio.gather(self._until_free(runs_at_work), *map(self._until_fed, feeders))

    async def _until_fed(self, feeder: Feeder) -> None:
        """Give back a batch's place once it has ended here."""
        await asyncio.wait([asyncio.wrap_future(feeder.finished)])
        self._at_work.discard(feeder)
        self._free += 1
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._takers, self._feeders.let_go, feeder)
        say("batch has ended here", batch_id=feeder.batch_id, progress=str(feeder.progress))

    async def _until_free(self, lives: Iterable[ActiveRun]) -> None:
        """Give back each run's place once it has ended, or waits for a person or for its turn."""
        at_work = {asyncio.wrap_future(live.done): live for live in lives}
        while at_work:
            await asyncio.wait(at_work, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            for done, live in list(at_work.items()):
                if done.done() or _waits(live):
                    del at_work[done]
                    self._at_work.discard(live)
                    self._free += 1
                if done.done() and live.record.end is not None:
                    say("run has ended", run_id=live.run_id, status=live.record.status.value)

    def _taken_up(
        self, runs: Sequence[tuple[str, str]], no_place: Sequence[tuple[str, str]]
    ) -> list[ActiveRun | Feeder]:
        if no_place:
            self._on_server(placed_runs.hand_out_again, [run_id for run_id, _ in no_place])
        served = {run_id: address for run_id, address in runs if address in self._served.agents}
        sources = {run_id: self._served.sources(address) for run_id, address in served.items()}
        came_to = take_up_new(self.runtime.resumer, sources) if sources else {}
        lives: list[ActiveRun | Feeder] = []
        for run_id, address in served.items():
            one = came_to[run_id] if run_id in came_to else self._taken_up_again(run_id, address)
            if isinstance(one, Exception):
                self._put_off(run_id, address, one)
            elif isinstance(one, Feeder):
                lives.append(one)
                say("batch is taken up", batch_id=run_id, agent=address)
            elif one is not None:
                lives.append(one)
                say("run is taken up", run_id=run_id, attempt=one.record.launch.attempt, agent=address)
        return lives

    def _taken_up_again(self, run_id: str, address: str) -> ActiveRun | Feeder | Exception | None:
        """Go on with a run that somebody has begun, or with a batch."""
        agents = self._served.sources(address)
        try:
            live = take_up(self.runtime.resumer, run_id, agents, self.lease.left_by)
            return live or self._feeders.take_up(run_id, agents)
        except Exception as error:  # noqa: BLE001 - the others of its row go on
            return error

    def _put_off(self, run_id: str, address: str, error: Exception) -> None:
        """Let a run wait for a worker whose agent fits, or for a while."""
        if not isinstance(error, NBAgentError):
            say("run was not taken up", run_id=run_id, why=_said(error))
            return
        why = error.what
        if isinstance(error, ChangedAgentError):
            why = f"{address}: {why}"
            self._on_server(placed_runs.refuse_run, run_id, self._served.fingerprints[address], why)
        else:
            self._on_server(placed_runs.postpone_run, run_id, why, POSTPONED_S)
        say("run waits", run_id=run_id, why=why)

    def _on_server(self, write: Callable[..., None], *values: Any) -> None:
        assert self.store.mirror is not None
        with self.store.mirror.server() as connection:
            write(connection, *values)


def _waits(live: ActiveRun) -> bool:
    return live.record.status is RunStatus.paused or live.session_turn.is_waiting


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
