"""Each notebook is tested as on a fresh machine: a store of its own, and nobody's keys or options.

nbval starts one kernel a notebook, with this process's environment, at the setup of the notebook's first cell.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.environment import HARNESS_OPTIONS, is_private
from tests.harness.watchdog import keep_stderr, pytest_runtest_protocol  # noqa: F401 - a hook

_prepared: list[Path] = []


def pytest_configure() -> None:
    """Where a hung test's stacks are written."""
    keep_stderr()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a notebook's first cell, give its kernel-to-be an empty store and no keys."""
    if item.path in _prepared:
        return
    _prepared.append(item.path)
    for name in [name for name in os.environ if is_private(name) and name not in HARNESS_OPTIONS]:
        del os.environ[name]
    folder = item.config._tmp_path_factory.mktemp(item.path.stem)
    os.environ["NBAGENT_STORE"] = str(folder / "runs.duckdb")
    # coverage counts a kernel as it does every process: nbval need not start it there once more
    item.config.option.cov_source = None
