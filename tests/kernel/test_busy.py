"""Runs go on while a cell keeps the kernel busy, and Stop on a waiting cell never hurts a run. ipykernel 6 and 7."""

from __future__ import annotations

import pytest

from tests.harness.kernel import Execution, RealKernel
from tests.harness.outputs import ExecResult
from tests.provider.chat_wire import text, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait

pytestmark = pytest.mark.kernel

SETUP = """
import time
import nbagent as nb
%load_ext nbagent
agent = nb.Agent(model=nb.OpenAIChat(id="scripted-1", base_url={url!r}, api_key="not-needed"))
agent.run("warm up")
"""

# each is busy until the run is through, which it would not be if it needed the main thread
BUSY = {
    "sleep": """
while not run.done() and time.monotonic() < end:
    time.sleep(1)
""",
    "group-by": """
import numpy as np, pandas as pd
frame = pd.DataFrame({"key": np.arange(2_000_000) % 1000, "value": np.random.default_rng(0).random(2_000_000)})
while not run.done() and time.monotonic() < end:
    frame.groupby("key")["value"].agg(["mean", "std"])
""",
    "python loop": """
total = 0
while not run.done() and time.monotonic() < end:
    total += 1
""",
}


@pytest.mark.parametrize("busy", BUSY)
def test_a_run_goes_on_while_a_cell_is_busy(
    kernel: RealKernel, provider: ScriptedProvider, busy: str
) -> None:
    """From pending to completed with 40 pieces, one by one, while the main thread is in one cell."""
    provider.reply(text_reply("ready"))
    kernel.run(SETUP.format(url=provider.base_url))
    gate = Gate()
    provider.reply((Wait(gate), *text_reply(*["word "] * 40)))
    result = kernel.execute_async(
        "run = agent.start('Well?')\nassert not run.done()\nprint('busy', flush=True)\nend = time.monotonic() + 100\n"
        + BUSY[busy]
        + "\nprint(run.done(), run.status.value, len(run.content))"
    )
    provider.wait_for_requests(2)
    kernel.wait_for(lambda: "busy" in result.result.stdout, "the cell to have looked at the run")
    gate.open()
    assert result.wait(150).stdout.split() == ["busy", "True", "completed", "200"]


def _stop(kernel: RealKernel, cell: Execution) -> ExecResult:
    """Press Stop; once more where the kernel itself lost it: ipykernel 6 collects garbage in a callback of its own."""
    kernel.interrupt()
    lost = "Exception ignored in: <bound method IPythonKernel._clean_thread_parent_frames"
    cell.wire.wait_for(lambda: cell.done or lost in cell.result.stderr, 60)
    if not cell.done and lost in cell.result.stderr:
        kernel.interrupt()
    return cell.wait(60)


def test_stop_on_a_waiting_cell_leaves_the_run_alone(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """SIGINT during result() and during await ends the wait with KeyboardInterrupt; the run completes later."""
    provider.reply(text_reply("ready"))
    kernel.run(SETUP.format(url=provider.base_url))
    gate = Gate()
    provider.reply((*text("so "), Wait(gate), *text_reply("far")))
    kernel.run("run = agent.start('Well?')")
    provider.wait_for_requests(2)
    for wait in ("run.result()", "nb.gather(run)", "await run"):
        cell = kernel.execute_async(f"print('waiting', flush=True)\n{wait}")
        kernel.wait_for(lambda cell=cell: "waiting" in cell.result.stdout, "the cell to wait")
        error = _stop(kernel, cell).error
        assert error is not None, wait
        assert error.ename in {"KeyboardInterrupt", "CancelledError"}, wait
    assert "running" in kernel.run("print(run.status.value)").stdout
    gate.open()
    assert kernel.run("print(run.result(timeout=60).content)").stdout.strip() == "so far"


def _shown(kernel: RealKernel) -> str:
    """The text of the newest card, as a front end has it."""
    try:
        card = kernel.comm(_anywidget_id="nbagent.panel.card.widget.RunCard")
    except LookupError:  # not opened yet
        return ""
    told = [message.get("append", "") for message in card.received]
    return str(card.state["card"]["text"]) + "".join(told)


def test_stop_on_a_foreground_cell_cancels_its_run(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """`%%agent` owns its run: Stop ends it, and the provider sees the connection close."""
    provider.reply(text_reply("ready"))
    kernel.run(SETUP.format(url=provider.base_url))
    provider.reply((*text("Once upon"), Silence()))
    cell = kernel.execute_async("%%agent agent -o story\nWrite a story")
    kernel.wait_for(lambda: "Once upon" in _shown(kernel), "the text to stream into the cell's card")
    kernel.interrupt()
    assert cell.wait(60).error is not None
    assert provider.requests[1].disconnected.wait(60)
    assert kernel.run("print(story.status.value, story.content)").stdout.strip() == "cancelled Once upon"
