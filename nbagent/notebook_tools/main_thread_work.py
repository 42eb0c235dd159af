"""A notebook tool's work on the main thread: between cells, or in one that waits for this run. On the background loop.

While a cell is busy the run says that it waits. Code that is at work is stopped with its run, and at its time limit;
what was cut off may have taken effect, and that is said to whoever hears it: the model, or the person.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from nbagent import runtime
from nbagent.notebook_tools.code_stop import CodeStop
from nbagent.runtime import ancestor_ids

T = TypeVar("T")

PATIENCE_S = 1.0  # that the main thread is waited for before the run says so
ASK_S = 0.1  # between two times that code is told to stop
STUCK_S = 5.0  # that code at its time limit is waited for; then the model is told that it is at work still

BUSY = "{what} waits until the cell that runs now has ended"
MAY_HAVE = "{what} was stopped at work: it may have taken effect"
STUCK = "it is at work still: it may take effect, and no cell can run before it has ended"


class StuckError(RuntimeError):
    """Code did not end when it was told to."""


async def on_main_thread(what: str, work: Callable[[], T]) -> T:
    """Do what needs no stopping on the main thread, and return what it returns."""
    begun = asyncio.Event()
    call = _begin(work, begun)
    try:
        await _until_begun(what, call, begun)
        return await call
    finally:
        call.cancel()


async def stoppable_on_main_thread(
    what: str, work: Callable[[], T], stop: CodeStop, timeout_s: float | None
) -> T:
    """Do what `stop` stops, for `timeout_s` seconds at most from its beginning on.

    Raises StuckError for work that does not end even so.
    """
    begun = asyncio.Event()
    call = _begin(work, begun)
    try:
        await _until_begun(what, call, begun)
        await asyncio.wait({call}, timeout=timeout_s)
        left_s = STUCK_S
        while not call.done() and left_s > 0:
            stop.ask(f"it took longer than {timeout_s:g} s")
            await asyncio.wait({call}, timeout=ASK_S)
            left_s -= ASK_S
    except asyncio.CancelledError:
        stop.ask("the run was stopped")
        if stop.begun:
            say(MAY_HAVE.format(what=what))
            _go_on_asking(stop)
        call.cancel()
        raise
    if not call.done():
        _go_on_asking(stop)
        raise StuckError(f"{stop.reason}, and did not stop; {STUCK}")
    return call.result()


def current_agent_name() -> str:
    """Return the name of the agent whose tool the calling code is."""
    live = runtime.current().live((ancestor_ids() or ("",))[-1])
    return (live.record.launch.agent_name if live is not None else None) or "agent"


def say(text: str) -> None:
    """Say something to the person, on the run that the calling code works for."""
    for run_id in reversed(ancestor_ids()):
        if (live := runtime.current().live(run_id)) is not None:
            live.notice(text)
            return


def _begin(work: Callable[[], T], begun: asyncio.Event) -> asyncio.Task[T]:
    loop = asyncio.get_running_loop()

    def run() -> T:
        loop.call_soon_threadsafe(begun.set)
        return work()

    return loop.create_task(_call(run))


async def _call(work: Callable[[], T]) -> T:
    return await runtime.current().main.call(work, for_runs=_waited_for_by())


async def _until_begun(what: str, call: asyncio.Task[T], begun: asyncio.Event) -> None:
    """Return once the work has begun, or has ended; say that a cell is busy where that takes a while."""
    waiting = asyncio.ensure_future(begun.wait())
    try:
        done, _ = await asyncio.wait({call, waiting}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            say(BUSY.format(what=what))
            await asyncio.wait({call, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _waited_for_by() -> frozenset[str]:
    """Return what a cell may wait for while this is done in it: the run, those it is part of, its session, its batch."""
    ids: set[str] = set()
    for run_id in ancestor_ids():
        ids.add(run_id)
        if (live := runtime.current().live(run_id)) is not None:
            launch = live.record.launch
            ids |= {launch.session_id, *([launch.batch_id] if launch.batch_id else [])}
    return frozenset(ids)


def _go_on_asking(stop: CodeStop) -> None:
    def ask() -> None:
        while not stop.ended.wait(ASK_S):
            stop.ask("the run was stopped")

    threading.Thread(target=ask, name="nbagent-code-stop", daemon=True).start()
