"""Wait for runs that other processes work on: all that are waited for are looked at together. On the background loop.

A record on a server tells when others have written; a file is looked at twice a second. Who has just begun to wait, as for
the end of a run that he cancels, hears of it sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from time import monotonic

from nbagent.core import run_in_daemon_thread
from nbagent.errors import StoreError
from nbagent.run import RunStatus
from nbagent.runtime.timeouts import LEAST_POLL_S, POLL_S
from nbagent.store import RunStore, run_statuses

BUSY_SHARE = 10  # a look that took t is followed by a pause of 10 t

FRESH_POLL_S = 0.01  # between two looks whether others have written
FRESH_S = 1.0  # since somebody began to wait

_Waiting = dict[str, list[tuple[str, asyncio.Future[None]]]]


class StatusWatch:
    """One look for all waits of a record at a time."""

    def __init__(self) -> None:
        self._waiting: dict[RunStore, _Waiting] = {}
        self._looks: dict[RunStore, asyncio.Task[None]] = {}
        self._asked_at = 0.0

    async def changed(self, store: RunStore, run_id: str, status: RunStatus) -> None:
        """Return once the run's status is another one than this, as far as is seen."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked_at = monotonic()
        waiting = self._waiting.setdefault(store, {})
        waiting.setdefault(run_id, []).append((status.value, future))
        if store not in self._looks:
            self._looks[store] = asyncio.get_running_loop().create_task(
                self._look(store), name="nbagent-waits"
            )
        await future

    async def _look(self, store: RunStore) -> None:
        seen, pause_s = 0, 0.0
        try:
            while waiting := self._waiting.get(store):
                seen = await self._until_news(store, seen, pause_s)
                began = monotonic()
                try:
                    found = await run_in_daemon_thread(partial(run_statuses, store, list(waiting)))
                except StoreError:  # busy, or away: the next look may do better
                    continue
                self._settle(waiting, found)
                pause_s = min(POLL_S, BUSY_SHARE * (monotonic() - began))
        finally:
            del self._looks[store]
            # whatever has ended the look: who waits still looks by himself, and sees what is wrong
            self._settle(self._waiting.pop(store, {}), {})

    @staticmethod
    def _settle(waiting: _Waiting, found: Mapping[str, str]) -> None:
        for run_id in list(waiting):
            left = [one for one in waiting[run_id] if found.get(run_id) == one[0] and not one[1].done()]
            for one in waiting[run_id]:
                if one not in left and not one[1].done():
                    one[1].set_result(None)
            if left:
                waiting[run_id] = left
            else:
                del waiting[run_id]

    async def _until_news(self, store: RunStore, seen: int, pause_s: float) -> int:
        """Return once others have written since, at the latest after a while; what gives the next look its beginning."""
        if store.mirror is None:
            await asyncio.sleep(POLL_S)
            return 0
        began = monotonic()
        while (waited_s := monotonic() - began) < POLL_S:
            await asyncio.sleep(FRESH_POLL_S if self._is_fresh() else LEAST_POLL_S)
            if waited_s >= pause_s and store.others_wrote(seen)[0]:
                break
        return store.others_wrote(seen)[1]

    def _is_fresh(self) -> bool:
        return monotonic() - self._asked_at < FRESH_S
