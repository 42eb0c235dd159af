"""A launch's callbacks (`on_event=`, `on_text=`): user code, on a thread of its own for each run."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nbagent.events import Event, RunFinished
from nbagent.run import RunRecord
from nbagent.runtime.execution.event_stream import EventBuffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What a launch wants to be told. `on_event` gets each event, `on_text` the whole text so far.

    They run on one thread for the run, in order; while `on_text` is at work texts pass it by, and it gets the
    latest one next. What they raise becomes a notice of the run and a warning, once for each of them.
    """

    on_event: Callable[[Event], Any] | None = None
    on_text: Callable[[str], Any] | None = None

    def start(
        self,
        record: RunRecord,
        *,
        listen: Callable[[EventBuffer], None],
        notice: Callable[[str], None],
    ) -> None:
        """Listen from now on, on a new thread in the calling context; on the background loop."""
        wake = threading.Event()
        box = EventBuffer(wake.set)
        listen(box)
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def notice_soon(text: str) -> None:
            with suppress(RuntimeError):  # the loop ended with its kernel
                loop.call_soon_threadsafe(notice, text)

        threading.Thread(
            target=lambda: context.run(self._serve, record, box, wake, notice_soon),
            name=f"nbagent-callbacks-{record.launch.run_id}",
            daemon=True,
        ).start()

    def _serve(
        self, record: RunRecord, box: EventBuffer, wake: threading.Event, notice: Callable[[str], None]
    ) -> None:
        failed: set[str] = set()

        def call(name: str, callback: Callable[[Any], Any], told: Any) -> None:
            try:
                callback(told)
            except BaseException as error:  # noqa: BLE001 - user code; it must hurt neither this thread nor the run
                if name not in failed:
                    failed.add(name)
                    said = f"{name} raised {type(error).__name__}: {error}"
                    notice(said)
                    with suppress(Warning):  # where warnings are errors this thread goes on all the same
                        run_id = record.launch.run_id
                        warnings.warn(f"run {run_id}: {said}", RuntimeWarning, stacklevel=1)

        over, said = False, ""
        while not over:
            wake.wait()
            wake.clear()
            for event in box.take():
                over = over or type(event) is RunFinished
                if self.on_event is not None:
                    call("on_event", self.on_event, event)
            if self.on_text is not None and (text := record.text) != said:
                said = text
                call("on_text", self.on_text, text)
