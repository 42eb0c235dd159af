"""`%agent metrics` and `--dry-run` as a person types them, in a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.kernel import RealKernel
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

pytestmark = pytest.mark.kernel

PRICES = {"openai-chat:scripted-1": {"input": 2.0, "output": 10.0}}


@pytest.fixture
def shell(tmp_path: Path, provider: ScriptedProvider) -> Iterator[RealKernel]:
    """A kernel with the extension and the scripted provider as its model."""
    with RealKernel(tmp_path / "kernel") as kernel:
        kernel.run(
            "%load_ext nbagent\nimport nbagent as nb\n"
            f"import os; os.environ.update(OPENAI_BASE_URL={provider.base_url!r}, OPENAI_API_KEY='sk-test')\n"
            "%config NBAgent.model = 'openai-chat:scripted-1'"
        )
        yield kernel


def test_metrics_show_a_frame_by_each_word(shell: RealKernel, provider: ScriptedProvider) -> None:
    """Empty before any run; then one row by model with its calls; a wrong word is two lines with the right ones."""
    assert shell.run("print(len(_ := get_ipython().run_line_magic('agent', 'metrics')))").stdout == "0\n"
    provider.reply(text_reply("Hi."))
    shell.run("%%agent_bg -q\nWell?")
    shell.run("%agent wait")
    for by in ("", "model", "member", "session", "agent", "tool"):
        shell.run(f"frame = get_ipython().run_line_magic('agent', 'metrics {by}')")
        rows = shell.run("print(len(frame))").stdout.strip()
        assert rows == ("0" if by in ("member", "tool") else "1"), by
    error = shell.execute("%agent metrics models").error
    assert error is not None
    assert "'model', 'member', 'session', 'agent', 'tool'" in "".join(error.traceback)


def test_a_dry_run_shows_and_sends_nothing(shell: RealKernel, provider: ScriptedProvider) -> None:
    """Both magics show the rendered prompt, the tokens and the ceiling; no request is made and no run launched."""
    shell.run(f"%config NBAgent.prices = {PRICES!r}\ncountry = 'France'")
    for magic in ("agent_bg", "agent"):
        cell = f"%%{magic} --dry-run --max-output-tokens 1000\nWhat is the capital of {{{{ country }}}}?"
        shown = shell.run(cell).stdout
        assert "What is the capital of France?" in shown
        assert "about 7 tokens" in shown
        assert "cost: at most about $0.01001" in shown
    assert provider.requests == []
    assert shell.run("print(len(nb.runs()))").stdout.strip() == "0"
