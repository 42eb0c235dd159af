"""The picture of saved outputs beside the live ones: `python -m tests.browser.saved_picture` writes `docs/images/saved.png`.

A row for each kind of output of `test_saved.py`: live in JupyterLab, opened again there without its kernel, converted to
HTML and shown without scripts. Look at it before it is committed.
"""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Locator

from tests.browser.pictures import COLOURS, FOLDER
from tests.browser.test_saved import KINDS, SETUP, html_of
from tests.harness.lab import Lab, launch_chromium
from tests.harness.lab_server import LabServer
from tests.harness.waiting import until

WIDTH, HEIGHT, GAP, HEAD = 1000, 2400, 24, 36
COLUMNS = ("live in JupyterLab", "opened again without its kernel", "converted to HTML, no scripts")


def shot(area: Locator) -> Image.Image:
    """Return a picture of an output."""
    return Image.open(BytesIO(area.screenshot(animations="disabled"))).convert("RGB")


def taken(lab: Lab, folder: Path) -> list[list[Image.Image]]:
    """Return the three columns, each with a picture for each kind."""
    path = lab.server.write_notebook([SETUP, *(cell for cell, _ in KINDS.values())], "saved.ipynb")
    notebook = lab.open_notebook(path, width=WIDTH, height=HEIGHT)
    notebook.page.evaluate("() => jupyterapp.shell.collapseLeft()")
    for at in range(1 + len(KINDS)):
        notebook.run_cell(at)
    batch = 1 + list(KINDS).index("a batch")
    until(lambda: "3 completed" in html_of(notebook.outputs(batch)), "the batch's static form is written")
    notebook.output(len(KINDS)).get_by_text("completed").first.wait_for()
    live = [shot(notebook.output(at)) for at in range(1, 1 + len(KINDS))]
    notebook.save()
    lab.close_pages()
    context = lab.browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.goto(lab.server.url(path))
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady")
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    cells = page.locator(".jp-Notebook .jp-Cell")
    cells.nth(len(KINDS)).locator(".nbagent-snapshot").wait_for()
    again = [shot(cells.nth(at).locator(".jp-Cell-outputArea")) for at in range(1, 1 + len(KINDS))]
    context.close()
    html, _ = HTMLExporter().from_notebook_node(nbformat.read(lab.server.root / path, as_version=4))
    (folder / "saved.html").write_text(html, encoding="utf-8")
    context = lab.browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, java_script_enabled=False, offline=True
    )
    page = context.new_page()
    page.goto((folder / "saved.html").as_uri())
    areas = page.locator(".jp-Notebook .jp-Cell, .jp-Cell").filter(has=page.locator(".nbagent-snapshot"))
    converted = [shot(areas.nth(at).locator(".jp-Cell-outputArea")) for at in range(len(KINDS))]
    context.close()
    return [live, again, converted]


def sheet(columns: list[list[Image.Image]]) -> Image.Image:
    """Return the pictures in rows, with what each column and row is."""
    width = max(picture.width for column in columns for picture in column)
    heights = [max(picture.height for picture in row) + HEAD for row in zip(*columns, strict=True)]
    made = Image.new("RGB", (len(columns) * (width + GAP) + GAP, sum(heights) + 2 * HEAD), "white")
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(16)
    for number, (name, column) in enumerate(zip(COLUMNS, columns, strict=True)):
        left, top = GAP + number * (width + GAP), 2 * HEAD
        draw.text((left, 10), name, "black", font)
        for kind, height, picture in zip(KINDS, heights, column, strict=True):
            draw.text((left, top - 24), kind, "#777777", font)
            made.paste(picture, (left, top))
            top += height
    return made


def main() -> None:
    """Take it."""
    playwright, browser = launch_chromium()
    with tempfile.TemporaryDirectory() as folder, LabServer(Path(folder)) as server:
        made = sheet(taken(Lab(server, browser), Path(folder)))
    browser.close()
    playwright.stop()
    small = made.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(FOLDER / "saved.png", optimize=True)
    print(f"saved: {small.size}, {(FOLDER / 'saved.png').stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
