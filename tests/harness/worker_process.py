"""Worker processes for the tests marked `workers`: `nbagent worker` as a person starts it, what it says, and its signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """One worker on the record at `url`. What it says is in `log`, a line of JSON an event."""

    def __init__(
        self,
        url: str,
        log: Path,
        *agents: str,
        options: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nbagent.worker", "worker", *agents, "--store", url, *options],
                stdout=said, stderr=said, cwd=ROOT, env={**os.environ, **(env or {})},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it has said so far, or the events of one kind."""
        lines = self.log.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [one for one in found if event in (None, one["event"])]

    def ready(self) -> WorkerProcess:
        """Return once it takes runs."""
        until(lambda: self.events("worker begins") or self.process.poll() is not None, self.log.read_text)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it as a machine that loses its power does."""
        self.process.kill()
        self.process.wait(60)

    def ended(self) -> int:
        """Wait for its end and return its code."""
        return self.process.wait(60)
