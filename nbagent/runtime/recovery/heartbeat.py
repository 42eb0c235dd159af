"""What happens once a second while runs are unfinished: their progress is written, other kernels' wishes are heard.

On the background loop; nothing ticks while nothing runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from nbagent.core import run_in_daemon_thread
from nbagent.loop import Decision
from nbagent.runtime.scheduling.fair_yield import spread

if TYPE_CHECKING:
    from nbagent.runtime.execution.active_run import ActiveRun
    from nbagent.store import Store

TICK_S = 1.0


class Heartbeat:
    """The ticks of one runtime; `unfinished` lists its unfinished runs, `batches` has how its batches are cancelled."""

    def __init__(
        self,
        unfinished: Callable[[], list[ActiveRun]],
        batches: Mapping[str, tuple[Store, Callable[[], None]]],
    ) -> None:
        self._unfinished = unfinished
        self._batches = batches
        self._ticking = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Tick from now on until nothing runs any more; does nothing while it ticks."""
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        lives = self._unfinished()
        if not lives and not self._batches:
            self._ticking = False
            return
        spread(_progress, lives, TICK_S)
        loop = asyncio.get_running_loop()
        task = loop.create_task(_hear(lives, dict(self._batches)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        loop.call_later(TICK_S, self._tick)


def _progress(live: ActiveRun) -> None:
    live.session_turn.watch()
    if live.progress_due():
        live.rows.progress()


async def _hear(lives: Iterable[ActiveRun], batches: Mapping[str, tuple[Store, Callable[[], None]]]) -> None:
    """Do what other kernels have asked of these runs and batches: cancels, and decisions on calls that wait."""
    by_store: dict[Store, dict[str, ActiveRun]] = {}
    for live in lives:
        by_store.setdefault(live.services.store, {})[live.record.launch.run_id] = live
    for store, _ in batches.values():
        by_store.setdefault(store, {})
    for store, named in by_store.items():
        own = [batch_id for batch_id, (place, _) in batches.items() if place is store]
        asked = await run_in_daemon_thread(partial(store.cancel_requested, [*named, *own]))
        for key in asked:
            if key in named:
                named[key].stop("cancelled")
            else:
                batches[key][1]()
        for one in store.decisions_requested(named):
            decision = Decision(approved=one.approved, reason=one.reason, arguments=one.arguments)
            named[one.run_id].approvals.decide(one.step, one.tool_call_id, decision)
