"""What outlives the kernel: an acknowledged launch survives SIGKILL, an orderly end marks its runs, a fork starts anew."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from nbagent.runtime import current
from tests.provider.chat_wire import text, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence

LAUNCH = """
import os, signal, sys, time
import nbagent as nb
model = nb.OpenAIChat(id="scripted-1", base_url=sys.argv[1], api_key="not-needed")
run = nb.Agent(model=model).start("Write a story", run_id="mine")
"""


def start(code: str, provider: ScriptedProvider) -> subprocess.Popen[str]:
    """A Python process of its own on this test's store."""
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH + code, provider.base_url], stdout=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What the process printed, once it has ended."""
    return process.communicate(timeout=60)[0]


def status() -> tuple[str, str | None, str | None]:
    """Status, stop reason and content of the run, read by this process."""
    output = current().stored("mine")
    return output.status.value, output.stop_reason, output.content


def test_a_launch_survives_sigkill(provider: ScriptedProvider) -> None:
    """A process killed right after start() returned has left the row; whoever looks next ends it as interrupted."""
    provider.otherwise((*text("Once"), Silence()))
    process = start("os.kill(os.getpid(), signal.SIGKILL)", provider)
    ended(process)
    assert process.returncode == -signal.SIGKILL
    assert status()[:2] == ("interrupted", "kernel_died")


def test_partial_text_survives_sigkill(provider: ScriptedProvider) -> None:
    """Text written up to a second before is still there."""
    provider.otherwise((*text("Once upon a time"), Silence()))
    code = """
while not nb.sql("select count(*) n from attempt_progress where partial_text is not null")["n"][0]:
    time.sleep(0.05)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended(start(code, provider))
    assert status() == ("interrupted", "kernel_died", "Once upon a time")


def test_an_orderly_end_marks_and_flushes(provider: ScriptedProvider) -> None:
    """At exit unfinished runs end as interrupted with their text."""
    provider.otherwise((*text("Once"), Silence()))
    code = """
while run.text != "Once":
    time.sleep(0.01)
"""
    process = start(code, provider)
    ended(process)
    assert process.returncode == 0
    assert status() == ("interrupted", "kernel_died", "Once")


def test_a_finished_run_ends_the_process_at_once(provider: ScriptedProvider) -> None:
    """No thread of ours keeps an interpreter alive."""
    provider.otherwise(text_reply("yes"))
    code = """
import threading
print(run.result(timeout=60).content)
print([one.name for one in threading.enumerate() if not one.daemon])
"""
    assert ended(start(code, provider)).splitlines() == ["yes", "['MainThread']"]
    assert status()[0] == "completed"


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5, 1.0])
def test_a_script_that_ends_while_its_run_connects_leaves_it_interrupted(
    provider: ScriptedProvider, after_s: float
) -> None:
    """Whatever the run was doing when the interpreter ended, it is interrupted, not failed; stderr says so."""
    provider.otherwise((*text("Once"), Silence()))
    process = subprocess.Popen(
        [sys.executable, "-c", f"{LAUNCH}\ntime.sleep({after_s})", provider.base_url],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "1 unfinished run ends as interrupted" in process.communicate(timeout=60)[1]
    assert status()[:2] == ("interrupted", "kernel_died")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_starts_with_a_runtime_of_its_own(provider: ScriptedProvider) -> None:
    """A fork has neither the thread nor the file of its parent, and may launch runs of its own."""
    provider.otherwise(text_reply("yes"))
    code = """
run.result(timeout=60)
child = os.fork()
if not child:
    code = 0 if nb.Agent(model=model).start("In the child", run_id="child").result(timeout=60).content == "yes" else 1
    nb.runtime.current().close()
    os._exit(code)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), nb.Agent(model=model).start("After").result(timeout=60).content)
"""
    assert ended(start("from nbagent import runtime\nnb.runtime = runtime\n" + code, provider)).split() == [
        "0",
        "yes",
    ]
    assert current().store.path.exists()
    assert current().stored("child").status.value == "completed"
