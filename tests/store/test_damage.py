"""What a disk, a clock or a neighbour can do to a record in use: nothing is lost silently, and a message says it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nbagent.errors import QueryError, StoreDamagedError, StoreError
from nbagent.events import Message, ModelCall, ToolCall
from nbagent.store import (
    AppendRows,
    CancelRequest,
    Finish,
    Launch,
    RunFilter,
    Store,
    list_runs,
    load_run,
    metrics_sql,
    runs_since,
    session_metrics,
)
from nbagent.store.duckdb.database_file import damage_in
from nbagent.store.duckdb.lock_file import LockFile
from nbagent.store.duckdb.schema import VERSION
from tests.store.processes import child

NOW = datetime(2026, 11, 21, 5, 6, 7, tzinfo=UTC)
END: dict[str, Any] = {"status": "completed", "stop_reason": "end", "content": "It is."}
STEPS = 10_000


def call(step: int) -> ModelCall:
    """A model call."""
    return ModelCall(
        step=step,
        attempt=1,
        provider="p",
        request_model="m",
        status="completed",
        started_at=NOW,
        duration_s=0.5,
    )


def scribble(path: Path) -> None:
    """Overwrite a database but for its headers, as a bad disk does."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(size - 3 * 4096))


def fill(store: Store) -> None:
    """A record of a megabyte or more, in the file."""
    store.submit(Launch({"run_id": "r", "session_id": "s"}))
    for number in range(40):
        text = os.urandom(20_000).hex()
        store.submit(AppendRows(run_id="r", messages=((number, Message(role="user", content=text)),)))
    assert store.close(10)


def test_a_record_that_turns_out_damaged_is_set_aside(store: Store, path: Path) -> None:
    """Also where its beginning is whole: the rows at hand go into a new one, and a notice names the old one.

    The run that was at work is in it, too.
    """
    fill(store)
    scribble(path)
    damaged = path.read_bytes()
    assert store.submit(Launch({"run_id": "q", "session_id": "t"})).result(60).turn == 1
    (notice,) = store.take_notices()
    (aside,) = path.parent.glob("runs.damaged-*.duckdb")
    first, second = notice.splitlines()
    assert first.startswith(f"the record {str(path)!r} is damaged (")
    assert first.endswith("it was renamed, a new one is begun")
    assert second.startswith(f"what could not be read is kept in {aside.name}")
    assert aside.read_bytes() == damaged
    assert [row["run_id"] for row in list_runs(store)] == ["q", "r"]


@pytest.mark.parametrize("door", ["read", "frame", "arrays"])
def test_damage_that_only_a_reader_meets_is_mended(store: Store, path: Path, door: str) -> None:
    """DuckDB opens a file that lacks its end: it is set aside when the gap is met, what can be read is carried over."""
    fill(store)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    damaged = path.read_bytes()
    assert store.read("select run_id from runs") == [{"run_id": "r"}]
    with pytest.warns(
        UserWarning, match=r"is damaged \(.*\n.*rows were carried over, \d+ could not be read whole"
    ):
        getattr(store, door)("select sum(length(content)) from messages")
    (aside,) = path.parent.glob("runs.damaged-*.duckdb")
    assert aside.read_bytes() == damaged
    assert store.read("select run_id from runs") == [{"run_id": "r"}]
    assert Store(path).read("select count(*) as n from launches") == [{"n": 1}]


BLOCK, HEADERS = 262_144, 3 * 4096


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8, 1.0])
def test_a_damaged_block_never_hides_the_record_for_good(store: Store, path: Path, place: float) -> None:
    """Wherever it is: what can be read is read, in this process and the next, and what is written is found again."""
    for number in range(30):
        store.submit(Launch({"run_id": f"r{number}", "session_id": "s", "prompt": os.urandom(9000).hex()}))
        store.submit(Finish(run_id=f"r{number}", end=END, model_calls=(call(1),)))
    assert store.close(10)
    blocks = (path.stat().st_size - HEADERS) // BLOCK
    with path.open("r+b") as file:
        file.seek(HEADERS + BLOCK * min(blocks - 1, int(blocks * place)) + 4000)
        file.write(os.urandom(3000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            for sql in ("select * from runs", "select * from model_calls", "select * from messages"):
                with contextlib.suppress(StoreDamagedError):
                    store.frame(sql)
        assert store.submit(Launch({"run_id": "later", "session_id": "t"})).result(60).turn == 1
        assert store.submit(Finish(run_id="later", end=END)).result(60) is True
        assert store.close(10)
        found = Store(path).read("select run_id from runs where session_id = 't' and status = 'completed'")
    assert found == [{"run_id": "later"}]


@pytest.mark.parametrize(
    ("error", "is_damage"),
    [
        ("Error:Corrupt database file: computed checksum 1 does not match", True),
        ("IOException:Corrupt database file: computed checksum 1 does not match", True),
        ("FatalException:Failed to load metadata pointer", True),
        ("SerializationException:Failed to deserialize: expected end of object", True),
        ("BinderException:Referenced column checksum not found", False),
        ("InvalidInputException:corrupt", False),
        ("ConversionException:Could not convert string 'corrupt' to INT32", False),
        ("IOException:Could not set lock on file", False),
    ],
)
def test_damage_is_known_by_what_duckdb_says_not_by_what_a_query_holds(
    path: Path, error: str, *, is_damage: bool
) -> None:
    """Some blocks are reported as the base class of DuckDB's errors; a person's own words are no damage."""
    import duckdb

    kind, _, text = error.partition(":")
    assert (damage_in(getattr(duckdb, kind)(text), path) is not None) is is_damage


@pytest.mark.parametrize(
    "sql",
    [
        "select error('Corrupt database file: computed checksum')",
        "select json_deserialize_sql('corrupt')",
        "select checksum from runs",
        "from read_csv('corrupt.csv')",
    ],
)
def test_a_query_that_speaks_of_damage_sets_nothing_aside(store: Store, path: Path, sql: str) -> None:
    """The file is looked at before."""
    fill(store)
    with pytest.raises(StoreError if "json" in sql else QueryError):
        store.frame(sql)
    assert store.read("select run_id from runs") == [{"run_id": "r"}]
    assert list(path.parent.glob("*damaged*")) == []


@pytest.mark.parametrize("left", ["moved", "deleted", "emptied", "replaced"])
def test_a_folder_that_goes_while_a_run_is_at_work(store: Store, path: Path, left: str) -> None:
    """The run's end is found in the record that is begun anew, and a notice says what happened."""
    store.submit(Launch({"run_id": "done", "session_id": "s"})).result(60)
    store.submit(Finish(run_id="done", end=END)).result(60)
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    while store._writer.file.held.locked():
        pass
    if left == "moved":
        path.parent.rename(path.parent.with_name("moved"))
    elif left == "deleted":
        shutil.rmtree(path.parent)
    else:
        for one in path.parent.iterdir():
            one.unlink()
    if left == "replaced":
        other = Store(path)
        other.submit(Launch({"run_id": "other", "session_id": "o"})).result(60)
        assert other.close(10)
    assert store.submit(Finish(run_id="r", end=END)).result(60) is True
    assert store.read("select run_id, status, content from runs where run_id <> 'other'") == [
        {"run_id": "r", "status": "completed", "content": "It is."}
    ]
    (notice,) = store.take_notices()
    first, second = notice.splitlines()
    assert "was moved or deleted while 1 of its runs were at work" in first
    assert second


def test_damage_that_a_turn_meets_is_set_aside_in_the_next(store: Store, path: Path) -> None:
    """DuckDB opens the file and fails later: what was being written is written to a new record, after what was there."""
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    import duckdb

    store._writer.file.suspect(
        duckdb.IOException("Corrupt database file: computed checksum 1 does not match")
    )
    store._writer.file.suspect(duckdb.IOException("Could not set lock on file"))
    assert store.close(10)
    assert store.submit(Launch({"run_id": "q", "session_id": "s"})).result(60).turn == 2
    (notice,) = store.take_notices()
    assert "computed checksum 1 does not match" in notice
    assert len(list(path.parent.glob("runs.damaged-*.duckdb"))) == 1


def test_a_record_locked_for_a_minute_is_said_and_nothing_is_lost(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Launches stay durable, all else waits in memory, and the process that has the file is named."""
    store.submit(Launch({"run_id": "before", "session_id": "s"})).result(60)
    lock = LockFile(path)
    lock.acquire()
    launched = store.launch(Launch({"run_id": "r", "session_id": "r", "turn": 1}, minted=True))
    assert launched.done()
    ended = store.submit(Finish(run_id="r", end=END))
    while store._writer._troubles._waiting_since is None:
        assert not ended.done()
    assert store.trouble is None  # a moment is no trouble
    monkeypatch.setattr("nbagent.store.duckdb.write.health.monotonic", lambda: time.monotonic() + 60)
    assert store.trouble == (
        f"the record {str(path)!r} is held by another process (pid {os.getpid()})\n"
        "close the program that has it open; rows wait in memory until then"
    )
    lock.release()
    lock.forget()
    assert ended.result(60) is True
    assert store.trouble is None
    assert [row["status"] for row in list_runs(store, session_id="r")] == ["completed"]


def test_two_notebooks_begin_one_record_at_the_same_time(path: Path) -> None:
    """Processes that find no folder and no file make one of each; all their runs are in it, each in a place of its own.

    The first place may stay free where they raced: who comes first is decided before anybody has numbered.
    """
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child(path)) for _ in range(3)]
        for number, one in enumerate(children):
            one.tell("launch", run_id=f"r{number}")
        turns = sorted(one.answer() for one in children)
        assert turns in ([1, 2, 3], [2, 3, 4])
        assert children[0].ask("read", sql="select count(*) from runs") == [[3]]
        assert children[0].ask("read", sql="select count(*), max(version) from schema_version") == [
            [1, VERSION]
        ]
    assert list(path.parent.glob("*damaged*")) == []


def test_a_clock_that_goes_backwards_loses_and_hides_nothing(store: Store) -> None:
    """Turns keep launch order, times are never negative, wishes are heard, and panels find the run."""
    store.submit(Launch({"run_id": "r1", "session_id": "s", "created_at": NOW})).result(60)
    store.submit(Finish(run_id="r1", end={**END, "started_at": NOW, "finished_at": NOW})).result(60)
    hour_ago = NOW - timedelta(hours=1)
    launched = store.submit(Launch({"run_id": "r2", "session_id": "s", "created_at": NOW})).result(60)
    assert launched.turn == 2
    end = {**END, "started_at": hour_ago, "finished_at": hour_ago - timedelta(seconds=5)}
    store.submit(Finish(run_id="r2", end=end, model_calls=(call(1),))).result(60)
    output = load_run(store, "r2")
    assert output is not None
    assert (output.metrics.duration_s, output.metrics.queued_s) == (0.0, 0.0)
    assert session_metrics(store, "s").duration_s == 0.0
    assert store.arrays(*metrics_sql.by_session(RunFilter()))["duration_s"].tolist() == [0.0]
    store.submit(Launch({"run_id": "r3", "session_id": "s", "created_at": hour_ago})).result(60)
    assert {row["run_id"] for row in runs_since(store, NOW, []).rows} == {"r1", "r2", "r3"}
    store.submit(CancelRequest("r4")).result(60)
    assert (
        store.submit(Launch({"run_id": "r4", "session_id": "s", "created_at": hour_ago})).result(60).cancelled
    )


def test_a_run_with_ten_thousand_steps_is_kept_whole(store: Store) -> None:
    """Every call, tool and message is there, in order, and reading it back takes no minute."""
    store.submit(Launch({"run_id": "r", "session_id": "s", "turn": 1}))
    began = time.monotonic()
    for step in range(1, STEPS + 1):
        tool = ToolCall(
            step=step, tool_call_id=f"c{step}", name="look", arguments="{}", status="completed",
            started_at=NOW, duration_s=0.0, result="seen",
        )  # fmt: skip
        said = ((2 * step, Message(role="assistant")), (2 * step + 1, Message(role="tool", content="seen")))
        store.submit(AppendRows(run_id="r", model_calls=(call(step),), tool_calls=(tool,), messages=said))
    assert store.submit(Finish(run_id="r", end=END)).result(60) is True
    written = time.monotonic()
    output = load_run(store, "r")
    assert output is not None
    assert [one.step for one in output.model_calls] == list(range(1, STEPS + 1))
    assert [one.tool_call_id for one in output.tool_calls] == [f"c{step}" for step in range(1, STEPS + 1)]
    assert len(output.messages) == 2 * STEPS
    assert (output.metrics.model_calls, output.metrics.tool_calls) == (STEPS, STEPS)
    print(f"\n{STEPS} steps written in {written - began:.1f} s, read in {time.monotonic() - written:.1f} s")
