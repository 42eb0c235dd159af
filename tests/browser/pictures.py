"""The README's pictures, made anew from a real JupyterLab: `python -m tests.browser.pictures` writes `docs/images`.

Look at them before they are committed. The table, an opened run, a batch and a team's card, each in both themes.
"""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

from tests.browser.test_panel import own_store
from tests.harness.lab import Lab, NotebookPage, launch_chromium
from tests.harness.lab_server import LabServer

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
COLOURS = 128  # of a picture: flat surfaces and text need no more, small dots want their own
FILL = """
from nbagent import runtime
from nbagent.panel import show_batch
from tests.panel.filled_store import fill
fill(runtime.current().store, 38, team=True)
"""
LIVE = """run = nb.Agent(model="demo:assistant", name="writer").start("write 5,000 words about rivers", label="rivers")"""
# a hundred and twenty reviews, each with what a model would say of it
BATCH = """
import asyncio, json
from typing import Literal
import pandas as pd
from pydantic import BaseModel
from nbagent.events import ToolRequest, Usage
from nbagent.models.protocol import ReplyFinished, ReplyStarted
BEGIN = {"The parcel came two days late": -1, "Delivery was quick": 1, "The box was open when it came": -1,
         "It came on the day that was promised": 1, "I waited three weeks for it": -2, "It was at the door next morning": 2,
         "The courier left it in the rain": -1, "Ordering took a minute": 1, "They sent the wrong size first": -1,
         "It is my third order here": 1}
END = {"but the lamp itself is lovely.": 1, "and the screen has a scratch.": -1, "and support answered within the hour.": 1,
       "and nobody answers my mails.": -2, "and it works as described.": 1, "but the battery lasts half a day.": -1,
       "and the colour is just right.": 1, "and I would buy it again.": 2, "but it hums.": -1,
       "and the manual is no help.": -1, "and my daughter loves it.": 2, "but it is smaller than in the picture.": -1}
class Review(BaseModel):
    sentiment: Literal["positive", "mixed", "negative"]
    stars: int
class Reader:
    provider, id = "scripted", "reader"
    def check(self):
        pass
    async def stream(self, request):
        yield ReplyStarted()
        text = request.messages[-1].content
        await asyncio.sleep(0.4 + len(text) % 7 / 10)
        if "third order" in text and "hums" in text or "three weeks" in text and "manual" in text:
            raise ConnectionError("the connection was lost")
        parts = [mood for some in (BEGIN, END) for said, mood in some.items() if said in text]
        mood = "mixed" if min(parts) < 0 < max(parts) else "positive" if sum(parts) > 0 else "negative"
        answer = json.dumps({"sentiment": mood, "stars": max(1, min(5, 3 + sum(parts)))})
        usage = Usage(input_tokens=90 + len(text), output_tokens=14, total_tokens=104 + len(text))
        yield ReplyFinished(text=answer, finish_reason="stop", usage=usage, usage_source="reported")
nb.register_model(Reader(), price_key="openai:gpt-5-mini")
reviews = pd.DataFrame({"text": [f"{begin}, {end}" for end in END for begin in BEGIN]})
batch = nb.Agent(model="scripted:reader", name="reader").map(
    reviews, "{{ row.text }}", output_schema=Review, max_concurrency=8, label="reviews")
show_batch(batch.batch_id)
"""
# two invoices that a member asks to pay
TEAM = """
from nbagent import tool
from nbagent.panel import show_card
@tool(requires_approval=True)
def pay(to: str, amount: float) -> str:
    "Pay an invoice."
    return "paid"
class Clerk(Reader):
    id = "clerk"
    async def stream(self, request):
        yield ReplyStarted()
        open_ = {"Halvorsen Shipping": 1240.0, "Brightwater Ltd": 86.5}
        calls = tuple(ToolRequest(tool_call_id=to, name="pay", arguments=json.dumps({"to": to, "amount": amount}))
                      for to, amount in open_.items())
        usage = Usage(input_tokens=410, output_tokens=52, total_tokens=462)
        yield ReplyFinished(text="", finish_reason="tool_calls", tool_requests=calls, usage=usage, usage_source="reported")
clerk = nb.Agent(model=Clerk(), tools=[pay], name="clerk")
team = nb.Team(model="demo:assistant", members=[clerk], mode="broadcast", name="treasury")
show_card(team.start("Pay the open invoices of November.", label="invoices"))
"""


def keep(element: Locator, name: str) -> None:
    """Write a picture of an element, small."""
    element.page.mouse.move(5, 5)
    with Image.open(BytesIO(element.screenshot(animations="disabled"))) as shot:
        small = shot.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        small.save(FOLDER / f"{name}.png", optimize=True)
    print(f"{name}: {(FOLDER / name).with_suffix('.png').stat().st_size / 1000:.0f} KB")


def take(notebook: NotebookPage, theme: str) -> None:
    """Run the notebook and take its four pictures."""
    notebook.page.evaluate("() => jupyterapp.shell.collapseLeft()")
    notebook.theme(theme)
    for index in range(5):
        notebook.run_cell(index)
    panel, batch = (notebook.output(index).locator(".nbagent-panel") for index in (2, 3))
    team = notebook.output(4).locator(".nbagent-card")
    team.locator(".nbagent-approval").first.wait_for(timeout=20_000)
    batch.get_by_text("of 120").first.wait_for(timeout=20_000)
    keep(team, f"team-{theme}")
    view = panel.locator(".nbagent-line", has_text="NVDA this week").first
    view.locator(".nbagent-twist").click()
    keep(panel, f"panel-{theme}")
    batch.locator(".nbagent-kind").nth(4).wait_for(timeout=20_000)
    batch.locator(".nbagent-item[data-status=error]").first.wait_for(timeout=20_000)
    keep(batch, f"batch-{theme}")
    view.locator(".nbagent-c-says").click()
    opened = panel.get_by_role("article", name="opened run")
    opened.locator(".nbagent-prose").wait_for(timeout=10_000)
    opened.get_by_role("button", name="price(").click()
    keep(opened, f"opened-{theme}")


def main() -> None:
    """Take all pictures, each theme in a notebook and a store of its own."""
    playwright, browser = launch_chromium()
    with tempfile.TemporaryDirectory() as folder, LabServer(Path(folder)) as server:
        lab = Lab(server, browser)
        for theme in ("light", "dark"):
            cells = [own_store(theme) + FILL, LIVE, "%agent", BATCH, TEAM]
            take(lab.open(cells, width=1400, height=1600), theme)
            lab.close_pages()
    browser.close()
    playwright.stop()


if __name__ == "__main__":
    main()
