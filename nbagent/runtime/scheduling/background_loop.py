"""The background thread: one daemon thread a kernel, one asyncio loop on it, every run a task there.

Runs go on while a cell blocks the kernel because this thread needs only the interpreter lock now and then.
It starts in an empty context: a run brings its launching cell's own, so that its prints land there.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import contextvars
import importlib
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nbagent.errors import BlockingCallError

T = TypeVar("T")

SWITCH_INTERVAL_S = 0.0005  # a Python loop in a cell then delays streaming by 0.7 ms instead of 11 ms


class BackgroundThread:
    """A lazily started daemon thread that runs an event loop for ever. Every method is thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started now if need be."""
        if self._loop is not None and self._pid == os.getpid():
            return self._loop
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._start()
            assert self._loop is not None
            return self._loop

    def _start(self) -> None:
        if sys.getswitchinterval() > SWITCH_INTERVAL_S:
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            while not loop.is_closed():
                # a task that a tool made may raise SystemExit, or a tool may stop the loop: the runs go on
                with contextlib.suppress(BaseException):
                    loop.run_forever()

        self._thread = threading.Thread(
            target=lambda: contextvars.Context().run(serve), name="nbagent-background", daemon=True
        )
        self._thread.start()
        ready.wait()
        self._loop, self._pid = loop, os.getpid()

    def is_started(self) -> bool:
        """True once this process runs the loop."""
        return self._loop is not None and self._pid == os.getpid()

    def is_current(self) -> bool:
        """True on the background thread itself."""
        return threading.current_thread() is self._thread

    def soon(
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> None:
        """Call `callback(*args)` on the loop; the one thing that other threads and signals may do to it."""
        self.loop.call_soon_threadsafe(callback, *args, context=context)

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop; its result comes in a future of `concurrent.futures`."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def forbid_blocking(self, verb: str) -> None:
        """Raise BlockingCallError on the background thread, where a blocking wait would wait for itself."""
        if self.is_current():
            raise BlockingCallError(
                f"{verb} blocks, and this is the background thread that the run itself needs",
                "use `await run` here instead",
            )


def at_exit(close: Callable[[], None]) -> None:
    """Call `close` when the interpreter ends, before it closes the executors that a run may be using.

    `atexit` comes after that: a run that was connecting would fail with `cannot schedule new futures`.
    """
    importlib.import_module("concurrent.futures.thread")  # the last to register is called first
    register = getattr(threading, "_register_atexit", None)  # what concurrent.futures itself uses
    try:
        (register or atexit.register)(close)
    except RuntimeError:
        return  # the interpreter ends already
