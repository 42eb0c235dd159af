"""`--map` in a real kernel: a cell's text over the rows of a table, in the background and in the foreground."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.review_provider import Reviews
from tests.harness.kernel import RealKernel
from tests.kernel.test_magics import shown
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait

pytestmark = pytest.mark.kernel

TABLE = """
import pandas as pd
from pydantic import BaseModel
class Review(BaseModel):
    label: str
    words: int
reviews = pd.DataFrame({"text": [f"row {n}" for n in range(12)]})
tone = "kind"
"""


@pytest.fixture
def shell(tmp_path: Path, provider: ScriptedProvider) -> Iterator[RealKernel]:
    """A kernel with the extension, the scripted provider and a table."""
    env = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
    with RealKernel(tmp_path / "kernel", env=env) as kernel:
        kernel.run("%load_ext nbagent\n%config NBAgent.model = 'openai-chat:scripted-1'\n" + TABLE)
        yield kernel


def test_a_cell_over_the_rows_of_a_table(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`-o` names the Batch, the template sees rows and variables, `%%agent` shows the frame; no row is asked twice."""
    provider.otherwise(Reviews().answer)
    said = shell.run("%%agent_bg --map reviews --schema Review -j 3 -o labels\nBe {{ tone }}: {{ row.text }}")
    assert said.stdout.strip() == "12 rows in the background, 3 at a time: labels.progress, labels.to_frame()"
    frame = shell.run(
        "frame = labels.result(60); print(list(frame.columns), frame.label[3], frame.words.sum())"
    )
    assert frame.stdout.strip().endswith("label of row 3 24")
    assert len(provider.requests) == 12
    front = shell.run("%%agent --map reviews --schema Review\nBe {{ tone }}: {{ row.text }}")
    assert any("label of row 11" in output.get("text/plain", "") for output in front.displays)
    assert len(provider.requests) == 12
    dry = shell.run("%%agent_bg --map reviews --dry-run\nBe {{ tone }}: {{ row.text }}").stdout
    assert dry.startswith("the first of 12 rows:")
    assert "Be kind: row 0" in dry
    assert len(provider.requests) == 12


def test_cancel_all_and_wrong_lines(shell: RealKernel, provider: ScriptedProvider) -> None:
    """`%agent cancel --all` ends the batch, not only what is in flight; flags that do not fit are told in two lines."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("late")))
    shell.run("%%agent_bg --map reviews -j 2 -o slow -q\n{{ row.text }}")
    provider.wait_for_requests(2)
    assert "cancelled batch slow: 0 of 12 done" in shell.run("%agent cancel --all").stdout
    assert shell.run("print(slow.result(60).status.value_counts()['not asked'])").stdout.strip() == "10"
    assert len(provider.requests) == 2
    assert "name the table: --map df" in shown(shell, "%%agent_bg -j 3\nHello")[-1]
    assert "--map makes a batch" in shown(shell, "%%agent_bg --map reviews --session x\n{{ row.text }}")[0]
    assert "did you mean 'reviews'" in shown(shell, "%%agent_bg --map review\n{{ row.text }}")[0]
    assert "no column 'txt'" in shown(shell, "%%agent_bg --map reviews\n{{ row.txt }}")[0]
