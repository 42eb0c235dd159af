"""What waits for a person in a real JupyterLab: seen first, counted, decided on in its row, told on the desktop."""

from __future__ import annotations

import pytest

from tests.browser.test_panel import SCRIPTED, own_store, row, settled
from tests.harness.lab import POLLING_MS

pytestmark = pytest.mark.browser

# one call each: what stands in the row in full is decided on there
ORDERS = (
    SCRIPTED
    + """
paid = []
@tool(requires_approval=True)
def pay(amount: int, to: str) -> str:
    "Pay somebody."
    paid.append(amount)
    return "paid"
class Pays(Model):
    def __init__(self, to):
        self.to = to
    async def stream(self, request):
        yield ReplyStarted()
        if request.messages[-1].role == "tool":
            yield ReplyFinished(text="Done.", finish_reason="stop")
        else:
            call = ToolRequest(tool_call_id="1", name="pay", arguments=f'{{"amount": 5, "to": "{self.to}"}}')
            yield ReplyFinished(text="", finish_reason="tool_calls", tool_requests=(call,))
for name, to in (("order", "Eve"), ("refund", "Bob"), ("essay", "W" * 300)):
    nb.Agent(model=Pays(to), tools=[pay], name="payer").start("Pay", label=name)
"""
)
NOTIFICATIONS = """() => {
    window.told = [];
    class Told extends EventTarget { constructor(title, more) { super(); window.told.push(`${title} | ${more.body}`); } }
    Told.permission = "default";
    Told.requestPermission = async () => (Told.permission = "granted");
    window.Notification = Told;
}"""


def button(notebook, title: str, word: str):
    """A button of the row of a run that waits."""
    return settled(row(notebook, 1, title, "paused")).get_by_role("button", name=f"{word} pay(amount=5")


def test_what_waits_stands_first_is_counted_and_is_decided_on_in_its_row(lab):
    """The chip shows only what waits; Approve and Deny work beside a busy cell; a long call is reviewed on its card."""
    cells = [own_store("waiting"), "%agent", ORDERS, "import time; time.sleep(600)", "print(paid)"]
    notebook = lab.open(cells, height=1200)
    for index in range(3):
        notebook.run_cell(index)
    chip = notebook.output(1).get_by_role("button", name="3 wait for you")
    chip.click()
    assert notebook.output(1).locator(".nbagent-sizer .nbagent-line").count() == 3
    notebook.start_cell(3)
    button(notebook, "order", "Approve").click()
    row(notebook, 1, "refund", "paused").wait_for()
    button(notebook, "refund", "Deny").click()
    assert button(notebook, "essay", "Approve").count() == 0
    notebook.output(1).get_by_role("button", name="1 waits for you").wait_for(timeout=60_000)
    row(notebook, 1, "essay", "paused").get_by_role("button", name="Review essay").click()
    opened = notebook.output(1).get_by_role("article", name="opened run")
    assert "W" * 300 in opened.locator(".nbagent-asked").inner_text(timeout=60_000)
    opened.get_by_role("button", name="Approve pay").click()
    notebook.output(1).get_by_role("button", name="none waits").click()
    row(notebook, 1, "refund", "completed").wait_for(timeout=60_000)
    assert notebook.is_running(3)
    notebook.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait_cell(3)
    notebook.run_cell(4)
    assert notebook.text(4).strip() == "[5, 5]"
    assert notebook.errors == []


SAID_AT = """el => {
    const began = performance.now();
    window.saidAfter = new Promise((resolve) => new MutationObserver(() => resolve(performance.now() - began))
        .observe(el.closest(".nbagent-line"), {subtree: true, childList: true, characterData: true, attributes: true}));
    el.click();
}"""


def test_a_click_changes_what_is_seen_at_once(lab):
    """The row answers a click by itself, before the kernel has: the time is printed."""
    notebook = lab.open([own_store("at-once"), "%agent", ORDERS, "import time; time.sleep(600)"])
    for index in range(3):
        notebook.run_cell(index)
    button(notebook, "order", "Approve").wait_for(timeout=60_000)
    notebook.start_cell(3)
    button(notebook, "order", "Approve").evaluate(SAID_AT)
    after_ms = notebook.page.evaluate("() => window.saidAfter")
    print(f"a click on Approve is seen after {after_ms:.0f} ms")
    assert after_ms >= 0
    row(notebook, 1, "order", "completed").wait_for(timeout=60_000)
    assert notebook.is_running(3)
    notebook.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait_cell(3)


def test_the_bell_tells_of_an_end_and_of_what_waits_once(lab):
    """Nothing is told before it is switched on; then a run that waits and one that ends are told, each once."""
    quick = 'run = nb.Agent(model="demo:assistant").start("What is the capital of France?", label="{0}"); run.wait();'
    notebook = lab.open([own_store("bell"), "%agent", "%agent", quick.format("before"), ORDERS])
    notebook.page.evaluate(NOTIFICATIONS)
    for index in range(4):
        notebook.run_cell(index)
    row(notebook, 1, "before", "completed").wait_for(timeout=60_000)
    assert notebook.page.evaluate("() => window.told") == []
    notebook.output(1).get_by_role("button", name="Notify me").click()
    assert notebook.output(2).locator(".nbagent-bell[aria-pressed=true]").count() == 1
    notebook.run_cell(4)
    notebook.page.wait_for_function("() => window.told.length", polling=POLLING_MS, timeout=60_000)
    told = notebook.page.evaluate("() => window.told")
    assert sum(one.count("waits for you") + one.count("wait for you") for one in told) >= 1
    button(notebook, "order", "Approve").click()
    notebook.page.wait_for_function(
        "() => window.told.some((one) => one.includes('order: completed'))",
        polling=POLLING_MS,
        timeout=60_000,
    )
    ends = [one for one in notebook.page.evaluate("() => window.told") if "order: completed" in one]
    assert len(ends) == 1
