"""Launches for workers in the record: who may claim them, who ends them, and which have to be handed out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.settings import server_url
from nbagent.store import (
    PLACED,
    AppendRows,
    DecisionRequest,
    Finish,
    InterruptOrphans,
    Launch,
    NewAttempt,
    Progress,
    RunStore,
    load_stopped,
    load_workers,
    open_store,
    process_name,
)
from nbagent.store.postgres import placed_runs, worker_rows
from nbagent.store.postgres.worker_rows import beat, end_sessions, join_workers, leave_workers, workers_of
from tests.harness.waiting import until
from tests.postgres.records import connect

pytestmark = pytest.mark.postgres

ENDED = {"status": "completed", "stop_reason": "end"}
SERVED = {"agents:desk": "f1"}


def placed(run_id: str, address: str = "agents:desk") -> Launch:
    """A launch for workers."""
    return Launch(
        {
            "run_id": run_id,
            "session_id": run_id,
            "turn": 1,
            "owner": PLACED,
            "placement": PLACED,
            "address": address,
        }
    )


@pytest.fixture
def stores(database_url: str, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """Two processes on one empty record, the second one of another host."""
    both: list[Any] = [open_store(server_url(database_url), tmp_path / name) for name in ("a", "b")]
    both[1]._writer.sender = replace(both[1]._writer.sender, owner="elsewhere - 1 1")
    yield both[0], both[1]
    for one in both:
        assert one.close(10)


def attempts(store: RunStore) -> list[tuple[Any, ...]]:
    """The record's attempts."""
    rows = store.read("select run_id, attempt, owner, status from attempts order by run_id, attempt")
    return [tuple(row.values()) for row in rows]


def test_one_worker_claims_a_placed_run(stores: tuple[Any, Any]) -> None:
    """Until somebody claims attempt 1 it is nobody's: it is no orphan, whoever is first has it, and nobody else writes to it."""
    a, b = stores
    a.submit(placed("r")).result(60)
    found = load_stopped(a, "r")
    assert found is not None
    assert (found.row["owner"], found.output.status, found.is_left) == (PLACED, RunStatus.pending, False)
    assert process_name(PLACED) == "waits for a worker"
    a.submit(InterruptOrphans()).result(60)
    assert attempts(a) == [("r", 1, PLACED, "pending")]
    claim = NewAttempt(run_id="r", attempt=1)
    assert [b.submit(claim).result(60), a.submit(claim).result(60)] == [True, False]
    assert attempts(a) == [("r", 1, b.owner, "pending")]
    assert [one.submit(Finish(run_id="r", end=ENDED)).result(60) for one in (a, b)] == [False, True]
    assert attempts(a) == [("r", 1, b.owner, "completed")]


def test_a_file_shows_attempts_as_a_server_does(stores: tuple[Any, Any], tmp_path: Path) -> None:
    """A claimed run's first attempt stands once in the views of both, as one that waits and one of a kernel do."""
    file = open_store(tmp_path / "runs.duckdb", tmp_path)
    for store in (stores[0], file):
        for one in (placed("claimed"), placed("waits"), Launch({"run_id": "kernel's", "session_id": "s"})):
            store.submit(one).result(60)
        store.submit(NewAttempt(run_id="claimed", attempt=1)).result(60)
        store.submit(Progress(run_id="claimed", partial_text="so far")).result(60)
    assert attempts(file) == attempts(stores[0])
    assert [row[1:3] for row in attempts(file)] == [(1, file.owner), (1, file.owner), (1, PLACED)]
    file.submit(InterruptOrphans()).result(60)
    assert attempts(file) == attempts(stores[0])
    assert file.close(10)


def test_a_run_that_waits_for_a_worker_is_cancelled_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody need take it for that; a worker that comes afterwards cannot claim it any more."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    store = current().store
    store.submit(placed("r")).result(60)
    assert nb.cancel_run("r") is True
    assert nb.get("r").status is RunStatus.cancelled
    assert store.submit(NewAttempt(run_id="r", attempt=1)).result(60) is False
    assert nb.cancel_run("r") is False
    store.close()


def test_only_workers_end_what_a_dead_worker_has_left(stores: tuple[Any, Any]) -> None:
    """Sweeps of kernels leave a run on workers alone, but end what its process worked on besides, if that is known to be gone."""
    a, b = stores
    a.submit(placed("r")).result(60)
    b.submit(NewAttempt(run_id="r", attempt=1)).result(60)
    b.submit(Launch({"run_id": "member", "session_id": "s", "parent_run_id": "r"})).result(60)
    a.submit(InterruptOrphans(gone=(b.owner,))).result(60)
    assert [row[3] for row in attempts(a)] == ["interrupted", "pending"]
    ends = {"status": "interrupted", "stop_reason": "kernel_died"}
    assert a.submit(NewAttempt(run_id="r", attempt=2, ends=ends)).result(60) is True
    assert b.submit(AppendRows(run_id="r")).result(60) is False


def test_a_workers_lock_says_that_it_lives(stores: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is its alone; once its connection is gone and it is quiet, or silent for long, it is gone; so when it has left."""
    monkeypatch.setattr(worker_rows, "SETTLED_S", float("inf"))  # the server's start is never long ago
    stores[0].submit(placed("r")).result(60)
    first, second = connect_raw(stores[0]), connect_raw(stores[0])
    assert join_workers(first, "w", "host boot 7 1", SERVED)
    assert not join_workers(second, "w", "host boot 8 1", SERVED)
    (given_up,) = first.execute("show idle_in_transaction_session_timeout").fetchone()
    assert given_up == "10s"  # a frozen worker holds no lock for long
    beat(first, "host boot 7 1", running=2, draining=False)
    (row,) = load_workers(stores[0])
    assert (row.worker, row.host, row.pid, row.running, dict(row.addresses)) == ("w", "host", 7, 2, SERVED)
    assert not row.is_gone

    def is_gone(quiet_s: float, held: str = "beat_at") -> bool:
        second.execute(
            f"update workers set beat_at = timezone('utc', clock_timestamp()) - $1 * interval '1 s', held_at = {held}",  # noqa: S608
            [quiet_s],
        )
        return workers_of(second)[0].is_gone

    assert not is_gone(10.0)  # its lock is held
    first.close()
    assert not is_gone(0.5)
    assert not is_gone(
        3.0, "timezone('utc', pg_postmaster_start_time()) - interval '1 s'"
    )  # the server came back
    until(lambda: is_gone(3.0, "timezone('utc', clock_timestamp())"), "its lock is free")
    monkeypatch.setattr(worker_rows, "SETTLED_S", 0.0)  # long enough for whoever lives to be back
    assert is_gone(3.0, "timezone('utc', pg_postmaster_start_time()) - interval '1 s'")
    assert join_workers(second, "w", "host boot 8 1", SERVED)
    assert [(one.pid, one.is_gone) for one in load_workers(stores[0])][1] == (8, False)
    leave_workers(second, "host boot 8 1")
    assert [one.pid for one in load_workers(stores[0])] == [7]
    assert workers_of(second)[1].is_gone
    second.close()


def connect_raw(store: Any) -> Any:
    """A connection as a worker has it."""
    return store.connect()


def test_a_worker_that_is_gone_keeps_nobody_waiting(stores: tuple[Any, Any]) -> None:
    """Its sessions are ended, and with them the locks of what it was sending as it froze; others' stay."""
    a, b = stores
    a.submit(placed("r")).result(60)
    b.submit(NewAttempt(run_id="r", attempt=1)).result(60)
    first, second = connect_raw(a), connect_raw(a)
    assert join_workers(first, "w", b.owner, SERVED)
    frozen = b._writer._connection
    frozen.execute("begin")
    frozen.execute("select 1 from attempt_starts for update")
    end_sessions(second, b.owner)
    second.execute("set lock_timeout = '60s'")
    assert second.execute("select run_id from attempt_starts for update").fetchone() == ("r",)
    assert until(lambda: not _answers(first), "the end of its session")
    assert a.submit(placed("r2")).result(60).turn
    assert b.submit(AppendRows(run_id="r")).result(60) is True  # it was not taken over: it comes back
    second.close()


def _answers(connection: Any) -> bool:
    """Whether a session is there still."""
    import psycopg

    try:
        connection.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


def test_what_is_due_is_handed_out_once_a_round(stores: tuple[Any, Any]) -> None:
    """A served run goes to each queue once; again after its worker's death, or a decision on it; never once it has ended."""
    a, b = stores
    for one in (placed("r"), placed("other", "agents:triage")):
        a.submit(one).result(60)
    connection = connect_raw(a)

    def due(queue: str = "q", served: dict[str, str] = SERVED, most: int = 9) -> list[tuple[str, int]]:
        with placed_runs.handed_out(connection, queue, served, most) as found:
            return [(one.run_id, one.round) for one in found]

    assert (due(), due(), due("q2")) == ([("r", 1)], [], [("r", 1)])
    b.submit(NewAttempt(run_id="r", attempt=1)).result(60)
    assert placed_runs.give_back_of(connection, []) == []
    assert placed_runs.give_back_of(connection, [b.owner]) == ["r"]
    assert placed_runs.give_back_of(connection, [b.owner]) == []
    assert (due(most=0), due(), due()) == ([], [("r", 2)], [])
    placed_runs.hand_out_again(connection, ["r"])  # whoever had it has no place for it
    assert (due(), due()) == ([("r", 3)], [])
    placed_runs.refuse_run(connection, "r", "f1", "tool 'price' has changed")
    assert (due(), due(served={"agents:desk": "f2"})) == ([], [("r", 4)])
    ends = {"status": "interrupted", "stop_reason": "kernel_died"}
    b.submit(NewAttempt(run_id="r", attempt=2, ends=ends)).result(60)
    b.submit(Progress(run_id="r", attempt=2, status="paused")).result(60)
    connection.execute("update placed_runs set given_back = null, refused = '{}'")
    assert placed_runs.give_back_of(connection, [b.owner]) == []  # it waits for a person
    a.submit(DecisionRequest(run_id="r", step=1, tool_call_id="c", approved=True)).result(60)
    assert placed_runs.give_back_of(connection, [b.owner]) == ["r"]
    b.submit(Finish(run_id="r", attempt=2, end=ENDED)).result(60)
    placed_runs.drop_ended(connection)
    assert due(served=SERVED | {"agents:triage": "t"}) == [("other", 1)]
    connection.close()


def test_an_earlier_record_gets_the_tables_of_workers(database_url: str, stores: tuple[Any, Any]) -> None:
    """A record on a server that an earlier release has made has them after the next start, its runs as they were."""
    stores[0].submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    with connect(database_url) as admin:
        admin.execute("drop table workers, placed_runs")
        admin.execute("delete from schema_version")
        admin.execute("insert into schema_version values (9, now())")
    newer = open_store(server_url(database_url), stores[0].path)
    newer.submit(placed("p")).result(60)
    assert [row[0] for row in attempts(newer)] == ["p", "r"]
    assert newer.close(10)
