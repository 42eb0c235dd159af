"""How soon a click is seen, in the page's own clock: Cancel, Retry and Approve in cards and in the panel (budget 150 ms).

`python tests/benchmarks/clicks.py [TIMES]`, in JupyterLab in Chromium: from the click to the first frame after what is
seen has changed, while the kernel idles and while a cell blocks it; then until the run's status is
another one (a retry is a run of its own: there it stays).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.browser.test_panel import LOAD, SCRIPTED
from tests.harness.lab import Lab, launch_chromium
from tests.harness.lab_server import LabServer

SETUP = (
    LOAD
    + SCRIPTED
    + """
import asyncio
@tool(requires_approval=True)
def pay(amount: int) -> str:
    "Pay somebody."
    return "paid"
class Talks(Model):
    id = "talks"
    async def stream(self, request):
        yield ReplyStarted()
        await asyncio.sleep(3_600)
class Fails(Model):
    id = "fails"
    async def stream(self, request):
        yield ReplyStarted()
        raise ValueError("it fails")
class Pays(Model):
    id = "pays"
    async def stream(self, request):
        yield ReplyStarted()
        if request.messages[-1].role != "tool":
            call = ToolRequest(tool_call_id="1", name="pay", arguments='{"amount": 5}')
            yield ReplyFinished(text="", tool_requests=(call,), finish_reason="tool_calls")
        else:
            await asyncio.sleep(3_600)
"""
)
KINDS = {"Cancel": "Talks()", "Retry": "Fails()", "Approve": "Pays(), tools=[pay]"}
# from the click until a frame is drawn in which the button or what is around it is another one
CLICK = """async button => {
    const root = button.closest(".nbagent-line, .nbagent-card");
    const status = root.dataset.status;
    const seen = test => new Promise((resolve) => {
        const look = () => { if (test()) requestAnimationFrame(() => resolve(performance.now() - began)); };
        const watch = new MutationObserver(look);
        watch.observe(root.closest(".nbagent"), {subtree: true, childList: true, attributes: true, characterData: true});
    });
    const word = button.textContent;
    const began = performance.now();
    const changed = seen(() => !button.isConnected || button.hidden || button.textContent !== word
        || button.getAttribute("aria-disabled") === "true" || root.dataset.status !== status);
    const moved = seen(() => !root.isConnected || root.dataset.status !== status);
    button.click();
    const late = new Promise((resolve) => { setTimeout(() => resolve(NaN), 2000); });
    return [await Promise.race([changed, late]), await Promise.race([moved, late])];
}"""


def clicked(lab: Lab, word: str, times: int, *, where: str, busy: bool) -> tuple[list[float], list[float]]:
    """Click that many times, each on a run of its own; return ms until seen, and until the status is another."""
    launch = f'nb.Agent(model={KINDS[word]}).start("Do it", label="job")'
    cells = [SETUP, launch if where == "card" else f"{launch};", "1" if where == "card" else "%agent"]
    soon, moved = [], []
    for _ in range(times):
        notebook = lab.open([*cells, "import time; time.sleep(600)"])
        for index in range(3):
            notebook.run_cell(index)
        output = notebook.output(1 if where == "card" else 2)
        area = output.locator(".nbagent-line, .nbagent-card")
        button = area.get_by_role("button", name=word).first
        button.wait_for(state="attached")
        if busy:
            notebook.start_cell(3)
        notebook.page.wait_for_timeout(500)
        first, then = button.evaluate(CLICK)
        soon.append(first)
        moved.append(then)
        lab.close_pages(keep=True)
    return soon, moved


def told(values: list[Any]) -> str:
    """Return median and most, in ms."""
    known = [value for value in values if value == value]  # noqa: PLR0124 - NaN: not within 2 s
    late = f", {len(values) - len(known)} not within 2 s" if len(known) < len(values) else ""
    return (f"median {statistics.median(known):.0f}, most {max(known):.0f} ms" if known else "none") + late


def main(times: int) -> None:
    """Measure."""
    playwright, browser = launch_chromium()
    with tempfile.TemporaryDirectory() as folder, LabServer(Path(folder)) as server:
        lab = Lab(server, browser)
        for where in ("card", "panel"):
            for word in KINDS:
                for busy in (False, True):
                    soon, moved = clicked(lab, word, times, where=where, busy=busy)
                    beside = "a cell blocks" if busy else "idle"
                    print(
                        f"{word} in the {where}, {beside}: seen {told(soon)}; status {told(moved)}",
                        flush=True,
                    )
    browser.close()
    playwright.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
