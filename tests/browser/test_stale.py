"""The mark of a stale row, as it is seen."""

from __future__ import annotations

import pytest

from tests.browser.test_panel import own_store
from tests.browser.test_table import line

pytestmark = pytest.mark.browser

ASK = """
import nbagent.template
from nbagent.models.protocol import ReplyFinished, ReplyStarted
class Model:
    provider, id = "scripted", "answers"
    def check(self): pass
    async def stream(self, request):
        yield ReplyStarted()
        yield ReplyFinished(text="Done.", finish_reason="stop")
guide = nb.Agent(model=Model(), name="guide")
def ask(template, label):
    return guide.start(nb.template.render(template, globals()), label=label).wait()
country, people = "Peru", ["ada"]
ask("About {{ country }}", "facts"); ask("About {{ people }}", "names");
"""
REBOUND = "country, people = 'Chile', ['ada']"
AGAIN = 'ask("About {{ country }}", "facts");'


def test_a_run_whose_variable_was_rebound_is_marked_until_it_is_asked_again(lab):
    """The mark says which variable, to who hovers and to who listens; an equal value and other runs have none."""
    notebook = lab.open([own_store("stale") + ASK, "%agent", REBOUND, AGAIN])
    for index in range(3):
        notebook.run_cell(index)
    mark = line(notebook, 1, "facts").locator(".nbagent-stale")
    mark.wait_for()
    assert mark.get_attribute("title") == "stale: country was rebound since"
    assert mark.text_content() == "stale: country was rebound since"
    marks = notebook.output(1).locator(".nbagent-stale")
    assert marks.count() == 1
    notebook.screenshot("stale-row")
    notebook.run_cell(3)
    marks.first.wait_for(state="detached")
    assert notebook.widget_errors == []
