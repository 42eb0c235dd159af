"""A batch in the panel and as a card of its own: its progress, its runs, its end by one click."""

from __future__ import annotations

import pytest

from tests.browser.test_panel import own_store, row

pytestmark = pytest.mark.browser


BATCH = """
import pandas as pd
reviews = pd.DataFrame({"text": [f"write 5,000 words about review {n}" if n % 4 == 3 else f"What is the capital of France? {n}" for n in range(12)]})
batch = nb.Agent(model="demo:assistant", name="reader").map(reviews, "{{ row.text }}", max_concurrency=3, label="reviews")
from nbagent.panel import show_batch
show_batch(batch.batch_id)
"""


def test_a_batch_is_one_row_with_its_progress_and_ends_by_one_click(lab):
    """Its row counts rows, also those not asked yet; it opens to its runs; Cancel ends it whole, in the panel and its own card."""
    notebook = lab.open(
        [own_store("batch"), BATCH, "%agent", "print(batch.progress.running, batch.done())"], height=1100
    )
    for index in range(3):
        notebook.run_cell(index)
    for view in (1, 2):
        row(notebook, view, "reviews", "running").get_by_text("of 12").wait_for(timeout=60_000)
    bar = row(notebook, 2, "reviews", "running").get_by_role("progressbar")
    assert bar.get_attribute("aria-valuemax") == "12"
    assert "left" in bar.get_attribute("aria-valuetext")
    row(notebook, 1, "reviews", "running").locator(".nbagent-twist").click()
    assert notebook.output(1).locator(".nbagent-line[aria-level='2']:not([hidden])").count() >= 3
    notebook.output(2).get_by_role("button", name="Cancel reviews").first.click()
    for view in (1, 2):
        ended = notebook.output(view).locator(".nbagent-line[data-batch]").get_by_text("all 12 ended")
        ended.wait_for(timeout=60_000)
    notebook.run_cell(3)
    assert notebook.text(3).strip() == "0 True"
    assert notebook.errors == []
