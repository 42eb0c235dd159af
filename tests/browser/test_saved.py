"""A saved notebook is as good as the live one: opened again without its kernel, converted, or shown without scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import nh3
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page

from tests.harness.lab import ARTIFACTS, Lab
from tests.harness.waiting import until

pytestmark = pytest.mark.browser

SETUP = '''
%load_ext nbagent
import nbagent as nb
from nbagent import Agent, Team, tool
from pydantic import BaseModel
from nbagent.models.protocol import ReplyFinished, ReplyStarted, TextDelta
class City(BaseModel):
    name: str
    country: str
class Land(BaseModel):
    name: str
    people: int
    area: int
    tongue: str
    capital: City
class Model:
    """Says a text, and fails after it if told to."""
    provider, id = "scripted", "one"
    def __init__(self, text, fails=False):
        self.text, self.fails = text, fails
    def check(self):
        pass
    async def stream(self, request):
        yield ReplyStarted()
        yield TextDelta(self.text)
        if self.fails:
            raise RuntimeError("the wire is cut")
        yield ReplyFinished(text=self.text, finish_reason="stop")
WORD = "unbreakable_identifier_of_some_length"
REPORT = f"""# Report

It costs $5 to $10, **today**; {WORD} stays whole.

| item | price |
|------|------:|
| tea  | 3.50  |

```python
{WORD} = 1
```
"""
LAND = '{"name": "Japan", "people": 124000000, "area": 378000, "tongue": "Japanese"'
LAND += ', "capital": {"name": "Tokyo", "country": "Japan"}}'
'''
DEMO = 'Agent(model="demo:assistant")'
CAPITALS = 'Agent(name="capitals", model="demo:assistant")'
CANCEL = "next(event for event in long.events() if long.text)\nlong.cancel()\nlong"
REVIEWS = f'{DEMO}.map(["Peru", "Chile", "Japan"], "What is the capital of {{{{ row }}}}?", label="capitals")'
PAID = """@tool(requires_approval=True)
def pay(amount: int) -> str:
    "Pay an amount in dollars."
    return f"paid {amount} dollars"
Agent(model="demo:assistant", tools=[pay]).start("Pay 30 dollars.", label="order")"""
# name -> the cell, and what must be read of it
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Markdown": (
        'Agent(model=Model(REPORT), name="writer").start("Report", label="report")',
        ("report", "completed", "Report", "It costs $5 to $10, today", "tea", "3.50", "of_some_length = 1", "%agent show report"),
    ),
    "a table": (
        "%%agent_bg -o cities --schema list[City] -m demo:assistant\nFacts about Tokyo and Paris.",
        ("cities", "Tokyo", "France", "demo model", "tokens", 'nb.get("cities").content'),
    ),
    "a tree": (
        'Agent(model=Model(LAND)).start("Land", output_schema=Land, label="land")',
        ("land", "capital", "Tokyo", "124,000,000"),
    ),
    "the foreground": (
        "%%agent -m demo:assistant -o rome\nWhat is the capital of Italy?",
        ("rome", "The capital of Italy is Rome.", "demo model", "tokens 12 in, 8 out"),
    ),
    "a failed run": (
        'Agent(model=Model("So far so good\\nsecond line", fails=True)).start("Fail", label="broken")',
        ("broken", "error", "the wire is cut", "So far so good\nsecond line"),
    ),
    "a cancelled run": (
        f'long = {DEMO}.start("write 3000 words about rivers", label="rivers")\n{CANCEL}',
        ("rivers", "cancelled", "Every"),
    ),
    "a team": (
        f'Team(model="demo:assistant", members=[{CAPITALS}]).start("What is the capital of France?", label="trip")',
        ("trip", "capitals", "The capital of France is Paris."),
    ),
    "a batch": (f"batch = {REVIEWS}; batch", ("capitals: 3 rows", "3 completed", "3 runs")),
    "a run that waits": (PAID, ("order", "paused", "waits for approval", "pay(amount=30)")),
    "a result": ("nb.gather(cities, batch, nb.get('trip'), nb.get('land')); cities.result()", ("cities", "Tokyo")),
    "a run shown again": ("%agent show rome", ("rome", "The capital of Italy is Rome.")),
    "the panel": ("%agent", ("runs", "capitals: 3 rows", "3 completed", "rivers", "broken")),
}  # fmt: skip
BROKEN = (
    "Loading widget",
    "Error displaying widget",
    "model not found",
    "nbagent-host",
    "undefined",
    "[object",
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A notebook of all kinds, run in JupyterLab and saved; its kernel is gone."""

    lab: Lab
    path: str

    @property
    def file(self) -> Path:
        return self.lab.server.root / self.path

    def outputs(self, name: str) -> list[dict[str, Any]]:
        """Return the outputs of a kind's cell as the file has them."""
        cells = json.loads(self.file.read_text(encoding="utf-8"))["cells"]
        return cells[1 + list(KINDS).index(name)]["outputs"]


def html_of(outputs: list[dict[str, Any]]) -> str:
    found = [output.get("data", {}).get("text/html", "") for output in outputs]
    return "".join("".join(one) for one in found)


@pytest.fixture(scope="module")
def saved(_lab: Lab) -> Saved:
    """Run it once for all tests here."""
    path = _lab.server.write_notebook([SETUP, *(cell for cell, _ in KINDS.values())], "saved.ipynb")
    notebook = _lab.open_notebook(path, width=1000, height=1400)
    for at in range(1 + len(KINDS)):
        notebook.run_cell(at)
    found = Saved(_lab, path)
    place = 1 + list(KINDS).index("a batch")
    until(lambda: "3 completed" in html_of(notebook.outputs(place)), "the batch's static form is written")
    notebook.screenshot("saved-live")
    notebook.save()
    _lab.close_pages()
    return found


@pytest.mark.parametrize("name", KINDS)
def test_the_file_holds_each_output_whole_and_no_widget(saved: Saved, name: str) -> None:
    """What a card showed is in the file as HTML, once; no view of a model that will be gone is, nor a script."""
    outputs = saved.outputs(name)
    types = {kind for output in outputs for kind in output.get("data", {})}
    assert types == {"text/plain", "text/html"}
    html = html_of(outputs)
    assert html.count("nbagent-snapshot") == 1
    assert "<script" not in html
    assert "<style" not in html
    # a forge takes styles and classes out: what is left must say the same
    bare = nh3.clean(html, tags=nh3.ALLOWED_TAGS | {"details", "summary", "small"}, attributes={})
    text = nh3.clean(bare.replace("<br>", "\n"), tags=set()).replace("&gt;", ">").replace("&amp;", "&")
    for part in KINDS[name][1]:
        assert part in text.replace("&lt;", "<").replace("&nbsp;", " "), part


def shown(page: Page, name: str) -> Any:
    """Return the output area of a kind's cell, once it is drawn."""
    cell = page.locator(".jp-Notebook .jp-Cell").nth(1 + list(KINDS).index(name))
    area = cell.locator(".jp-Cell-outputArea, .jp-OutputArea").first
    area.locator(".nbagent-snapshot").wait_for(state="visible")
    return area


BREAKS = """area => [...area.querySelectorAll("p, pre, td, code, div")].filter(
    (one) => getComputedStyle(one).wordBreak === "break-all" && one.textContent.trim()).length"""


@pytest.mark.parametrize("front_end", ["lab/tree", "notebooks"])
def test_opened_without_its_kernel_it_shows_everything(saved: Saved, front_end: str) -> None:
    """JupyterLab and Notebook 7 show each output as it was: no error line, no broken word, in light and dark."""
    server = saved.lab.server
    context = saved.lab.browser.new_context(viewport={"width": 1000, "height": 3200})
    context.set_default_timeout(120_000)  # the first page of a front end takes its time on a busy machine
    page = context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{server.port}/{front_end}/{saved.path}?token={server.token}")
        for name, (_, parts) in KINDS.items():
            area = shown(page, name)
            text = area.inner_text()
            for part in parts:
                assert part in text, (name, part, text)
            assert not [one for one in BROKEN if one in text], (name, text)
            assert area.evaluate(BREAKS) == 0, name
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"saved-{front_end.replace('/', '-')}.png")
    finally:
        context.close()


@pytest.mark.parametrize("scripts", ["no scripts", "scripts"])
def test_converted_it_shows_everything(saved: Saved, scripts: str) -> None:
    """`nbconvert --to html` gives a page that says the same, with and without scripts: prices are no mathematics."""
    html, _ = HTMLExporter().from_notebook_node(nbformat.read(saved.file, as_version=4))
    target = saved.lab.server.root / "saved.html"
    target.write_text(html, encoding="utf-8")
    context = saved.lab.browser.new_context(
        viewport={"width": 1000, "height": 3200}, java_script_enabled=scripts == "scripts", offline=True
    )
    page = context.new_page()
    try:
        page.goto(target.as_uri())
        text = page.locator("body").inner_text()
        for name in KINDS:
            for part in KINDS[name][1]:
                assert part in text, (name, part)
        assert not [one for one in BROKEN if one in text]
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"saved-converted-{scripts.replace(' ', '-')}.png", full_page=True)
    finally:
        context.close()
