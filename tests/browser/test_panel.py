"""The panel across kernels and in trouble: two kernels on one store, resume, a held record, a team's approvals, files."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.harness.waiting import PATIENCE_S

pytestmark = pytest.mark.browser

LOAD = "import nbagent as nb\nnb.load_ipython_extension(get_ipython())\nfrom nbagent.panel import show_card\n"
LONG = 'run = nb.Agent(model="demo:assistant").start("write 5,000 words about {0}", label="{0}")'
SCRIPTED = """
from nbagent import tool
from nbagent.events import ToolRequest
from nbagent.models.protocol import ReplyFinished, ReplyStarted
class Model:
    provider, id = "scripted", "one"
    def check(self):
        pass
"""
WHOLE = "print(*run.text.split())"
FAILS_ONCE = (
    SCRIPTED
    + """
asked = []
class FailsOnce(Model):
    async def stream(self, request):
        asked.append(request)
        yield ReplyStarted()
        if len(asked) == 1:
            raise ValueError("the first try fails")
        yield ReplyFinished(text="**Done** at last.", finish_reason="stop")
run = nb.Agent(model=FailsOnce(), name="worker").start("Do it", label="job"); run.wait();
"""
)
PAYING_TEAM = (
    SCRIPTED
    + """
paid = []
@tool(requires_approval=True)
def pay(amount: int) -> str:
    "Pay somebody."
    paid.append(amount)
    return "paid"
class Pays(Model):
    async def stream(self, request):
        yield ReplyStarted()
        if request.messages[-1].role == "tool":
            yield ReplyFinished(text="Paid.", finish_reason="stop")
        else:
            calls = tuple(ToolRequest(tool_call_id=str(n), name="pay", arguments=f'{{"amount": {n}}}') for n in (5, 7))
            yield ReplyFinished(text="", finish_reason="tool_calls", tool_requests=calls)
payer = nb.Agent(model=Pays(), tools=[pay], name="payer")
team = nb.Team(model="demo:assistant", members=[payer], mode="broadcast", name="treasury").start("Pay", label="bills")
show_card(team)
"""
)
# a model's answers of every hostile kind, laid out; and a structured one, as a table and as a tree
HOSTILE_ANSWERS = """
from datetime import UTC, datetime
from types import SimpleNamespace
from nbagent.events import RunFinished, RunStarted, TextAdded
from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime import Run, current
from nbagent.schemas import OutputSchema
from tests.panel.filled_store import HOSTILE
from tests.panel.test_markdown import HOSTILE as MARKDOWN
now = datetime.now(UTC)
def answer(run_id, content, **launch):
    record = RunRecord(RunLaunch(run_id=run_id, session_id="s", created_at=now, label=run_id, **launch))
    text = content if isinstance(content, str) else ""
    for event in (RunStarted(started_at=now), TextAdded(text, step=1),
                  RunFinished(stop_reason="end", content=content, output_valid=not text, finished_at=now)):
        record.apply(event)
    live = SimpleNamespace(record=record, lost=False, store=current().store, holders=[])
    show_card(Run(run_id, "s", runtime=current(), live=live))
answer("markdown", "\\n\\n".join([*MARKDOWN, HOSTILE, "[a](javascript:window.pwned=1)", "| a |\\n|---|\\n| " + "W" * 3000 + " |"]))
schema = OutputSchema.of({"type": "object"})
answer("tree", {HOSTILE: {"in": [HOSTILE, {HOSTILE: HOSTILE}]}}, output_schema=schema)
answer("table", [{HOSTILE: HOSTILE, "n": 1}] * 3, output_schema=OutputSchema.of({"type": "array"}))
"""
FITS = "el => el.scrollWidth <= el.clientWidth + 1"
HARMLESS = "() => window.pwned === undefined && getComputedStyle(document.body).display !== 'none'"


def own_store(name: str) -> str:
    """A first cell that takes the store of this name: one server's kernels share theirs otherwise."""
    return f"import os; os.environ['NBAGENT_STORE'] = os.path.abspath('{name}.duckdb')\n" + LOAD


def row(notebook, index: int, title: str, status: str):
    """The row of a run with this title and status."""
    rows = notebook.output(index).locator(f".nbagent-sizer .nbagent-line[data-status={status}]:not([hidden])")
    return rows.filter(has=notebook.page.locator(f".nbagent-title >> text='{title}'")).first


def said(line) -> str:
    """The end of what a running model has said, once it has said something."""
    says = line.locator(".nbagent-c-says:not([data-prompt])")
    says.wait_for(timeout=60_000)
    return says.inner_text().removeprefix("…").strip()


def settled(line):
    """The row, once it has stood still: one that has just moved under the pointer hears no click."""
    return line.and_(line.page.locator(":not([data-moved])"))


def click_as_it_moves(part) -> None:
    """Click a row's part, found anew at each try: its element is another row's once rows come in above it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return part.click(timeout=2_000)
        except PlaywrightTimeoutError:
            if time.monotonic() > deadline:
                raise


def click(notebook, index: int, title: str, status: str, word: str) -> None:
    """Click a row's button, which for Retry and Resume is there when it is looked for."""
    row(notebook, index, title, status).hover()
    settled(row(notebook, index, title, status)).get_by_role("button", name=f"{word} {title}").click()


def search(notebook, index: int, text: str) -> None:
    """Filter by a text and wait until the rows are those found: before that a row may be about to go."""
    notebook.output(index).get_by_role("searchbox").fill(text)
    found = notebook.output(index).locator(".nbagent-totals", has_text=re.compile(r"\b\d+ of \d+ runs"))
    found.wait_for(timeout=60_000)


def test_each_of_two_kernels_shows_both_kernels_runs_and_cancels_across(lab):
    """Two notebooks on one store: each panel has both runs with their text, and a click in one ends the other's run."""
    one, two = (
        lab.open([own_store("both"), LONG.format(name), "%agent", "run.status.value", WHOLE])
        for name in ("rivers", "bridges")
    )
    for notebook in (one, two):
        for index in range(3):
            notebook.run_cell(index)
    seen = {"rivers": set(), "bridges": set()}
    for notebook in (one, two):
        for title, texts in seen.items():
            row(notebook, 2, title, "running").wait_for(timeout=60_000)
            texts.add(said(row(notebook, 2, title, "running")))
    began = time.monotonic()
    # one after the other: a row that ends moves below the running ones, and the click on its neighbour would miss
    for clicked, title in ((one, "bridges"), (two, "rivers")):
        click(clicked, 2, title, "running", "Cancel")
        for notebook in (one, two):
            row(notebook, 2, title, "cancelled").wait_for(timeout=15_000)
    print(f"cancelled across kernels, seen in both panels: {time.monotonic() - began:.2f} s")
    for notebook, texts in zip((one, two), seen.values(), strict=True):
        notebook.run_cell(3)
        assert notebook.text(3) == "'cancelled'"
        notebook.run_cell(4)
        assert all(text and text in notebook.text(4) for text in texts), texts
        assert notebook.errors == []


def test_a_failed_run_is_resumed_by_a_click_and_a_refused_one_says_why(lab):
    """Resume lets a failed run go on in its own row, and says in two lines why a run of no known agent cannot."""
    filled = "from tests.panel.filled_store import fill\nfrom nbagent import runtime\nfill(runtime.current().store, 21)\n"
    notebook = lab.open([own_store("resume") + filled, FAILS_ONCE, "%agent"])
    for index in range(3):
        notebook.run_cell(index)
    click(notebook, 2, "job", "error", "Resume")
    row(notebook, 2, "job", "completed").wait_for(timeout=60_000)
    assert notebook.output(2).locator(".nbagent-totals").inner_text().startswith("22 runs")
    row(notebook, 2, "job", "completed").locator(".nbagent-c-says").click()
    opened = notebook.output(2).get_by_role("article", name="opened run")
    opened.locator(".nbagent-prose strong", has_text="Done").wait_for(timeout=60_000)
    notebook.page.keyboard.press("Escape")
    search(notebook, 2, "run-000020")
    click(notebook, 2, "analyst", "interrupted", "Resume")
    trouble = notebook.output(2).get_by_role("alert")
    trouble.locator(".nbagent-what", has_text="resume failed").wait_for(timeout=60_000)
    assert trouble.locator(".nbagent-todo").inner_text() != ""
    assert notebook.errors == []


HOLDS = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_trouble_of_the_store_is_shown_while_it_lasts(lab):
    """While another program has the file open the panel says who and what to do; the run goes on; then it is gone."""
    first = "\nnb.Agent(model='demo:assistant').start('What is the capital of France?').wait();"
    notebook = lab.open([own_store("held") + first, "%agent", LONG.format("rivers"), WHOLE])
    notebook.run_cell(0)
    notebook.run_cell(1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(lab.server.root / "held.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        notebook.run_cell(2)
        trouble = notebook.output(1).get_by_role("alert")
        trouble.locator(".nbagent-what", has_text=f"(pid {holder.pid})").wait_for(timeout=60_000)
        assert trouble.locator(".nbagent-todo").inner_text() != ""
        text = said(row(notebook, 1, "rivers", "running"))
        holder.stdin.close()
    trouble.wait_for(state="hidden", timeout=60_000)
    click(notebook, 1, "rivers", "running", "Cancel")
    row(notebook, 1, "rivers", "cancelled").wait_for(timeout=60_000)
    notebook.run_cell(3)
    assert text
    assert text in notebook.text(3)


def test_a_members_call_is_approved_and_denied_on_its_teams_card(lab):
    """The team's card names who waits and has the buttons; each click decides on that one call of the member."""
    notebook = lab.open([LOAD, PAYING_TEAM, "print([*paid, team.status.value])"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    card = notebook.output(1).locator(".nbagent-card")
    waiting = card.locator(".nbagent-waiting", has_text="payer waits for your approval")
    waiting.wait_for(timeout=60_000)
    card.get_by_role("button", name="Deny for payer: pay(amount=5)").click()
    card.locator(".nbagent-approval").nth(1).wait_for(state="detached")
    card.get_by_role("button", name="Approve for payer: pay(amount=7)").click()
    notebook.output(1).locator(".nbagent-card[data-status=completed]").wait_for(timeout=15_000)
    assert card.locator(".nbagent-approval").count() == 0
    notebook.run_cell(2)
    assert notebook.text(2).strip() == "[7, 'completed']"
    assert notebook.errors == []


def test_hostile_answers_are_harmless_laid_out_in_the_page_in_the_file_and_as_html(lab, tmp_path: Path):
    """Markdown, tables and trees of hostile text run nothing and stay in their place: live, reopened, and converted."""
    notebook = lab.open([own_store("answers"), HOSTILE_ANSWERS])
    notebook.run_cell(0)
    notebook.run_cell(1)
    live = notebook.output(1)
    live.locator(".nbagent-prose table").wait_for(timeout=60_000)
    assert live.locator(".nbagent-prose pre code", has_text="<script>").count() == 2
    live.get_by_role("button", name="Table").first.click()
    live.get_by_role("button", name="Tree").last.click()
    cards = live.locator(".nbagent-card")
    assert cards.count() == 3
    assert [cards.nth(number).evaluate(FITS) for number in range(3)] == [True] * 3
    assert live.locator(".nbagent :is(img, script, svg, style, iframe, form, input)").count() == 0
    hrefs = live.locator(".nbagent a").evaluate_all("all => all.map((a) => a.protocol)")
    assert set(hrefs) <= {"http:", "https:", "mailto:"}
    assert notebook.page.evaluate(HARMLESS)
    assert notebook.errors == []
    notebook.save()
    file = lab.server.root / notebook.path
    notebook.page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    again = lab.open_notebook(notebook.path)
    again.output(1).locator(".nbagent-snapshot").first.wait_for(timeout=60_000)
    assert again.output(1).locator(".nbagent-snapshot :is(img, script, svg, iframe)").count() == 0
    links = again.output(1).locator(".nbagent-snapshot a").evaluate_all("all => all.map((a) => a.protocol)")
    assert set(links) <= {"http:", "https:", "mailto:"}
    assert again.page.evaluate(HARMLESS)
    check_converted(lab, file, tmp_path)


def check_converted(lab, file: Path, folder: Path) -> None:
    """Open what `nbconvert --to html` makes of the saved notebook, with nothing but what the file itself holds."""
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(nbformat.read(file, 4))
    (folder / "converted.html").write_text(html)
    page = lab.browser.new_context(offline=True).new_page()
    page.goto(f"file://{folder / 'converted.html'}", wait_until="domcontentloaded")
    shown = page.locator(".nbagent-snapshot")
    assert shown.count() == 3
    assert page.locator(".nbagent-snapshot :is(img, script, svg, iframe)").count() == 0
    links = page.locator(".nbagent-snapshot a").evaluate_all("all => all.map((a) => a.protocol)")
    assert set(links) <= {"http:", "https:", "mailto:"}
    assert page.evaluate(HARMLESS)
    assert "onerror" in shown.nth(0).inner_text()


def test_the_panel_is_docked_beside_the_notebook_and_lives_there(lab):
    """`%agent dock` opens a pane on the right; a run that starts is seen there, and cancelled from there; a second dock adds none."""
    notebook = lab.open(
        [own_store("docked"), "%agent dock", LONG.format("rivers"), "%agent dock"], width=1500
    )
    notebook.run_cell(0)
    notebook.run_cell(1)
    assert "beside the notebook" in notebook.text(1)
    pane = notebook.page.locator(".nbagent-docked")
    pane.locator(".nbagent-panel").wait_for(timeout=60_000)
    assert pane.bounding_box()["x"] > notebook.cell(0).bounding_box()["x"] + 300
    to_notebook = "path => { jupyterapp.commands.execute('docmanager:open', {path}); }"
    is_there = "path => jupyterapp.shell.currentWidget?.context?.path === path"
    notebook.page.evaluate(to_notebook, notebook.path)
    notebook.page.wait_for_function(is_there, arg=notebook.path, polling=50, timeout=60_000)
    notebook.run_cell(2)
    running = pane.locator(".nbagent-line[data-status=running]").filter(has_text="rivers")
    settled(running).get_by_role("button", name="Cancel rivers").click(timeout=60_000)
    pane.locator(".nbagent-line[data-status=cancelled]").wait_for(timeout=60_000)
    notebook.page.evaluate(to_notebook, notebook.path)
    notebook.page.wait_for_function(is_there, arg=notebook.path, polling=50, timeout=60_000)
    notebook.run_cell(3)
    notebook.page.locator(".nbagent-docked .nbagent-line[data-status=cancelled]").wait_for(timeout=60_000)
    assert notebook.page.locator(".nbagent-docked").count() == 1
    assert notebook.errors == []
