"""A real JupyterLab in a real Chromium: `LabServer`, `Browser`, `NotebookPage`.

    notebook = lab.open(["1 + 1", "panel"])       a notebook with these cells, opened in a page of its own
    notebook.run_cell(0); notebook.text(0)        '2'
    notebook.start_cell(1); notebook.wait_cell(1) for a cell that blocks
    notebook.output(1).get_by_role("button")      a Playwright locator inside the cell's output
    notebook.theme("dark"); notebook.screenshot("panel-dark")

Playwright's synchronous API keeps an event loop on the test's thread, where `asyncio.run` then fails: the
fixtures in `tests/browser/conftest.py` end with that folder. JupyterLab runs with its application object
exposed, so that a notebook is driven by Lab's own commands and not by guesses about its HTML.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import nbformat
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.harness.environment import isolated_environment

ARTIFACTS = Path(__file__).resolve().parents[1] / "browser" / "artifacts"
START_TIMEOUT_S = 60.0
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
# "none" keeps every cell in the page, also those scrolled out of view
_USER_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "extensionmanager-extension/plugin": {"enabled": False, "disclaimed": False},
}
_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def chromium() -> str:
    """Return the browser: `NBAGENT_CHROMIUM`, else the first found on PATH. A browser test never skips."""
    found = os.environ.get("NBAGENT_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found:
        msg = "no Chromium found; install it (Debian: apt-get install chromium) or set NBAGENT_CHROMIUM"
        raise RuntimeError(msg)
    return found


class LabServer:
    """One JupyterLab server with its own root folder, configuration, store and kernels."""

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        """Prepare a server under `folder`; `start`, or `with`, starts it."""
        self.root = folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.env = isolated_environment(folder, env)
        self.token = "a-token-for-this-test"  # noqa: S105  a secret would protect nothing here
        self.port = 0
        self.log: list[str] = []
        self._listening = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._log_reader: threading.Thread | None = None
        _write_settings(Path(self.env["JUPYTER_CONFIG_DIR"]) / "lab" / "user-settings")

    def start(self) -> Self:
        """Start and wait for the line that says where the server listens."""
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--expose-app-in-browser",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
        ]
        self._process = subprocess.Popen(
            command,
            env=self.env,
            cwd=self.root,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._log_reader = threading.Thread(target=self._read_log, name="lab-log", daemon=True)
        self._log_reader.start()
        if not self._listening.wait(START_TIMEOUT_S) or not self.port:
            self.stop()
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self.log[-40:]))
        return self

    def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.log.append(line)
                found = re.search(r"http://127\.0\.0\.1:(\d+)/lab\?token=", line)
                if found:
                    self.port = int(found[1])
                    self._listening.set()
        self._listening.set()  # it ended: do not keep `start` waiting

    def stop(self) -> None:
        """End the server, which ends its kernels; then whatever is left of its process group."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)
        if self._log_reader is not None:
            self._log_reader.join(10)  # its end closes the pipe

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def write_notebook(self, cells: Sequence[str], name: str) -> str:
        """Write a notebook of code cells into the root folder and return its path there."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.root / name)
        return name

    def url(self, path: str) -> str:
        """Return the address that opens a file of the root folder, with nothing of an earlier workspace."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{path}?reset&token={self.token}"


def _write_settings(folder: Path) -> None:
    for plugin, settings in _USER_SETTINGS.items():
        file = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))


class NotebookPage:
    """A notebook open in a page; cells are counted from 0."""

    def __init__(self, page: Page, path: str) -> None:
        """Wait until the notebook is shown and its kernel is ready."""
        self.page = page
        self.path = path
        self.errors: list[str] = []  # what scripts raised in the page
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        self.page.wait_for_function(
            """path => {
                const shown = window.jupyterapp?.shell.currentWidget;
                return !document.querySelector("#jupyterlab-splash")
                    && shown?.context?.path === path && shown.context.isReady
                    && shown.sessionContext.isReady && shown.sessionContext.session?.kernel?.status === "idle";
            }""",
            arg=self.path,
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
                window.nbagentTestRuns ??= {};
                window.nbagentTestRuns[index] = "running";
                jupyterapp.commands.execute("notebook:run-cell").finally(
                    () => { window.nbagentTestRuns[index] = "done"; });
            }""",
            index,
        )

    def wait_cell(self, index: int, timeout_s: float = 30.0) -> None:
        """Wait for the end of a started cell."""
        self.page.wait_for_function(
            "index => window.nbagentTestRuns?.[index] === 'done'", arg=index, timeout=timeout_s * 1000
        )

    def run_cell(self, index: int, timeout_s: float = 30.0) -> None:
        """Run a cell to its end."""
        self.start_cell(index)
        self.wait_cell(index, timeout_s)

    def is_running(self, index: int) -> bool:
        """Say whether a started cell has not ended yet."""
        return bool(self.page.evaluate("index => window.nbagentTestRuns?.[index] === 'running'", index))

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
    """A server and a browser together: what a browser test holds."""

    def __init__(self, server: LabServer, browser: Browser) -> None:
        """Join a running server and a running browser."""
        self.server = server
        self.browser = browser
        self._opened = 0

    def open(self, cells: Sequence[str] = ("",), *, width: int = 1200, height: int = 900) -> NotebookPage:
        """Open a new notebook with these code cells in a fresh browser profile."""
        self._opened += 1
        return self.open_notebook(
            self.server.write_notebook(cells, f"test-{self._opened}.ipynb"), width=width, height=height
        )

    def open_notebook(self, path: str, *, width: int = 1200, height: int = 900) -> NotebookPage:
        """Open a notebook of the server's root folder in a fresh browser profile."""
        context = self.browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        page.goto(self.server.url(path))
        return NotebookPage(page, path)

    def close_pages(self) -> None:
        """End the kernels, then close all pages."""
        for context in list(self.browser.contexts):
            for page in context.pages:
                # a page that a test has broken has no application left to ask; the server ends the rest
                with contextlib.suppress(PlaywrightError):
                    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
            context.close()


def launch_chromium(args: Iterable[str] = CHROMIUM_ARGS) -> tuple[Any, Browser]:
    """Start Playwright and its browser; the caller closes the browser, then stops Playwright."""
    playwright = sync_playwright().start()
    try:
        return playwright, playwright.chromium.launch(executable_path=chromium(), args=list(args))
    except BaseException:
        playwright.stop()
        raise
