from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from nbagent.store import CancelRequest, Finish, Launch, Progress, Store, load_run
from nbagent.store.duckdb.lock_file import LockFile
from nbagent.store.process_id import current_process_id, is_alive
from tests.store.processes import child
from tests.store.stopped_process import AVAILABLE, stopped_before_lock

ROWS = "select run_id from cancel_requests order by 1"


@pytest.mark.skipif(not AVAILABLE, reason="needs Linux's ptrace: the race is forced by stopping a process")
@pytest.mark.parametrize("guard", ["guarded", "unguarded"])
def test_processes_that_take_turns_lose_nothing(path: Path, guard: str) -> None:
    """A process stopped between reading the header and locking the file keeps others out, or a row is lost.

    DuckDB 2.0.0 alone loses it; a DuckDB that does not is welcome to fail the second half of this test.
    """
    with child(path, guard) as first, child(path, guard) as second:
        first.ask("turn", run_id="begin")
        with stopped_before_lock(first.pid, path, lambda: first.tell("turn", run_id="first")):
            second.tell("turn", run_id="second")
            got_in = second.answers_within(1.0 if guard == "guarded" else 20.0)
        assert (first.answer(), second.answer()) == ("first", "second")
        kept = {run_id for (run_id,) in second.ask("read", sql=ROWS)}
    assert got_in is (guard == "unguarded")
    if guard == "guarded":
        assert kept == {"begin", "first", "second"}
    elif duckdb.__version__ == "2.0.0":
        assert kept == {"begin", "first"}


def test_eight_processes_share_one_file(path: Path) -> None:
    """Eight processes that launch and finish at the same time lose no row and number no turn twice.

    The first place may stay free: of a record that is just begun nobody knows yet that he is the first in a session.
    """
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child(path)) for _ in range(8)]
        for number, one in enumerate(children):
            one.tell("series", name=f"p{number}", count=4, pause_s=0.02)
        assert [len(one.answer()) for one in children] == [4] * 8
    store = Store(path)
    (row,) = store.read("select count(*) as n, count(distinct turn) as turns, max(turn) as top from runs")
    assert row in [{"n": 32, "turns": 32, "top": top} for top in (32, 33)]
    assert store.read("select distinct status from runs") == [{"status": "completed"}]
    store.close()


def test_a_row_is_durable_once_it_is_acknowledged(path: Path) -> None:
    """A process killed with SIGKILL right after a launch has left its row."""
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child(path)) for _ in range(3)]
        for number, one in enumerate(children):
            one.ask("launch", run_id=f"r{number}")
            one.kill()
    store = Store(path)
    assert len(store.read("select * from launches")) == 3
    store.close()


def test_runs_of_a_dead_process_are_interrupted_with_their_text(store: Store, path: Path) -> None:
    """The next one to use the file ends what a killed process left, and leaves the living alone."""
    with child(path) as dead, child(path) as alive:
        dead.ask("launch", run_id="dead")
        dead.ask("progress", run_id="dead", text="so far")
        dead.ask("launch", run_id="never begun")
        alive.ask("launch", run_id="alive")
        dead.kill()
        store.submit(Launch({"run_id": "mine", "session_id": "s"})).result(60)
        rows = store.read("select run_id, status, stop_reason, partial_text from runs order by 1")
        assert [tuple(row.values()) for row in rows] == [
            ("alive", "pending", None, None),
            ("dead", "interrupted", "kernel_died", "so far"),
            ("mine", "pending", None, None),
            ("never begun", "interrupted", "kernel_died", None),
        ]


def test_a_paused_run_outlives_its_process(store: Store, path: Path) -> None:
    """A run that waits for a person has no owner to lose."""
    with child(path) as dead:
        dead.ask("launch", run_id="r")
        dead.kill()
    store.submit(Progress(run_id="r", status="paused")).result(60)
    output = load_run(store, "r")
    assert output is not None
    assert output.status == "paused"


def test_a_run_given_up_by_others_is_fenced(store: Store) -> None:
    """An owner that comes back after its run was ended for it changes nothing."""
    store.submit(Launch({"run_id": "r", "session_id": "s", "owner": "elsewhere - 1 1"}))
    died = {"status": "interrupted", "stop_reason": "kernel_died"}
    assert store.submit(Finish(run_id="r", end=died)).result(60) is True
    late = {"status": "completed", "stop_reason": "end", "content": "late"}
    assert store.submit(Finish(run_id="r", end=late)).result(60) is False
    output = load_run(store, "r")
    assert output is not None
    assert (output.status, output.content) == ("interrupted", None)


def test_a_cancel_from_another_process_is_seen_once(path: Path) -> None:
    """The owner sees the request when the file has changed, is told it once, and the request goes."""
    owner, other = Store(path), Store(path)
    owner.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    assert owner.close()
    other.submit(CancelRequest("r")).result(60)
    assert other.close()
    assert owner.cancel_requested(["r", "q"]) == {"r"}
    owner._looked = 0.0
    assert owner.cancel_requested(["r"]) == set()
    assert owner.read("select * from cancel_requests") == []
    owner.close()


def test_looking_for_cancels_opens_an_unchanged_file_never(store: Store) -> None:
    """Where nobody else has had the file, looking costs a stat: no turn is taken."""
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    assert store.close()
    mark = store._writer.file.lock.mark()
    for _ in range(3):
        store._looked = 0.0
        assert store.cancel_requested(["r"]) == set()
    assert store._writer.file.lock.mark() == mark


def test_a_holder_that_takes_no_turns_is_named(path: Path) -> None:
    """While another program holds the file, rows wait and its pid is told; when it goes they are written."""
    with child(path) as holder, child(path) as one:
        one.ask("launch", run_id="before")
        assert holder.ask("hold") is True
        one.ask("submit", run_id="during")
        assert one.ask("done", timeout_s=0.5) is False
        trouble = one.ask("trouble")
        assert f"(pid {holder.pid})" in trouble
        assert len(trouble.splitlines()) == 2
        holder.ask("let_go")
        assert one.ask("done", timeout_s=60) is True
        assert one.ask("read", sql="select count(*) from runs") == [[2]]


def test_a_stopped_holder_of_the_lock_is_named(store: Store, path: Path) -> None:
    """A process that was stopped in its turn is found by the pid in the lock."""
    with child(path) as other:
        other.ask("launch", run_id="r")
        lock = LockFile(path)
        lock.acquire()
        future = store.submit(Launch({"run_id": "q", "session_id": "s"}))
        while store.trouble is None:
            assert not future.done()
        assert f"(pid {os.getpid()})" in store.trouble
        lock.release()
        assert future.result(60).turn == 2
        assert store.trouble is None
        lock.forget()


def test_the_lock_is_handed_to_the_one_who_waits(path: Path) -> None:
    """A holder sees that somebody waits, and who asks again at once stands behind that one."""
    path.parent.mkdir(parents=True)
    mine = LockFile(path)
    assert mine.acquire() is True
    assert mine.wanted() is False
    with child(path) as other:
        other.tell("turn", run_id="r")
        while not mine.wanted():
            pass
        mine.release()
        assert mine.acquire() is True  # not before the other has had its turn
        mine.release()
        assert other.answer() == "r"
        assert mine.acquire() is False
    mine.release()
    mine.forget()


def test_a_turn_ends_with_its_last_reader(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the file has it as soon as a reader is done: reading often keeps nobody out."""
    monkeypatch.setattr("nbagent.store.duckdb.write.writer.LEASE_S", 60.0)  # far more than the wait below
    other = LockFile(path)
    with ThreadPoolExecutor(1) as pool:
        with store.reader() as ask:
            ask("select 1")
            waiting = pool.submit(other.acquire)
            while not store._writer.file.lock.wanted():
                pass
        assert waiting.result(60) is True
    other.release()
    other.forget()


def test_a_forked_child_leaves_the_parents_file_alone(store: Store) -> None:
    """A child forked in the middle of a turn can end, or use the store by itself; the parent goes on."""
    with store.reader() as ask:
        ask("select 1")
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                assert store.flush(0.1)
                assert f" {os.getpid()} " in store.owner
                code = 0
            os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
    assert store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60).turn == 1
    store.close()
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            code = 0 if store.submit(Launch({"run_id": "q", "session_id": "s"})).result(60).turn == 2 else 2
            code = code or (0 if store.close(10) else 3)
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(store.read("select * from launches")) == 2


def test_an_owner_is_one_process_and_no_other() -> None:
    """This process is alive; another start, boot or pid is not; another host cannot be known."""
    host, boot, pid, start = current_process_id().split()
    assert is_alive(current_process_id()) is True
    assert is_alive(f"{host} {boot} {pid} {start}0") is False
    assert is_alive(f"{host} x{boot} {pid} {start}") is False
    assert is_alive(f"{host} {boot} 999999999 {start}") is False
    assert is_alive(f"{host} {boot}x {pid} {start}") is None
    assert is_alive(f"elsewhere {boot} {pid} {start}") is None
    assert is_alive("garbage") is False
