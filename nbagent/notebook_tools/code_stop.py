"""Stop Python code on the main thread from another one: a person's Stop, a time limit, a cancelled run.

A signal wakes the main thread also out of a sleep, and its handler raises. Code that catches what is raised is
stopped again; from the third time on the next line after that, where it caught it, raises too. Code that does not hear
the signal is stopped without it. What runs inside of C code is stopped when that comes back to Python.
"""

from __future__ import annotations

import _thread
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
_STUBBORN = 3  # times that it has heard
_UNHEARD = 5  # times that it was asked


class CodeStopped(KeyboardInterrupt):
    """The code was told to stop."""


class CodeStop:
    """Stops one piece of code. `reason` is why it was told to; `by_person`: Stop was pressed in the notebook."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.by_person = False
        self.begun = False
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._at_work = False
        self._times = self._asked = 0

    def ask(self, reason: str) -> None:
        """Have the code stop, for the first of the reasons that are given. Any thread."""
        with self._lock:
            self.reason = self.reason or reason
            if self._at_work:
                self._asked += 1
                _interrupt()
                if self._asked > _UNHEARD:  # it has a handler of its own for the signal
                    _raise_on_main_thread(CodeStopped)

    def run(self, work: Callable[[], T]) -> T:
        """Do work that can be stopped: then it raises CodeStopped. On the main thread."""
        before = signal.signal(signal.SIGINT, self._handle)
        traced = sys.gettrace()
        try:
            try:
                try:
                    self._at_work = self.begun = self.reason is None
                    if not self._at_work:
                        raise CodeStopped
                    return work()
                finally:
                    self._at_work = False
            except CodeStopped:  # it may have come just before that was said
                self._at_work = False
                raise
        finally:  # from here on the handler raises nothing
            with self._lock:
                sys.settrace(traced)
                if self._asked > _UNHEARD:
                    _raise_on_main_thread(None)
            time.sleep(0)  # a signal that is on its way arrives now, and is nobody's
            signal.signal(signal.SIGINT, self._handle)
            signal.signal(signal.SIGINT, before)
            self.ended.set()

    def _handle(self, _signal: int, frame: FrameType | None) -> None:
        if not self._at_work:
            return
        self._times += 1
        if self.reason is None:
            self.reason, self.by_person = "Stop was pressed", True
        if self._times >= _STUBBORN:
            while frame is not None:
                frame.f_trace = self._raise_at_line
                frame = frame.f_back
            sys.settrace(self._raise_at_line)
        raise CodeStopped

    def _raise_at_line(self, _frame: FrameType, _event: str, _argument: Any) -> Any:
        if self._at_work:
            raise CodeStopped
        return None


def _interrupt() -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows
        _thread.interrupt_main(signal.SIGINT)


def _raise_on_main_thread(error: type[BaseException] | None) -> None:
    """Have the main thread raise this when it comes to its next line; None takes that back."""
    main = threading.main_thread().ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(main or 0), ctypes.py_object(error) if error is not None else None
    )
