"""The events of a run that another process works on: the record is looked at as it tells of news. On the background loop."""

from __future__ import annotations

import asyncio
import weakref
from typing import Protocol

from nbagent.core import run_in_daemon_thread, utc_now
from nbagent.errors import StoreError, UnknownNameError
from nbagent.events import RunFinished
from nbagent.run import RunOutput, StoredEvents
from nbagent.runtime.execution.event_stream import EventBuffer
from nbagent.runtime.timeouts import LEAST_POLL_S, POLL_S
from nbagent.store import RunStore


class FollowedRun(Protocol):
    """A run by its handle."""

    run_id: str

    @property
    def store(self) -> RunStore:
        """Where it is recorded."""
        ...

    @property
    def output(self) -> RunOutput:
        """The run as it stands now; reads the record."""
        ...


async def follow(run: FollowedRun, box: weakref.ref[EventBuffer]) -> None:
    """Put the run's events into `box` until its end, as long as somebody holds that."""
    events, ended = StoredEvents(), False
    while not ended and box() is not None:
        heard = run.store.heard_of(run.run_id)
        try:
            output = await run_in_daemon_thread(lambda: _look(run))
            found, ended = events.news(output), output.is_final
        except UnknownNameError as error:  # somebody has deleted it
            gone = RunFinished(stop_reason="error", error=str(error), finished_at=utc_now())
            found, ended = [gone], True
        except StoreError:  # busy, or away: the next look may do better
            found = []
        if (listener := box()) is not None:
            for event in found:
                listener.put(event)
        del listener
        if not ended:
            await _until_news(run, heard)


def _look(run: FollowedRun) -> RunOutput:
    output = run.output
    if not output.is_final:
        run.store.watch(run.run_id)
    return output


async def _until_news(run: FollowedRun, heard: int) -> None:
    """Return once the run is heard of again, at the latest after a while."""
    waited_s = 0.0
    while waited_s < POLL_S:
        await asyncio.sleep(LEAST_POLL_S)
        waited_s += LEAST_POLL_S
        if run.store.heard_of(run.run_id) != heard:
            return
