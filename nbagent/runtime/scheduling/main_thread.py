"""Work for the kernel's main thread, done when that is free: `@tool(main_thread=True)`.

The background loop queues calls; the main thread does them while its event loop is idle or awaits (the kernel
offers that loop, see `threads.py`; `serving` offers one for the time of an await), and while it is blocked in
one of our waits (`block`). In a plain script, which has no idle event loop, only waits do them.

A call that is made `for_runs` looks at a notebook's variables or changes them: it is done between cells, in the
middle of one only where that waits for one of these runs, and never while another one is at work.
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

from nbagent.core import Soon, call_between_cells, is_between_cells, main_thread_soon

T = TypeVar("T")
Awaited = Callable[
    [], frozenset[str]
]  # the ids of what a wait is for: runs, sessions, batches; asked each time


def nothing_awaited() -> frozenset[str]:
    """Return the runs of a wait that is for none."""
    return frozenset()


class _Job:
    """One call that waits for the main thread."""

    def __init__(
        self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop, for_runs: frozenset[str] | None
    ) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.for_runs = for_runs
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
        self._serving: list[tuple[Soon, Awaited]] = []
        self._alone = False  # a call `for_runs` is at work
        call_between_cells(self._pump_quietly)

    async def call(self, function: Callable[[], T], *, for_runs: frozenset[str] | None = None) -> T:
        """Have `function()` run on the main thread, in a copy of the caller's context; raise what it raises.

        A call whose wait is cancelled before the main thread came to it never runs. One `for_runs` waits until no
        cell runs, or one that waits for one of these runs (or batches, by their ids).
        """
        job = _Job(function, asyncio.get_running_loop(), for_runs)
        with self._lock:
            self._jobs.append(job)
            blocked, serving = tuple(self._blocked), tuple(self._serving)
        for wake in blocked:
            wake.set()
        for soon in (*(one for one, _ in serving), main_thread_soon()):
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

    def pump(self, awaited: frozenset[str] | None = frozenset()) -> None:
        """Do what is queued and may be done in a wait for these runs; None: between cells. On the main thread."""
        while (job := self._next(awaited)) is not None:
            alone = self._alone
            self._alone = alone or job.for_runs is not None
            try:
                job.run()
            finally:
                self._alone = alone

    def _next(self, awaited: frozenset[str] | None) -> _Job | None:
        with self._lock:
            for job in self._jobs:
                mine = job.for_runs
                if mine is None or (not self._alone and (awaited is None or mine & awaited)):
                    self._jobs.remove(job)
                    return job
        return None

    def _pump_quietly(self) -> None:
        """Do it from the main thread's event loop: no cell runs, or one that awaits."""
        with self._lock:
            serving = [awaited for _, awaited in self._serving]
        awaited = None if is_between_cells() else frozenset[str]().union(*(runs() for runs in serving))
        # an interrupt must not end the kernel's event loop; the model is told of it all the same
        with suppress(KeyboardInterrupt):
            self.pump(awaited)

    @contextmanager
    def serving(self, awaited: Awaited = nothing_awaited) -> Iterator[None]:
        """Let the running event loop do the queue's work for a while, where it is the main thread's.

        `awaited` says which runs the wait is for.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        soon = asyncio.get_running_loop().call_soon_threadsafe
        entry = (soon, awaited)
        with self._lock:
            self._serving.append(entry)
            waiting = bool(self._jobs)
        if waiting:
            soon(self._pump_quietly)
        try:
            yield
        finally:
            with self._lock:
                self._serving.remove(entry)

    # ---------------------------------------------------------------- waiting

    def block(
        self,
        wake: threading.Event,
        ready: Callable[[], bool],
        timeout: float | None = None,
        *,
        awaited: Awaited = nothing_awaited,
    ) -> bool:
        """Wait until `ready()`, asked whenever `wake` is set; return False after `timeout` s.

        The main thread works on the queue meanwhile, so that a tool that needs it never waits for this wait;
        `awaited` says which runs it is for.
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
                    self.pump(awaited())
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

    def wait(
        self,
        future: concurrent.futures.Future[T],
        timeout: float | None = None,
        *,
        awaited: Awaited = nothing_awaited,
    ) -> T:
        """Return a future's result as `future.result(timeout)` does, with its errors."""
        if not future.done():
            wake = threading.Event()
            future.add_done_callback(lambda _: wake.set())
            if not self.block(wake, future.done, timeout, awaited=awaited):
                raise TimeoutError
        return future.result(0)
