"""`@tool(main_thread=True)` in a real kernel: while a cell waits, awaits, is busy, and while no cell runs. ipykernel 6 and 7."""

from __future__ import annotations

import pytest

from tests.harness.kernel import RealKernel
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait

pytestmark = pytest.mark.kernel

SETUP = """
import threading, time
import nbagent as nb
%load_ext nbagent
calls = []

@nb.tool(main_thread=True, timeout=60)
def where() -> str:
    "Say which thread this is."
    calls.append(time.monotonic())
    return "main" if threading.current_thread() is threading.main_thread() else "another"

agent = nb.Agent(model=nb.OpenAIChat(id="scripted-1", base_url={url!r}, api_key="not-needed"), tools=[where])
agent.run("warm up")
"""
START = "run = agent.start('Go')\n"
SAY = "\nprint(run.output.tool_calls[0].result)"
WAITS = {"result": "run.result(timeout=60)", "gather": "nb.gather(run)", "await": "_ = await run"}


@pytest.fixture(autouse=True)
def _setup(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """A kernel with an agent whose tool wants the main thread."""
    provider.reply(text_reply("ready"))
    kernel.run(SETUP.format(url=provider.base_url))


def test_while_a_cell_waits(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """A cell in result(), gather() or await does the call itself."""
    for wait in WAITS.values():
        provider.reply(tool_reply(("where", {})), text_reply("ok"))
        assert kernel.run(START + wait + SAY).stdout.strip() == "main"


def test_while_no_cell_runs(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """The idle kernel does the call between two cells: the run completes with nobody waiting."""
    provider.reply(tool_reply(("where", {})), text_reply("ok"))
    kernel.run(START)
    provider.wait_for_requests(3)  # the answer to the tool's result is asked for: the call is done
    assert kernel.run("print(len(calls))").stdout.strip() == "1"
    assert kernel.run("run.result(timeout=60)" + SAY).stdout.strip() == "main"


def test_while_a_cell_is_busy(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """A cell that does something else is not disturbed: the call comes when it has ended."""
    gate = Gate()
    provider.reply((Wait(gate), *tool_reply(("where", {}))), text_reply("ok"))
    busy = kernel.execute_async(START + "time.sleep(1.5); ended = time.monotonic(); print(len(calls))")
    provider.wait_for_requests(2)
    gate.open()
    assert busy.wait().stdout.strip() == "0"
    provider.wait_for_requests(3)
    assert kernel.run("print(len(calls), calls[0] >= ended)").stdout.strip() == "1 True"
