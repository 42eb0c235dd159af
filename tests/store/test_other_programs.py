"""Programs that know nothing of us beside running notebooks: the duckdb command line, of another version than ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbagent.store import Finish, Launch, Store
from tests.store.processes import child

END = {"status": "completed", "stop_reason": "end", "content": "It is."}


def command_line() -> str:
    """The `duckdb` of the package duckdb-cli, which the tests install."""
    found = shutil.which("duckdb", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found, "duckdb is not on PATH: install duckdb-cli"
    return found


def asked(path: Path, sql: str) -> str:
    """What the command line answers."""
    command = [command_line(), "-readonly", "-csv", "-noheader", str(path), "-c", sql]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@contextmanager
def open_in_command_line(path: Path) -> Iterator[subprocess.Popen[str]]:
    """The file open in a command line that waits for its next line, as a person leaves it."""
    process = _in_command_line(path)
    while process is None:  # it does not wait for a turn's end: a person tries again
        process = _in_command_line(path)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.stdin.close()  # the package's `duckdb` is a script that starts the program
        process.wait(60)
        process.stdout.close()


def _in_command_line(path: Path) -> subprocess.Popen[str] | None:
    command = [command_line(), "-csv", "-noheader", str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, text=True, **pipes)
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write("select count(*) from runs;\n")
        process.stdin.flush()
    if process.stdout.readline().strip().isdigit():
        return process
    process.communicate(timeout=60)
    return None


def minted(run_id: str) -> Launch:
    """A launch in a session of its own."""
    return Launch({"run_id": run_id, "session_id": run_id, "turn": 1, "prompt": "What?"}, minted=True)


def test_the_command_line_reads_our_file(store: Store, path: Path) -> None:
    """What a notebook wrote is there for an older DuckDB, in the views that the schema documents."""
    store.submit(minted("r"))
    store.submit(Finish(run_id="r", end=END)).result(60)
    assert store.close()
    assert asked(path, "select run_id, status, prompt, content from runs") == "r,completed,What?,It is."
    assert asked(path, "select run_id, attempt, status from attempts") == "r,1,completed"


def test_the_command_line_reads_what_a_killed_process_left(path: Path) -> None:
    """Also where DuckDB's own log beside the file holds the last rows."""
    with child(path) as one:
        one.ask("launch", run_id="a")
        one.tell("mint_and_die", run_ids=["b"])
        assert one.process.wait(60) == -9
    assert path.with_name(path.name + ".wal").exists()
    assert "a" in asked(path, "select run_id from runs").split()


def test_a_reader_that_keeps_the_file_is_named_while_runs_go_on(store: Store, path: Path) -> None:
    """Its pid is in the message; launches are durable all the same, ends wait, and nothing is lost."""
    store.submit(minted("before")).result(60)
    ends: list[Future[Any]] = []
    with store._writer.file.held:  # between two turns: the writer waits for this lock in its next one
        pass
    with open_in_command_line(path) as reader:
        launched = store.launch(minted("during"))
        assert launched.done()
        ends.append(store.submit(Finish(run_id="during", end=END)))
        while store.trouble is None:
            assert not ends[0].done()
        program = {reader.pid, *(one.pid for one in psutil.Process(reader.pid).children(recursive=True))}
        assert any(f"is held by another process (pid {pid})" in store.trouble for pid in program)
        assert "close the program that has it open" in store.trouble
        assert len(store.trouble.splitlines()) == 2
        assert store.is_busy
    assert ends[0].result(60) is True
    assert store.trouble is None
    assert asked_after(store, path) == "before,pending\nduring,completed"


def asked_after(store: Store, path: Path) -> str:
    """What the command line finds once the store is closed."""
    assert store.close()
    return asked(path, "select run_id, status from runs order by 1")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_launch_made_while_a_reader_keeps_the_file_survives_sigkill(store: Store, path: Path) -> None:
    """What was acknowledged meanwhile is found by the next notebook, interrupted."""
    with child(path) as one:
        one.ask("launch", run_id="first")
        one.ask("mint", run_ids=["a"])
        with open_in_command_line(path):
            assert one.ask("log", run_id="b") is True
            one.kill()
    rows = {row["run_id"]: row["status"] for row in store.read("select run_id, status from runs")}
    assert rows == {"first": "interrupted", "a": "interrupted", "b": "interrupted"}
