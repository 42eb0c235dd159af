"""The store's thread runs the store's code and what lies below it: nothing of a run, a batch or a user."""

from __future__ import annotations

import subprocess
import sys

from tests.harness.waiting import PATIENCE_S


def test_the_stores_thread_never_calls_upwards() -> None:
    """A write's result is settled on the loop that waits for it, or by whoever blocks on its future."""
    work = [sys.executable, "-m", "tests.runtime.profiled_store"]
    ended = subprocess.run(work, capture_output=True, text=True, check=False, timeout=3 * PATIENCE_S)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["worked"]
