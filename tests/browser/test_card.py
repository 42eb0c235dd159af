"""The run card in a real JupyterLab: seen, stopped, reloaded, and safe with hostile text."""

from __future__ import annotations

import pytest

from tests.harness.lab import POLLING_MS
from tests.harness.waiting import PATIENCE_S

pytestmark = pytest.mark.browser

LOAD = """
from nbagent import kernel as glue
glue.load(get_ipython())
from nbagent.agent import Agent
from nbagent.panel import show_card
"""
LONG = """
run = Agent(model="demo:assistant", name="writer").start("write 5,000 words about rivers", label="rivers")
show_card(run)
"""
PAYING = """
from nbagent import tool
from nbagent.events import ToolRequest
from nbagent.models.protocol import ReplyFinished, ReplyStarted
paid = []
@tool(requires_approval=True)
def pay(amount: int, to: str) -> str:
    "Pay somebody."
    paid.append(amount)
    return "paid"
class Model:
    provider, id = "scripted", "one"
    def check(self):
        pass
    async def stream(self, request):
        yield ReplyStarted()
        calls = [(5, "<img src=x onerror=window.pwned=1>"), (7, "Eve")]
        if request.messages[-1].role == "tool":
            yield ReplyFinished(text="Done.", finish_reason="stop")
        else:
            asked = [ToolRequest(tool_call_id=str(n), name="pay", arguments=f'{{"amount": {n}, "to": "{to}"}}')
                     for n, to in calls]
            yield ReplyFinished(text="", finish_reason="tool_calls", tool_requests=tuple(asked))
run = Agent(model=Model(), tools=[pay]).start("Pay", label="order")
show_card(run)
"""
# each place where a stranger's text can stand, in a record made by hand: no model is that hostile in so many places
HOSTILE_CARD = """
from datetime import UTC, datetime
from types import SimpleNamespace
from nbagent.events import *
from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime import Run, current
from nbagent.schemas import OutputSchema
HOSTILE = "</pre></div><img src=x onerror='window.pwned=1'><script>window.pwned=1</script><svg onload='window.pwned=1'>"
HOSTILE += "javascript:alert(1) \\u202e" + "W" * 3000
now = datetime.now(UTC)
def hostile(run_id, *events):
    schema = OutputSchema.of({"type": "array", "items": {"type": "object"}})
    launch = RunLaunch(run_id=run_id, session_id="s", created_at=now, label=HOSTILE, agent_name=HOSTILE,
                       provider=HOSTILE, model=HOSTILE, output_schema=schema)
    record = RunRecord(launch)
    request = ToolRequest(tool_call_id="t", name=HOSTILE, arguments='{"x": "<img src=x onerror=window.pwned=1>"}')
    for event in (RunStarted(started_at=now), TextAdded(HOSTILE, step=1), NoticeGiven(text=HOSTILE),
                  ToolCallStarted(step=1, request=request, started_at=now), *events):
        record.apply(event)
    live = SimpleNamespace(record=record, lost=False, store=current().store, holders=[])
    run = Run(run_id, "s", runtime=current(), live=live)
    show_card(run)
    return run
hostile(HOSTILE)
hostile("2", RunFinished(stop_reason="end", content=[{HOSTILE: HOSTILE}], output_valid=True, finished_at=now))
last = hostile("3", RunFinished(stop_reason="error", error=HOSTILE + "\\n" + HOSTILE, finished_at=now))
last
"""


def card(notebook, index: int):
    """The card under a cell."""
    return notebook.output(index).locator(".nbagent-card")


def wait_for_status(notebook, index: int, status: str, timeout_s: float = PATIENCE_S) -> None:
    notebook.output(index).locator(f".nbagent-card[data-status={status}]").wait_for(timeout=timeout_s * 1000)


def wait_for_text(notebook, index: int, text: str) -> None:
    card(notebook, index).locator(".nbagent-answer", has_text=text).wait_for(timeout=60_000)


def wait_for_growth(notebook, index: int) -> None:
    """Wait until the card's text is longer than it is now."""
    answer = card(notebook, index).locator(".nbagent-answer").element_handle()
    length = len(answer.text_content())
    notebook.page.wait_for_function(
        "([el, n]) => el.textContent.length > n",
        arg=[answer, length],
        polling=POLLING_MS,
        timeout=60_000,
    )


def test_a_run_appears_grows_and_is_cancelled_by_one_click(lab):
    """The card shows the run's name, model and text as it comes; Cancel ends it and goes away."""
    notebook = lab.open([LOAD, LONG, "run.status.value"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_text(notebook, 1, "Every account of rivers")
    assert card(notebook, 1).locator(".nbagent-title").inner_text() == "rivers"
    assert "demo model: canned answers" in card(notebook, 1).inner_text()
    wait_for_growth(notebook, 1)
    card(notebook, 1).get_by_role("button", name="Cancel rivers").click()
    wait_for_status(notebook, 1, "cancelled")
    assert not card(notebook, 1).locator(".nbagent-cancel").is_visible()
    notebook.run_cell(2)
    assert notebook.text(2) == "'cancelled'"
    assert notebook.errors == []


@pytest.mark.parametrize("busy", ["import time; time.sleep(600)", "while True: pass"])
def test_a_click_is_heard_while_a_cell_is_busy(lab, busy):
    """Text goes on growing beside a busy cell, and the run is cancelled while it is busy."""
    notebook = lab.open([LOAD, LONG, busy])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_status(notebook, 1, "running")
    notebook.start_cell(2)
    wait_for_text(notebook, 1, "Every account of rivers")
    wait_for_growth(notebook, 1)
    assert notebook.is_running(2)
    button = card(notebook, 1).get_by_role("button", name="Cancel rivers")
    button.click()
    wait_for_status(notebook, 1, "cancelled")
    assert notebook.is_running(2)
    notebook.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait_cell(2)


def test_without_the_control_channel_the_click_goes_over_the_comm(lab):
    """A kernel that does not know the control message is asked the other way after a moment."""
    notebook = lab.open([LOAD, LONG + "_ = get_ipython().kernel.control_handlers.pop(glue.REQUEST)"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_text(notebook, 1, "Every")
    button = card(notebook, 1).locator(".nbagent-cancel")
    button.click()
    assert button.inner_text() == "cancelling…"
    wait_for_status(notebook, 1, "cancelled")


def test_a_paused_run_is_approved_and_denied_by_clicks(lab):
    """Each waiting call stands there with its arguments as text and its own buttons; a click decides on that one."""
    notebook = lab.open([LOAD, PAYING, "print([*paid, run.status.value, run.output.tool_calls[0].status])"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_status(notebook, 1, "paused")
    shown = card(notebook, 1)
    assert shown.locator(".nbagent-asked").all_inner_texts() == [
        "pay(amount=5, to='<img src=x onerror=window.pwned=1>')",
        "pay(amount=7, to='Eve')",
    ]
    shown.get_by_role("button", name="Deny pay(amount=5").click()
    shown.locator(".nbagent-approval").nth(1).wait_for(state="detached")
    assert shown.get_attribute("data-status") == "paused"
    shown.get_by_role("button", name="Approve pay(amount=7, to='Eve')").click()
    wait_for_status(notebook, 1, "completed")
    assert shown.locator(".nbagent-approval").count() == 0
    notebook.run_cell(2)
    assert notebook.text(2).strip() == "[7, 'completed', 'denied']"
    assert notebook.page.evaluate("() => window.pwned") is None
    assert notebook.errors == []


def test_a_reloaded_page_shows_the_truth_and_its_buttons_work(lab):
    """After a reload the card is there with the whole text, goes on growing, and cancels."""
    notebook = lab.open([LOAD, LONG])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_text(notebook, 1, "Every account of rivers")
    notebook.save()
    notebook.reload()
    wait_for_text(notebook, 1, "Every account of rivers")
    wait_for_growth(notebook, 1)
    card(notebook, 1).get_by_role("button", name="Cancel rivers").click()
    wait_for_status(notebook, 1, "cancelled")
    notebook.reload()
    wait_for_status(notebook, 1, "cancelled")
    wait_for_text(notebook, 1, "Every account of rivers")


def test_a_lost_message_heals(lab):
    """A front end that misses a message asks for the whole, and has the run's text in the end."""
    lose = "from nbagent.panel.card import display\n[one] = display._by_run[run.run_id]\n"
    lose += "one.widget.channel.state = {**one.widget.channel.state, 'seq': 10_000, 'text': ''}"
    notebook = lab.open([LOAD, LONG, lose, "_ = run.cancel()", "print(run.text, end='')"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_text(notebook, 1, "Every account")
    notebook.run_cell(2)
    wait_for_growth(notebook, 1)
    notebook.run_cell(3)
    wait_for_status(notebook, 1, "cancelled")
    notebook.run_cell(4)
    wait_for_text(notebook, 1, notebook.text(4)[-30:])
    assert card(notebook, 1).locator(".nbagent-answer").text_content() == notebook.text(4)


def test_the_snapshot_stands_in_only_where_no_card_lives(lab):
    """The static output is hidden under a live card, is final in the saved file, and shows once the kernel is gone."""
    short = 'run = Agent(model="demo:assistant").start("What is the capital of France?"); show_card(run)'
    notebook = lab.open([LOAD, short])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_status(notebook, 1, "completed")
    snapshot = notebook.output(1).locator(".nbagent-snapshot")
    snapshot.locator("p", has_text="The capital of France is Paris.").first.wait_for(state="attached")
    assert not snapshot.is_visible()
    assert "The capital of France is Paris." in notebook.outputs(1)[1]["data"]["text/html"]
    notebook.save()
    notebook.page.evaluate("() => jupyterapp.commands.execute('kernelmenu:shutdown')")
    notebook.page.wait_for_function("() => !jupyterapp.shell.currentWidget.sessionContext.session?.kernel")
    notebook.reload()
    notebook.output(1).locator(".nbagent-snapshot").wait_for(state="visible")


def test_hostile_text_runs_nothing_and_breaks_no_layout(lab):
    """Names, text, tool calls, notices, tables and errors are text in the live card and in the static form."""
    notebook = lab.open([LOAD, HOSTILE_CARD])
    notebook.run_cell(0)
    notebook.run_cell(1)
    cards = card(notebook, 1)
    cards.nth(2).wait_for()
    assert cards.count() == 3
    live = notebook.output(1)
    assert live.locator("img, script, svg[onload], a").count() == 0
    assert "<img src=x onerror" in cards.nth(0).inner_text()
    assert "onerror" in cards.nth(1).locator("td").inner_text()
    assert "onerror" in cards.nth(2).locator(".nbagent-error").inner_text()
    fits = "el => el.scrollWidth <= el.clientWidth + 1"
    assert [cards.nth(i).evaluate(fits) for i in range(3)] == [True] * 3
    assert notebook.page.evaluate("() => window.pwned") is None
    assert notebook.errors == []


def test_the_card_can_be_reached_and_read_without_a_mouse(lab):
    """Cancel works from the keyboard, the status is announced, the text is not, a long text scrolls, motion can be off."""
    notebook = lab.open([LOAD, LONG], width=640)
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_text(notebook, 1, "Every")
    shown = card(notebook, 1)
    assert shown.get_by_role("status").inner_text() == "running"
    moves = "el => getComputedStyle(el, '::before').animationName"
    notebook.page.emulate_media(reduced_motion="no-preference")
    assert shown.locator(".nbagent-chip").evaluate(moves) == "nbagent-breathe"
    notebook.page.emulate_media(reduced_motion="reduce")
    assert shown.locator(".nbagent-chip").evaluate(moves) == "none"
    answer = shown.get_by_role("group", name="answer")
    assert answer.get_attribute("aria-live") is None
    overflows = "el => el.tabIndex === 0 && el.scrollHeight > el.clientHeight + 100"
    notebook.page.wait_for_function(
        overflows, arg=answer.element_handle(), polling=POLLING_MS, timeout=60_000
    )
    at_bottom = "el => el.scrollHeight - el.scrollTop - el.clientHeight < 40"
    assert answer.evaluate(at_bottom)
    answer.evaluate("el => { el.scrollTop = 0; }")
    wait_for_growth(notebook, 1)
    assert answer.evaluate("el => el.scrollTop") == 0
    button = shown.get_by_role("button", name="Cancel rivers")
    button.focus()
    notebook.page.keyboard.press("Enter")
    wait_for_status(notebook, 1, "cancelled")
    assert shown.get_by_role("status").inner_text() == "cancelled"
    assert shown.evaluate("el => el === document.activeElement")


TEAM = """
from nbagent import Team
from tests.harness.waiting import PATIENCE_S
geo = Agent(model="demo:assistant", name="geo")
poet = Agent(model="demo:slow", name="poet")
desk = Team(model="demo:assistant", members=[geo, poet], mode="broadcast", name="desk")
show_card(desk.start("What is the capital of France?"))
"""


def test_a_teams_members_stand_on_its_card(lab):
    """Each with its name, status and tokens, in launch order."""
    notebook = lab.open([LOAD, TEAM])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_status(notebook, 1, "completed")
    members = notebook.output(1).locator(".nbagent-member[data-status=completed]")
    members.nth(1).wait_for(timeout=60_000)
    assert members.locator(".nbagent-name").all_text_contents() == ["geo", "poet"]
    assert all("tokens" in text for text in members.all_text_contents())
    assert notebook.errors == []


FAILS_ONCE = """
from nbagent.models.protocol import ReplyFinished, ReplyStarted
asked = []
class FailsOnce:
    provider, id = "scripted", "one"
    def check(self):
        pass
    async def stream(self, request):
        asked.append(request)
        yield ReplyStarted()
        if len(asked) == 1:
            raise ValueError("the first try fails")
        yield ReplyFinished(text="Done:\\n\\n```python\\nprint('copied')\\n```", finish_reason="stop")
run = Agent(model=FailsOnce(), name="worker").start("Do it", label="job")
show_card(run)
"""


def test_a_failed_card_is_asked_again_where_it_stands(lab):
    """Retry shows the new run in the same card; a failed one has no empty fields; code in an answer is copied by a click."""
    notebook = lab.open([LOAD, FAILS_ONCE])
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_status(notebook, 1, "error")
    shown = card(notebook, 1)
    assert "?" not in shown.locator(".nbagent-facts").inner_text()
    shown.get_by_role("button", name="Retry job").click()
    wait_for_status(notebook, 1, "completed")
    assert shown.count() == 1
    assert shown.get_by_role("button", name="Retry").count() == 0
    shown.get_by_role("button", name="Copy code").click()
    notebook.page.wait_for_function(
        "() => navigator.clipboard.readText().then((t) => t.trim() === \"print('copied')\")"
    )
    assert notebook.errors == []


def test_prompt_cells_are_text(lab):
    """A cell that holds a prompt is not coloured as Python once a card has come; other cells are as they were."""
    prompt = "%%agent_bg -m demo:assistant\nfor the import of class def: what is the capital of France?"
    notebook = lab.open([LOAD + "import nbagent as nb\nnb.load_ipython_extension(get_ipython())", prompt])
    notebook.run_cell(0)
    notebook.run_cell(1)
    wait_for_status(notebook, 1, "completed")
    kinds = notebook.page.evaluate(
        "() => [...jupyterapp.shell.currentWidget.content.model.cells].map((cell) => cell.mimeType)"
    )
    assert kinds[1] == "text/plain"
    assert "python" in kinds[0]
    assert notebook.cell(1).locator(".cm-line .cm-keyword, .cm-line span[class]").count() == 0
