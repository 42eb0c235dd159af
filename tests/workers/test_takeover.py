"""A worker that dies, freezes, or is told to end: its runs go on at another one, and nothing is done twice that must not be."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import nbagent as nb
from nbagent.run import RunStatus
from nbagent.runtime import current
from tests.harness.waiting import until
from tests.harness.worker_process import WorkerProcess
from tests.workers import served
from tests.workers.served import lines

pytestmark = pytest.mark.workers

Two = tuple[WorkerProcess, WorkerProcess]
T = 60


def go(folder: Path, tag: str) -> None:
    """Let a tool go on that is held."""
    (folder / f"go {tag}").touch()


def holder(two: Two, what: str, tag: str) -> tuple[WorkerProcess, WorkerProcess]:
    """Wait until a tool is at work; the worker that it works in comes first."""
    found = until(lambda: lines(what, tag), "the tool")
    first, second = two if found[-1]["pid"] == two[0].pid else two[::-1]
    assert found[-1]["pid"] == first.pid
    return first, second


def attempts(run_id: str) -> list[tuple[str, str | None]]:
    """How each attempt of a run ended, and what the error was."""
    rows = current().store.read(
        "select status, error_type from attempts where run_id = ? order by attempt", [run_id]
    )
    return [(row["status"], row["error_type"]) for row in rows]


def steps_asked(tag: str) -> list[int]:
    """The steps that the model was asked for, in order."""
    return [one["step"] for one in lines("model", tag)]


def test_a_killed_workers_runs_go_on_at_the_other(two_workers: Two, tmp_path: Path) -> None:
    """No finished step is asked again; a tool that may run again does, another is told as unknown; a member goes on with its team."""
    again = served.desk.start("again: look, hold, buy", on="workers")
    dead, alive = holder(two_workers, "hold", "again")
    runs = {"again": again}
    while len({one["pid"] for one in lines("hold_once") if one["pid"] == dead.pid}) < 1:
        tag = f"once{len(runs)}"
        runs[tag] = served.desk.start(f"{tag}: buy, hold_once, look", on="workers")
        until(lambda tag=tag: lines("hold_once", tag), "the tool")
    once = next(one["tag"] for one in lines("hold_once") if one["pid"] == dead.pid)
    team = served.team.start("team: helper/hold", on="workers")
    until(lambda: lines("hold", "team"), "the member's tool")
    dead.kill()
    until(lambda: [one for one in lines("hold", "again") if one["pid"] == alive.pid], "the tool at the other")
    for tag in (*runs, "team"):
        go(tmp_path, tag)
    assert again.result(T).content == "again: 3 tools, bought"
    assert (steps_asked("again"), len(lines("buy", "again"))) == ([1, 2, 3, 4], 1)
    assert attempts(again.run_id) == [("interrupted", "WorkerDied"), ("completed", None)]
    output = runs[once].result(T)
    assert [one.status for one in output.tool_calls] == ["completed", "abandoned", "completed"]
    assert (steps_asked(once), len(lines("buy", once)), len(lines("hold_once", once))) == ([1, 2, 3, 4], 1, 1)
    assert [one.status.value for one in team.result(T).member_responses] == ["completed"]


def test_a_frozen_worker_finds_its_run_lost(two_workers: Two, tmp_path: Path) -> None:
    """A worker that is stopped for long is fenced: once it wakes, it calls no further tool and writes nothing."""
    run = served.desk.start("frozen: hold, buy", on="workers")
    frozen, alive = holder(two_workers, "hold", "frozen")
    frozen.send(signal.SIGSTOP)
    until(
        lambda: [one for one in lines("hold", "frozen") if one["pid"] == alive.pid], "the tool at the other"
    )
    go(tmp_path, "frozen")
    assert run.result(T).content == "frozen: 2 tools, bought"
    frozen.send(signal.SIGCONT)
    until(lambda: [one for one in lines("hold ended", "frozen") if one["pid"] == frozen.pid], "its tool")
    frozen.send(signal.SIGTERM)
    assert frozen.ended() == 0  # what it had to write is written, or refused
    assert len(lines("buy", "frozen")) == 1
    assert nb.get(run.run_id).output.content == "frozen: 2 tools, bought"
    assert attempts(run.run_id) == [("interrupted", "WorkerDied"), ("completed", None)]


def test_a_worker_that_is_told_to_end_lets_runs_end_or_gives_them_back(
    start_worker: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    """It takes nothing new; a run that ends in its time ends there, another goes on elsewhere, and that is no death."""
    first = start_worker(options=("--drain", "60")).ready()
    ends, left = (
        served.desk.start("ends: hold", on="workers"),
        served.desk.start("left: look, hold", on="workers"),
    )
    until(lambda: lines("hold", "ends") and lines("hold", "left"), "the tools")
    first.send(signal.SIGTERM)
    until(lambda: first.events("worker drains"), "its word")
    new = served.desk.start("new: look", on="workers")
    go(tmp_path, "ends")
    assert ends.result(T).content == "ends: 1 tools, went on"
    first.send(signal.SIGTERM)  # again: it ends now
    assert first.ended() == 0
    assert left.status is RunStatus.running
    second = start_worker().ready()
    until(lambda: [one for one in lines("hold", "left") if one["pid"] == second.pid], "the tool at the other")
    go(tmp_path, "left")
    assert left.result(T).content == "left: 2 tools, went on"
    assert new.result(T).content == "new: 1 tools, seen"
    assert attempts(left.run_id) == [("interrupted", "GivenBack"), ("completed", None)]
    assert steps_asked("left") == [1, 2, 3]


def test_a_run_that_kills_its_workers_ends(start_worker: Callable[..., WorkerProcess]) -> None:
    """After five deaths it is an error that says so, and the workers that are left do something else."""
    with pytest.warns(UserWarning, match="no worker serves"):
        run = served.desk.start("poison: look, die", on="workers")
    for _ in range(5):
        start_worker().ended()
    last = start_worker().ready()
    output = run.wait(T)
    assert (output.status, output.error_type) == (RunStatus.error, "WorkersDiedError")
    assert "its workers died 5 times" in str(output.error)
    assert len(lines("die", "poison")) == 5
    assert served.desk.start("fine: look", on="workers").result(T).content == "fine: 1 tools, seen"
    assert last.process.poll() is None


@pytest.mark.parametrize("seed", range(2))
def test_kills_at_random_moments_lose_nothing(
    start_worker: Callable[..., WorkerProcess], tmp_path: Path, seed: int
) -> None:
    """Whenever a worker is killed, its runs end at another one: no tool that must not run twice does, no finished step is asked twice."""
    chance = random.Random(seed)  # noqa: S311 - a test's
    workers = [start_worker(), start_worker()]
    for one in workers:
        one.ready()
    tags = [f"k{seed}{number}" for number in range(8)]
    runs = {tag: served.desk.start(f"{tag}: look, buy, look, buy", on="workers") for tag in tags}
    until(lambda: len(lines()) >= chance.randint(1, 40), "something to cut off")
    workers[chance.randrange(2)].kill()
    for tag, run in runs.items():
        output = run.result(T)
        assert output.status is RunStatus.completed
        assert len(lines("buy", tag)) <= 2
        told = [one for one in output.tool_calls if one.name == "buy"]
        assert len(lines("buy", tag)) >= sum(one.status == "completed" for one in told)
        asked = steps_asked(tag)
        assert len(asked) <= len(output.messages) // 2 + 2
        assert sorted(set(asked)) == [1, 2, 3, 4, 5]
