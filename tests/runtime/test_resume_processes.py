"""Recovery after SIGKILL: real processes that die in the middle of a run with tools, and one that goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import ConfigurationError, RunStatus
from nbagent.runtime import current
from tests.provider.chat_wire import text
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence
from tests.runtime.three_tool_run import NAMES, WORK_S, agent_on, one_tool_after_another

ROOT = Path(__file__).resolve().parents[2]
STEPS = len(NAMES) + 1


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tools leave their lines."""
    path = tmp_path / "tools.log"
    path.touch()
    monkeypatch.setenv("TOOL_LOG", str(path))
    return path


def child(provider: ScriptedProvider, log: Path, run_id: str, *tools: str) -> subprocess.Popen[str]:
    """A process that has launched the run."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.three_tool_run", provider.base_url, str(log), run_id, *tools],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "launched\n"
    return process


def gone(process: subprocess.Popen[str]) -> None:
    """Wait until the process has ended."""
    process.communicate(timeout=60)


def test_an_interrupted_tool_is_reported_and_not_run_again(provider: ScriptedProvider, log: Path) -> None:
    """The finished tool's result is kept; the one that was cut off is told to the model, and said in a notice."""
    tools = ("buy", "die", "send")
    provider.otherwise(one_tool_after_another(tools))
    gone(child(provider, log, "mine", *tools))
    assert nb.get("mine").status is RunStatus.interrupted
    run = nb.resume("mine", agent=agent_on(provider.base_url, tools))
    output = run.result(timeout=60)
    assert log.read_text().splitlines() == ["begin buy", "end buy", "begin die", "begin send", "end send"]
    told = json.loads(output.content.removeprefix("all of it: "))
    assert (told[0], told[2]) == ("buy-done", "send-done")
    assert "outcome is unknown" in told[1]
    assert [(call.name, call.status) for call in output.tool_calls] == [
        ("buy", "completed"),
        ("die", "abandoned"),
        ("send", "completed"),
    ]
    assert run.record is not None
    assert "'die'" in run.record.notices[0]
    assert current().stored("mine") == output


def test_an_interrupted_idempotent_tool_is_called_again(provider: ScriptedProvider, log: Path) -> None:
    """`@tool(idempotent=True)` says that it may be."""
    tools = ("buy", "die_once")
    provider.otherwise(one_tool_after_another(tools))
    gone(child(provider, log, "mine", *tools))
    output = nb.resume("mine", agent=agent_on(provider.base_url, tools)).result(timeout=60)
    assert log.read_text().splitlines() == ["begin buy", "end buy", "begin die_once", "begin die_once"]
    assert output.content == 'all of it: ["buy-done", "die_once-done"]'


def test_a_run_of_a_living_process_cannot_be_resumed(provider: ScriptedProvider, log: Path) -> None:
    """It is named with its process, and can be cancelled."""
    provider.otherwise((*text("Once"), Silence()))
    process = child(provider, log, "mine")
    try:
        with pytest.raises(ConfigurationError, match=f"in process {process.pid} on .*\n.*cancel_run.*mine"):
            nb.resume("mine", agent=agent_on(provider.base_url))
    finally:
        process.kill()
        gone(process)


def kill_and_resume(provider: ScriptedProvider, log: Path, step: int, after_s: float) -> None:
    """Kill the child in this step, that time after its request; resume its run here, and check what must hold."""
    provider.otherwise(one_tool_after_another())
    process = child(provider, log, "mine")
    provider.wait_for_requests(step)
    time.sleep(after_s)  # the point is random, there is nothing to wait for
    os.kill(process.pid, signal.SIGKILL)
    gone(process)
    run = nb.get("mine")
    cut = run.status is RunStatus.interrupted
    if cut:
        run = nb.resume("mine", agent=agent_on(provider.base_url))
    output = run.result(timeout=60)
    told = json.loads(output.content.removeprefix("all of it: "))
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)), lines
    for name, said in zip(NAMES, told, strict=True):
        assert said == f"{name}-done" or "outcome is unknown" in said, told
    assert sum("unknown" in said for said in told) <= 1
    calls = [(call.step, call.tool_call_id, call.name) for call in output.tool_calls]
    assert [name for *_, name in calls] == list(NAMES), calls
    if cut:
        assert current().stored("mine") == output


@pytest.mark.parametrize("step", range(2, STEPS + 1))
def test_no_finished_call_is_repeated_after_sigkill(provider: ScriptedProvider, log: Path, step: int) -> None:
    """SIGKILL at a random point of a run with three tools, then resume in another process."""
    kill_and_resume(provider, log, step, random.uniform(0.0, 2 * WORK_S))  # noqa: S311 - no secret


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(50))
def test_no_finished_call_is_repeated_after_sigkill_50_times(
    provider: ScriptedProvider, log: Path, seed: int
) -> None:
    """The same, spread over the steps and within each over request, tool and the commit of its end."""
    kill_and_resume(provider, log, seed % STEPS + 1, seed / 50 * 2 * WORK_S)
