"""Once a second while runs are unfinished: write their progress, read what other kernels ask of them.

What a record hears of by itself is read at once; runs that somebody looks at elsewhere tell their text more often. On the background loop; nothing ticks while nothing runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from nbagent.core import run_in_daemon_thread
from nbagent.events import RunFinished, TextAdded
from nbagent.loop import Decision
from nbagent.runtime.execution.event_stream import EventBuffer
from nbagent.runtime.ports import HasProgress
from nbagent.runtime.scheduling.fair_yield import in_chunks
from nbagent.runtime.timeouts import TICK_S, WATCHED_S
from nbagent.store import RunStore

Batches = Mapping[str, tuple[RunStore, Callable[[], None]]]  # each batch's store, and how it is cancelled

BUSY_SHARE = 20  # telling that took t is followed by a pause of 20 t


class Heartbeat:
    """The ticks of one runtime, for its `unfinished` runs and its `batches`."""

    def __init__(self, unfinished: Callable[[], Sequence[HasProgress]], batches: Batches) -> None:
        self._unfinished = unfinished
        self._batches = batches
        self._ticking = False
        self._looking: dict[
            RunStore, asyncio.Task[None]
        ] = {}  # one look at a time: a record may not answer for long
        self._again: set[RunStore] = set()  # asked for something since their look began
        self._first_text: dict[str, EventBuffer] = {}
        self._watched: dict[str, HasProgress] = {}
        self._telling: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, live: HasProgress) -> None:
        """Do so for a run that begins; other processes that share a server's record have its first text at once."""
        self.start(live.store)
        launch = live.record.launch  # what an earlier attempt had is in the record with its claim
        if live.store.mirror is not None and launch.batch_id is None and launch.attempt == 1:
            self._first_text[live.run_id] = box = EventBuffer(partial(self._heard, live))
            live.listen(box)

    def _heard(self, live: HasProgress) -> None:
        box = self._first_text.get(live.run_id)
        heard = {type(one) for one in box.take()} if box is not None else set()
        if heard & {TextAdded, RunFinished}:
            del self._first_text[live.run_id]
            if RunFinished not in heard:
                live.write_progress()

    def start(self, store: RunStore) -> None:
        """Tick from now on until nothing runs any more, and listen to the record; on the loop."""
        store.on_request(self.wake)
        if not self._ticking:
            self._ticking = True
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(TICK_S, self._tick)

    def wake(self) -> None:
        """Look now what other kernels ask for; on any thread."""
        if self._loop is not None and self._ticking:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        if self._ticking:
            self._again.update(self._looking)
            self._look(self._unfinished())

    def _tick(self) -> None:
        lives = self._unfinished()
        if not lives and not self._batches:
            self._ticking, self._watched = False, {}
            return
        in_chunks(_write_progress, lives, TICK_S)
        self._look(lives)
        asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _look(self, lives: Sequence[HasProgress]) -> None:
        by_store: dict[RunStore, dict[str, HasProgress]] = {store: {} for store, _ in self._batches.values()}
        for live in lives:
            by_store.setdefault(live.store, {})[live.run_id] = live
        self._watched = {key: named[key] for store, named in by_store.items() for key in store.watched(named)}
        if self._watched and self._telling is None:
            self._tell_watched()
        for store, named in by_store.items():
            if store in self._looking:
                continue
            cancel_batch = {key: cancel for key, (place, cancel) in self._batches.items() if place is store}
            task = asyncio.get_running_loop().create_task(_obey(store, named, cancel_batch))
            self._looking[store] = task
            task.add_done_callback(partial(self._looked, store))

    def _tell_watched(self) -> None:
        """Write where those runs stand that somebody looks at elsewhere, again and again; by and by where that takes long."""
        began = time.perf_counter()
        for live in self._watched.values():
            if live.store.watched([live.run_id]):
                live.write_progress()
        pause_s = max(WATCHED_S, (time.perf_counter() - began) * BUSY_SHARE)
        loop = asyncio.get_running_loop()
        self._telling = loop.call_later(pause_s, self._tell_watched) if self._watched else None

    def _looked(self, store: RunStore, _task: asyncio.Task[None]) -> None:
        del self._looking[store]
        if store in self._again:
            self._again.discard(store)
            self._look(self._unfinished())


def _write_progress(live: HasProgress) -> None:
    live.write_progress()


async def _obey(
    store: RunStore, named: Mapping[str, HasProgress], cancel_batch: Mapping[str, Callable[[], None]]
) -> None:
    """Do what other kernels have asked of these runs and batches: cancels, decisions on waiting calls, messages."""
    for key in await run_in_daemon_thread(partial(store.cancel_requested, [*named, *cancel_batch])):
        if key in named:
            named[key].stop("cancelled")
        else:
            cancel_batch[key]()
    for one in store.decisions_requested(named):
        decision = Decision(
            approved=one.approved, reason=one.reason, arguments=one.arguments, by_other=one.by_other
        )
        named[one.run_id].decide_from_record(one.step, one.tool_call_id, decision)
    for message in store.messages_sent(named):
        named[message.run_id].receive(message, is_stored=True)
