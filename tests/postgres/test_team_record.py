"""A record on a server, as a team has it: two processes see, cancel and take over each other's runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.errors import RunIdInUseError, StoreError
from nbagent.events import Message, RunFinished, TextAdded
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.settings import server_url
from nbagent.store import (
    AppendRows,
    CancelRequest,
    Finish,
    InterruptOrphans,
    Launch,
    NewAttempt,
    Progress,
    RunStore,
    load_run,
    open_store,
)
from nbagent.store.postgres.write import upkeep
from tests.harness.python_processes import python_processes
from tests.harness.waiting import until
from tests.store.test_store_rows import BARE_CALL, BARE_TOOL, FULL_CALL, FULL_TOOL, MESSAGES

pytestmark = pytest.mark.postgres

MEMBER = Path(__file__).with_name("team_member.py")
ENDED = {"status": "completed", "stop_reason": "end"}


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[RunStore]:
    """An empty record on a server, closed after the test."""
    one = open_store(server_url(database_url), tmp_path)
    yield one
    assert one.close(10)


@pytest.fixture
def member(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tuple[Any, str]]]:
    """Start a colleague's process on this test's record; gives the process and the id of its run."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    with python_processes() as begin:
        yield partial(begin, str(MEMBER))
    current().store.close()


def status(run_id: str) -> RunStatus:
    """The run's status as the record has it."""
    return nb.get(run_id).status


def test_a_colleagues_run_is_seen_and_cancelled(member: Callable[[str], tuple[Any, str]]) -> None:
    """Another process has the run as soon as its launch is there, its text as it grows, and can cancel it."""
    process, run_id = member("run")
    until(lambda: len(nb.get(run_id).text or "") > 20, "its text")
    assert status(run_id) is RunStatus.running
    assert nb.cancel_run(run_id)
    assert process.stdout.readline().strip() == "cancelled"
    assert status(run_id) is RunStatus.cancelled


def test_a_colleagues_run_tells_its_events_as_they_come(member: Callable[[str], tuple[Any, str]]) -> None:
    """Text comes in pieces while the run goes on, which join to the answer; the end is the last event."""
    _, run_id = member("run")
    run, pieces, ended = nb.get(run_id), [], []
    for event in run.events():
        if isinstance(event, TextAdded):
            pieces.append(event.text)
            ended.append(run.done())
    assert isinstance(event, RunFinished)
    assert "".join(pieces) == run.text == run.result(60).content
    assert ended[0] is False
    assert [type(one) for one in run.events()][-1] is RunFinished


def test_many_waits_for_colleagues_runs_are_one_look(
    member: Callable[[str], tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait for one run, its record is asked once at a time, and all hear its end."""
    _, run_id = member("run")

    async def wait_for_all() -> list[Any]:
        return list(await asyncio.gather(*(nb.get(run_id).finished() for _ in range(30))))

    outputs = asyncio.run(wait_for_all())
    assert {one.status for one in outputs} == {RunStatus.completed}
    watch = current().statuses
    until(lambda: not watch._waiting.get(current().store) and not watch._looks, "the end of the looks")


def test_a_killed_colleagues_run_is_taken_over(member: Callable[[str], tuple[Any, str]]) -> None:
    """The run of a process that was killed goes on here, as its second attempt."""
    process, run_id = member("run")
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    resumed = nb.get(run_id).resume(agent=nb.Agent(model="demo:assistant", name="colleague"))
    assert resumed.result(60).status is RunStatus.completed
    rows = current().store.read("select attempt, status, stop_reason from attempts order by attempt")
    assert [tuple(row.values()) for row in rows] == [
        (1, "interrupted", "kernel_died"),
        (2, "completed", "end"),
    ]


def test_a_frozen_colleague_writes_nothing_after_it_wakes(
    member: Callable[[str], tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped while its run was taken over finds that it has lost it: not a row of it more."""
    monkeypatch.setattr(upkeep, "SETTLED_S", 0.0)  # the server has just been started
    process, run_id = member("run")
    store = current().store
    process.send_signal(signal.SIGSTOP)
    with store.connect() as con:  # as if it had been silent for long
        con.execute(
            "update writers set beat_at = beat_at - interval '10 minutes' where owner <> $1", [store.owner]
        )
    resumed = nb.get(run_id).resume(agent=nb.Agent(model="demo:assistant", name="colleague"))
    assert resumed.result(60).status is RunStatus.completed
    counts = "select (select count(*) from messages) as m, (select count(*) from model_calls) as c, (select count(*) from attempt_ends) as e, (select max(heartbeat_at) from attempt_progress where attempt = 1) as p"
    before = store.read(counts)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0
    assert store.read(counts) == before
    assert status(run_id) is RunStatus.completed


def test_two_processes_count_one_sessions_turns(store: RunStore, database_url: str, tmp_path: Path) -> None:
    """What one has numbered another counts on from, and a taken id names the run that has it."""
    other = open_store(server_url(database_url), tmp_path / "other")

    def launch(where: RunStore, run_id: str) -> Any:
        return where.submit(
            Launch({"run_id": run_id, "session_id": "s", "agent_name": "a", "prompt": "say"})
        ).result(60)

    assert [launch(where, f"r{i}").turn for i, where in enumerate((store, other, store, other))] == [
        1,
        2,
        3,
        4,
    ]
    with pytest.raises(RunIdInUseError, match="run id 'r1' is taken: a on 'say'"):
        launch(store, "r1")
    assert other.close(10)


def test_rows_come_back_as_they_were_but_for_a_nul(store: RunStore) -> None:
    """None stays None, 0 stays 0, numbers and JSON as written; the one character that Postgres cannot hold is U+FFFD."""
    said = tuple(
        Message(role=one.role, content=one.content.replace("\x00", "\ufffd"), name=one.name, tool_call_id=one.tool_call_id,
                tool_requests=one.tool_requests, reasoning=one.reasoning, files=one.files, provider_items=one.provider_items)
        for one in MESSAGES
    )  # fmt: skip
    rows: dict[str, Any] = {"model_calls": (BARE_CALL, FULL_CALL), "tool_calls": (BARE_TOOL, FULL_TOOL)}
    store.submit(Launch({"run_id": "r", "session_id": "s", "prompt": "a\x00b \\u0000 \ud800"}))
    store.submit(
        Finish(run_id="r", end={**ENDED, "content": "x\x00"}, messages=tuple(enumerate(MESSAGES)), **rows)
    ).result(60)
    output = load_run(store, "r")
    assert output is not None
    assert (output.model_calls, output.tool_calls, output.messages) == (*rows.values(), said)
    assert (output.prompt, output.content) == ("a\ufffdb \\u0000 \ufffd", "x\ufffd")


def test_an_attempt_that_was_lost_takes_no_rows(store: RunStore, database_url: str, tmp_path: Path) -> None:
    """After another process has claimed the next attempt, or the end is there, nothing of the earlier one is written."""
    other = open_store(server_url(database_url), tmp_path / "other")
    other._writer.sender = replace(other._writer.sender, owner="elsewhere - 1 1")
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    assert (
        other.submit(AppendRows(run_id="r", messages=((0, Message(role="user", content="no")),))).result(60)
        is False
    )
    ends = {"status": "interrupted", "stop_reason": "kernel_died"}
    assert other.submit(NewAttempt(run_id="r", attempt=2, ends=ends)).result(60) is True
    assert store.submit(NewAttempt(run_id="r", attempt=2, ends=ends)).result(60) is False
    late = [
        Progress(run_id="r", partial_text="no"),
        AppendRows(run_id="r", model_calls=(BARE_CALL,)),
        Finish(run_id="r", end=ENDED, model_calls=(BARE_CALL,)),
    ]
    assert [store.submit(one).result(60) for one in late] == [False, False, False]
    assert store.read("select * from model_calls") == []
    assert other.submit(Finish(run_id="r", attempt=2, end=ENDED)).result(60) is True
    assert other.close(10)


def test_who_may_only_read_reads_and_is_refused_the_rest(
    store: RunStore, database_url: str, tmp_path: Path
) -> None:
    """A command that the user has no right to is refused in two lines, alone: reads go on, and commands after it."""
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    role = f"reader_{os.getpid()}"
    with store.connect() as con:
        con.execute(f"create role {role} login")
        con.execute(f"grant usage on schema nbagent to {role}")
        con.execute(f"grant select on all tables in schema nbagent to {role}")
    reader = open_store(server_url(database_url.replace("postgres@", f"{role}@")), tmp_path / "reader")
    for write in (CancelRequest("r"), Launch({"run_id": "mine", "session_id": "s"})):
        with pytest.raises(StoreError, match="refuses this user") as refused:
            reader.submit(write).result(60)
        assert len(str(refused.value).splitlines()) == 2
    assert [row["run_id"] for row in reader.read("select run_id from runs")] == ["r"]
    assert reader.trouble is None
    with store.connect() as con:  # a writer's rights, but for the requests
        con.execute(f"grant insert, update on writers, launches to {role}")
        con.execute(f"grant select, delete on cancel_requests to {role}")
    both = [reader.submit(CancelRequest("r")), reader.submit(Launch({"run_id": "mine", "session_id": "s"}))]
    with pytest.raises(StoreError, match="refuses this user"):
        both[0].result(60)
    assert both[1].result(60).turn == 2
    assert reader.close(30)
    with store.connect() as con:
        con.execute(f"drop owned by {role}")
        con.execute(f"drop role {role}")


def test_old_wishes_expire(store: RunStore) -> None:
    """After a day a request means nothing, and goes with the next look for dead processes."""
    store.read("select 1 as one")
    old = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=25)
    with store.connect() as con:
        con.execute("insert into cancel_requests values ('r', $1)", [old])
    store.submit(InterruptOrphans()).result(60)
    assert store.read("select * from cancel_requests") == []
