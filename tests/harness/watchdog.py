"""A test that hangs dies and is named, even when a thread holds Python's lock inside C and no signal is served.

pytest-timeout's alarm needs the interpreter. `faulthandler`'s timer is a thread of C: it writes every thread's stack
and ends the process. Under xdist the process is a worker: its test fails as crashed, and the new worker that gets
the rest of its file, the test at fault among it, fails that one without running it again.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

MARGIN_S = 60.0  # after pytest-timeout had its chance to fail the test in words

_stderr: list[IO[str]] = []


def keep_stderr() -> None:
    """Keep the real standard error, as it is before pytest captures it, to write the stacks to."""
    _stderr.append(os.fdopen(os.dup(sys.__stderr__.fileno()), "w") if sys.__stderr__ else sys.stderr)


def limit_s(item: pytest.Item) -> float:
    """Return how long a test may take before its process is ended: its `timeout` and a margin, 0 for no limit."""
    mark = item.get_closest_marker("timeout")
    given = (mark.args[0] if mark.args else mark.kwargs.get("timeout")) if mark else None
    timeout_s = float(given if given is not None else item.config.getini("timeout") or 0)
    return timeout_s + MARGIN_S if timeout_s else 0.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Start the timer with a test's first fixture, stop it after its last."""
    running = _running(item.config)
    if running is not None:
        if any(file.read_text() == item.nodeid for file in running.parent.glob("*") if file != running):
            item.setup = _ended_before  # type: ignore[method-assign]
        running.write_text(item.nodeid)
    limit = 0.0 if item.config.option.usepdb else limit_s(item)
    if limit:
        faulthandler.dump_traceback_later(limit, exit=True, file=_stderr[-1] if _stderr else sys.__stderr__)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
        if running is not None:
            running.write_text("")


def _running(config: pytest.Config) -> Path | None:
    """Return the file in which this worker of a session says what it runs; one that died has left it there."""
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker is None:
        return None
    folder = Path(config._tmp_path_factory.getbasetemp()).parent / "running"  # type: ignore[attr-defined]
    folder.mkdir(exist_ok=True)
    return folder / str(worker)


def _ended_before() -> None:
    pytest.fail("this test ended the process that ran it: its stacks are above", pytrace=False)


def pytest_enter_pdb() -> None:
    """Leave who debugs all the time they want."""
    faulthandler.cancel_dump_traceback_later()
