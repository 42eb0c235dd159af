"""A batch on workers: one of them asks its rows, and another goes on with it; what a user holds is the `Batch` that it always is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import nbagent as nb
from nbagent.errors import BlockingCallError, ConfigurationError
from nbagent.runtime import current
from nbagent.store import PLACED, load_batch
from tests.harness.waiting import until
from tests.harness.worker_process import ROOT, WorkerProcess
from tests.workers import served
from tests.workers.served import lines

pytestmark = pytest.mark.workers

Two = tuple[WorkerProcess, WorkerProcess]
T = 60


def go(folder: Path, *tags: str) -> None:
    """Let tools go on that are held."""
    for tag in tags:
        (folder / f"go {tag}").touch()


def table(count: int, name: str = "r") -> pd.DataFrame:
    """Rows with a tag each."""
    return pd.DataFrame({"tag": [f"{name}{n}" for n in range(count)]}, index=[f"i{n}" for n in range(count)])


def asked(name: str = "") -> Counter[tuple[str, int]]:
    """How often the model was asked for each step of each tag."""
    return Counter((one["tag"], one["step"]) for one in lines("model") if one["tag"].startswith(name))


def test_a_batch_is_asked_by_one_worker(two_workers: Two) -> None:
    """Rows come in their order with the columns given; none of it is done here; another kernel's handle is the same batch."""
    frame = table(30)
    batch = served.desk.map(frame, "{{ row.tag }}: look, buy", on="workers", label="b", max_concurrency=4)
    found = batch.result(T)
    assert list(found.index) == list(frame.index)
    assert list(found["tag"]) == list(frame["tag"])
    assert list(found["content"]) == [f"r{n}: 2 tools, bought" for n in range(30)]
    assert set(found["status"]) == {"completed"}
    assert set(asked().values()) == {1}
    assert len(asked()) == 90
    assert len({one["pid"] for one in lines()} - {one.pid for one in two_workers}) == 0
    assert len({one["pid"] for one in lines()}) == 1
    rows = nb.runs(batch="b", limit=None)
    assert sorted(rows["row_key"]) == sorted(frame.index)


def holder(two: Two, tag: str) -> Two:
    """Wait until a row's tool is at work; the worker that it works in comes first."""
    found = until(lambda: lines("hold", tag), "the tool")
    return two if found[-1]["pid"] == two[0].pid else (two[1], two[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_batch_goes_on_at_the_other_worker(two_workers: Two, tmp_path: Path, number: signal.Signals) -> None:
    """Killed, told to end, or frozen: each row is answered once, in order; what had its end is not asked again, nor are finished steps."""
    tags = [f"r{n}" for n in range(12)]
    rows = [f"{tag}: look, hold, buy" if tag in ("r3", "r4") else f"{tag}: look" for tag in tags]
    batch = served.desk.map(rows, "{{ row }}", on="workers", max_concurrency=3, label="moved")
    until(lambda: lines("hold", "r4"), "the second tool")
    first, second = holder(two_workers, "r3")
    until(lambda: batch.progress.done >= 8, "the other rows")
    later = served.desk.map([f"s{n}: hold" for n in range(4)], "{{ row }}", on="workers", max_concurrency=2)
    first.send(number)
    if number == signal.SIGTERM:
        until(lambda: first.events("worker drains"), "its word")
        first.send(number)  # again: it ends now
    until(
        lambda: {one["tag"] for one in lines("hold") if one["pid"] == second.pid} >= {"r3", "r4"},
        "the tools at the other",
    )
    go(tmp_path, *tags, *(f"s{n}" for n in range(4)))
    frame = batch.result(T)
    expected = {"r3": "3 tools, bought", "r4": "3 tools, bought"}
    assert list(frame["content"]) == [f"{tag}: {expected.get(tag, '1 tools, seen')}" for tag in tags]
    assert list(later.result(T)["status"]) == ["completed"] * 4
    assert {key: count for key, count in asked("r").items() if count > 1} == {}
    assert [len(lines("buy", tag)) for tag in ("r3", "r4")] == [1, 1]
    assert len(nb.runs(batch=batch.batch_id, limit=None)) == 12
    if number == signal.SIGSTOP:
        first.send(signal.SIGCONT)
        until(lambda: [one for one in lines("hold ended", "r4") if one["pid"] == first.pid], "its tool")
        first.send(signal.SIGTERM)
        assert first.ended() == 0  # what it had to write is written, or refused
        assert list(nb.get(batch.batch_id).to_frame()["content"]) == list(frame["content"])
        assert [len(lines("buy", tag)) for tag in ("r3", "r4")] == [1, 1]


def test_the_launching_process_may_die(start_worker: Callable[..., WorkerProcess]) -> None:
    """Killed right after `map` has returned it changes nothing: a generator's rows are in the record, and any kernel has the batch."""
    script = (
        "import os; from tests.workers import served\n"
        "rows = ({'tag': f'g{n}'} for n in range(700))\n"
        "served.desk.map(rows, '{{ row.tag }}:', on='workers', label='orphan', max_concurrency=50); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, timeout=T)  # noqa: S603 - our own
    assert done.returncode == -signal.SIGKILL
    batch = nb.get("orphan")
    assert (batch.progress.total, batch.done()) == (700, False)
    start_worker().ready()
    frame = batch.result(T)
    assert list(frame["content"]) == [f"g{n}: 0 tools, none" for n in range(700)]
    assert set(asked("g").values()) == {1}
