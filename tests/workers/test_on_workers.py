"""What a run is on a worker: what it is in a kernel, with nobody here at work on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.events import RunFinished, TextAdded, ToolCallFinished
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.store import load_workers
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


def test_runs_end_on_workers(two_workers: Two, tmp_path: Path) -> None:
    """Runs, typed answers, teams and sessions end with their answers, and none of it was done in this process."""
    runs = [served.desk.start(f"r{i}: look, buy", on="workers") for i in range(6)]
    typed = served.counter.start("typed: look, look", on="workers")
    team = served.team.start("team: helper/look", on="workers")
    turns = [served.desk.start(f"turn{i}: look", session_id="s", on="workers") for i in range(3)]
    for i, run in enumerate(runs):
        output = run.result(T)
        assert (output.content, output.metrics.output_tokens) == (f"r{i}: 2 tools, bought", 15)
    assert typed.result(T).content == served.Count(tag="typed", count=2)
    assert typed.output.metrics.output_tokens == 15
    output = team.result(T)
    assert [one.agent_name for one in output.member_responses] == ["helper"]
    assert output.status is RunStatus.completed
    assert [run.result(T).content for run in turns] == [f"turn{i}: 1 tools, seen" for i in range(3)]
    assert [
        one["history"] for one in lines("model") if one["tag"].startswith("turn") and one["step"] == 1
    ] == [1, 5, 9]
    pids = {one["pid"] for one in lines()}
    assert pids <= {one.pid for one in two_workers}
    assert os.getpid() not in pids


def test_a_worker_has_no_more_runs_than_places(
    start_worker: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    """Runs are handed out many at once; what a worker has no place for others take, and a place that is free again is used."""
    tags = [f"p{number}" for number in range(24)]
    with pytest.warns(UserWarning, match="no worker serves"):
        runs = [served.desk.start(f"{tag}: hold", on="workers") for tag in tags]
    small = start_worker(options=("--concurrency", "3")).ready()
    until(lambda: len(lines("hold")) >= 3, "three of them")
    large = start_worker().ready()
    until(lambda: len(lines("hold")) >= 24, "all of them")
    held = [one["tag"] for one in lines("hold") if one["pid"] == small.pid]
    assert len(held) == 3
    assert {one["pid"] for one in lines("hold")} == {small.pid, large.pid}
    go(tmp_path, held[0])
    runs[tags.index(held[0])].result(T)
    large.kill()
    until(lambda: len([one for one in lines("hold") if one["pid"] == small.pid]) >= 4, "one more")
    for tag in tags:
        go(tmp_path, tag)
    assert {run.result(T).status for run in runs} == {RunStatus.completed}
    assert len({one["tag"] for one in lines("hold")}) == 24


def test_a_person_reaches_a_run_on_a_worker(two_workers: Two, tmp_path: Path) -> None:
    """A call waits for approval and goes on by it, or is denied; a cancel ends a run in mid tool, on its worker too."""
    approved, denied = (served.desk.start(f"{tag}: look, send", on="workers") for tag in ("yes", "no"))
    held = served.desk.start("held: hold, buy", on="workers")
    for run in (approved, denied):
        until(lambda run=run: run.status is RunStatus.paused, "a pause")
    assert [call.name for call in approved.pending_approvals] == ["send"]
    approved.approve()
    denied.deny("not now")
    assert approved.result(T).content == "yes: 2 tools, sent"
    assert "not now" in str(denied.result(T).content)
    assert [one["tag"] for one in lines("send")] == ["yes"]
    until(lambda: lines("hold", "held"), "the tool")
    assert held.cancel()
    assert held.wait(T).status is RunStatus.cancelled
    go(tmp_path, "held")
    assert lines("buy", "held") == []


def test_workers_are_seen_with_what_they_serve(two_workers: Two) -> None:
    """The record names each worker's process, its agents by address, and what it has at work."""
    run = served.desk.start("seen: hold", on="workers")
    until(lambda: sum(one.running for one in load_workers(current().store)) == 1, "a run at work")
    found = load_workers(current().store)
    assert {one.pid for one in found} == {one.pid for one in two_workers}
    for one in found:
        assert set(one.addresses) == {
            f"tests.workers.served:{name}" for name in ("desk", "plain", "counter", "team")
        }
        assert (one.draining, one.is_gone) == (False, False)
    run.cancel()
    assert nb.get(run.run_id).wait(T).status is RunStatus.cancelled


def test_a_handle_tells_and_awaits_what_a_worker_does(two_workers: Two) -> None:
    """Events come with each call once and end with the end; awaiting many gives their answers; a retry is done by a worker."""
    runs = [served.desk.start(f"h{i}: look, buy", on="workers") for i in range(3)]
    events = list(runs[0].events())
    assert isinstance(events[-1], RunFinished)
    assert [one.call.name for one in events if isinstance(one, ToolCallFinished)] == ["look", "buy"]
    assert "".join(one.text for one in events if isinstance(one, TextAdded)).endswith("h0: 2 tools, bought")

    async def all_of_them() -> list[Any]:
        return list(await asyncio.gather(*runs))

    assert [one.content for one in asyncio.run(all_of_them())] == [f"h{i}: 2 tools, bought" for i in range(3)]
    again = runs[0].retry()
    assert again.run_id != runs[0].run_id
    assert again.result(T).content == "h0: 2 tools, bought"
    assert os.getpid() not in {one["pid"] for one in lines()}


@pytest.mark.parametrize(("step", "asked"), [(0, [1, 2, 3]), (1, [2, 3]), (2, [3])])
def test_a_fork_of_a_workers_run_shares_its_steps(two_workers: Two, step: int, asked: list[int]) -> None:
    """What a worker did before the fork is not asked again, nor its tools called; the rows of both are a plain count."""
    first = served.desk.start("forked: look, look", on="workers")
    assert first.result(T).content == "forked: 2 tools, seen"
    before = len(lines("model", "forked"))
    assert before == 3
    fork = first.fork(step, agent=served.desk)
    assert fork.result(T).content == "forked: 2 tools, seen"
    assert [one["step"] for one in lines("model", "forked")[before:]] == asked
    assert len(lines("look", "forked")) == 2 + (2 - step if step < 2 else 0)
    assert nb.runs()["model_calls"].sum() == before + len(asked)
