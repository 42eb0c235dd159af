"""The server goes while runs are under way: they go on, somebody is told, and nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbagent.errors import StoreError
from nbagent.events import Message
from nbagent.settings import server_url
from nbagent.store import AppendRows, Finish, InterruptOrphans, Launch, RunStore, open_store
from nbagent.store.postgres import listener, readers
from nbagent.store.postgres.write import pg_writer
from nbagent.store.postgres.write.apply import Sender
from nbagent.store.postgres.write.operations import operation_of
from nbagent.store.postgres.write.outbox import Outbox
from nbagent.store.postgres.write.senders import commit, join
from nbagent.store.process_id import is_alive
from tests.harness.cut_wire import CutWire
from tests.harness.postgres_server import PostgresForTests
from tests.harness.waiting import until

pytestmark = pytest.mark.postgres

ENDED = {"status": "completed", "stop_reason": "end", "content": "x"}
LEAVE = """
import sys, time
from pathlib import Path
from nbagent.settings import server_url
from nbagent.store import Finish, Launch, open_store
store = open_store(server_url(sys.argv[1]), Path(sys.argv[2]))
store.submit(Launch({"run_id": "before", "session_id": "s"})).result(60)
print("there", flush=True)
sys.stdin.readline()
for i in range(20):
    store.submit(Launch({"run_id": f"r{i}", "session_id": "s"}))
store.submit(Finish(run_id="before", end={"status": "completed", "stop_reason": "end", "content": "x"}))
while not list(Path(sys.argv[2]).rglob("*.outbox")) or store._writer._outbox.last < 22:
    time.sleep(0.01)
print("kept", flush=True)
time.sleep(600)
"""


@pytest.fixture
def wire(database_url: str) -> Iterator[CutWire]:
    """A way to that record which can be cut."""
    one = CutWire(database_url)
    yield one
    one.close()


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[RunStore]:
    """An empty record on a server, closed after the test."""
    one = open_store(server_url(database_url), tmp_path)
    yield one
    assert one.close(30)


def test_who_waits_for_the_server_beside_others_wakes_none_of_them(store: RunStore) -> None:
    """Several that wait for one commit wait; they used to wake each other as often as the processor let them."""
    launch(store, "before").result(60)
    writer, woken = store._writer, []  # type: ignore[attr-defined]
    tell, both = writer._cond.notify_all, threading.Barrier(4)
    writer._cond.notify_all = lambda: (woken.append(1), tell())

    def wait() -> None:
        both.wait(60)
        writer.flush(60)

    with writer.held:  # nothing is committed meanwhile
        last = launch(store, "r")
        waiting = [threading.Thread(target=wait) for _ in range(3)]
        for one in waiting:
            one.start()
        both.wait(60)
        until(lambda: len(writer._cond._waiters) >= 3, "all of them wait")
        seen = len(woken)
        for _ in range(100):
            with writer._cond:
                writer._cond.wait(0.001)
        assert len(woken) - seen <= 3
    assert last.result(60).turn
    for one in waiting:
        one.join(60)


def launch(store: RunStore, run_id: str) -> Any:
    """Hand a launch over."""
    return store.submit(Launch({"run_id": run_id, "session_id": "s"}))


def unsettled(store: RunStore) -> Any:
    """An end, rows and a launch that the server has not seen."""
    said = ((0, Message(role="user", content="hello")),)
    return [
        store.submit(AppendRows(run_id="r", messages=said)),
        store.submit(Finish(run_id="r", end=ENDED)),
        launch(store, "second"),
    ]


def told(store: RunStore) -> list[dict[str, Any]]:
    """All that the record has of the runs."""
    return store.read(
        "select run_id, turn, status, (select count(*) from messages m where m.run_id = r.run_id) as said"
        " from runs r order by turn",
        timeout_s=60,
    )


ALL = [
    {"run_id": "r", "turn": 1, "status": "completed", "said": 1},
    {"run_id": "second", "turn": 2, "status": "pending", "said": 0},
]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_is_handed_over_while_the_server_is_away_is_there_afterwards(
    store: RunStore, postgres_server: PostgresForTests, end: str
) -> None:
    """Stopped, or killed: the trouble is told in two lines, what waits is on the disk, and all of it comes once, in order."""
    launch(store, "r").result(60)
    getattr(postgres_server, end)()
    try:
        waiting = unsettled(store)
        until(lambda: store.trouble, "the trouble")
        assert store.is_busy
        assert store.trouble is not None
        assert len(store.trouble.splitlines()) == 2
        until(lambda: list(store.path.glob("*.outbox")), "the file")
        assert [one.stat().st_mode & 0o077 for one in store.path.glob("*.outbox")] == [0]
        with pytest.raises(StoreError):
            store.read("select 1 as one", timeout_s=0.2)
    finally:
        postgres_server.start()
    assert [one.result(60) for one in waiting[:2]] == [True, True]
    assert waiting[2].result(60).turn == 2
    assert told(store) == ALL
    assert store.trouble is None
    until(lambda: not list(store.path.glob("*.outbox")), "the end of the file")


def test_connections_that_are_cut_are_made_again(store: RunStore) -> None:
    """An administrator, or a network, ends every connection: commands and reads after it notice nothing."""
    launch(store, "r").result(60)
    store.others_wrote(0)
    with store.connect() as con:
        con.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
    waiting = unsettled(store)
    assert [one.result(60) for one in waiting[:2]] == [True, True]
    waiting[2].result(60)
    assert told(store) == ALL


@pytest.mark.parametrize("cut", ["reset", "silence", "lost"])
def test_a_way_that_is_cut_is_told_of_and_waited_for(wire: CutWire, tmp_path: Path, cut: str) -> None:
    """With RST or without a word: people are told, what waits is on the disk meanwhile, and all of it comes once."""
    store = open_store(server_url(wire.url), tmp_path)
    launch(store, "r").result(60)
    (wire.reset if cut == "reset" else wire.silence)()
    waiting = unsettled(store)
    until(lambda: store.trouble, "the trouble")
    assert store.is_busy
    kept = until(lambda: list(store.path.glob("*.outbox")), "the file")
    until(lambda: b'"second"' in kept[0].read_bytes(), "its lines")
    later = launch(store, "third")  # while something waits for an answer, or for a connection
    until(lambda: b'"third"' in kept[0].read_bytes(), "one more")
    wire.mend(lost=cut == "lost")
    assert [one.result(60) for one in waiting[:2]] == [True, True]
    assert (waiting[2].result(60).turn, later.result(60).turn) == (2, 3)
    assert told(store) == [*ALL, {"run_id": "third", "turn": 3, "status": "pending", "said": 0}]
    until(lambda: not list(store.path.glob("*.outbox")), "the end of the file")
    assert store.trouble is None
    assert store.close(30)


def test_connections_that_are_never_answered_are_given_up(
    wire: CutWire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler that takes everything and gives nothing back: writer, reader and listener each get a new connection."""
    store = open_store(server_url(wire.url), tmp_path)
    launch(store, "r").result(60)
    assert [row["turn"] for row in told(store)] == [1]
    assert store.cancel_requested(["r"]) == set()
    for module, name in ((pg_writer, "WRITE_S"), (readers, "READ_S"), (listener, "HEAR_S")):
        monkeypatch.setattr(module, name, 2.0)
    # what was connected before has its time from then
    with store.connect() as con:
        con.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
    launch(store, "second").result(60)
    until(lambda: len(told_or_none(store) or ()) == 2, "a read")
    until(lambda: store._listener._looked > 2, "its looks")
    wire.strand()
    launch(store, "third").result(60)
    with store.connect() as con:
        con.execute("insert into cancel_requests values ('r', timezone('utc', now()))")
    until(lambda: store.cancel_requested(["r"]) == {"r"}, "the wish")
    until(lambda: len(told_or_none(store) or ()) == 3, "a read")
    assert store.close(30)


def told_or_none(store: RunStore) -> list[dict[str, Any]] | None:
    """All that the record has, or None where it cannot be read now."""
    try:
        return told(store)
    except StoreError:
        return None


def test_what_a_dead_process_left_is_sent_before_its_runs_are_interrupted(store: RunStore) -> None:
    """Also by a process that has been connected all along."""
    launch(store, "mine").result(60)
    owner, _, number = store.owner.rpartition(" ")
    dead = Sender(owner=f"{owner} {int(number) + 1}", writer="dead")
    assert is_alive(dead.owner) is False
    with store.connect() as con:
        join(con, dead)
        assert commit(
            con,
            dead,
            [operation_of(Launch({"run_id": "r", "session_id": "s"}), dead.owner).numbered(1)],
            "nbagent",
        )
    left = Outbox(store.path, dead)
    left.keep([operation_of(Finish(run_id="r", end=ENDED), dead.owner).numbered(2)])
    left.forget()
    store.submit(InterruptOrphans()).result(60)
    assert [row["status"] for row in told(store) if row["run_id"] == "r"] == ["completed"]
    assert not list(store.path.glob("dead*"))


def test_a_server_that_only_reads_is_waited_for(store: RunStore, database_url: str) -> None:
    """As a standby, or one that was made read-only: reads go on, what is written waits until it is."""
    launch(store, "r").result(60)
    name = store.read("select current_database() as name")[0]["name"]
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with store.connect() as con:
        con.execute(f'alter database "{name}" set default_transaction_read_only = on')
        con.execute(cut)
    waiting = unsettled(store)
    until(lambda: "read" in (store.trouble or ""), "the trouble")
    assert [row["status"] for row in store.read("select status from runs", flush=False)] == ["pending"]
    with store.connect() as con:
        con.execute("set default_transaction_read_only = off")
        con.execute(f'alter database "{name}" reset default_transaction_read_only')
        con.execute(cut)
    assert [one.result(60) for one in waiting[:2]] == [True, True]
    waiting[2].result(60)
    assert told(store) == ALL


def test_what_a_killed_process_left_is_sent_by_the_next_one(
    postgres_server: PostgresForTests, database_url: str, tmp_path: Path
) -> None:
    """A kernel that was killed while the server was away has lost nothing that was on the disk; it is sent once."""
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVE, database_url, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "there"
        postgres_server.stop()
        try:
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline().strip() == "kept"
            process.send_signal(signal.SIGKILL)
            process.wait(60)
        finally:
            postgres_server.start()
    finally:
        process.kill()
        process.communicate(timeout=60)
    store = open_store(server_url(database_url), tmp_path)
    store.submit(InterruptOrphans()).result(60)
    rows = store.read("select run_id, turn, status, stop_reason from runs order by turn")
    assert [row["turn"] for row in rows] == list(range(1, 22))
    assert (rows[0]["run_id"], rows[0]["status"]) == ("before", "completed")
    assert {(row["status"], row["stop_reason"]) for row in rows[1:]} == {("interrupted", "kernel_died")}
    assert not list(tmp_path.rglob("*.outbox"))
    assert store.close(30)
