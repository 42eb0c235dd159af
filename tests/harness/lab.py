"""A real JupyterLab in a real Chromium: `Lab`, `NotebookPage`; the server is `lab_server.py`.

    notebook = lab.open(["1 + 1", "panel"])       a notebook with these cells, alone in a page
    notebook.run_cell(0); notebook.text(0)        '2'
    notebook.start_cell(1); notebook.wait_cell(1) for a cell that blocks
    notebook.output(1).get_by_role("button")      a Playwright locator inside the cell's output
    notebook.theme("dark"); notebook.screenshot("panel-dark")

Playwright's synchronous API keeps an event loop on the test's thread, where `asyncio.run` then fails: the
fixtures in `tests/browser/conftest.py` end with that folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.harness.lab_server import FrontEnd, LabServer
from tests.harness.waiting import PATIENCE_S

ARTIFACTS = Path(__file__).resolve().parents[1] / "browser" / "artifacts"
# asked at each frame, as Playwright does by itself, a page draws frames that nothing else asks for
POLLING_MS = 50
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = (
    "--no-sandbox",  # the suite also runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def chromium() -> str:
    """Return the browser: `NBAGENT_CHROMIUM`, else the first found on PATH. A browser test never skips."""
    found = os.environ.get("NBAGENT_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found:
        msg = "no Chromium found; install it (Debian: apt-get install chromium) or set NBAGENT_CHROMIUM"
        raise RuntimeError(msg)
    return found


class NotebookPage:
    """A notebook open in a page; cells are counted from 0."""

    def __init__(self, page: Page, path: str) -> None:
        """Wait until the notebook is shown and its kernel is ready."""
        self.page = page
        self.path = path
        self.errors: list[str] = []  # what scripts raised in the page
        self.widget_errors: list[str] = []  # those of widgets' scripts: anywidget loads them from blobs
        page.on("pageerror", self._on_error)
        self._wait_until_ready()

    def _on_error(self, error: PlaywrightError) -> None:
        self.errors.append(str(error))
        if "blob:" in (error.stack or ""):
            self.widget_errors.append(str(error))

    def _wait_until_ready(self) -> None:
        self.page.wait_for_function(
            """path => {
                const shown = window.jupyterapp?.shell.currentWidget;
                return !document.querySelector("#jupyterlab-splash")
                    && shown?.context?.path === path && shown.context.isReady
                    && shown.sessionContext.isReady && shown.sessionContext.session?.kernel?.status === "idle";
            }""",
            arg=self.path,
            polling=POLLING_MS,
            timeout=45_000,
        )

    def add_cell(self, code: str) -> int:
        """Append a code cell and return its index."""
        return int(
            self.page.evaluate(
                """code => {
                    const model = jupyterapp.shell.currentWidget.content.model.sharedModel;
                    model.insertCell(model.cells.length, {cell_type: "code", source: code});
                    return model.cells.length - 1;
                }""",
                code,
            )
        )

    def start_cell(self, index: int) -> None:
        """Run a cell and return at once."""
        self.page.evaluate(
            """index => {
                const shown = jupyterapp.shell.currentWidget;
                shown.content.activeCellIndex = index;
                const run = {running: true};
                run.end = jupyterapp.commands.execute("notebook:run-cell").catch(() => {}).then(
                    () => { run.running = false; });
                window.nbagentTestRuns = {...window.nbagentTestRuns, [index]: run};
            }""",
            index,
        )

    def wait_cell(self, index: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait for the end of a started cell; an error that says so when it does not come."""
        self.page.evaluate(
            """([index, ms]) => Promise.race([window.nbagentTestRuns[index].end, new Promise((_, fail) => {
                setTimeout(() => fail(new Error(`cell ${index} still runs after ${ms} ms`)), ms);
            })])""",
            [index, timeout_s * 1000],
        )

    def run_cell(self, index: int, timeout_s: float = PATIENCE_S) -> None:
        """Run a cell to its end."""
        self.start_cell(index)
        self.wait_cell(index, timeout_s)

    def is_running(self, index: int) -> bool:
        """Say whether a started cell has not ended yet."""
        return bool(self.page.evaluate("index => Boolean(window.nbagentTestRuns?.[index]?.running)", index))

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs as the notebook's model holds them (what saving would write)."""
        return list(
            self.page.evaluate(
                """index => jupyterapp.shell.currentWidget.content.widgets[index]
                    .model.outputs?.toJSON() ?? []""",
                index,
            )
        )

    def text(self, index: int) -> str:
        """Return the plain text of a cell's outputs: streams, values, errors; joined by nothing."""
        return "".join(map(_plain, self.outputs(index)))

    def cell(self, index: int) -> Locator:
        """Return the cell as shown."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """Return the output area of a cell as shown; locate buttons and texts inside it."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def theme(self, name: Literal["light", "dark"]) -> None:
        """Switch JupyterLab's theme and wait until it is in effect."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", _THEMES[name]
        )
        light = "true" if name == "light" else "false"
        self.page.wait_for_function(
            """light => document.body.dataset.jpThemeLight === light
                && !document.querySelector("#jupyterlab-splash")""",
            arg=light,
        )

    def save(self) -> None:
        """Save the notebook to its file."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")

    def reload(self) -> None:
        """Reload the page as a person does; the kernel stays."""
        self.page.reload()
        self._wait_until_ready()

    def screenshot(self, name: str) -> Path:
        """Write `name`.png into the artifacts folder and return its path."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


def _plain(output: Mapping[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain") or output.get("traceback") or ""
    return text if isinstance(text, str) else "".join(text)


class Lab:
    """A server and a browser together: what a browser test holds.

    Loading JupyterLab is the dearest thing that a browser does, so a page is loaded once and handed on: one
    test's notebook is closed in it, the next test's is opened in it, each with a kernel of its own.
    """

    def __init__(self, server: LabServer, browser: Browser) -> None:
        """Join a running server and a running browser."""
        self.server = server
        self.browser = browser
        self._opened = 0
        self._kept: Page | None = None  # a page with JupyterLab and no notebook, for whoever asks next
        self._first: Page | None = None  # the first page of the test that runs, to be kept after it

    def open(self, cells: Sequence[str] = ("",), *, width: int = 1200, height: int = 900) -> NotebookPage:
        """Open a new notebook with these code cells: a test's first in the kept page, any other in one of its own."""
        self._opened += 1
        path = self.server.write_notebook(cells, f"test-{self._opened}.ipynb")
        if self._kept is None:
            return self.open_notebook(path, width=width, height=height)
        page, self._first, self._kept = self._kept, self._kept, None
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("path => { jupyterapp.commands.execute('docmanager:open', {path}); }", path)
        return NotebookPage(page, path)

    def open_notebook(
        self, path: str, *, width: int = 1200, height: int = 900, front_end: FrontEnd = "lab"
    ) -> NotebookPage:
        """Open a notebook of the server's root folder in a fresh browser profile, in JupyterLab or Notebook 7."""
        # without a graphics card each frame of an animation is drawn by a processor
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(self.server.url(path, front_end), timeout=120_000)
        self._first = self._first or page
        return NotebookPage(page, path)

    def close_pages(self, *, keep: bool = False) -> None:
        """End the kernels, then close all pages; with `keep` but one, made as good as new, for the next test."""
        first, self._first, self._kept = self._first, None, None
        for context in list(self.browser.contexts):
            for page in context.pages:
                # a page that a test has broken has no application left to ask; the server ends the rest
                with contextlib.suppress(PlaywrightError):
                    page.evaluate(_CLEAR)
                    if keep and page is first:
                        _renew(page)
                        self._kept = page
            if self._kept not in context.pages:
                context.close()


# a notebook that is closed before its kernel ends has nothing to say about that end; a page that was loaded again
# may still be about to restore what it showed
_CLEAR = """async () => {
    for (const shown of [...jupyterapp.shell.widgets("main")].filter((one) => one.context)) {
        shown.context.model.dirty = false;
        shown.close();
    }
    await jupyterapp.serviceManager.sessions.shutdownAll();
    if (document.body.dataset.jpThemeLight !== "true")
        await jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Light"});
    const reloaded = performance.getEntriesByType("navigation")[0].type === "reload";
    if (reloaded || document.querySelector(".jp-Dialog, .jp-Notebook") || window.pwned !== undefined)
        throw new Error("this page is not as it was");
    delete window.nbagentTestRuns;
}"""


def _renew(page: Page) -> None:
    """Take back what a test has set for its page."""
    page.emulate_media(reduced_motion="reduce")
    page.mouse.move(0, 0)


def launch_chromium(args: Iterable[str] = CHROMIUM_ARGS) -> tuple[Any, Browser]:
    """Start Playwright and its browser; the caller closes the browser, then stops Playwright."""
    playwright = sync_playwright().start()
    try:
        return playwright, playwright.chromium.launch(executable_path=chromium(), args=list(args))
    except BaseException:
        playwright.stop()
        raise
