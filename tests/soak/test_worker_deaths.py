"""Workers are killed at random moments, frozen and woken, and their server is started anew in mid tool, again and again.

By hand: `python -m pytest -n0 -m soak -s tests/soak/test_worker_deaths.py`; ROUNDS=5 in the environment for fewer of each. Two
workers serve `worker_desk.py`; a worker that was killed has another in its place for the next round. Whatever happens: runs
end with their answers, no step that the record has is asked again, no tool that must not be called twice is, and where nobody
knows whether it took effect the model is told so. How soon runs go on at the other worker is printed.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from nbagent.run import RunStatus
from nbagent.runtime import Run, current
from tests.harness.postgres_fixtures import database_url, own_cache, postgres_server  # noqa: F401 - fixtures
from tests.harness.postgres_server import PostgresForTests
from tests.harness.waiting import until
from tests.harness.worker_process import WorkerProcess
from tests.soak import worker_desk
from tests.workers.conftest import record, start_worker  # noqa: F401 - fixtures
from tests.workers.served import lines

pytestmark = pytest.mark.soak

Start = Callable[..., WorkerProcess]
SERVED = "tests.soak.worker_desk"
KILLS, FREEZES, RESTARTS = (int(os.environ.get("ROUNDS", count)) for count in (50, 10, 10))
RUNS = 8
T = 120


def started(tags: list[str], plan: str) -> dict[str, Run]:
    """Launch a run for workers of each tag."""
    return {tag: worker_desk.desk.start(f"{tag}: {plan}", on="workers") for tag in tags}


def check_run(tag: str, run: Run, tools: int) -> str:
    """Hold one run against what must be true of it whatever happened; return what its purchase came to."""
    output = run.result(T)
    assert output.status is RunStatus.completed
    assert str(output.content).startswith(f"{tag}: {tools} tools")
    (bought,) = (one for one in output.tool_calls if one.name == "buy")
    begun, ended = len(lines("buy", tag)), len(lines("bought", tag))
    assert begun <= 1, f"bought {begun} times"
    # what is told to be done was done; what was cut off is told as unknown, whether or not it took effect
    assert str(bought.status) in ("completed", "abandoned")
    assert str(bought.status) != "completed" or ended == 1
    replies = current().store.read(
        "select step, attempt from model_calls where run_id = ? and finish_reason is not null", [run.run_id]
    )
    assert sorted(row["step"] for row in replies) == list(range(1, tools + 2)), "a finished step asked again"
    asked = Counter(one["step"] for one in lines("model", tag))
    last = {row["step"]: row["attempt"] for row in replies}
    for step, times in asked.items():  # asked again only where the earlier attempt has no reply on record
        assert times <= last[step]
    return str(bought.status)


@pytest.mark.timeout(3600)
def test_kills_at_random_moments(start_worker: Start) -> None:  # noqa: F811 - a fixture
    """Runs of a worker that is killed go on at the other one."""
    workers = [start_worker(SERVED).ready(), start_worker(SERVED).ready()]
    soonest, came_to, moved = [], Counter[str](), 0
    for number in range(KILLS):
        chance = random.Random(number)  # noqa: S311 - a soak's
        tags = [f"k{number}x{at}" for at in range(RUNS)]
        before = len(lines())
        runs = started(tags, "look, buy, check")
        wanted = chance.randint(1, 7 * RUNS)
        until(lambda since=before, wanted=wanted: len(lines()) - since >= wanted, "something to cut off")
        time.sleep(chance.uniform(0.0, 0.02))
        dead = int(lines()[-1]["pid"] == workers[1].pid)  # one that is at work
        workers[dead].kill()
        killed_at = time.time()
        came_to.update(check_run(tag, run, 3) for tag, run in runs.items())
        ids = {run.run_id for run in runs.values()}
        again = list(
            {
                one["run_id"]: datetime.fromisoformat(one["at"]).timestamp() - killed_at
                for one in reversed(workers[1 - dead].events("run is taken up"))
                if one["run_id"] in ids and one["attempt"] > 1
            }.values()
        )
        moved += len(again)
        soonest += [max(again)] if again else []
        workers[dead] = start_worker(SERVED).ready()
        print(f"kill {number + 1}: {len(again)} runs moved, the last after {max(again, default=0.0):.1f} s")
    assert soonest, "no kill has cut a run off"
    print(
        f"{KILLS} kills of {KILLS} passed; {moved} runs went on at the other worker, the last of a round after"
        f" {statistics.median(soonest):.1f} s in the median and {max(soonest):.1f} s at the most; purchases: {dict(came_to)}"
    )


@pytest.mark.timeout(3600)
def test_frozen_workers_are_fenced(start_worker: Start, tmp_path: Path) -> None:  # noqa: F811 - a fixture
    """A worker that was stopped for 20 s finds its runs lost as it wakes: it buys nothing and writes nothing."""
    workers = [start_worker(SERVED).ready(), start_worker(SERVED).ready()]
    for number in range(FREEZES):
        tags = [f"f{number}x{at}" for at in range(RUNS)]
        runs = started(tags, "hold, buy, check")
        until(lambda tags=tags: {one["tag"] for one in lines("hold")} >= set(tags), "the tools")
        at_work = int(lines("hold")[-1]["pid"] == workers[1].pid)
        frozen, alive = workers[at_work], workers[1 - at_work]
        held = {one["tag"] for one in lines("hold") if one["pid"] == frozen.pid}.intersection(tags)
        frozen.send(signal.SIGSTOP)
        stopped_at = time.monotonic()
        until(
            lambda held=held, alive=alive: (
                held <= {one["tag"] for one in lines("hold") if one["pid"] == alive.pid}
            ),
            "the tools at the other",
        )
        for tag in tags:
            (tmp_path / f"go {tag}").touch()
        time.sleep(max(0.0, 20.0 - (time.monotonic() - stopped_at)))
        frozen.send(signal.SIGCONT)
        for tag, run in runs.items():
            assert check_run(tag, run, 3) == "completed"
        until(
            lambda held=held, frozen=frozen: (
                held <= {one["tag"] for one in lines("hold ended") if one["pid"] == frozen.pid}
            ),
            "the tools that were frozen",
        )
        time.sleep(1.0)  # time for what must not happen
        for tag in held:
            assert {one["pid"] for one in lines("buy", tag)} == {alive.pid}
        # fenced, and well again: its lease is back
        until(lambda frozen=frozen: not _gone(frozen), "the worker that woke")
        print(f"freeze {number + 1}: {len(held)} runs moved")
    print(f"{FREEZES} freezes of {FREEZES} passed")


def _gone(worker: WorkerProcess) -> bool:
    """Whether the record says that a worker is gone."""
    from nbagent.store import load_workers

    return next(one.is_gone for one in load_workers(current().store) if one.pid == worker.pid)


@pytest.mark.timeout(3600)
def test_a_server_that_is_started_anew(
    start_worker: Start,  # noqa: F811 - a fixture
    postgres_server: PostgresForTests,  # noqa: F811 - a fixture
    tmp_path: Path,
) -> None:
    """In mid tool, stopped or killed: nothing is declared dead, no tool runs twice, no run begins another attempt."""
    workers = [start_worker(SERVED).ready(), start_worker(SERVED).ready()]
    for number in range(RESTARTS):
        tags = [f"s{number}x{at}" for at in range(RUNS)]
        runs = started(tags, "hold, buy, check")
        until(lambda tags=tags: {one["tag"] for one in lines("hold")} >= set(tags), "the tools")
        (postgres_server.kill if number % 2 else postgres_server.stop)()
        for tag in tags:
            (tmp_path / f"go {tag}").touch()
        time.sleep(random.Random(number).uniform(0.0, 6.0))  # noqa: S311 - a soak's
        postgres_server.start()
        for tag, run in runs.items():
            assert check_run(tag, run, 3) == "completed"
            rows = current().store.read(
                "select attempt from attempts where run_id = ? and attempt > 1", [run.run_id]
            )
            assert rows == []
        assert not any(one.events("worker is gone") for one in workers)
        print(f"restart {number + 1}: {RUNS} runs went on")
    print(f"{RESTARTS} restarts of {RESTARTS} passed")
