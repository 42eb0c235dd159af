"""A batch in the panel and as a card of its own: its progress, its runs, its end by one click."""

from __future__ import annotations

import pytest

from tests.browser.test_panel import SCRIPTED, click_as_it_moves, own_store, row

pytestmark = pytest.mark.browser


BATCH = """
import pandas as pd
reviews = pd.DataFrame({"text": [f"write 5,000 words about review {n}" if n % 4 == 3 else f"What is the capital of France? {n}" for n in range(12)]})
batch = nb.Agent(model="demo:assistant", name="reader").map(reviews, "{{ row.text }}", max_concurrency=3, label="reviews")
from nbagent.panel import show_batch
show_batch(batch.batch_id)
"""


REVIEWS = (
    SCRIPTED
    + """
import asyncio, json
import pandas as pd
from typing import Literal
from pydantic import BaseModel
class Review(BaseModel):
    sentiment: Literal["positive", "negative"]
    stars: int
broken = True
class Reads(Model):
    async def stream(self, request):
        yield ReplyStarted()
        n = int(request.messages[-1].content.split()[-1])
        if n % 6 == 5 and broken:
            raise ValueError("the server hung up")
        answer = {"sentiment": "positive" if n % 3 else "negative", "stars": n % 5}
        yield ReplyFinished(text=json.dumps(answer), finish_reason="stop")
reviews = pd.DataFrame({"text": [f"The parcel was late {n}" for n in range(24)]}, index=[f"r{n}" for n in range(24)])
batch = nb.Agent(model=Reads(), name="reader").map(reviews, "{{ row.text }}", output_schema=Review, label="reviews")
from nbagent.panel import show_batch
show_batch(batch.batch_id)
"""
)


def test_a_batchs_card_lists_its_rows_with_their_answers(lab):
    """Label, prompt and the answer's fields; failed first; counts by answer; searched; what failed is asked again by a click."""
    notebook = lab.open([own_store("rows"), REVIEWS, "broken = False"], height=1100)
    notebook.run_cell(0)
    notebook.run_cell(1)
    card = notebook.output(1)
    items = card.locator(".nbagent-items-rows .nbagent-item")
    card.get_by_role("button", name="Retry 4 failed").wait_for(timeout=60_000)
    assert items.nth(0).inner_text().split("\n") == ["r5", "The parcel was late 5", "the server hung up"]
    assert items.nth(4).inner_text().split("\n") == ["r0", "The parcel was late 0", "negative", "0"]
    kinds = card.get_by_role("list", name="answers by sentiment").get_by_role("listitem")
    assert [one.split() for one in kinds.all_inner_texts()] == [["positive", "12"], ["negative", "8"]]
    card.get_by_role("searchbox", name="Search rows by text").fill("negative late")
    assert items.count() == 8
    card.get_by_role("searchbox", name="Search rows by text").fill("")
    items.nth(1).get_by_role("button", name="r11").click()
    opened = card.get_by_role("article", name="opened run")
    assert "the server hung up" in opened.locator(".nbagent-error").inner_text(timeout=60_000)
    notebook.run_cell(2)
    card.get_by_role("button", name="Retry 4 failed").click()
    card.locator(".nbagent-items .nbagent-group", has_text="Answered 24").wait_for(timeout=60_000)
    assert items.nth(0).inner_text().startswith("r0")
    assert notebook.errors == []


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
    click_as_it_moves(row(notebook, 1, "reviews", "running").locator(".nbagent-twist"))
    assert notebook.output(1).locator(".nbagent-line[aria-level='2']:not([hidden])").count() >= 3
    notebook.output(2).get_by_role("button", name="Cancel reviews").first.click()
    for view in (1, 2):
        ended = notebook.output(view).locator(".nbagent-line[data-batch]").get_by_text("all 12 ended")
        ended.wait_for(timeout=60_000)
    notebook.run_cell(3)
    assert notebook.text(3).strip() == "0 True"
    assert notebook.errors == []
