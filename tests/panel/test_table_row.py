"""A run as a line of the table: the same from the live record and from the store, short, and plain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nbagent.events import (
    ApprovalRequested,
    ModelCall,
    ModelCallFinished,
    PendingApproval,
    RunFinished,
    RunStarted,
    TextAdded,
    Usage,
)
from nbagent.panel.table.row import COLUMNS, TEXT_CHARS, is_older, row_of, row_of_stored
from nbagent.run import RunLaunch, RunRecord
from nbagent.store import PLACED, Finish, Launch, Progress, Store, current_process_id, newest_runs

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>\n\u202e\ud800" + "W" * 5000


def a_record(**launch) -> RunRecord:
    given = {
        "run_id": "r1",
        "session_id": "s",
        "created_at": T0,
        "agent_name": "analyst",
        "prompt": "why?",
        **launch,
    }
    return RunRecord(RunLaunch(**given))


def a_call(**changes) -> ModelCall:
    plain = {"step": 1, "attempt": 1, "provider": "openai", "request_model": "m", "status": "completed"}
    return ModelCall(**(plain | {"started_at": T0, "duration_s": 1.0} | changes))


def named(line) -> dict:
    return dict(zip(COLUMNS, line, strict=True))


def test_a_stored_run_and_a_live_one_are_the_same_line(tmp_path: Path):
    """Whoever shows a run, the kernel that ran it or another one, shows the same cells."""
    record = a_record(label="facts", provider="openai", model="m", parent_run_id="p")
    usage = Usage(input_tokens=10, output_tokens=5, total_tokens=15)
    priced, unpriced = a_call(usage=usage, cost_usd=0.25), a_call(step=2, usage=Usage())
    for event in (
        RunStarted(started_at=T0),
        TextAdded("an answer", step=1),
        ModelCallFinished(call=priced),
        ModelCallFinished(call=unpriced),
        RunFinished(stop_reason="max_steps", content="an answer", error="20 steps\nraise it", finished_at=T0),
    ):
        record.apply(event)
    store = Store(tmp_path / "runs.duckdb")
    names = {"run_id": "r1", "session_id": "s", "created_at": T0, "agent_name": "analyst", "prompt": "why?"}
    names |= {"label": "facts", "provider": "openai", "model": "m", "parent_run_id": "p"}
    store.submit(Launch(names))
    end = {
        "status": "error",
        "stop_reason": "max_steps",
        "content": "an answer",
        "error": "20 steps\nraise it",
    }
    end |= {"started_at": T0, "finished_at": T0}
    store.submit(Finish(run_id="r1", end=end, model_calls=(priced, unpriced)))
    [stored] = newest_runs(store, 10).rows
    store.close()
    line = row_of_stored(stored)
    assert line == row_of(record)
    shown = named(line)
    assert (shown["tokens"], shown["cost"], shown["priced"]) == (15, 0.25, False)
    assert (shown["status"], shown["reason"], shown["error"]) == ("error", "max steps", "20 steps")


@pytest.mark.parametrize(
    ("owner", "placed", "status", "told"),
    [
        ("this process", False, "running", ""),
        ("box - 7 1", False, "running", "process 7 on box"),
        ("box - 7 1", False, "completed", ""),
        ("box - 7 1", True, "running", "worker 7 on box"),
        ("box - 7 1", True, "error", "worker 7 on box"),
        (PLACED, True, "pending", "waits for a worker"),
        (PLACED, True, "cancelled", ""),
        (None, None, "running", ""),
    ],
)
def test_who_works_elsewhere_is_named(tmp_path: Path, owner, placed, status, told):
    """Another process's run while it goes on, a worker's also afterwards; nothing of this kernel's, nor of those that are gone."""
    store = Store(tmp_path / "runs.duckdb")
    store.submit(Launch({"run_id": "r1", "session_id": "s", "created_at": T0, "agent_name": "analyst"}))
    [row] = newest_runs(store, 10).rows
    store.close()
    assert (row["owner"], row["placed"]) == (current_process_id(), False)
    owner = current_process_id() if owner == "this process" else owner
    shown = named(row_of_stored({**row, "owner": owner, "placed": placed, "status": status}))
    assert shown["owner"] == told


def test_while_text_comes_its_end_is_shown_and_afterwards_its_beginning():
    """A line that streams shows that it moves; one that has ended shows how the answer begins."""
    record = a_record()
    record.apply(RunStarted(started_at=T0))
    record.apply(TextAdded("first " + "x " * 500 + "last", step=1))
    assert named(row_of(record))["says"].endswith("last")
    record.apply(RunFinished(stop_reason="end", content=record.text, finished_at=T0))
    assert named(row_of(record))["says"].startswith("first")


def test_unknown_is_none_and_not_zero():
    """A run without a model call has no tokens, no cost, and no word on whether its cost is known."""
    shown = named(row_of(a_record()))
    assert (shown["tokens"], shown["cost"], shown["priced"]) == (None, None, None)


def test_hostile_and_huge_texts_are_cut_to_one_plain_line():
    """Every cell is short, in one line, and can be sent as JSON."""
    record = a_record(label=HOSTILE, agent_name=HOSTILE, provider=HOSTILE, model=HOSTILE, prompt=HOSTILE)
    record.apply(TextAdded(HOSTILE, step=1))
    for cell in row_of(record):
        if isinstance(cell, str):
            cell.encode()
            assert len(cell) <= TEXT_CHARS
            assert "\n" not in cell


@pytest.mark.parametrize(
    ("told", "known", "older"),
    [
        (("running", 1), ("completed", 1), True),
        (("completed", 1), ("running", 1), False),
        (("running", 2), ("error", 1), False),
        (("error", 1), ("running", 2), True),
        (("running", 1), ("running", 1), False),
    ],
)
def test_a_line_from_before_the_known_one_is_told_apart(told, known, older):
    """A row read before the end was written does not bring a run back to life."""

    def line(status, attempt):
        names = {"status": status, "attempt": attempt}
        return tuple(names.get(name) for name in COLUMNS)

    assert is_older(line(*told), line(*known)) is older


def test_the_newest_come_first_where_not_all_fit(tmp_path: Path):
    """A store of more runs than the table shows gives the newest ones, and says how many there are."""
    store = Store(tmp_path / "runs.duckdb")
    for number in range(5):
        at = T0 + timedelta(seconds=number)
        store.submit(Launch({"run_id": f"r{number}", "session_id": "s", "turn": 1, "created_at": at}))
    found = newest_runs(store, 2)
    store.close()
    assert ({row["run_id"] for row in found.rows}, found.total) == ({"r3", "r4"}, 5)


def test_no_file_is_made_by_looking(tmp_path: Path):
    """The panel of a project without runs leaves no file behind."""
    store = Store(tmp_path / "none" / "runs.duckdb")
    assert newest_runs(store, 10).rows == ()
    assert not (tmp_path / "none").exists()


def a_call_that_waits(amount: object, tool_call_id: str = "1") -> PendingApproval:
    return PendingApproval(step=1, tool_call_id=tool_call_id, name="pay", arguments={"amount": amount})


@pytest.mark.parametrize(
    ("amounts", "asks"),
    [
        ([5], [1, "pay(amount=5)", 1, "0"]),
        (["two\nlines"], [1, "pay(amount='two\\nlines')", 1, "0"]),
        ([5, 7], [2, "pay(amount=5)"]),
        (["x" * 500], [1, "pay(amount='" + "x" * (TEXT_CHARS - 13) + "…"]),
        (["\u202e" + "a  b"], [1, "pay(amount='\\u202ea b')"]),
    ],
)
def test_a_call_is_decided_on_in_the_row_only_where_it_stands_there_in_full(amounts, asks):
    """One short call comes with its step and id; several, a long one, or one whose text is changed do not."""
    record = a_record()
    record.apply(RunStarted(started_at=T0))
    for number, amount in enumerate(amounts):
        record.apply(ApprovalRequested(call=a_call_that_waits(amount, str(number))))
    assert named(row_of(record))["asks"] == asks


def test_a_paused_run_of_the_record_asks_in_its_row_too(tmp_path: Path):
    """The calls that a run of an earlier kernel waits with are read with its row; those of an ended run are not."""
    store = Store(tmp_path / "runs.duckdb")
    for run_id in ("waits", "ended"):
        store.submit(
            Launch({"run_id": run_id, "session_id": run_id, "created_at": T0, "agent_name": "payer"})
        )
        paused = Progress(
            run_id=run_id,
            status="paused",
            started_at=T0,
            pending_approvals=(a_call_that_waits(5),),
        )
        store.submit(paused).result(30)
    store.submit(
        Finish(run_id="ended", end={"status": "cancelled", "stop_reason": "cancelled", "finished_at": T0})
    ).result(30)
    rows = {row["run_id"]: named(row_of_stored(row))["asks"] for row in newest_runs(store, 10).rows}
    assert rows == {"waits": [1, "pay(amount=5)", 1, "1"], "ended": None}
    store.close(10)
