"""Whether the calling code is code that a model wrote, at work in this kernel: it may not approve anything.

Known by a context variable, which tasks, timers and this package's own threads inherit; by the file that the code is
compiled as, which a function that it left behind still has; and by the thread, as long as the code is at work.
It guards against mistakes and against injected text. It is no sandbox: Python code can do what Python can.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from nbagent.errors import ConfigurationError

CODE_FILE = "<run_python "  # what the names of its files begin with
_OWN_THREADS = "nbagent-"

_inside: ContextVar[bool] = ContextVar("nbagent_inside_code", default=False)
_at_work = 0


@contextmanager
def code_at_work() -> Iterator[None]:
    """Mark what runs in here as such code. On the main thread."""
    global _at_work  # noqa: PLW0603 - a process has one main thread
    token = _inside.set(True)
    _at_work += 1
    try:
        yield
    finally:
        _at_work -= 1
        _inside.reset(token)


def is_inside() -> bool:
    """Say whether the calling code is, or was left behind by, such code."""
    if _inside.get():
        return True
    if _at_work and not threading.current_thread().name.startswith(_OWN_THREADS):
        return True
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - who calls is nowhere else
    while frame is not None:
        if frame.f_code.co_filename.startswith(CODE_FILE):
            return True
        frame = frame.f_back
    return False


def forbid_inside(what: str) -> None:
    """Raise ConfigurationError where such code asks for `what`."""
    if is_inside():
        raise ConfigurationError(
            f"{what} cannot be done by code that a model wrote, nor while such code is at work",
            "a person does it: with the card's buttons, or in a cell of their own",
        )
