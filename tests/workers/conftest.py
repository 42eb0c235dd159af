"""A Postgres server for the tests of workers, a record of its own for each, and workers on it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbagent.runtime import current
from tests.harness.postgres_fixtures import database_url, own_cache, postgres_server  # noqa: F401 - fixtures
from tests.harness.worker_process import WorkerProcess

SERVED = "tests.workers.served"


@pytest.fixture
def record(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:  # noqa: F811 - a fixture
    """A record that this process launches in, and a folder for what tools leave."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    monkeypatch.setenv("WORKERS_TEST_FOLDER", str(tmp_path))
    yield database_url
    current().store.close()


@pytest.fixture
def start_worker(record: str, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start a worker on it, `start_worker("module:name", options=(...))`; all are killed after the test."""
    begun: list[WorkerProcess] = []

    def start(*agents: str, **options: object) -> WorkerProcess:
        log = tmp_path / f"worker{len(begun)}.log"
        begun.append(WorkerProcess(record, log, *(agents or (SERVED,)), **options))  # type: ignore[arg-type]
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.send(signal.SIGCONT)
            one.kill()


@pytest.fixture
def two_workers(start_worker: Callable[..., WorkerProcess]) -> tuple[WorkerProcess, WorkerProcess]:
    """Two workers that serve the same."""
    both = start_worker(), start_worker()
    return both[0].ready(), both[1].ready()
