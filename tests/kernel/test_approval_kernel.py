"""Approval as a person types it, in real kernels: the magics, the card's clicks, and a kernel that dies meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.kernel import RealKernel
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TOOLS = """
from pathlib import Path
from nbagent import tool
@tool(requires_approval=True)
def pay(amount: int) -> str:
    "Pay."
    with Path("tools.log").open("a") as file:
        file.write(f"pay {amount}\\n")
    return f"paid {amount}"
"""
PAUSED = "import time\nwhile order.status != 'paused':\n    time.sleep(0.01)"
DONE = "print(order.result(timeout=60).content, order.output.attempt)"
LOG = "print(Path('tools.log').read_text().split() if Path('tools.log').exists() else [])"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[RealKernel]:
    """A kernel that is killed and started again."""
    with RealKernel(tmp_path / "kernel") as kernel:
        yield kernel


def set_up(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """Run the notebook's first cells."""
    kernel.run(
        "%load_ext nbagent\nimport nbagent as nb\n"
        f"import os; os.environ.update(OPENAI_BASE_URL={provider.base_url!r}, OPENAI_API_KEY='sk-test')\n"
        "%config NBAgent.model = 'openai-chat:scripted-1'\n%config NBAgent.model_retries = 0" + TOOLS
    )


def order(kernel: RealKernel, provider: ScriptedProvider, *amounts: int) -> None:
    """Launch a run that waits for a person."""
    provider.reply(tool_reply(*(("pay", {"amount": amount}) for amount in amounts)))
    kernel.run("%%agent_bg -o order --tools pay\nPay")
    kernel.run(PAUSED)


def shown(kernel: RealKernel, code: str) -> list[str]:
    """The lines that a failing cell shows."""
    error = kernel.execute(code).error
    assert error is not None, f"{code!r} did not fail"
    return [line for line in ANSI.sub("", "\n".join(error.traceback)).splitlines() if line.strip()]


def test_a_paused_run_outlives_its_kernel(shell: RealKernel, provider: ScriptedProvider) -> None:
    """SIGKILL while paused; a new kernel that defines the tool approves: it runs exactly once, and the text is right."""
    set_up(shell, provider)
    order(shell, provider, 5)
    stored = "while nb.sql('select status from runs')['status'][0] != 'paused':\n    time.sleep(0.01)"
    shell.run(stored)
    shell.kill9()
    shell.restart()
    shell.run("%load_ext nbagent\nimport nbagent as nb")
    assert shell.run("print(nb.get('order').pending_approvals[0])").stdout.strip() == "pay(amount=5)"
    assert "tool 'pay' is not defined" in shown(shell, "%agent approve")[0]
    set_up(shell, provider)
    provider.reply(text_reply("Paid."))
    assert shell.run("%agent approve").stdout.strip() == "approved pay(amount=5) of run 'order'"
    assert shell.run(DONE).stdout.strip() == "Paid. 2"
    assert shell.run(LOG).stdout.strip() == "['pay', '5']"
    assert "no run waits for approval" in shown(shell, "%agent approve")[0]


def test_an_orderly_restart_leaves_a_paused_run_paused(shell: RealKernel, provider: ScriptedProvider) -> None:
    """After a restart it waits still, can be denied with a reason, or cancelled."""
    set_up(shell, provider)
    order(shell, provider, 5)
    shell.restart()
    set_up(shell, provider)
    provider.reply(text_reply("A pity."))
    said = shell.run('%agent deny order --why "not today"').stdout.strip()
    assert said == "denied pay(amount=5) of run 'order'"
    assert shell.run(DONE).stdout.strip() == "A pity. 2"
    assert "not today" in provider.bodies[-1]["messages"][-1]["content"]
    order(shell, provider, 7)
    shell.restart()
    set_up(shell, provider)
    assert shell.run("%agent cancel order").stdout.strip() == "cancelled 1 of 1 run"
    assert shell.run("print(nb.get('order').status)").stdout.strip() == "RunStatus.cancelled"
    assert shell.run(LOG).stdout.strip() == "[]"


def test_one_of_two_calls_by_its_id(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`--call` decides on one; a wrong name or id, and two paused runs, are two lines; waiting says why it waits."""
    set_up(shell, provider)
    order(shell, provider, 5, 7)
    assert "(did you mean 'call_2'?)" in shown(shell, "%agent approve order --call call_3")[0]
    assert shell.run("%agent approve --call call_2").stdout.strip() == "approved pay(amount=7) of run 'order'"
    waiting = shell.execute_async("order.result()")
    shell.wait_for(
        lambda: "waits for approval of pay(amount=5)" in waiting.result.stdout, "the wait says why"
    )
    shell.interrupt()
    waiting.wait()
    assert waiting.result.stdout.count("\n") == 1
    provider.reply(text_reply("Done."))
    shell.run("%agent deny --call call_1")
    assert shell.run(DONE).stdout.strip() == "Done. 1"
    assert shell.run(LOG).stdout.strip() == "['pay', '7']"


def test_a_click_approves_while_a_cell_is_busy(shell: RealKernel, provider: ScriptedProvider) -> None:
    """Over the control channel, for the one call that was clicked; a click that names none is not taken."""
    set_up(shell, provider)
    order(shell, provider, 5)
    provider.reply(text_reply("Paid."))

    def row() -> dict[str, Any]:
        """What the front end has been told last."""
        card = shell.comm(_anywidget_id="nbagent.panel.card.widget.RunCard")
        told = [card.state["card"], *(message for message in card.received if "row" in message)]
        found: dict[str, Any] = max(told, key=lambda one: one["seq"])["row"]
        return found

    shell.wait_for(lambda: row()["approvals"], "the card shows the call")
    run_id = row()["run_id"]
    (asked,) = row()["approvals"]
    own = {"run_id": run_id, "by": ""}  # a member's call on its team's card says whose it is
    assert asked == {"step": 1, "tool_call_id": "call_1", "call": "pay(amount=5)", "always": False, **own}
    cell = shell.execute_async("print('busy', flush=True)\ntime.sleep(20)")
    shell.wait_for(lambda: "busy" in cell.result.stdout, "the cell starts")
    click = {"command": "approve", "run_id": run_id, "command_id": "c1"}
    assert shell.control("nbagent_request", click)["heard"] is False
    which = {"step": 1, "tool_call_id": "call_1"}
    assert shell.control("nbagent_request", {**click, **which}, timeout_s=60)["heard"] is True
    shell.wait_for(lambda: row()["status"] == "completed", "the card says so")
    assert not cell.done
    shell.interrupt()
    cell.wait()
    assert shell.run(LOG).stdout.strip() == "['pay', '5']"
