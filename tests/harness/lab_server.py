"""A JupyterLab server as a process of its own: `LabServer`, which `lab.py` joins with a browser.

JupyterLab, and Notebook 7 beside it, run with their application object exposed, so that a notebook is driven by Lab's own commands and not
by guesses about its HTML.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import nbformat

from tests.harness.environment import isolated_environment

START_TIMEOUT_S = 60.0
FrontEnd = Literal["lab", "notebook"]  # JupyterLab, Notebook 7
# "none" keeps every cell in the page, also those scrolled out of view
_USER_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "extensionmanager-extension/plugin": {"enabled": False, "disclaimed": False},
}


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
            "--JupyterNotebookApp.expose_app_in_browser=True",
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
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)
        if self._log_reader is not None:
            self._log_reader.join(60)  # its end closes the pipe

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

    def url(self, path: str, front_end: FrontEnd = "lab") -> str:
        """Return the address that opens a file of the root folder, with nothing of an earlier workspace."""
        place = "lab/tree" if front_end == "lab" else "notebooks"
        return f"http://127.0.0.1:{self.port}/{place}/{path}?reset&token={self.token}"


def _write_settings(folder: Path) -> None:
    for plugin, settings in _USER_SETTINGS.items():
        file = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
