"""The README's pictures, made anew from a real JupyterLab: `python -m tests.browser.pictures` writes `docs/images`.

Look at them before they are committed. The table, an opened run, a batch and a team's card, each in both themes.
"""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

from tests.browser.test_panel import PAYING_TEAM, own_store
from tests.harness.lab import Lab, NotebookPage, launch_chromium
from tests.harness.lab_server import LabServer

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
COLOURS = 128  # of a picture: flat surfaces and text need no more, small dots want their own
FILL = """
from nbagent import runtime
from nbagent.panel import show_batch
from tests.panel.filled_store import fill
fill(runtime.current().store, 38, team=True)
reader = nb.Agent(model="demo:assistant", name="reader")
"""
LIVE = """run = reader.start("write 5,000 words about rivers", label="rivers")"""
BATCH = """
import pandas as pd
prompts = [f"write 5,000 words about review {n}" if n % 5 == 4 else f"What is the capital of France? {n}" for n in range(120)]
batch = reader.map(pd.DataFrame({"text": prompts}), "{{ row.text }}", max_concurrency=8, label="reviews")
show_batch(batch.batch_id)
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
    batch.locator(".nbagent-twist").first.click()
    batch.locator(".nbagent-line").nth(3).wait_for()
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
            cells = [own_store(theme) + FILL, LIVE, "%agent", BATCH, PAYING_TEAM]
            take(lab.open(cells, width=1400, height=1600), theme)
            lab.close_pages()
    browser.close()
    playwright.stop()


if __name__ == "__main__":
    main()
