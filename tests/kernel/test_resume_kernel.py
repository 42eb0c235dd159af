"""Recovery as a person types it: the kernel dies, its cells are run again, `%agent resume` goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.kernel import RealKernel
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TOOLS = """
from pathlib import Path
import threading
def note(line):
    with Path("tools.log").open("a") as file:
        file.write(line + "\\n")
def buy(what: str) -> str:
    "Buy something."
    note("buy")
    return "bought"
def pack() -> str:
    "Pack it; takes for ever."
    note("pack")
    threading.Event().wait()
"""


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
        "%config NBAgent.model = 'openai-chat:scripted-1'\n%config NBAgent.model_retries = 0"
    )
    kernel.run(TOOLS)


def shown(kernel: RealKernel, code: str) -> list[str]:
    """The lines that a failing cell shows."""
    error = kernel.execute(code).error
    assert error is not None, f"{code!r} did not fail"
    return [line for line in ANSI.sub("", "\n".join(error.traceback)).splitlines() if line.strip()]


def test_a_run_outlives_its_kernel(shell: RealKernel, provider: ScriptedProvider) -> None:
    """The finished tool is not called again, the one that was cut off is reported; the label is a variable again."""
    set_up(shell, provider)
    provider.reply(tool_reply(("buy", {"what": "a book"})), tool_reply(("pack", {})))
    shell.run("%%agent_bg -o order --tools buy,pack\nSend me a book")
    shell.run(
        "import time\n"
        "while not (Path('tools.log').exists() and 'pack' in Path('tools.log').read_text()):\n    time.sleep(0.01)"
    )
    shell.kill9()
    shell.restart()
    set_up(shell, provider)
    provider.reply(text_reply("Packed, perhaps."))
    shell.run("%agent resume order")
    printed = shell.run("print(order.result(timeout=60).content, order.output.attempt)").stdout
    assert printed.strip() == "Packed, perhaps. 2"
    assert shell.run("print(Path('tools.log').read_text().split())").stdout.strip() == "['buy', 'pack']"
    told = [message["content"] for message in provider.bodies[-1]["messages"] if message["role"] == "tool"]
    assert told[0] == "bought"
    assert "outcome is unknown" in told[1]
    assert "complete" in shown(shell, "%agent resume order")[0]


def test_an_orderly_restart_keeps_the_partial_text(shell: RealKernel, provider: ScriptedProvider) -> None:
    """Restart marks the run; `--from-partial` goes on from what had come, `retry` starts anew."""
    set_up(shell, provider)
    provider.reply((*text("Once upon"), Silence()))
    shell.run("%%agent_bg -o story\nWrite a story")
    shell.run("import time\nwhile story.text != 'Once upon':\n    time.sleep(0.01)")
    shell.restart()
    set_up(shell, provider)
    provider.reply(text_reply(" a time."), text_reply("Another one."))
    shell.run("%agent resume story --from-partial")
    assert shell.run("print(story.result(timeout=60).content)").stdout.strip() == "Once upon a time."
    shell.run("%agent retry story")
    assert shell.run("print(story.result(timeout=60).content)").stdout.strip() == "Another one."


def test_a_changed_tool_is_named(shell: RealKernel, provider: ScriptedProvider) -> None:
    """A tool whose cell was edited since stops the resume with two lines, before anything is sent."""
    set_up(shell, provider)
    provider.reply(tool_reply(("buy", {"what": "a book"})), tool_reply(("pack", {})))
    shell.run("%%agent_bg -o order --tools buy,pack\nSend me a book")
    provider.wait_for_requests(2)
    shell.kill9()
    shell.restart()
    set_up(shell, provider)
    shell.run("def buy(what: str) -> str:\n    'Buy something.'\n    return 'sold out'\ndel pack")
    lines = shown(shell, "%agent resume order")
    assert len(lines) == 2, json.dumps(lines)
    assert "tool 'buy' has changed; tool 'pack' is not defined" in lines[0]
    assert len(provider.requests) == 2
