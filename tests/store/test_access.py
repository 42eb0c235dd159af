"""Other users' records, folders that can only be read, file systems without locks, files of other programs."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sqlite3
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from nbagent import settings
from nbagent.errors import StoreError
from nbagent.store import Finish, Launch, Store
from tests.store.processes import child

ROOT = Path(__file__).parents[2]
END = {"status": "completed", "stop_reason": "end", "content": "It is."}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="rights are dropped in Linux's way")

SCRIPT = """
import json, sys, warnings
from concurrent.futures import wait
warnings.simplefilter("ignore")
from nbagent.store import Launch, Store
from nbagent.errors import StoreError
import nbagent as nb
store, said = Store(sys.argv[1]), {}
for name, ask in {
    "read": lambda: store.read("select run_id, status from runs order by 1"),
    "arrays": lambda: store.arrays("select count(*) as n from runs")["n"].tolist(),
    "frame": lambda: store.frame("select run_id from runs order by 1")["run_id"].tolist(),
    "nb": lambda: sorted(nb.runs()["run_id"]),
}.items():
    try:
        said[name] = ask()
    except StoreError as error:
        said[name] = str(error)
written = store.submit(Launch({"run_id": "mine", "session_id": "m"}))
while not written.done() and store.trouble is None:
    wait([written], 0.05)  # a trouble has no event
try:
    said["write"] = written.result(60).turn if written.done() else store.trouble
except StoreError as error:
    said["write"] = str(error)
print(json.dumps(said))
"""


def without_rights() -> None:
    """Root is anybody from here on: files are guarded by their modes again (CAP_DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER)."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2, 3):
        libc.prctl(24, capability, 0, 0, 0)


def without_flock() -> None:
    """No file can be locked from here on: a filter of system calls answers flock with ENOTSUP, as some file systems do."""
    numbers = {"x86_64": 73, "aarch64": 32}
    number = numbers[os.uname().machine]
    program = b"".join(
        struct.pack("HBBI", *one)
        for one in (
            (0x20, 0, 0, 0),
            (0x15, 0, 1, number),
            (0x06, 0, 0, 0x00050000 | 95),
            (0x06, 0, 0, 0x7FFF0000),
        )
    )
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    given = Program(4, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(22, 2, ctypes.byref(given), 0, 0):
        os._exit(77)


def asked(path: Path, prepare: Callable[[], None]) -> dict[str, object]:
    """What a process that is prepared so gets of the record."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env={**os.environ, "NBAGENT_STORE": str(path), "PYTHONPATH": str(ROOT)},
        preexec_fn=prepare,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def two_lines(said: object, *parts: str) -> bool:
    """Whether it is a message of two lines with these parts."""
    return isinstance(said, str) and len(said.splitlines()) == 2 and all(part in said for part in parts)


@pytest.fixture
def record(store: Store, path: Path) -> Path:
    """A record with a run that has ended."""
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    store.submit(Finish(run_id="r", end=END)).result(60)
    assert store.close()
    return path


@pytest.mark.parametrize("left", ["with locks", "without locks", "file alone"])
def test_a_record_that_can_only_be_read_is_read(record: Path, left: str) -> None:
    """By every door, and nothing of it changes; what is written waits, and that is said in two true lines."""
    if left == "without locks":
        for name in ("lock", "gate"):
            record.with_name(f"{record.name}.{name}").unlink()
    record.chmod(0o444)
    if left != "file alone":
        record.parent.chmod(0o555)
    before = record.read_bytes()
    try:
        said = asked(record, without_rights)
    finally:
        record.parent.chmod(0o755)
    assert said["read"] == [{"run_id": "r", "status": "completed"}]
    assert (said["arrays"], said["frame"], said["nb"]) == ([1], ["r"], ["r"])
    assert two_lines(said["write"], "can only be read", "set NBAGENT_STORE")
    assert record.read_bytes() == before


def test_a_record_of_an_earlier_schema_that_can_only_be_read_is_read(record: Path) -> None:
    """Its copy is brought up to date, and what another process's log holds is in it."""
    with child(record) as other:
        other.ask("launch", run_id="a")
        assert other.ask("mint", run_ids=["logged"])
        other.kill()
    record.chmod(0o444)
    record.parent.chmod(0o555)
    try:
        said = asked(record, without_rights)
    finally:
        record.parent.chmod(0o755)
    assert said["frame"] == ["a", "logged", "r"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("mode", [0o700, 0o711, 0o755])
def test_another_users_record_is_told_in_two_lines(record: Path, mode: int) -> None:
    """Whose it is, and what to do; by every door."""
    for one in (record.parent, *record.parent.iterdir()):
        os.chown(one, 65534, 65534)
    record.parent.chmod(mode)
    said = asked(record, without_rights)
    for door in ("read", "arrays", "frame", "nb"):
        assert two_lines(said[door], "cannot be opened", "it is of user", "set NBAGENT_STORE"), said[door]
    assert two_lines(said["write"], "set NBAGENT_STORE")


def test_a_file_system_without_locks_is_told_in_two_lines(record: Path) -> None:
    """Nothing is opened that could not be shared safely."""
    before = record.read_bytes()
    said = asked(record, without_flock)
    for door in ("read", "arrays", "frame", "nb", "write"):
        assert two_lines(said[door], "its file system has no file locks", "a local disk"), said[door]
    assert record.read_bytes() == before


FOREIGN = {
    "tables": "create table mine as select range as i from range(10)",
    "its own schema_version": "create table schema_version as select 'V1' as installed",
    "numbered by another": "create table schema_version as select 0 as version; create table mine (i integer)",
}


@pytest.mark.parametrize("sql", FOREIGN.values(), ids=FOREIGN)
def test_a_database_of_another_program_is_left_untouched(store: Store, path: Path, sql: str) -> None:
    """Not a byte of it changes, and two lines say so, however often it is asked."""
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as con:
        con.execute(sql)
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"of another program.*left untouched\nset NBAGENT_STORE"):
            store.read("select 1")
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    path.unlink()
    assert store.read("select 1 as i") == [{"i": 1}]


@pytest.mark.parametrize("tables", [0, 1, 40])
def test_a_sqlite_database_is_left_untouched(store: Store, path: Path, tables: int) -> None:
    """Neither renamed nor taken for a damaged record."""
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.execute("pragma user_version = 1")
        for number in range(tables):
            con.execute(f"create table t{number} (i integer)")
        con.commit()
    content = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"is a SQLite file.*left untouched\nset NBAGENT_STORE"):
            store.read("select 1")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == content
    path.unlink()
    assert store.read("select 1 as i") == [{"i": 1}]


@pytest.mark.parametrize(("mode", "folder", "file"), [("private", 0o700, 0o600), ("group", 0o2770, 0o660)])
def test_the_mode_of_a_record_is_an_option(path: Path, mode: str, folder: int, file: int) -> None:
    """It holds for what is made, whatever the umask; files that come beside a shared record are shared too."""
    settings.configure("store_mode", mode)
    mask = os.umask(0o077)
    try:
        store = Store(path)
        store.submit(Launch({"run_id": "r", "session_id": "r", "turn": 1}, minted=True)).result(60)
        settings.configure("store_mode", None)
        assert store.launch(Launch({"run_id": "q", "session_id": "q", "turn": 1}, minted=True)).result(60)
        found = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir() if one.is_file()}
        assert store.close(10)
    finally:
        os.umask(mask)
        settings.configure("store_mode", None)
    assert stat.S_IMODE(path.parent.stat().st_mode) == folder
    assert {"runs.duckdb", "runs.duckdb.lock", "runs.duckdb.gate"} < found.keys()
    assert set(found.values()) == {file}
