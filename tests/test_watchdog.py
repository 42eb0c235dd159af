"""The watchdog of `tests/harness/watchdog.py`, on a session of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFTEST = """
from tests.harness import watchdog
from tests.harness.watchdog import pytest_runtest_protocol

watchdog.MARGIN_S = 1.0

def pytest_configure():
    watchdog.keep_stderr()
"""
HUNG = """
import itertools
import pytest

@pytest.mark.timeout(1)
def test_hung():
    max(itertools.repeat(1))  # holds Python's lock and serves no signal

def test_other():
    assert True
"""


def test_a_test_that_no_signal_ends_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    """The process that it hangs in ends with all stacks, the test fails by its name and once, the next one is run."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_hung.py").write_text(HUNG)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n1",
        "--dist=loadfile",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "crashed while running 'test_hung.py::test_hung'" in said
    assert ", line 7 in test_hung" in said
    assert said.count("node down") == 1
    assert "1 failed, 1 passed, 1 error" in said
