"""The board: whoever hears every message, or loads late, has the truth; nothing changed is no message."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

from nbagent.events import RunFinished, RunStarted, TextAdded
from nbagent.panel.table import batches
from nbagent.panel.table.model import TableModel
from nbagent.panel.table.row import COLUMNS, row_of
from nbagent.run import RunLaunch, RunRecord
from nbagent.store import Finish, Launch, Progress, Store, newest_runs, runs_since

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_record(run_id: str) -> RunRecord:
    return RunRecord(RunLaunch(run_id=run_id, session_id="s", created_at=T0))


def heard(have: dict, message: dict) -> None:
    """Apply a message as the front end does."""
    for line in message.get("new", ()):
        have[line[0]] = list(line)
    for run_id, *pairs in message.get("cells", ()):
        for at, value in zip(pairs[::2], pairs[1::2], strict=True):
            have[run_id][at] = value


def whole(board: TableModel) -> dict:
    return {line[0]: line for line in json.loads(board.state()["lines"])}


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["start", "text", "end", "tick", "reload"])), max_size=30
    )
)
def test_whoever_hears_every_message_or_loads_late_has_the_truth(steps):
    """A front end that applies each message has the same lines as one that begins with the state."""
    board, records, have = TableModel(), {}, {}
    for number, what in steps:
        record = records.get(number)
        if record is None:
            record = records[number] = a_record(f"r{number}")
            board.watch(record)
        if what == "start":
            record.apply(RunStarted(started_at=T0))
        elif what == "text":
            record.apply(TextAdded("words ", step=1))
        elif what == "end":
            record.apply(RunFinished(stop_reason="end", content=record.text, finished_at=T0))
        elif what == "reload":
            have = whole(board)
        message = board.tick(0.0)
        if message is not None:
            heard(have, message)
        assert board.working == sum(one.end is None for one in records.values())
        assert have == whole(board) == {r.launch.run_id: list(row_of(r)) for r in records.values()}


def test_nothing_changed_is_no_message_but_once_the_number_again():
    """A second after the last change its number is said once more, which heals a lost message; then silence."""
    board, record = TableModel(), a_record("r")
    board.watch(record)
    assert board.tick(10.0)["seq"] == 1
    assert board.tick(10.1) is None
    assert board.tick(11.1) == {"seq": 1}
    assert board.tick(20.0) is None


def test_only_changed_cells_are_sent():
    """A run that streams costs its text, not its line."""
    board, record = TableModel(), a_record("r")
    board.watch(record)
    board.tick(0.0)
    record.apply(TextAdded("hello", step=1))
    assert board.tick(0.1) == {"seq": 2, "cells": [["r", COLUMNS.index("says"), "hello"]]}


def test_an_ended_run_is_looked_at_no_more():
    """What has ended costs nothing; the board is quiet once nothing runs."""
    board, record = TableModel(), a_record("r")
    board.watch(record)
    record.apply(RunFinished(stop_reason="cancelled", finished_at=T0))
    board.tick(0.0)
    assert board.running_count == 0
    board.tick(5.0)
    assert not board.busy


def test_other_kernels_runs_come_from_the_store_and_only_what_changed(tmp_path: Path):
    """A look after the first brings the runs that somebody wrote to; the rows of an unwritten end change nothing."""
    store, board = Store(tmp_path / "runs.duckdb"), TableModel()
    for run_id in ("a", "b"):
        store.submit(Launch({"run_id": run_id, "session_id": run_id, "turn": 1}))
    found = newest_runs(store, 10)
    assert len(board.tick(0.0, found.rows, total=found.total)["new"]) == 2
    assert sorted(board.unfinished(elsewhere=True)) == ["a", "b"]
    store.submit(Progress(run_id="a", started_at=T0, partial_text="so far"))
    store.submit(
        Finish(run_id="b", end={"status": "completed", "stop_reason": "end", "content": "done"})
    ).result(60)
    later = runs_since(store, found.latest, board.unfinished())
    message = board.tick(1.0, later.rows, total=later.total)
    assert {cells[0] for cells in message["cells"]} == {"a", "b"}
    assert board.unfinished() == ["a"]
    assert "new" not in message
    before = [row for row in found.rows if row["run_id"] == "b"]
    assert board.changes(before) == {}
    store.close()


def test_a_batch_of_others_is_read_by_itself(tmp_path):
    """Its runs are those of the record with its id; others are neither read first nor taken later."""
    store, board = Store(tmp_path / "runs.duckdb"), TableModel("b")
    for run_id, batch_id in (("mine", "b"), ("another", "c"), ("single", None)):
        store.submit(Launch({"run_id": run_id, "session_id": run_id, "turn": 1, "batch_id": batch_id}))
    found = newest_runs(store, 10, batch_id="b")
    assert [row["run_id"] for row in found.rows] == ["mine"]
    assert len(board.tick(0.0, found.rows, total=0)["new"]) == 1
    later = runs_since(store, found.latest, board.unfinished())
    assert {row["run_id"] for row in later.rows} == {"mine", "another", "single"}
    assert board.changes(later.rows) == {}
    assert board.unfinished() == ["mine"]
    store.close()


def test_this_kernels_runs_are_not_taken_from_the_file():
    """A row of the file, which is up to a second old, does not take a live run back."""
    board, record = TableModel(), a_record("r")
    board.watch(record)
    record.apply(RunStarted(started_at=T0))
    board.tick(0.0)
    row = dict.fromkeys(
        ("run_id", "label", "agent_name", "provider", "model", "stop_reason", "session_id"), "r"
    )
    row |= dict.fromkeys(
        ("parent_run_id", "batch_id", "started_at", "finished_at", "total_tokens", "cost_usd")
    )
    row |= {"status": "pending", "created_at": T0, "attempt": 1, "calls": 0, "priced": 0}
    row |= dict.fromkeys(("prompt", "error", "content", "partial_text"))
    assert board.changes([row]) == {}
    assert board.unfinished(elsewhere=True) == []


def test_trouble_of_the_store_is_told_once_and_taken_back():
    """What keeps rows from the record is on the panel as long as it lasts, for pages that load later too."""
    board = TableModel()
    what = ["the record is held by another process", "close the program that has it open"]
    assert board.tick(0.0, problem=what) == {"seq": 1, "trouble": what}
    assert board.tick(0.1, problem=what) is None
    assert board.state()["trouble"] == what
    assert board.tick(0.2, problem=[])["trouble"] == []


def test_how_budgets_stand_is_told_when_it_changes():
    """As text, for pages that load later too; a page that knows is told nothing."""
    board = TableModel()
    assert board.tick(0.0, budgets=["$1.00 of $5.00 a day"]) == {
        "seq": 1,
        "budgets": ["$1.00 of $5.00 a day"],
    }
    assert board.tick(0.1, budgets=["$1.00 of $5.00 a day"]) is None
    assert board.state()["budgets"] == ["$1.00 of $5.00 a day"]
    assert board.tick(0.2, budgets=[])["budgets"] == []


def test_a_batchs_standing_is_told_when_it_changes_and_one_that_was_let_go_has_ended():
    """A batch that goes on keeps the board awake; rows without runs are told; a board of one batch holds no other."""
    board, going = (
        TableModel(),
        {"total": 10, "done": 1, "failed": 0, "not_asked": 0, "rate": 1.0, "finished": False},
    )
    assert board.tick(0.0, batches={"b": going})["batches"] == {"b": going}
    assert board.tick(0.1, batches={"b": going}) is None
    board.tick(1.2, batches={"b": going})
    assert board.busy
    assert board.tick(2.0, batches={})["batches"] == {"b": {**going, "finished": True}}
    board.tick(3.1)
    assert not board.busy
    assert board.state()["batches"]["b"]["finished"]
    only = TableModel("b")
    only.watch(a_record("r"))
    assert only.tick(0.0, batches={"other": going}) is None


def test_a_room_of_batches_that_is_being_imported_has_none_yet(monkeypatch):
    """A tick while another thread imports batches shows none, and goes on."""
    monkeypatch.setitem(sys.modules, batches.BATCHES, ModuleType(batches.BATCHES))
    assert batches.batch_states() == {}
