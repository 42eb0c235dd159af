"""A record on a server behind a real pgbouncer (marked `pooler`; `apt-get install pgbouncer`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.errors import StoreError
from nbagent.events import Message
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.settings import server_url
from nbagent.store import AppendRows, CancelRequest, Finish, InterruptOrphans, Launch, RunStore, open_store
from nbagent.store.postgres.administration.server_checks import check_server
from nbagent.store.postgres.connect import is_pooled
from nbagent.store.postgres.worker_rows import join_workers
from tests.harness.pooler import Pooler
from tests.harness.python_processes import python_processes
from tests.harness.waiting import until

pytestmark = pytest.mark.pooler

MEMBER = Path(__file__).with_name("team_member.py")
MODES = ["transaction", "session"]


@pytest.fixture(params=MODES)
def pooler(request: pytest.FixtureRequest, database_url: str) -> Iterator[Pooler]:
    """One that lends connections to that server."""
    one = Pooler(database_url, request.param)
    yield one
    one.end()


@pytest.fixture
def stores(pooler: Pooler, tmp_path: Path) -> Iterator[list[RunStore]]:
    """Two processes' ways to the record."""
    both = [open_store(server_url(pooler.url), tmp_path / name) for name in ("one", "other")]
    yield both
    for one in both:
        assert one.close(30)


def test_a_pooler_is_noticed(
    pooler: Pooler, stores: list[RunStore], database_url: str, tmp_path: Path
) -> None:
    """And whether what others say is heard through it; the server's own address is none."""
    one, _ = stores
    one.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    with one.connect() as con:
        assert is_pooled(con)
        assert "pooler" in check_server(con)
        with pytest.raises(StoreError, match="own address"):
            join_workers(con, "w", one.owner, {})
    one.others_wrote(0)
    until(lambda: one._listener._looked > 1, "its looks")
    assert one._listener.hears == (pooler.mode == "session")
    direct = open_store(server_url(database_url), tmp_path / "direct")
    with direct.connect() as con:
        assert not is_pooled(con)
        assert "pooler" not in check_server(con)
    assert direct.close(30)


def test_two_processes_write_by_turns(stores: list[RunStore]) -> None:
    """Turns, ends, messages, frames and looks for dead processes: nothing rests on what a connection was set to."""
    for number in range(60):  # more than psycopg takes to prepare a statement
        one = stores[number % 2]
        one.submit(Launch({"run_id": f"r{number}", "session_id": "s"})).result(60)
        said = ((0, Message(role="user", content="hello")),)
        one.submit(AppendRows(run_id=f"r{number}", messages=said)).result(60)
        one.submit(Finish(run_id=f"r{number}", end={"status": "completed", "stop_reason": "end"})).result(60)
    for one in stores:
        assert one.submit(InterruptOrphans()).result(60) == 0
        rows = one.read("select run_id, turn, status from runs order by turn")
        assert rows == [{"run_id": f"r{i}", "turn": i + 1, "status": "completed"} for i in range(60)]
        assert one.frame("select count(*) as said from messages")["said"].tolist() == [60]
        assert one.trouble is None
        assert one.take_notices() == []


def test_a_wish_is_read_by_the_other(stores: list[RunStore]) -> None:
    """Heard, or looked for once a second."""
    one, other = stores
    one.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    assert one.cancel_requested(["r"]) == set()
    other.submit(CancelRequest("r")).result(60)
    until(lambda: one.cancel_requested(["r"]) == {"r"}, "the wish")


@pytest.fixture
def member(pooler: Pooler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[Any, str]]]:
    """Start a colleague's process on this record; gives the process and the id of its run."""
    monkeypatch.setenv("NBAGENT_STORE", pooler.url)
    with python_processes() as begin:
        yield partial(begin, str(MEMBER), "run")
    current().store.close()


def test_a_colleagues_run_is_followed_and_cancelled(member: Callable[[], tuple[Any, str]]) -> None:
    """Its text grows here, and the cancel reaches its process."""
    process, run_id = member()
    until(lambda: len(nb.get(run_id).text or "") > 20, "its text")
    run = nb.get(run_id)
    next(iter(run.events()))
    assert nb.cancel_run(run_id)
    assert process.stdout.readline().strip() == "cancelled"
    until(lambda: nb.get(run_id).status is RunStatus.cancelled, "its end here")
