"""The panel's faces in both themes and at three widths: axe finds nothing, nothing sticks out; pictures for a person to look at.

`python -m pytest -m matrix tests/browser/test_matrix.py`; the contact sheets land in `artifacts/`.
"""

from __future__ import annotations

import pytest
from PIL import Image

from tests.browser.test_batch import REVIEWS
from tests.browser.test_card import FAILS_ONCE
from tests.browser.test_panel import own_store
from tests.browser.test_table import STICKING_OUT, axe, line
from tests.browser.test_waiting import ORDERS
from tests.harness.lab import ARTIFACTS

pytestmark = [pytest.mark.browser, pytest.mark.matrix]

THEMES, WIDTHS = ("light", "dark"), (429, 1000, 2300)
FILL = """
from nbagent import Agent, runtime
from tests.panel.filled_store import fill
fill(runtime.current().store, 12, team=True)
"""
VIOLATIONS = """async () => (await axe.run('.nbagent')).violations
  .map((v) => [v.id, v.impact, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary)])"""
OUTSIDE = f"""() => [...document.querySelectorAll(".nbagent-panel")].flatMap({STICKING_OUT})"""


def test_every_face_in_both_themes_at_three_widths(lab):
    """What waits, an opened run with its trace, a batch with its rows, a failed card: seen whole, read by everybody."""
    cells = [own_store("matrix") + FILL, ORDERS, "%agent", REVIEWS, FAILS_ONCE]
    notebook = lab.open(cells, width=1400, height=2600)
    notebook.page.evaluate("() => jupyterapp.shell.collapseLeft()")
    for index in range(len(cells)):
        notebook.run_cell(index)
    panel = notebook.output(2)
    panel.locator(".nbagent-asks").nth(2).wait_for(timeout=60_000)
    line(notebook, 2, "view").locator(".nbagent-c-says").click()
    opened = panel.get_by_role("article", name="opened run")
    opened.locator(".nbagent-step-head").first.click(timeout=60_000)
    notebook.output(3).get_by_role("button", name="Retry 4 failed").wait_for(timeout=60_000)
    notebook.output(4).get_by_role("button", name="Retry job").wait_for(timeout=60_000)
    notebook.page.evaluate(axe())
    found = {}
    for theme in THEMES:
        notebook.theme(theme)
        shots = []
        for width in WIDTHS:
            notebook.page.set_viewport_size({"width": width, "height": 2600})
            notebook.page.wait_for_function(
                "width => document.documentElement.clientWidth === width", arg=width, polling=50
            )
            shots.append(notebook.screenshot(f"matrix-{theme}-{width}"))
            found[theme, width] = notebook.page.evaluate(VIOLATIONS), notebook.page.evaluate(OUTSIDE)
        sheet = Image.new("RGB", (sum(WIDTHS), 2600))
        for number, shot in enumerate(shots):
            with Image.open(shot) as picture:
                sheet.paste(picture, (sum(WIDTHS[:number]), 0))
        sheet.save(ARTIFACTS / f"matrix-{theme}.png")
    wrong = {where: what for where, what in found.items() if what != ([], [])}
    assert not wrong, wrong
    assert notebook.errors == []
