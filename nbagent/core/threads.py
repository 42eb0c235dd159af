"""A blocking function in a daemon thread of its own, awaited or waited for; and the event loop that the main thread offers.

Not an executor: an executor's threads are few, so that blocking calls would wait for each other, and are
joined when the interpreter ends, so that a stuck one would keep the kernel from ending.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Soon = Callable[[Callable[[], None]], object]

_main_thread_soon: Soon | None = None
_cells_running = 0
_between_cells: list[Callable[[], None]] = []


def set_main_thread_scheduler(soon: Soon | None) -> None:
    """Say how to run callbacks on the main thread when it is free: `soon(callback)`, from any thread; None is no way.

    Called by the kernel, whose event loop is idle between cells. A plain script has no such loop.
    """
    global _main_thread_soon  # noqa: PLW0603 - a process has one main thread
    _main_thread_soon = soon


def main_thread_soon() -> Soon | None:
    """Return what was offered last."""
    return _main_thread_soon


def cell_begins() -> None:
    """Know that a cell runs on the main thread. Called by the kernel."""
    global _cells_running  # noqa: PLW0603 - a process has one main thread
    _cells_running += 1


def cell_ended() -> None:
    """Know that it has ended; whoever waited for that is called on the main thread as soon as that is free."""
    global _cells_running  # noqa: PLW0603 - the same
    _cells_running = max(0, _cells_running - 1)  # the cell that loads the extension is not heard to begin
    if _cells_running == 0 and _main_thread_soon is not None:
        for callback in tuple(_between_cells):
            _main_thread_soon(callback)


def is_between_cells() -> bool:
    """Say whether the main thread's event loop is idle: it is offered, and no cell runs, also none that awaits."""
    return _main_thread_soon is not None and _cells_running == 0


def call_between_cells(callback: Callable[[], None]) -> None:
    """Have `callback()` called on the main thread after each cell from now on."""
    if callback not in _between_cells:
        _between_cells.append(callback)


def call_when_done(
    future: concurrent.futures.Future[T],
    loop: asyncio.AbstractEventLoop,
    callback: Callable[[concurrent.futures.Future[T]], object],
) -> None:
    """Call `callback(future)` on `loop` once the future is done: the thread that settles it runs none of the callback."""
    soon: Callable[..., object] = loop.call_soon_threadsafe
    future.add_done_callback(partial(soon, callback))


async def run_in_daemon_thread(function: Callable[[], T], *, name: str = "nbagent-call") -> T:
    """Run `function()` in a new daemon thread, in a copy of the caller's context.

    When the wait is cancelled the thread goes on and its result is thrown away. Raises what the function
    raises; StopIteration and CancelledError, which a future cannot carry, come as RuntimeError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration | asyncio.CancelledError):
            future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
        else:
            future.set_exception(error)

    def work() -> None:
        result, failure = None, None
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the one who waits
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop ended with its kernel; nobody waits

    threading.Thread(target=work, name=name, daemon=True).start()
    return await future


def within(function: Callable[[], T], limit_s: float, *, name: str = "nbagent-call") -> T:
    """Run `function()` in a new daemon thread and wait for it, `limit_s` seconds at most. Not on an event loop.

    Raises what the function raises, and TimeoutError where it has not ended: it then goes on, and its result
    is thrown away.
    """
    ended: list[tuple[T | None, BaseException | None]] = []
    context = contextvars.copy_context()

    def work() -> None:
        try:
            ended.append((context.run(function), None))
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the one who waits
            ended.append((None, error))

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    thread.join(limit_s)
    if not ended:
        raise TimeoutError
    result, error = ended[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
