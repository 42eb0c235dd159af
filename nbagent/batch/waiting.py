"""Wait for a batch: blocking with a progress bar, on an event loop, or row by row as results arrive.

Called on the waiting thread. Interrupting or cancelling a wait leaves the batch at work.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from nbagent.batch.progress_bar import bar_of
from nbagent.batch.running.results import BatchProgress, Results
from nbagent.core import check_seconds
from nbagent.errors import WaitTimeout, replace_traceback
from nbagent.runtime import current

WAKE_S = 0.25
_INTERRUPTED = ("stopped waiting; the batch goes on", "batch.cancel() stops it")

Finished = concurrent.futures.Future[None]


def wait_for_end(
    batch_id: str, finished: Finished, progress: Callable[[], BatchProgress], timeout: float | None
) -> None:
    """Block until the batch has ended, whatever its end. Raises WaitTimeout and BlockingCallError."""
    check_seconds("timeout", timeout)
    runtime = current()
    runtime.thread.forbid_blocking("batch.wait()")
    left_s = timeout
    with bar_of(progress) as refresh:
        try:
            while not finished.done():
                refresh()
                step_s = WAKE_S if left_s is None else min(WAKE_S, left_s)
                try:
                    runtime.main.wait(finished, step_s, awaited=lambda: frozenset((batch_id,)))
                except concurrent.futures.TimeoutError:
                    left_s = None if left_s is None else left_s - step_s
                    if left_s is not None and left_s <= 0:
                        raise WaitTimeout(
                            f"the batch is not done after {timeout:g} s: {progress()}",
                            "wait again, or stop it with batch.cancel()",
                        ) from None
                except Exception:  # noqa: BLE001 - the batch's own failure: `result` raises it
                    break
            refresh()
        except KeyboardInterrupt as interrupt:
            replace_traceback(interrupt, *_INTERRUPTED)
            raise


async def await_end(batch_id: str, finished: Finished) -> None:
    """Return when the batch has ended, shielded from the waiting task's cancellation; raise what the batch raised."""
    future = asyncio.wrap_future(_shielded(finished))
    try:
        with current().main.serving(lambda: frozenset((batch_id,))):
            while not future.done():
                # a kernel's loop sees Stop only when it wakes
                await asyncio.wait({future}, timeout=WAKE_S)
    except asyncio.CancelledError as interrupt:
        replace_traceback(interrupt, *_INTERRUPTED)
        raise
    future.result()


def arrived_rows(results: Results) -> Iterator[int]:
    """Yield the positions of rows in the order of their ends, blocking for the next."""
    current().thread.forbid_blocking("iterating a batch")
    count = 0
    while True:
        with results.changed:
            while count == len(results.arrived) and not results.finished:
                results.changed.wait(WAKE_S)
            if count == len(results.arrived):
                return
            position = results.arrived[count]
        count += 1
        yield position


async def arriving_rows(results: Results) -> AsyncIterator[int]:
    """Yield the positions of rows in the order of their ends; on any event loop."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    count = 0
    stop = results.listen(lambda: loop.call_soon_threadsafe(changed.set))
    try:
        while True:
            while count < len(results.arrived):
                count += 1
                yield results.arrived[count - 1]
            if results.finished:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), WAKE_S)
            changed.clear()
    finally:
        stop()


def end_off_the_loop(finished: Finished) -> Finished:
    """Return a future that is done once the batch is, whose callbacks run on a thread of their own."""
    ended: Finished = concurrent.futures.Future()

    def start(_: object) -> None:
        threading.Thread(target=ended.set_result, args=(None,), name="nbagent-batch-end", daemon=True).start()

    finished.add_done_callback(start)
    return ended


def _shielded(finished: Finished) -> Finished:
    """Return a future that ends with `finished`; cancelling it leaves the batch alone."""
    waiting: Finished = concurrent.futures.Future()

    def settle(_: object) -> None:
        if waiting.set_running_or_notify_cancel():
            if (error := finished.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(None)

    finished.add_done_callback(settle)
    return waiting
