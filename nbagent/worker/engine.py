"""The engine behind five verbs: DBOS Transact on the record's server. The only module that imports dbos.

Another engine is another file with these verbs. What it holds of a run is its id, its address and whose turn it is, as JSON:
runs that are launched together stand in one row of it, for a row costs as much as a small run.
Its own serializer, which can run code that stands in a row, is taken out of the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import dbos
import dbos._serialization  # its own serializer is to be replaced

from nbagent.settings import ServerUrl
from nbagent.store import placed_runs

_dbos: Any = dbos  # its types are there only where it is installed

VERSION = (
    "nb1"  # of what stands in the engine's rows: all workers of it share them, whatever their modules are
)
APPLICATION = "nbagent"
WORKFLOW = "take_up"
POOL = 5
FROZEN_S = (
    10.0  # after which a frozen worker's transaction ends, before others take over what it holds locks of
)
POLL_S = (
    0.15  # between two looks for work: half of it is what a run waits for, and all that an idle worker does
)
LEFT_UNTIL_S = 24 * 3600.0
MOST_FORGOTTEN = 1_000  # at once
MOST_COUNTED = 1_000

PARTS = 4  # what is handed out at once is spread over as many rows, for several workers to take from
MOST_IN_A_ROW = 25

TakeUp = Callable[[Sequence[tuple[str, str]]], Awaitable[None]]


class _JSON:
    """What stands in the engine's rows is JSON: a serializer of the engine's kind."""

    def serialize(self, data: Any) -> str:
        """Return it as text."""
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        """Return what it says."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """Return its name in the rows."""
        return "nbagent_json"


def _refuse(*_: Any) -> NoReturn:
    raise TypeError("a row of the engine is pickled, which no worker reads")


def _take_pickle_out() -> None:
    for name in ("serialize", "deserialize"):
        setattr(_dbos._serialization.DefaultSerializer, name, _refuse)  # noqa: SLF001 - else rows could run code


class Engine:
    """One process's part of the engine. `worker` is its id there, `queue` what workers share that serve the same.

    `free()` says how many runs it has a place for, of `concurrency`.
    """

    def __init__(
        self, url: ServerUrl, *, worker: str, queue: str, concurrency: int, free: Callable[[], int]
    ) -> None:
        _take_pickle_out()
        self._queue, self._concurrency = queue, concurrency
        self._free = free
        self._lock = threading.Lock()
        address = url.dsn.replace("postgresql://", "postgresql+psycopg://", 1)
        serializer, schema = _JSON(), f"{url.schema}_engine"
        config = {
            "name": APPLICATION,
            "system_database_url": address,
            "dbos_system_schema": schema,
            "executor_id": worker,
            "application_version": VERSION,
            "serializer": serializer,
            "sys_db_pool_size": POOL,
            "sys_db_idle_transaction_timeout_sec": FROZEN_S,
            "console_log_level": "ERROR",
        }
        self._dbos = _dbos.DBOS(config=config)
        self._client: Any = None
        self._make_client: Callable[[], Any] = lambda: _dbos.DBOSClient(
            system_database_url=address,
            dbos_system_schema=schema,
            serializer=serializer,
            application_name=APPLICATION,
            sys_db_idle_transaction_timeout_sec=FROZEN_S,
        )

    def work(self, take_up: TakeUp) -> None:
        """Take work from now on: `take_up([(run_id, address), ...])` is awaited for each row, on the engine's own loop."""

        async def work(runs: Sequence[Sequence[str]]) -> None:
            await take_up([(run_id, address) for run_id, address in runs])

        _dbos.DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(work)
        _dbos.DBOS.listen_queues([self._queue])
        # it bounds the rows that are at work, and what has places is runs
        with contextlib.suppress(AttributeError):
            self._dbos._active_workflows_set.count_for_queue = self._taken  # noqa: SLF001 - there is no public way
        _dbos.DBOS.launch()
        _dbos.DBOS.register_queue(
            self._queue,
            worker_concurrency=self._concurrency,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )
        self._client = self._make_client()

    def _taken(self, _queue: str) -> int:
        return self._concurrency - self._free()

    def enqueue(self, runs: Sequence[placed_runs.PlacedRun]) -> None:
        """Give these runs to whoever takes from the queue; those that it has already stay as they are."""
        client = self._client
        if client is None or not runs:
            return
        with self._lock, client._sys_db.engine.begin() as connection:  # noqa: SLF001 - one transaction for all
            size = min(MOST_IN_A_ROW, -(-len(runs) // PARTS))
            for start in range(0, len(runs), size):
                row = runs[start : start + size]
                options = {
                    "workflow_name": WORKFLOW,
                    "queue_name": self._queue,
                    "workflow_id": f"{_id_of(row)}:{self._queue}",
                    "app_version": VERSION,
                }
                client.enqueue_in_transaction(connection, options, [[one.run_id, one.address] for one in row])

    def give_back(self, workers: Sequence[str]) -> None:
        """Put what these workers, which are gone, had taken into the queue again."""
        if workers:
            _dbos.DBOS._recover_pending_workflows(list(workers))  # noqa: SLF001 - there is no public way

    def queued(self) -> int:
        """How many runs wait in the queue, counted to `MOST_COUNTED`."""
        if self._client is None:
            return 0
        return len(
            self._client.list_queued_workflows(queue_name=self._queue, limit=MOST_COUNTED, load_input=False)
        )

    def forget_old(self) -> None:
        """Delete what the engine holds of work that ended long ago: the record has it all."""
        if self._client is None:
            return
        until = datetime.now(UTC) - timedelta(seconds=LEFT_UNTIL_S)
        old = self._client.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"], completed_before=until.isoformat(), limit=MOST_FORGOTTEN,
            load_input=False, load_output=False,
        )  # fmt: skip
        if old:
            self._client.delete_workflows([one.workflow_id for one in old])

    def stop_taking(self) -> None:
        """Take nothing more; what is at work goes on."""
        for event in self._dbos.background_thread_stop_events:
            event.set()


def _id_of(runs: Sequence[placed_runs.PlacedRun]) -> str:
    """The same for the same runs in the same rounds: who gives them twice gives them once."""
    if len(runs) == 1:
        return f"{runs[0].run_id}:{runs[0].round}"
    told = " ".join(f"{one.run_id}:{one.round}" for one in runs)
    return f"{runs[0].run_id}:{hashlib.blake2b(told.encode(), digest_size=12).hexdigest()}"
