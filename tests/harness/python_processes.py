"""Processes of Python that a test starts, each of which says a line when it is ready."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.harness.waiting import PATIENCE_S

Begin = Callable[..., tuple[Any, str]]


@contextlib.contextmanager
def python_processes(**environment: str) -> Iterator[Begin]:
    """Give what starts Python with these arguments; it returns the process and its first line. In the end all are killed."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> tuple[Any, str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
        )  # fmt: skip
        begun.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    try:
        yield begin
    finally:
        for one in begun:
            one.kill()
            one.communicate(timeout=PATIENCE_S)
