from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from nbagent.errors import RunIdInUseError
from nbagent.events import Message
from nbagent.store import CancelRequest, Finish, Launch, LaunchResult, Store, load_turns
from nbagent.store.duckdb.journal.journal import LINE_MAX
from nbagent.store.duckdb.lock_file import LockFile
from tests.store.processes import child, logged, logs_of

ROWS = "select run_id, turn from runs order by turn, run_id"
END = {"status": "completed", "stop_reason": "end"}


def log_of(path: Path) -> Path:
    """The one log of a database; a test writes into it as a process does that is killed then."""
    return next(iter(logs_of(path)), path.with_name(path.name + ".launches.left"))


def minted(run_id: str, **given: Any) -> Launch:
    """A launch in a session of its own, unless another is given."""
    return Launch({"run_id": run_id, "session_id": run_id, "turn": 1, **given}, minted=True)


def killed_after(path: Path, run_ids: list[str], session_id: str | None = None) -> str:
    """Let a process launch runs and die before their rows are in the database; gives the log that it left."""
    with child(path) as one:
        one.tell("mint_and_die", run_ids=run_ids, session_id=session_id)
        assert one.process.wait(60) == -9
    left = log_of(path).read_text()
    assert left.count("\n") == len(run_ids), "the batch was faster than the kill"
    return left


@contextlib.contextmanager
def open_turn(store: Store) -> Any:
    """A turn that a reader keeps open: launches go into the log."""
    with store.reader() as ask:
        ask("select 1")
        yield ask


@pytest.mark.parametrize("next_one", ["this process", "another process"])
def test_an_acknowledged_launch_survives_sigkill(store: Store, path: Path, next_one: str) -> None:
    """Launches that only the log holds are there for whoever opens the file next, and the log is empty then."""
    killed_after(path, ["a", "b", "c"], session_id="s")
    if next_one == "another process":
        with child(path) as other:
            assert other.ask("read", sql=ROWS) == [["first", 1], ["a", 2], ["b", 3], ["c", 4]]
    assert store.submit(Launch({"run_id": "mine", "session_id": "s"})).result(60).turn == 5
    rows = store.read("select run_id, status from runs order by turn")
    assert [row["run_id"] for row in rows] == ["first", "a", "b", "c", "mine"]
    assert [row["status"] for row in rows] == ["interrupted"] * 4 + ["pending"]
    assert logged(path) == b""
    assert store.take_notices() == []


def test_a_log_is_taken_over_once(store: Store, path: Path) -> None:
    """A log that was committed but not emptied changes nothing the second time."""
    left = killed_after(path, ["a", "b", "c", "d"])
    assert len(store.read(ROWS)) == 4
    assert store.close()
    log_of(path).write_text(left * 2)
    assert len(store.read(ROWS)) == 4
    assert store.close()
    assert logged(path) == b""
    assert store.take_notices() == []


def test_a_torn_line_was_never_acknowledged(store: Store, path: Path) -> None:
    """What a crash left of a line is dropped, the lines before it are kept."""
    left = killed_after(path, ["a", "b"])
    log_of(path).write_text(left[:-10])
    assert store.read(ROWS) == [{"run_id": "a", "turn": 1}]
    assert store.take_notices() == []


def test_lines_that_nobody_can_read_are_kept_aside(store: Store, path: Path) -> None:
    """Damage in the log costs the damaged launches only; their bytes are kept and a notice says where."""
    first, second = killed_after(path, ["a", "b"]).splitlines()
    log_of(path).write_text(f"{first}\ngarbage\n[1]\n{second}\n")
    assert [row["run_id"] for row in store.read(ROWS)] == ["a", "b"]
    (notice,) = store.take_notices()
    (aside,) = path.parent.glob("*.launches.damaged-*")
    assert aside.name in notice
    assert aside.read_text() == "garbage\n[1]"
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


def test_a_row_of_the_log_that_is_refused_keeps_nobody_out(store: Store, path: Path) -> None:
    """A launch that the database cannot hold is named in a notice; the others and the file are fine."""
    first, second = killed_after(path, ["a", "b"]).splitlines()
    log_of(path).write_text(first.replace('"session_id":"a"', '"session_id":null') + f"\n{second}\n")
    assert [row["run_id"] for row in store.read(ROWS)] == ["b"]
    (notice,) = store.take_notices()
    assert "run 'a' could not be written" in notice


def test_launches_of_a_damaged_record_go_into_the_new_one(store: Store, path: Path) -> None:
    """Where the database is set aside, what only the log held is not lost with it."""
    killed_after(path, ["a"])
    path.write_bytes(b"garbage" * 1000)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    assert store.read(ROWS) == [{"run_id": "a", "turn": 1}]
    (notice,) = store.take_notices()
    assert "is damaged" in notice


def test_a_launch_in_the_log_is_read_at_once(store: Store, path: Path) -> None:
    """A reader of this process waits for the rows handed over before, also where the log has them."""
    with open_turn(store):
        assert store.launch(minted("a", prompt="\u00e4")).done()
        assert '"run_id":"a"' in logged(path).decode()
        if sys.platform != "win32":
            assert stat.S_IMODE(log_of(path).stat().st_mode) == 0o600
        assert store.read("select run_id, prompt from runs") == [{"run_id": "a", "prompt": "\u00e4"}]
    assert store.close()
    assert logs_of(path) == []


def test_a_run_that_ends_in_its_launchs_batch_has_its_place(store: Store) -> None:
    """Rows that do not say their session and turn find them, though the launch is in no table yet."""
    with open_turn(store):
        store.launch(minted("a", session_id="s", turn=3))
        message = Message(role="user", content="hello")
        store.submit(Finish(run_id="a", end=END, messages=((0, message),)))
        assert [turn.messages for turn in load_turns(store, "s")] == [(message,)]
    assert store.read("select turn, status from runs") == [{"turn": 3, "status": "completed"}]


def test_turns_stay_in_launch_order(store: Store) -> None:
    """In one session, launches by the log and by the database are numbered as they came, none twice."""
    with open_turn(store):
        futures = []
        for number in range(60):
            launch = Launch({"run_id": f"r{number}", "session_id": "s"}, minted=number % 3 > 0)
            futures.append(store.launch(launch))
        given = [future.result(60).turn for future in futures]
    assert all(turn in (None, number) for number, turn in enumerate(given, start=1))
    rows = [(row["run_id"], row["turn"]) for row in store.read(ROWS)]
    assert rows == [(f"r{number}", number + 1) for number in range(60)]


def test_more_than_a_batch_leaves_nothing_in_the_log(store: Store, path: Path) -> None:
    """A turn ends when all launches that it acknowledged are committed."""
    with open_turn(store):
        done = wait([store.launch(minted(f"r{number}")) for number in range(1200)], 30)
        assert not done.not_done
    assert store.close()
    assert logged(path) == b""
    assert store.read("select count(*) as n from runs") == [{"n": 1200}]


def test_an_id_of_the_users_is_checked_against_the_record(store: Store, path: Path) -> None:
    """A launch whose id may be taken is acknowledged by the database only."""
    with open_turn(store):
        store.launch(Launch({"run_id": "r", "session_id": "s", "turn": 1})).result(60)
        again = store.launch(Launch({"run_id": "r", "session_id": "t", "turn": 1}))
        with pytest.raises(RunIdInUseError):
            again.result(60)
        assert logs_of(path) == []


@pytest.mark.parametrize(
    "given",
    [{"prompt": "a\ud800b"}, {"prompt": "x" * LINE_MAX}, {"agent_name": "\udcff"}],
    ids=["lone surrogate", "huge", "lone surrogate in a name"],
)
def test_what_the_log_does_not_take_goes_into_the_database(
    store: Store, path: Path, given: dict[str, Any]
) -> None:
    """A launch with text that needs repair or of a great size waits for its commit."""
    with open_turn(store):
        assert store.launch(minted("a", **given)).result(60) == LaunchResult(1, cancelled=False)
        assert logs_of(path) == []
    prompt = given.get("prompt", "").replace("\ud800", "\ufffd") or None
    assert store.read("select turn, prompt from runs") == [{"turn": 1, "prompt": prompt}]


def test_a_request_to_cancel_is_honoured(store: Store) -> None:
    """A launch whose cancel was asked for before is told so, and uses the request up."""
    with open_turn(store):
        store.submit(CancelRequest("a")).result(60)
        assert store.launch(minted("a")).result(60).cancelled is True
        assert store.launch(minted("b")).result(60).cancelled is False
    assert store.read("select * from cancel_requests") == []


@pytest.mark.parametrize("then", ["space", "killed"])
def test_on_a_full_disk_what_was_acknowledged_stays_in_the_log(store: Store, path: Path, then: str) -> None:
    """Half a line is no launch: that one waits in memory; those before it are committed when there is space again."""
    with child(path) as one:
        launched = one.ask("mint_on_a_full_disk")
        assert "cannot be written" in one.ask("trouble")
        assert one.ask("done", timeout_s=0.1) is False
        assert not log_of(path).read_bytes().endswith(b"\n")
        if then == "killed":
            one.kill()
        else:
            one.ask("limit", size=-1)
            assert one.ask("done", timeout_s=60) is True
            launched.append("during")
            assert one.ask("read", sql="select count(*) from runs") == [[len(launched)]]
    assert {row["run_id"] for row in store.read(ROWS)} == set(launched)
    assert store.take_notices() == []
    assert logged(path) == b""


def test_a_log_that_cannot_be_synced_holds_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk does not confirm a line, the launch waits for its commit."""

    def refused(_: int) -> None:
        raise OSError(errno.EIO, "the disk")

    with open_turn(store):
        monkeypatch.setattr(
            "nbagent.store.duckdb.journal.journal._sync", refused
        )  # the system call, as a bad disk ends it
        assert store.launch(minted("a")).result(60) == LaunchResult(1, cancelled=False)
        assert store.launch(minted("b")).result(60).turn == 1
    assert [row["run_id"] for row in store.read(ROWS)] == ["a", "b"]
    assert store.take_notices() == []


def test_a_launch_that_is_interrupted_is_no_pending_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop in the moment of the disk's write: the caller has no run, so the record has none that goes on."""

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with open_turn(store):
        monkeypatch.setattr(
            "nbagent.store.duckdb.journal.journal._sync", interrupted
        )  # the system call, as a signal ends it
        with pytest.raises(KeyboardInterrupt):
            store.launch(minted("a"))
        monkeypatch.undo()
        assert store.launch(minted("b")).done()
    rows = store.read("select run_id, status from runs order by 1")
    assert [tuple(row.values()) for row in rows] == [("a", "cancelled"), ("b", "pending")]


def test_a_launch_waits_for_no_other_process(store: Store, path: Path) -> None:
    """While another process has the file, a launch is durable at once, and who has the next turn finds it."""
    store.submit(minted("first")).result(60)
    with child(path) as other:
        lock = LockFile(path)
        lock.acquire()
        assert store.launch(minted("a")).done()
        other.tell("read", sql="select run_id from runs order by 1")
        lock.release()
        assert other.answer() == [["a"], ["first"]]
        lock.forget()
        assert len(logs_of(path)) == 1  # its process lives, and goes on with it
    assert store.launch(minted("b")).done()
    assert len(store.read(ROWS)) == 3
    assert logged(path) == b""


def test_a_session_that_another_process_began_is_gone_on_with(store: Store, path: Path) -> None:
    """A turn that only another process's log has is counted, also where it comes in the same batch."""
    store.submit(minted("first")).result(60)
    with child(path) as other:
        lock = LockFile(path)
        lock.acquire()
        store.launch(minted("a", session_id="s"))
        other.tell("launch", run_id="b", session_id="s")
        lock.release()
        assert other.answer() == 2
        lock.forget()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_log_that_was_deleted_takes_nothing(store: Store, path: Path) -> None:
    """What nobody could find any more goes into the database, and the next launches into another log."""
    with open_turn(store):
        store.launch(minted("a")).result(60)
        (log,) = logs_of(path)
        log.unlink()
        assert store.launch(minted("b")).result(60).turn == 1
        assert logs_of(path) == []
    assert store.close()
    with open_turn(store):
        assert store.launch(minted("c")).done()
        assert b'"run_id":"c"' in logged(path)
    assert len(store.read(ROWS)) == 3


def test_other_processes_see_launches_as_they_take_turns(path: Path) -> None:
    """While one process launches without a pause, another gets its turns and finds no launch missing."""
    with child(path) as busy, child(path) as other:
        busy.ask("mint", run_ids=["a0"])
        for number in range(1, 6):
            busy.tell("mint", run_ids=[f"a{number}-{one}" for one in range(20)])
            rows = other.ask("read", sql="select count(*) as n, count(distinct run_id) as ids from runs")
            assert rows[0][0] == rows[0][1] >= 1 + 20 * (number - 1)
            assert busy.answer().count("\n") > 0
    assert logged(path) == b""


def test_a_fork_in_the_middle_of_a_turn_leaves_the_log_to_the_parent(store: Store, path: Path) -> None:
    """A forked child neither empties the parent's log nor adds to it; both go on."""
    with open_turn(store):
        store.launch(minted("a")).result(60)
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                assert store._writer.log._fd is None
                assert not store._writer.log.is_open
                code = 0
            os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        store.launch(minted("b")).result(60)
    assert [row["run_id"] for row in store.read(ROWS)] == ["a", "b"]
    assert store.close()
    assert logged(path) == b""
