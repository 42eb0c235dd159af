from __future__ import annotations

import threading
from concurrent.futures import wait
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nbagent.errors import RunIdInUseError, StoreError
from nbagent.events import Message, ModelCall, Usage
from nbagent.run import RunStatus
from nbagent.store import (
    AppendRows,
    CancelRequest,
    Finish,
    Launch,
    LaunchResult,
    NewAttempt,
    Progress,
    Store,
    list_runs,
    load_run,
    load_turns,
    session_metrics,
)

NOW = datetime(2026, 11, 21, 5, 6, 7, tzinfo=UTC)


def call(**given: Any) -> ModelCall:
    """A model call."""
    plain: dict[str, Any] = {
        "step": 1,
        "attempt": 1,
        "status": "completed",
        "started_at": NOW,
        "duration_s": 1.0,
    }
    return ModelCall(provider="p", request_model="m", **(plain | given))


def launch(store: Store, run_id: str, session_id: str = "s", **given: Any) -> LaunchResult:
    """Launch and wait."""
    launched: LaunchResult = store.submit(
        Launch({"run_id": run_id, "session_id": session_id, **given})
    ).result(60)
    return launched


def end(run_id: str, status: str = "completed", stop_reason: str = "end", **given: Any) -> Finish:
    """An end."""
    rows = {name: given.pop(name) for name in ("attempt", "model_calls", "messages") if name in given}
    return Finish(run_id=run_id, end={"status": status, "stop_reason": stop_reason, **given}, **rows)


DIED = {"status": "interrupted", "stop_reason": "kernel_died"}


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        ([], ("pending", None, 1, None)),
        ([Progress(run_id="r", started_at=NOW, partial_text="so")], ("running", None, 1, "so")),
        ([Progress(run_id="r", status="paused")], ("paused", None, 1, None)),
        (
            [Progress(run_id="r", partial_text="so"), Progress(run_id="r", partial_text="so far")],
            ("running", None, 1, "so far"),
        ),
        ([end("r", content="done")], ("completed", "end", 1, None)),
        ([Progress(run_id="r", partial_text="do"), end("r", content="done")], ("completed", "end", 1, None)),
        ([end("r", "cancelled", "cancelled", partial_text="so")], ("cancelled", "cancelled", 1, "so")),
        ([end("r", "timeout", "idle_timeout")], ("timeout", "idle_timeout", 1, None)),
        ([end("r"), Progress(run_id="r", partial_text="late")], ("completed", "end", 1, None)),
        ([end("r", **DIED), NewAttempt(run_id="r", attempt=2)], ("pending", None, 2, None)),
        (
            [
                end("r", **DIED),
                NewAttempt(run_id="r", attempt=2),
                Progress(run_id="r", attempt=2, partial_text="2"),
            ],
            ("running", None, 2, "2"),
        ),
        (
            [end("r", **DIED), NewAttempt(run_id="r", attempt=2), end("r", attempt=2, content="2")],
            ("completed", "end", 2, None),
        ),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_run_shows_where_its_last_attempt_stands(
    store: Store, writes: list[Any], expected: tuple[Any, ...], *, together: bool
) -> None:
    """The views fold launch, progress and ends into one status, batched or one by one."""
    launch(store, "r")
    for write in writes:
        future = store.submit(write)
        if not together:
            future.result(60)
    columns = "status, stop_reason, attempt, partial_text"
    (row,) = store.read(f"select {columns} from runs")  # noqa: S608 - the test's own names
    assert tuple(row.values()) == expected
    (row,) = store.read(f"select {columns} from attempts order by attempt desc limit 1")  # noqa: S608
    assert tuple(row.values()) == expected
    output = load_run(store, "r")
    assert output is not None
    assert (output.status, output.attempt) == (RunStatus(expected[0]), expected[2])


def test_a_run_id_is_used_once_and_the_first_run_is_named(store: Store) -> None:
    """Launching an id again fails with the first run's agent, prompt, time and status; the first is untouched."""
    launch(
        store,
        "r",
        agent_name="desk",
        prompt="What moved NVDA this week, and why did it do so?",
        created_at=NOW,
    )
    with pytest.raises(
        RunIdInUseError, match=r"'r' is taken: desk on 'What moved NVDA.*'.*2026-11-21.*pending"
    ):
        launch(store, "r", prompt="other")
    (row,) = store.read("select prompt from runs")
    assert row["prompt"].startswith("What moved")


def test_a_refused_launch_does_not_hurt_its_batch(store: Store) -> None:
    """Of many launches handed over at once the taken ids fail, each alone; the others are durable."""
    launch(store, "r5")
    futures = {f"r{i}": store.submit(Launch({"run_id": f"r{i}", "session_id": "s"})) for i in range(10)}
    wait(futures.values(), 5)
    assert [name for name, future in futures.items() if future.exception()] == ["r5"]
    assert len(store.read("select run_id from runs")) == 10


def test_an_end_is_written_once(store: Store) -> None:
    """The second end of an attempt is False and leaves neither its end nor its rows."""
    launch(store, "r")
    assert store.submit(end("r", content="first", model_calls=(call(),))).result(60) is True
    assert store.submit(end("r", "error", "error", model_calls=(call(),))).result(60) is False
    assert store.submit(AppendRows(run_id="r", model_calls=(call(),))).result(60) is False
    output = load_run(store, "r")
    assert output is not None
    assert (output.status, output.content, output.metrics.model_calls) == (RunStatus.completed, "first", 1)


def test_two_ends_in_one_batch_are_one_end(store: Store) -> None:
    """Also where both are handed over together, exactly one wins."""
    launch(store, "r")
    futures = [store.submit(end("r", content=str(i), model_calls=(call(),))) for i in range(4)]
    assert sorted(future.result(60) for future in futures) == [False, False, False, True]
    assert len(store.read("select * from model_calls")) == 1


def test_an_attempt_is_claimed_once(store: Store) -> None:
    """Of two who resume a run one gets the attempt."""
    launch(store, "r")
    claims = [store.submit(NewAttempt(run_id="r", attempt=2)) for _ in range(2)]
    assert sorted(claim.result(60) for claim in claims) == [False, True]


def test_turns_of_a_session_are_numbered_in_launch_order(store: Store) -> None:
    """Each session counts from 1; a given turn is kept and counted on from."""
    futures = [store.submit(Launch({"run_id": f"a{i}", "session_id": "a"})) for i in range(5)]
    assert [future.result(60).turn for future in futures] == [1, 2, 3, 4, 5]
    assert launch(store, "b", "b").turn == 1
    assert launch(store, "b7", "b", turn=7).turn == 7
    assert launch(store, "b8", "b").turn == 8


def test_a_second_store_goes_on_counting(store: Store) -> None:
    """What one process has numbered, another counts on from, and back."""
    assert launch(store, "r1").turn == 1
    other = Store(store.path)
    assert launch(other, "r2").turn == 2
    assert launch(store, "r3").turn == 3
    other.close()


def test_cancel_before_launch_is_told_at_launch_once(store: Store) -> None:
    """A request for an id that does not exist yet meets its launch, and is used up by it."""
    assert store.submit(CancelRequest("r")).result(60) is True
    assert launch(store, "r").cancelled is True
    assert launch(store, "other").cancelled is False
    assert store.read("select * from cancel_requests") == []


def test_an_old_cancel_request_has_expired(store: Store) -> None:
    """After a day a request means nothing, and it goes."""
    store.read("select 1")
    store.close()
    store._writer.file.open()
    store._writer.file.con.execute(
        "insert into cancel_requests values ('r', ?)",
        [datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=25)],
    )
    store._writer.file.close()
    other = Store(store.path)
    assert launch(other, "r").cancelled is False
    assert other.read("select * from cancel_requests") == []
    other.close()


def test_a_session_is_read_back_in_order(store: Store) -> None:
    """History comes by turn and place in the turn; `before_turn` leaves the rest out."""
    launch(store, "r2", turn=2)
    launch(store, "r1", turn=1)
    for run_id in ("r2", "r1"):
        texts = [(seq, Message(role="user", content=f"{run_id} {seq}")) for seq in range(2)]
        store.submit(end(run_id, messages=tuple(texts)))

    def said(**options: Any) -> list[str]:
        return [one.content for turn in load_turns(store, "s", **options) for one in turn.messages]

    assert said() == ["r1 0", "r1 1", "r2 0", "r2 1"]
    assert said(before_turn=2) == ["r1 0", "r1 1"]


def test_a_run_is_found_by_id_or_by_its_latest_label(store: Store) -> None:
    """An id wins over a label; of two runs with one label the later is meant; unknown is None."""
    launch(store, "r1", label="facts", created_at=NOW)
    launch(store, "r2", label="facts", created_at=NOW + timedelta(seconds=1))
    launch(store, "r3", label="r1", created_at=NOW)
    assert [getattr(load_run(store, key), "run_id", None) for key in ("facts", "r1", "nothing")] == [
        "r2",
        "r1",
        None,
    ]


def test_members_come_with_their_leader(store: Store) -> None:
    """A run holds the runs that it started, each with metrics of its own."""
    launch(store, "leader", created_at=NOW)
    launch(store, "member", parent_run_id="leader", agent_name="m", created_at=NOW)
    store.submit(end("member", model_calls=(call(),)))
    store.submit(end("leader", model_calls=(call(), call(step=2))))
    output = load_run(store, "leader")
    assert output is not None
    assert [(one.agent_name, one.metrics.model_calls) for one in output.member_responses] == [("m", 1)]
    assert output.metrics.model_calls == 2


def test_runs_are_listed_newest_first_and_filtered(store: Store) -> None:
    """`limit` takes the newest; filters are columns, lists any of several; unknown ones are an error."""
    for i in range(6):
        launch(
            store, f"r{i}", session_id=f"s{i % 2}", created_at=NOW + timedelta(seconds=i), model=f"m{i % 3}"
        )
    store.submit(end("r4"))

    def listed(**given: Any) -> list[str]:
        return [row["run_id"] for row in list_runs(store, **given)]

    assert listed(limit=2) == ["r5", "r4"]
    assert listed(session_id="s1") == ["r5", "r3", "r1"]
    assert listed(status=RunStatus.pending, limit=2) == ["r5", "r3"]
    assert listed(status=["completed", "error"]) == ["r4"]
    assert listed(session_id="s0", model="m0") == ["r0"]
    assert listed(label="none") == []
    with pytest.raises(TypeError, match="colour"):
        listed(colour="red")


def test_a_reader_sees_what_was_submitted_before(store: Store) -> None:
    """Reading is a barrier: many unfinished runs' rows that nobody waits for are there."""
    for i in range(30):
        store.submit(Launch({"run_id": f"r{i}", "session_id": "s"}))
    for i in range(20):
        store.submit(end(f"r{i}"))
    (row,) = store.read(
        "select count(*) filter (where status = 'completed') as done, count(*) as n from runs"
    )
    assert row == {"done": 20, "n": 30}


def test_a_reader_cannot_write(store: Store) -> None:
    """A query that changes something is refused, and the record is as before."""
    launch(store, "r")
    with pytest.raises(Exception, match="read-only"):
        store.read("delete from launches")
    assert len(store.read("select * from runs")) == 1


def test_wrong_sql_hurts_nobody_else(store: Store) -> None:
    """The database's error goes to the one who asked; writes and reads go on."""
    with pytest.raises(Exception, match="nothing"):
        store.read("select * from nothing")
    assert launch(store, "r").turn == 1


def test_a_python_variable_is_no_table(store: Store) -> None:
    """A query's names mean tables of the record, never objects in the notebook."""
    mine = store.frame("select 1 as a")
    assert len(mine) == 1
    with pytest.raises(Exception, match="mine"):
        store.frame("select * from mine")


def test_many_threads_hand_over_at_once(store: Store) -> None:
    """Writes and reads from eight threads all arrive, and turns stay unique."""
    turns: list[int] = []
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for i in range(20):
                turns.append(launch(store, f"{name}-{i}").turn)
                store.submit(end(f"{name}-{i}", model_calls=(call(),)))
            store.read("select count(*) from runs")
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(turns) == list(range(1, 161))
    assert store.read("select count(*) as n from model_calls") == [{"n": 160}]


def test_nothing_is_opened_before_the_first_use(store: Store) -> None:
    """A store that nobody has used has no thread, no folder and no file."""
    before = threading.active_count()
    assert store.flush()
    assert store.trouble is None
    assert store.cancel_requested(["r"]) == set()
    assert not store.path.parent.exists()
    assert threading.active_count() == before


def test_files_are_the_users_alone(store: Store) -> None:
    """Folder, database and log are readable by nobody else."""
    with store.reader() as ask:
        ask("select 1")
    launch(store, "r")
    found = {
        one.name: one.stat().st_mode & 0o077 for one in [store.path.parent, *store.path.parent.iterdir()]
    }
    assert set(found.values()) == {0}, found


def test_a_closed_store_starts_again(store: Store) -> None:
    """Closing ends the thread; the next write begins anew."""
    before = set(threading.enumerate())
    launch(store, "r1")
    assert [one.name for one in set(threading.enumerate()) - before] == ["nbagent-store"]
    assert store.close()
    assert not set(threading.enumerate()) - before
    assert launch(store, "r2").turn == 2


def test_a_row_that_cannot_be_stored_is_set_aside_alone(store: Store) -> None:
    """The rest of its write is kept, its future and a notice say what was left out; others do not notice."""
    launch(store, "r1")
    launch(store, "r2")
    bad = call(duration_s=None)
    with_bad = store.submit(end("r1", content="kept", model_calls=(call(), bad)))
    good = store.submit(end("r2", content="kept", model_calls=(call(),)))
    with pytest.raises(StoreError, match=r"row of run 'r1'.*duration_s"):
        with_bad.result(60)
    assert good.result(60) is True
    rows = store.read(
        "select r.run_id, content, count(m.run_id) as calls from runs r join model_calls m using (run_id) group by r.run_id, content order by 1"
    )
    assert [tuple(row.values()) for row in rows] == [("r1", "kept", 1), ("r2", "kept", 1)]
    assert "duration_s" in store.take_notices()[0]
    assert store.take_notices() == []


def test_a_sessions_metrics_sum_its_runs(store: Store) -> None:
    """Calls of all runs count, members' too; time is that of the runs nobody else started; an unused session is empty."""
    for run_id, parent in (("r1", None), ("r2", None), ("member", "r2")):
        launch(store, run_id, created_at=NOW, parent_run_id=parent)
        times = {"started_at": NOW + timedelta(seconds=1), "finished_at": NOW + timedelta(seconds=3)}
        store.submit(end(run_id, model_calls=(call(usage=Usage(input_tokens=5)),), **times))
    found = session_metrics(store, "s")
    assert (found.model_calls, found.input_tokens, found.output_tokens) == (3, 15, None)
    assert (found.duration_s, found.queued_s) == (4.0, 2.0)
    assert session_metrics(store, "other").model_calls == 0
