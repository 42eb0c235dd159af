"""The browser harness drives a real JupyterLab: cells, widgets, themes."""

import pytest

pytestmark = pytest.mark.browser

WIDGET = """
import anywidget, traitlets
class Hello(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
        const button = document.createElement("button");
        const show = () => { button.textContent = "clicked " + model.get("count"); };
        button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
        model.on("change:count", show); show(); el.append(button);
    } }'''
    count = traitlets.Int(0).tag(sync=True)
hello = Hello()
hello
"""


def test_a_cell_runs_and_shows_its_value(lab):
    """Cells run in order in one kernel, and an added cell runs too."""
    notebook = lab.open(["x = 1", "x + 1"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    assert notebook.text(1) == "2"
    assert "2" in notebook.output(1).inner_text()
    added = notebook.add_cell("print(x * 10)")
    notebook.run_cell(added)
    assert notebook.text(added) == "10\n"
    assert notebook.errors == []


def test_a_widget_renders_and_hears_a_click(lab):
    """An anywidget draws itself, and a click changes its trait in the kernel."""
    notebook = lab.open([WIDGET, "hello.count"])
    notebook.run_cell(0)
    button = notebook.output(0).get_by_role("button", name="clicked 0")
    button.click()
    notebook.output(0).get_by_role("button", name="clicked 1").wait_for()
    notebook.run_cell(1)
    assert notebook.text(1) == "1"


def test_a_blocked_cell_leaves_the_page_usable(lab):
    """A cell in progress is seen as running until it ends."""
    notebook = lab.open(
        ["input_file = open('go', 'w'); input_file.close()\nimport time\ntime.sleep(1); 'over'"]
    )
    notebook.start_cell(0)
    assert notebook.is_running(0)
    notebook.wait_cell(0)
    assert notebook.text(0) == "'over'"


def test_both_themes_take_effect(lab):
    """Dark is darker than light, and a screenshot is a file."""
    notebook = lab.open(["1"])
    background = "() => getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
    notebook.theme("dark")
    dark = notebook.page.evaluate(background)
    assert notebook.screenshot("harness-dark").stat().st_size > 1000
    notebook.theme("light")
    assert dark != notebook.page.evaluate(background)


def test_a_page_is_handed_on_as_good_as_new(lab):
    """The next test's notebook stands alone in the page, in the light theme, with a kernel of its own."""
    first = lab.open(["x = 1"])
    first.run_cell(0)
    first.theme("dark")
    lab.close_pages(keep=True)
    second = lab.open(["x"])
    assert second.page is first.page
    assert second.page.locator(".jp-Notebook").count() == 1
    assert second.page.evaluate("() => document.body.dataset.jpThemeLight") == "true"
    second.run_cell(0)
    assert "NameError" in second.text(0)
