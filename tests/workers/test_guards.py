"""What must hold whatever happens: one process an id, no code from rows, nothing begun before its row is there, waiting said plainly."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.run import RunStatus
from nbagent.runtime import current
from tests.harness.postgres_server import PostgresForTests
from tests.harness.waiting import until
from tests.harness.worker_process import ROOT, WorkerProcess
from tests.workers import served
from tests.workers.served import lines

pytestmark = pytest.mark.workers

Start = Callable[..., WorkerProcess]
T = 60
LOOKS = 8


def server_rows(sql: str, *values: Any) -> list[Any]:
    """Rows of the record's server, the engine's too."""
    mirror = current().store.mirror
    assert mirror is not None
    with mirror.server() as connection:
        cursor = connection.execute(sql, list(values))
        return cursor.fetchall() if cursor.description else []


def test_two_workers_given_one_id_refuse(start_worker: Start) -> None:
    """The second one ends with two lines that say so, and the first one works on."""
    first = start_worker(options=("--id", "w1")).ready()
    second = start_worker(options=("--id", "w1"))
    assert second.ended() == 2
    said = [line for line in second.log.read_text().splitlines() if line]
    assert said[0].startswith("nbagent: another process is worker 'w1'")
    assert len(said) == 2
    assert served.desk.start("first: look", on="workers").result(T).content == "first: 1 tools, seen"
    assert first.process.poll() is None


class _Bomb:
    """What runs a command as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("column", ["inputs", "output", "error"])
def test_a_pickled_row_of_the_engine_runs_no_code(start_worker: Start, tmp_path: Path, column: str) -> None:
    """Whoever can write the engine's rows can start what is served, and nothing else: a worker reads no pickle."""
    start_worker().ready()
    served.desk.start("one: look", on="workers").result(T)
    bomb = base64.b64encode(pickle.dumps({"args": (_Bomb(tmp_path / "ran"), "x"), "kwargs": {}})).decode()
    (columns,) = server_rows(
        "select string_agg(quote_ident(column_name), ', ') from information_schema.columns"
        " where table_schema = 'nbagent_engine' and table_name = 'workflow_status'"
        " and column_name not in ('workflow_uuid', 'status', 'serialization', 'executor_id', 'completed_at', $1)",
        column,
    )[0]
    server_rows(
        f"insert into nbagent_engine.workflow_status (workflow_uuid, status, serialization, {column}, {columns})"  # noqa: S608
        f" select 'by hand', 'ENQUEUED', 'py_pickle', $1, {columns} from nbagent_engine.workflow_status limit 1",
        bomb,
    )
    read = "select status from nbagent_engine.workflow_status where workflow_uuid = 'by hand'"
    until(lambda: server_rows(read) != [("ENQUEUED",)], "a worker's look at the row")
    assert served.desk.start("two: look", on="workers").result(T).content == "two: 1 tools, seen"
    assert not (tmp_path / "ran").exists()


def test_rows_by_hand_start_nothing_that_is_not_served(start_worker: Start) -> None:
    """A launch that names any other module, or a run that is not there, imports nothing and ends nothing."""
    worker = start_worker("tests.workers.served:desk").ready()
    server_rows(
        "insert into placed_runs (run_id, address) values ('none', 'tests.workers.served:desk'), ('odd', 'antigravity:x')"
    )
    with pytest.warns(UserWarning, match="no worker serves"):
        unserved = served.counter.start("unserved: look", on="workers")
    assert served.desk.start("one: look", on="workers").result(T).content == "one: 1 tools, seen"
    assert unserved.status is RunStatus.pending
    assert worker.process.poll() is None
    start_worker("tests.workers.served:counter").ready()
    assert unserved.result(T).content == served.Count(tag="unserved", count=1)


def test_a_run_waits_for_the_tool_that_it_was_launched_with(start_worker: Start) -> None:
    """A worker whose tool has changed lets the run wait and says for what; one that has the tool as it was takes it up."""
    start_worker(env={"WORKERS_TEST_CHANGED": "1"}).ready()
    run = served.desk.start("waits: look", on="workers")
    told = "select waits_for from placed_runs where run_id = $1"
    (why,) = until(lambda: [row[0] for row in server_rows(told, run.run_id) if row[0]], "what it waits for")
    assert "tests.workers.served:desk" in why
    assert "tool 'look' has changed" in why
    assert run.status is RunStatus.pending
    start_worker().ready()
    assert run.result(T).content == "waits: 1 tools, seen"


def test_a_server_that_is_started_anew_costs_nothing(
    start_worker: Start, postgres_server: PostgresForTests, tmp_path: Path
) -> None:
    """In mid tool: nobody is declared dead, no tool runs twice, and none begins before its row is in the record."""
    workers = [start_worker().ready(), start_worker().ready()]
    runs = {tag: served.desk.start(f"{tag}: hold, buy, look", on="workers") for tag in ("a", "b", "c")}
    until(lambda: len(lines("hold")) == len(runs), "the tools")
    postgres_server.stop()
    for tag in runs:
        (tmp_path / f"go {tag}").touch()
    until(lambda: len(lines("model")) == 2 * len(runs), "the next step, whose reply the record cannot have")
    # longer than a kernel waits for its record before it goes on without: a worker looks for it twice a second
    until(lambda: all(len(one.events("no record")) >= LOOKS for one in workers), "the outage")
    assert lines("buy") == []
    postgres_server.start()
    for tag, run in runs.items():
        assert run.result(T).content == f"{tag}: 3 tools, seen"
        assert len(lines("buy", tag)) == 1
    assert current().store.read("select run_id from attempts where attempt > 1") == []
    assert not any(one.events("worker is gone") for one in workers)


def test_the_launching_process_may_die(start_worker: Start, record: str) -> None:
    """A launch is durable when it returns: what launched it is killed at once, and the run ends."""
    start_worker().ready()
    code = (
        "import os; from tests.workers import served\n"
        "served.desk.start('orphan: look, buy', run_id='orphan', on='workers'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=T)
    assert done.returncode == -signal.SIGKILL
    assert nb.get("orphan").result(T).content == "orphan: 2 tools, bought"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a worker needs to know which agents it serves"),
        (("tests.workers.nowhere",), "module 'tests.workers.nowhere' cannot be imported"),
        (
            ("tests.workers.served:desc",),
            "module 'tests.workers.served' has no 'desc' (did you mean 'desk'?)",
        ),
        (("tests.workers.served:folder",), "'tests.workers.served:folder' is no agent"),
        (("json",), "module 'json' has no agent"),
    ],
)
def test_what_cannot_be_served_is_said_in_two_lines(
    start_worker: Start, arguments: tuple[str, ...], said: str
) -> None:
    """A worker that could do nothing does not start."""
    worker = WorkerProcess(
        os.environ["NBAGENT_STORE"], Path(os.environ["WORKERS_TEST_FOLDER"]) / "log", *arguments
    )
    assert worker.ended() == 2
    text = [line for line in worker.log.read_text().splitlines() if line]
    assert len(text) == 2
    assert said in text[0]
