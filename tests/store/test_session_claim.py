"""A session's claim: one process has it, a dead one lets go, who waits is seen, and no files are left."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent.store import ClaimNote, SessionClaims

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import os, sys
from pathlib import Path
from nbagent.store import ClaimNote, SessionClaims
claims = SessionClaims(Path(sys.argv[1]))
claim = claims.take("s")
claim.leave_note(ClaimNote(run_id="r", turn=3, owner="host boot 1 2"))
mark = claims.wait("waited")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path: Path) -> SessionClaims:
    """This process's claims."""
    return SessionClaims(tmp_path / "runs.duckdb")


@pytest.fixture
def there(tmp_path: Path) -> SessionClaims:
    """Those of another process, which opens the files by itself."""
    return SessionClaims(tmp_path / "runs.duckdb")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Where the files are."""
    return tmp_path / "runs.duckdb.sessions"


def names(folder: Path) -> list[str]:
    """The files that are there; none without the folder."""
    return [one.name for one in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the claim of "s" and waits for that of "waited"."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "runs.duckdb")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("session_id", ["s", "", "a/../b", "x" * 5000, "日本 \0 \ud800"])
def test_one_of_two_has_it(here: SessionClaims, there: SessionClaims, session_id: str) -> None:
    """Whatever the id is; another session's is free."""
    claim = here.take(session_id)
    assert claim is not None
    assert (there.take(session_id), here.take(session_id)) == (None, None)
    other = there.take("another")
    assert other is not None
    claim.release()
    again = there.take(session_id)
    assert again is not None
    again.release()
    other.release()


def test_no_file_is_left(here: SessionClaims, there: SessionClaims, files: Path) -> None:
    """Files go with who used them, also those of a wait; the folder goes with the store. All are the user's own."""
    claims = [here.take(f"s{number}") for number in range(50)]
    assert len(names(files)) == 50
    assert stat.S_IMODE(files.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in files.iterdir()} == {0o600}
    mark = there.wait("s1")
    there.done_waiting(mark)
    for claim in claims:
        assert claim is not None
        claim.release()
    assert names(files) == []
    here.tidy()
    assert not files.exists()
    again = here.take("s")
    assert again is not None
    again.release()


def test_the_holder_sees_that_somebody_waits(here: SessionClaims, there: SessionClaims) -> None:
    """For as long as one of them does; and who waits sees whose run works, and which one was over last."""
    claim = here.take("s")
    assert claim is not None
    assert not claim.others_wait()
    marks = [there.wait("s"), there.wait("s")]
    assert claim.others_wait()
    working = ClaimNote(run_id="r", turn=3, label="first", owner="host boot 1 2", state="paused")
    claim.leave_note(working)
    assert there.note("s") == working
    over = ClaimNote(run_id="r", turn=3, state="over")
    claim.leave_note(over)
    assert there.note("s") == over
    there.done_waiting(marks[0])
    assert claim.others_wait()
    there.done_waiting(marks[1])
    assert not claim.others_wait()
    claim.release(over)
    assert there.note("s") is None


def test_a_claim_that_was_anothers_turn_leaves_its_note(
    here: SessionClaims, there: SessionClaims, files: Path
) -> None:
    """Handing it back changes nothing that others read; the last one who waited clears up."""
    claim = here.take("s")
    assert claim is not None
    mark = there.wait("s")
    over = ClaimNote(run_id="r", turn=3, state="over")
    claim.release(over)
    taken = there.take("s")
    assert taken is not None
    taken.hand_back()
    assert there.note("s") == over
    there.done_waiting(mark)
    last = here.take("s")
    assert last is not None
    last.release(over)
    assert names(files) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"run_id": 5}', b'{"run_id": "r", "turn": "x"}', b"\xff" * 9000]
)
def test_a_note_that_is_none_is_none(
    here: SessionClaims, there: SessionClaims, files: Path, content: bytes
) -> None:
    """Half a note, or what somebody else has put there."""
    assert here.take("s") is not None
    (path,) = files.iterdir()
    path.write_bytes(content)
    assert there.note("s") is None


def test_a_killed_process_lets_go(here: SessionClaims, holder: subprocess.Popen[str], files: Path) -> None:
    """Of its claims and of its waits; its note says who it was; the file goes with the next one who had it."""
    mine = here.take("waited")
    assert mine is not None
    assert mine.others_wait()
    assert here.take("s") is None
    holder.kill()
    holder.wait()
    claim = here.take("s")
    assert claim is not None
    assert not mine.others_wait()
    note = here.note("s")
    assert note is not None
    assert (note.run_id, note.state) == ("r", "working")
    claim.release()
    mine.release()
    assert names(files) == []


def test_what_killed_processes_have_left_is_removed(
    holder: subprocess.Popen[str], here: SessionClaims, files: Path
) -> None:
    """By the first claim that a later process takes, of whatever session; what is in use stays."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert len(names(files)) == 2
    claim = here.take("other")
    assert claim is not None
    assert len(names(files)) == 1
    later = SessionClaims(files.with_name("runs.duckdb"))
    other = later.take("third")
    assert other is not None
    assert len(names(files)) == 2
    other.release()
    claim.release()


def test_a_forked_child_holds_nothing(tmp_path: Path, here: SessionClaims) -> None:
    """A worker that outlives the kernel which forked it keeps nobody waiting."""
    from nbagent.store import Store

    store = Store(tmp_path / "runs.duckdb")
    claim = store.claims.take("s")
    assert claim is not None
    (told, tell), (wait, _go) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(tell, b"x")
        os.read(wait, 1)
        os._exit(0)
    try:
        os.read(told, 1)
        assert here.take("s") is None  # closing its copy has unlocked nothing
        store.claims.forget()  # as a kill does: the descriptor is closed without a word
        again = here.take("s")
        assert again is not None
        again.release()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for fd in (told, tell, wait, _go):
            os.close(fd)


@pytest.mark.parametrize("fault", ["no flock", "no folder", "a link", "a linked folder"])
def test_where_nothing_can_be_locked_everybody_may_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The claim says that it excludes nobody, and why, in two lines; nothing that a link names is opened."""
    claims = SessionClaims(tmp_path / "runs.duckdb")
    folder, target = tmp_path / "runs.duckdb.sessions", tmp_path / "target"
    if fault == "no flock":

        def no_locks(_fd: int, _how: int) -> None:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(fcntl, "flock", no_locks)
    elif fault == "no folder":
        folder.write_text("a file")
    elif fault == "a link":
        claim = claims.take("s")
        assert claim is not None
        (path,) = folder.iterdir()
        claim.release()
        path.symlink_to(target)
    else:
        target.mkdir()
        folder.symlink_to(target)
    taken = [claims.take("s"), claims.take("s")]
    assert [one is not None and one.excludes for one in taken] == [False, False]
    assert claims.trouble is not None
    assert len(claims.trouble.splitlines()) == 2
    for one in taken:
        assert one is not None
        one.leave_note(ClaimNote(run_id="r"))
        one.release()
    assert not target.is_file()
    assert fault != "a linked folder" or list(target.iterdir()) == []
