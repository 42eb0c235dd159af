"""The command line: a demo in one command, the list of workers, and who watches a worker."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from nbagent.runtime import current
from nbagent.worker.command import main
from nbagent.worker.demo_agents import desk
from tests.harness.waiting import until
from tests.harness.worker_process import ROOT, WorkerProcess
from tests.workers import served

pytestmark = pytest.mark.workers

Start = Callable[..., WorkerProcess]
T = 60


def test_the_demo_is_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It says what to type; that works; Ctrl-C ends all of it, the server too."""
    out = tmp_path / "out"
    with out.open("wb") as said:
        demo = subprocess.Popen(
            [sys.executable, "-m", "nbagent.worker", "worker", "--demo"], stdout=said, cwd=ROOT
        )
    try:
        until(lambda: "NBAgent.store" in out.read_text() or demo.poll() is not None, "what to type")
        url = out.read_text().partition('NBAgent.store = "')[2].partition('"')[0]
        monkeypatch.setenv("NBAGENT_STORE", url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its workers may not have begun yet
            run = desk.start("What is the price of NVDA?", on="workers")
        output = run.result(T)
        assert [call.name for call in output.tool_calls] == ["price"]
        assert main(["workers", "--store", url]) == 0
        assert "nbagent.worker.demo_agents:desk" in capfd.readouterr().out
        current().store.close()
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(T) == 0
    assert not Path(url.partition("host=")[2]).exists()


def test_who_watches_a_worker_is_told_how_it_is(start_worker: Start) -> None:
    """A GET answers 200 with what it serves and has at work, and says that it drains once it was told to end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    worker = start_worker("tests.workers.served:desk", options=("--health", str(port))).ready()

    def health() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=T) as answer:
            assert answer.status == 200
            found: dict[str, Any] = orjson.loads(answer.read())
            return found

    run = served.desk.start("seen: hold", on="workers")
    until(lambda: health()["running"] == 1, "the run")
    told = health()
    assert (told["healthy"], told["draining"], told["serves"]) == (True, False, ["tests.workers.served:desk"])
    worker.send(signal.SIGTERM)
    until(lambda: health()["draining"], "its word")
    run.cancel()
    assert worker.ended() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker", "agents"], "a worker needs a record on a server"),
        (["worker", "agents", "--store", "runs.duckdb"], "'runs.duckdb' is no record on a server"),
        (["worker", "agents", "--store", "mysql://host/x"], "'mysql://host/x' is no record on a server"),
        (["worker", "agents", "--concurrency", "0"], "--concurrency 0 is no number of runs"),
        (["workers"], "a worker needs a record on a server"),
    ],
)
def test_what_is_missing_is_said_in_two_lines(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that cannot be done says why and what to do, and returns 2."""
    monkeypatch.delenv("NBAGENT_STORE", raising=False)
    assert main(arguments) == 2
    text = capsys.readouterr().err.splitlines()
    assert len(text) == 2
    assert said in text[0]
