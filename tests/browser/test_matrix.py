"""The panel's faces in JupyterLab and Notebook 7, in both themes and at three widths: axe finds nothing, nothing sticks out.

`python -m pytest -m matrix tests/browser/test_matrix.py`; the contact sheets land in `artifacts/`, for
a person to look at.
"""

from __future__ import annotations

import pytest
from PIL import Image

from tests.browser.test_batch import REVIEWS
from tests.browser.test_card import FAILS_ONCE
from tests.browser.test_panel import click_as_it_moves, own_store
from tests.browser.test_table import STICKING_OUT, axe, line
from tests.browser.test_waiting import ORDERS
from tests.harness.lab import ARTIFACTS

pytestmark = [pytest.mark.browser, pytest.mark.matrix]

THEMES, WIDTHS, HEIGHT = ("light", "dark"), (429, 1000, 2300), 3200
FILL = """
from nbagent import Agent, runtime
from tests.panel.filled_store import fill
fill(runtime.current().store, 12, team=True)
"""
ANSWER = """
from nbagent.models.protocol import ReplyFinished, ReplyStarted
class Writer:
    provider, id = "scripted", "writer"
    def check(self): pass
    async def stream(self, request):
        yield ReplyStarted()
        yield ReplyFinished(text=REPORT, finish_reason="stop")
REPORT = '''## Prices

It costs $5 to $10; the mean is $\\\\frac{1}{n}\\\\sum_i x_i$.

| item | price | left |
|:-----|------:|:----:|
| tea  | 3.50  | yes  |

```python
def mean(prices: list[float]) -> float:
    \\"\\"\\"The plain mean.\\"\\"\\"
    return sum(prices) / len(prices)  # of floats
```
'''
Agent(model=Writer(), name="writer").start("Report", label="report")
"""
OUTPUTS_ALONE = ".jp-Cell-inputWrapper { display: none !important; }"
VIOLATIONS = """async () => (await axe.run('.nbagent')).violations
  .map((v) => [v.id, v.impact, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary)])"""
OUTSIDE = f"""() => [...document.querySelectorAll(".nbagent-panel")].flatMap({STICKING_OUT})"""


@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_every_face_in_both_themes_at_three_widths(lab, front_end):
    """What waits, an opened run with its trace, a batch with its rows, a failed card, an answer: seen whole, read by everybody."""
    cells = [own_store(f"matrix-{front_end}") + FILL, ORDERS, "%agent", REVIEWS, FAILS_ONCE, ANSWER]
    path = lab.server.write_notebook(cells, f"matrix-{front_end}.ipynb")
    notebook = lab.open_notebook(path, width=1400, height=HEIGHT, front_end=front_end)
    notebook.page.evaluate("() => jupyterapp.shell.collapseLeft?.()")
    for index in range(len(cells)):
        notebook.run_cell(index)
    panel = notebook.output(2)
    panel.locator(".nbagent-asks").nth(2).wait_for(timeout=60_000)
    click_as_it_moves(line(notebook, 2, "view").locator(".nbagent-c-says"))
    opened = panel.get_by_role("article", name="opened run")
    opened.locator(".nbagent-step-head").first.click(timeout=60_000)
    notebook.output(3).get_by_role("button", name="Retry 4 failed").wait_for(timeout=60_000)
    notebook.output(4).get_by_role("button", name="Retry job").wait_for(timeout=60_000)
    notebook.output(5).locator(".nbagent-code-block span").first.wait_for(timeout=60_000)
    notebook.page.add_style_tag(content=OUTPUTS_ALONE)
    notebook.page.evaluate(axe())
    found = {}
    for theme in THEMES:
        notebook.theme(theme)
        shots = []
        for width in WIDTHS:
            notebook.page.set_viewport_size({"width": width, "height": HEIGHT})
            notebook.page.wait_for_function(
                "width => document.documentElement.clientWidth === width", arg=width, polling=50
            )
            shots.append(notebook.screenshot(f"matrix-{front_end}-{theme}-{width}"))
            found[theme, width] = notebook.page.evaluate(VIOLATIONS), notebook.page.evaluate(OUTSIDE)
        sheet = Image.new("RGB", (sum(WIDTHS), HEIGHT))
        for number, shot in enumerate(shots):
            with Image.open(shot) as picture:
                sheet.paste(picture, (sum(WIDTHS[:number]), 0))
        sheet.save(ARTIFACTS / f"matrix-{front_end}-{theme}.png")
    wrong = {where: what for where, what in found.items() if what != ([], [])}
    assert not wrong, wrong
    assert (
        "It costs $5 to $10; the mean is" in notebook.output(5).inner_text()
    )  # no mathematics of the front end's
    assert notebook.widget_errors == []  # Notebook 7 has some of its own
