"""A batch on workers: one of them asks its rows, and another goes on with it; what a user holds is the `Batch` that it always is."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent.errors import ConfigurationError
from nbagent.panel.table.widget import Table
from nbagent.runtime import current
from nbagent.store import PLACED, batch_labels, load_batch
from tests.harness.postgres_server import PostgresForTests
from tests.harness.waiting import until
from tests.harness.worker_process import ROOT, WorkerProcess
from tests.workers import served
from tests.workers.served import lines

pytestmark = pytest.mark.workers

Two = tuple[WorkerProcess, WorkerProcess]
T = 120


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


def test_its_table_shows_the_runs_in_the_record(two_workers: Two) -> None:
    """They are no runs of this kernel; when the batch has ended they are read once more, whole."""
    batch = served.desk.map(table(3), "{{ row.tag }}: look, buy", on="workers")
    shown = Table(current().store, batch.batch_id)
    batch.result(T)
    shown.load()
    assert len(shown.model.rows()) == 3
    assert shown.model.unfinished() == []
    assert shown.model.state()["batches"][batch.batch_id]["finished"]


def holder(two: Two, tag: str) -> Two:
    """Wait until a row's tool is at work; the worker that it works in comes first."""
    found = until(lambda: lines("hold", tag), "the tool")
    return two if found[-1]["pid"] == two[0].pid else (two[1], two[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_batch_goes_on_at_the_other_worker(
    two_workers: Two, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed, told to end, or frozen: each row is answered once, in order; what had its end is not asked again, nor are finished steps."""
    tags = [f"r{n}" for n in range(12)]
    rows = [f"{tag}: look, hold, buy" if tag in ("r3", "r4") else f"{tag}: look" for tag in tags]
    batch = served.desk.map(rows, "{{ row }}", on="workers", max_concurrency=3, label="moved")
    until(lambda: lines("hold", "r4"), "the second tool")
    first, second = holder(two_workers, "r3")
    until(lambda: batch.progress.done == 10, "the other rows")
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
        until(lambda: first.events("batch has ended here"), "its word")
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
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False, cwd=ROOT, timeout=T)
    assert done.returncode == -signal.SIGKILL
    batch = nb.get("orphan")
    assert (batch.progress.total, batch.done()) == (700, False)
    start_worker().ready()
    frame = batch.result(T)
    assert list(frame["content"]) == [f"g{n}: 0 tools, none" for n in range(700)]
    assert set(asked("g").values()) == {1}


def test_bounds_hold_for_the_whole_batch(two_workers: Two) -> None:
    """Equal prompts are asked once, a batch's limit and `on_error` leave rows unasked, and earlier answers are given again."""
    twice = served.desk.map(["d0:", "d1:", "d0:", "d1:"] * 5, "{{ row }}", on="workers", dedupe=True)
    assert list(twice.result(T)["content"]) == ["d0: 0 tools, none", "d1: 0 tools, none"] * 10
    assert set(asked("d").values()) == {1}
    again = served.desk.map(["d0:", "d1:", "d2:"], "{{ row }}", on="workers").result(T)
    assert list(again["from_earlier"]) == [True, True, False]
    fresh = served.desk.map(["d0:"], "{{ row }}", on="workers", fresh=True).result(T)
    assert (list(fresh["from_earlier"]), asked("d0")["d0", 1]) == ([False], 2)
    rows = [f"t{n}:" for n in range(20)]
    bounded = served.desk.map(rows, "{{ row }}", on="workers", max_tokens=50, max_concurrency=1)
    frame = bounded.result(T)
    assert list(frame["status"]) == ["completed"] * 3 + ["not asked"] * 17
    assert "its max_tokens is 50" in bounded.notices[0]
    options: dict[str, Any] = {"on": "workers", "on_error": "stop", "max_concurrency": 1}
    stopped = served.desk.map(["e0:", "", "e2:"], "{{ row }}", **options).result(T)
    assert list(stopped["status"]) == ["completed", "error", "not asked"]
    assert "the prompt of row 1 is empty" in stopped["error"][1]


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ({"group": 3}, 7),
        ({"repeat": 2}, 14),
        ({"key": "tag", "tags": {"a": "b"}, "requests_per_minute": 6000}, 7),
    ],
)
def test_options_of_a_batch_are_a_workers_too(
    two_workers: Two, options: dict[str, Any], statuses: int
) -> None:
    """Typed answers come in their type and columns, in groups, repeatedly, and under the columns that name the rows."""
    batch = served.counter.map(table(7, "c"), "{{ row.tag }}: look", on="workers", **options)
    frame = batch.result(T)
    assert list(frame["status"]) == ["completed"] * statuses
    assert str(frame["count"].dtype) == "Int64"
    keys = {f"c{n}" for n in range(7)} if "key" in options else {f"i{n}" for n in range(7)}
    assert "group" in options or set(nb.runs(batch=batch.batch_id, limit=None)["row_key"]) == keys


def test_a_person_stops_a_batch(two_workers: Two, tmp_path: Path) -> None:
    """A cancel ends what is in flight and asks nothing more; the kernel that resumes the batch asks the rest, by the record alone."""
    batch = served.desk.map([f"x{n}: hold" for n in range(6)], "{{ row }}", on="workers", max_concurrency=2)
    until(lambda: len(lines("hold")) == 2, "two tools")
    assert batch.cancel()
    frame = batch.wait(T)
    assert Counter(frame["status"]) == {"cancelled": 2, "not asked": 4}
    assert not batch.cancel()
    go(tmp_path, *(f"x{n}" for n in range(6)))
    batch_id = batch.batch_id
    del batch
    gc.collect()
    again = nb.get(batch_id).resume(agent=served.desk)
    assert list(again.result(T)["content"]) == [f"x{n}: 1 tools, went on" for n in range(6)]
    assert {one["pid"] for one in lines("hold ended")} == {os.getpid()}


def test_what_waits_for_a_worker(start_worker: Callable[..., WorkerProcess]) -> None:
    """Nobody serves it: it says so and waits; a cancel ends it, another waits on; its rows are in the record for whoever asks them."""
    with pytest.warns(UserWarning, match="no worker serves 'tests.workers.served:desk'"):
        one = served.desk.map(["w0:", "w1:"], "{{ row }}", on="workers", label="one")
    with pytest.warns(UserWarning, match="no worker serves"):
        two = served.desk.map(["v0:"], "{{ row }}", on="workers", label="two")
    stored = load_batch(current().store, one.batch_id)
    assert stored is not None
    assert (stored.row["owner"], stored.is_left) == (PLACED, False)
    assert one.cancel()
    assert list(one.wait(T)["status"]) == ["not asked"] * 2
    assert one.notices == ["cancelled before a worker had begun"]
    assert list(one.resume().result(T)["content"]) == ["w0: 0 tools, none", "w1: 0 tools, none"]
    assert {one["pid"] for one in lines("model")} == {os.getpid()}
    start_worker().ready()
    assert list(two.result(T)["status"]) == ["completed"]


def failing() -> Any:
    """Rows of a generator that raises."""
    yield "f0:"
    raise ValueError("no more")


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (["a:"], {"mode": "provider-batch"}, "hands the rows to the provider"),
        (["a:"], {"files": "row"}, "files= are read in this kernel"),
        (
            ["a:"],
            {"output_schema": type("Own", (BaseModel,), {"__module__": "__main__"})},
            "made in this notebook",
        ),
        (failing(), {}, "no more"),
    ],
)
def test_what_a_worker_cannot_ask_is_refused(
    record: str, rows: Any, options: dict[str, Any], said: str
) -> None:
    """In two lines, before anything is in the record; so is whatever a generator raises."""
    with pytest.raises((ConfigurationError, ValueError), match=said) as refused:
        served.plain.map(rows, "{{ row }}", on="workers", label="refused", **options)
    if isinstance(refused.value, ConfigurationError):
        assert len(str(refused.value).splitlines()) == 2
    (found,) = current().store.read("select count(*) as n from batch_rows")
    assert (found["n"], batch_labels(current().store, ["refused"])) == (0, set())


def test_where_launches_go_to_workers_maps_do(two_workers: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option says so for batches too."""
    monkeypatch.setenv("NBAGENT_ON", "workers")
    found = served.desk.map([f"o{n}:" for n in range(5)], "{{ row }}").result(T)
    assert list(found["content"]) == [f"o{n}: 0 tools, none" for n in range(5)]
    assert os.getpid() not in {one["pid"] for one in lines()}


def test_a_row_that_kills_its_workers_ends(start_worker: Callable[..., WorkerProcess]) -> None:
    """After five deaths it is an error that says so, and the other rows have their answers."""
    with pytest.warns(UserWarning, match="no worker serves"):
        batch = served.desk.map(["p0:", "p1: look, die", "p2:"], "{{ row }}", on="workers", max_concurrency=1)
    for _ in range(5):
        start_worker().ended()
    start_worker().ready()
    frame = batch.result(T)
    assert list(frame["status"]) == ["completed", "error", "completed"]
    assert "its workers died 5 times" in frame["error"][1]
    assert len(lines("die")) == 5
    assert set(asked("p").values()) == {1}


def test_a_row_that_waits_for_a_person_goes_on_at_the_other_worker(two_workers: Two) -> None:
    """A decision made before another worker has the batch is that one's to hear: no kernel takes the row up."""
    batch = served.desk.map(["y: send", "n: send"], "{{ row }}", on="workers")
    until(lambda: list(nb.runs(limit=None)["status"]) == ["paused"] * 2, "both wait")
    runs = {run.output.prompt[0]: run for run in map(nb.get, nb.runs(limit=None)["run_id"])}
    next(one for one in two_workers if one.pid == lines("model")[0]["pid"]).kill()
    runs["y"].approve()
    runs["n"].deny("not now")
    frame = batch.result(T)
    assert frame["content"][0] == "y: 1 tools, sent"
    assert "not now" in frame["content"][1]
    assert [one["tag"] for one in lines("send")] == ["y"]
    assert set(asked().values()) == {1}


def test_a_server_that_is_started_anew_changes_nothing(
    two_workers: Two, postgres_server: PostgresForTests, tmp_path: Path
) -> None:
    """What is in flight goes on, and what waits is asked once its worker has seen the record again."""
    batch = served.desk.map([f"q{n}: hold" for n in range(6)], "{{ row }}", on="workers", max_concurrency=3)
    until(lambda: len(lines("hold")) == 3, "three tools")
    postgres_server.stop()
    postgres_server.start()
    go(tmp_path, *(f"q{n}" for n in range(6)))
    frame = batch.result(T)
    assert list(frame["content"]) == [f"q{n}: 1 tools, went on" for n in range(6)]
    assert set(asked().values()) == {1}
    assert len(lines("hold")) == 6
