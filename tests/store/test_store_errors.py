from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from nbagent.errors import StoreBusyError, StoreError, StoreTooNewError
from nbagent.events import Message, ModelCall
from nbagent.store import Finish, Launch, Store, load_run
from nbagent.store.duckdb.database_file import trouble_of
from tests.store.processes import child

LAUNCH = Launch({"run_id": "r", "session_id": "s"})
ENDED = Finish(run_id="r", end={"status": "completed", "stop_reason": "end"})


def test_a_full_disk_keeps_rows_in_memory(path: Path) -> None:
    """Rows wait while nothing can be written and are written when there is space again."""
    with child(path) as one:
        one.ask("launch", run_id="before")
        one.ask("limit", size=1000)
        one.ask("submit", run_id="during", size=100_000)
        trouble = one.ask("trouble")
        assert "cannot be written" in trouble
        assert len(trouble.splitlines()) == 2
        assert one.ask("done", timeout_s=0.1) is False
        one.ask("limit", size=-1)
        assert one.ask("done", timeout_s=60) is True
        assert one.ask("read", sql="select run_id from runs order by 1") == [["before"], ["during"]]
        assert one.ask("trouble", timeout_s=0) is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("name", ["runs.duckdb.lock", "runs.duckdb.gate"])
@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing"])
def test_a_link_in_the_place_of_a_lock_is_not_followed(path: Path, name: str, there: bool) -> None:  # noqa: FBT001
    """A name beside the record that somebody made a link of leads into no other file; two lines say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    victim = path.parent / "victim.txt"
    if there:
        victim.write_text("of somebody else, and longer than what a holder of the lock signs with")
    before = victim.read_text() if there else None
    (path.parent / name).symlink_to(victim)
    store = Store(path)
    try:
        store.submit(LAUNCH)
        with pytest.raises(StoreError, match="symbolic link") as caught:
            store.read("select 1", timeout_s=1)
        assert len(str(caught.value).splitlines()) == 2
    finally:
        store.close()
    assert (victim.read_text() if victim.exists() else None) == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_that_looks_like_a_launch_log_is_left_alone(store: Store, path: Path) -> None:
    """Another process's log is read only where it is a file; a link is neither read, nor deleted, nor in the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    victim = path.parent / "victim.txt"
    victim.write_text("mine\n")
    link = path.parent / "runs.duckdb.launches-0000"
    link.symlink_to(victim)
    store.submit(LAUNCH).result(60)
    assert store.read("select run_id from launches")[0]["run_id"] == "r"
    assert link.is_symlink()
    assert victim.read_text() == "mine\n"


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can drop its rights")
def test_a_folder_that_cannot_be_written_is_said() -> None:
    """Without the right to write, rows wait with a sentence, and reading says the same."""
    # not pytest's folder: each session that starts takes everybody else's rights on it away
    with tempfile.TemporaryDirectory() as name, child(Path(name) / "shared" / "runs.duckdb") as one:
        folder = Path(name) / "shared"
        Path(name).chmod(0o755)
        folder.mkdir()
        folder.chmod(0o555)
        one.ask("become", uid=65534)
        one.ask("submit", run_id="r")
        trouble = one.ask("trouble")
        assert "Permission denied" in trouble
        assert "NBAGENT_STORE" in trouble
        assert one.ask("read", sql="select 1")["error"] == "StoreError"
        folder.chmod(0o777)
        assert one.ask("done", timeout_s=60) is True


@pytest.mark.parametrize("content", [b"hello" * 1000, b"\x00" * 8192, b"x"])
def test_a_file_that_is_no_database_is_set_aside(store: Store, path: Path, content: bytes) -> None:
    """Garbage keeps its bytes under a new name that a notice tells, and a new record is begun."""
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert store.submit(LAUNCH).result(60).turn == 1
    (notice,) = store.take_notices()
    (aside,) = path.parent.glob("runs.damaged-*.duckdb")
    assert aside.name in notice
    assert "is damaged" in notice
    assert aside.read_bytes() == content


def test_an_empty_file_is_no_file(store: Store, path: Path) -> None:
    """What a crash at the very beginning leaves is replaced without a word."""
    path.parent.mkdir(parents=True)
    path.touch()
    assert store.submit(LAUNCH).result(60).turn == 1
    assert store.take_notices() == []


def test_a_truncated_database_is_set_aside(store: Store, path: Path) -> None:
    """A database cut short is damaged: kept aside, a new one begun."""
    store.submit(LAUNCH).result(60)
    store.submit(ENDED).result(60)
    assert store.close()
    path.write_bytes(path.read_bytes()[:9000])
    assert store.submit(LAUNCH).result(60).turn == 1
    assert len(list(path.parent.glob("runs.damaged-*.duckdb"))) == 1


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_vanishes_between_turns_is_begun_anew(store: Store, path: Path, how: str) -> None:
    """Deleting or swapping the file, folder and all, confuses nobody."""
    store.submit(LAUNCH).result(60)
    store.submit(ENDED).result(60)
    assert store.close()
    for one in path.parent.iterdir():
        one.unlink()
    path.parent.rmdir()
    if how == "replaced":
        other = Store(path)
        other.submit(Launch({"run_id": "other", "session_id": "s", "turn": 6})).result(60)
        other.close()
    assert store.submit(LAUNCH).result(60).turn == (7 if how == "replaced" else 1)


def test_a_newer_record_is_left_untouched(store: Store, path: Path) -> None:
    """A file with a schema of a later release is refused with a sentence; not a byte of it changes."""
    store.submit(LAUNCH).result(60)
    store.submit(ENDED).result(60)
    store.close()
    with duckdb.connect(str(path)) as con:
        con.execute("insert into schema_version values (999, now()::timestamp)")
    before = path.read_bytes()
    with pytest.raises(StoreTooNewError, match="schema 999"):
        store.read("select 1")
    future = store.submit(Launch({"run_id": "q", "session_id": "s"}))
    with pytest.raises(TimeoutError):
        future.result(0.3)
    assert "update nbagent" in (store.trouble or "")
    assert store.close(0.2) is False
    assert path.read_bytes() == before
    path.unlink()
    store.submit(Launch({"run_id": "p", "session_id": "s"})).result(60)
    assert future.result(60).turn == 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Trying to read a database file with version number 99, but we can only read 64 to 68.",
            StoreTooNewError,
        ),
        (
            'Could not set lock on file "x": Conflicting lock is held in python (PID 12). See also',
            StoreBusyError,
        ),
        ("Cannot open file: No space left on device", StoreError),
    ],
)
def test_duckdbs_words_become_ours(path: Path, message: str, expected: type[StoreError]) -> None:
    """What DuckDB says of a file that it cannot use is told in two lines: what, and what to do."""
    found = trouble_of(duckdb.IOException(message), path)
    assert type(found) is expected
    assert len(str(found).splitlines()) == 2


def test_a_reader_hears_that_this_process_is_slow_not_another(store: Store, path: Path) -> None:
    """Where nobody else is in the way, it waits longer than it said, and then nobody else is blamed."""
    store.submit(LAUNCH).result(60)
    store.submit(ENDED).result(60)
    store.flush(60)
    with store._writer.file.held:  # between two turns: the next one of this process does not come to its end
        with pytest.raises(StoreBusyError, match="this process's own work on it takes long") as told:
            store.read("select 1", timeout_s=0.1)
        assert len(str(told.value).splitlines()) == 2
        assert "another process" not in str(told.value)
    assert store.read("select run_id from runs") == [{"run_id": "r"}]


def test_text_that_cannot_be_stored_is_repaired(store: Store) -> None:
    """Lone surrogates become U+FFFD wherever they stand, NULs stay, and neighbours are untouched."""
    hostile = "a\ud800b\x00c"
    now = datetime.now(UTC)
    futures = [
        store.submit(
            Launch({"run_id": "r", "session_id": "s", "prompt": hostile, "tags": {hostile: [hostile]}})
        ),
        store.submit(Launch({"run_id": "q", "session_id": "s", "prompt": "plain"})),
    ]
    call = ModelCall(
        step=1,
        attempt=1,
        provider="p",
        request_model="m",
        status="error",
        started_at=now,
        duration_s=0.0,
        error=hostile,
    )
    futures += [
        store.submit(
            Finish(
                run_id="r",
                end={"status": "error", "stop_reason": "error", "content": hostile},
                model_calls=(call,),
                messages=((0, Message(role="user", content=hostile)),),
            )
        ),
        store.submit(
            Finish(run_id="q", end={"status": "completed", "stop_reason": "end", "content": "\ud83d\ude00"})
        ),
    ]
    assert [bool(future.result(60)) for future in futures] == [True] * 4
    repaired = "a\ufffdb\x00c"
    output = load_run(store, "r")
    assert output is not None
    assert (output.prompt, output.content) == (repaired, repaired)
    assert (output.model_calls[0].error, output.messages[0].content) == (repaired, repaired)
    assert store.take_notices() == []


def test_ten_megabytes_are_kept_whole(store: Store) -> None:
    """A huge answer and a huge prompt come back as they were."""
    huge = "0123456789" * 1_000_000
    store.submit(Launch({"run_id": "r", "session_id": "s", "prompt": huge}))
    store.submit(
        Finish(run_id="r", end={"status": "completed", "stop_reason": "end", "content": huge})
    ).result(60)
    output = load_run(store, "r")
    assert output is not None
    assert (output.prompt, output.content) == (huge, huge)


def test_a_read_that_cannot_have_the_file_says_so_in_time(store: Store, path: Path) -> None:
    """A reader waits as long as it was told, then learns who holds the file."""
    store.submit(LAUNCH).result(60)
    assert store.close()
    with child(path) as holder:
        assert holder.ask("hold") is True
        with pytest.raises(StoreError, match=f"pid {holder.pid}"):
            store.read("select 1", timeout_s=1.5)
        holder.ask("let_go")
    assert store.read("select count(*) as n from runs") == [{"n": 1}]
