"""Work for the kernel's main thread, done when that is free: `@tool(main_thread=True)`.

The background loop queues calls; the main thread does them while its event loop is idle or awaits (the kernel
offers that loop, see `threads.py`; `serving` offers one for the time of an await), and while it is blocked in
one of our waits (`block`). In a plain script, which has no idle event loop, only waits do them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from nbagent.core import Soon, main_thread_soon

T = TypeVar("T")


class _Job:
    """One call that waits for the main thread."""

    def __init__(self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self._function = function
        self._loop = loop
        self._context = contextvars.copy_context()

    def run(self) -> None:
        """Do the call on this thread. Raises a KeyboardInterrupt too: it is meant for the waiting cell."""
        result, failure = None, None
        try:
            result = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the one who waits
            failure = error
        with suppress(RuntimeError):  # the loop ended with its kernel; nobody waits
            self._loop.call_soon_threadsafe(self._settle, result, failure)
        if isinstance(failure, KeyboardInterrupt):
            raise failure

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(result)
        elif isinstance(failure, StopIteration | asyncio.CancelledError):  # a future cannot carry them
            self.future.set_exception(RuntimeError(f"{type(failure).__name__}: {failure}"))
        else:
            self.future.set_exception(failure)


class MainThread:
    """The queue of calls for the main thread. `call` on the background loop, the rest on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._blocked: list[threading.Event] = []  # main-thread waits of ours, innermost last
        self._serving: list[Soon] = []

    async def call(self, function: Callable[[], T]) -> T:
        """Have `function()` run on the main thread, in a copy of the caller's context; raise what it raises.

        A call whose wait is cancelled before the main thread came to it never runs.
        """
        job = _Job(function, asyncio.get_running_loop())
        with self._lock:
            self._jobs.append(job)
            blocked, serving = tuple(self._blocked), tuple(self._serving)
        for wake in blocked:
            wake.set()
        for soon in (*serving, main_thread_soon()):
            with suppress(RuntimeError):  # that event loop is closed
                if soon is not None:
                    soon(self._pump_quietly)
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            with self._lock, suppress(ValueError):
                self._jobs.remove(job)
            raise
        return result

    # ----------------------------------------------------- on the main thread

    def pump(self) -> None:
        """Do what is queued. On the main thread."""
        while True:
            with self._lock:
                job = self._jobs.popleft() if self._jobs else None
            if job is None:
                return
            job.run()

    def _pump_quietly(self) -> None:
        # an interrupt must not end the kernel's event loop; the model is told of it all the same
        with suppress(KeyboardInterrupt):
            self.pump()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Let the running event loop do the queue's work for a while, where it is the main thread's."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        soon = asyncio.get_running_loop().call_soon_threadsafe
        with self._lock:
            self._serving.append(soon)
            waiting = bool(self._jobs)
        if waiting:
            soon(self._pump_quietly)
        try:
            yield
        finally:
            with self._lock:
                self._serving.remove(soon)

    # ---------------------------------------------------------------- waiting

    def block(self, wake: threading.Event, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `ready()`, asked whenever `wake` is set; return False after `timeout` s.

        The main thread works on the queue meanwhile, so that a tool that needs it never waits for this wait.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        on_main = threading.current_thread() is threading.main_thread()
        if on_main:
            with self._lock:
                self._blocked.append(wake)
        try:
            while True:
                wake.clear()
                if on_main:
                    self.pump()
                if ready():
                    return True
                rest = None if deadline is None else deadline - time.monotonic()
                if rest is not None and rest <= 0:
                    return False
                wake.wait(rest)
        finally:
            if on_main:
                with self._lock:
                    self._blocked.remove(wake)

    def wait(self, future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
        """Return a future's result as `future.result(timeout)` does, with its errors."""
        if not future.done():
            wake = threading.Event()
            future.add_done_callback(lambda _: wake.set())
            if not self.block(wake, future.done, timeout):
                raise TimeoutError
        return future.result(0)
