"""The tasks that a framework starts for a run: some of them go on asking a model when their run is cancelled.

agno works on calls that stream, its members' too, in tasks that nobody cancels with the run. The background loop
makes each task through a factory, which keeps those of the runs that are watched. A run that such a task launches
is not one of them: it stops with its guest as every child does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbagent.runtime import RUN_TASK, ancestor_ids

_watched: dict[str, set[asyncio.Task[Any]]] = {}
_MARK = "_of_nbagent"


@contextmanager
def cancelled_with(run_id: str) -> Iterator[None]:
    """Cancel what the run of this id has started when it is cut short; what it leaves at its usual end goes on."""
    _watch_loop()
    kept = _watched[run_id] = set()
    try:
        yield
    except BaseException:
        for task in tuple(kept):
            if not task.get_name().startswith(RUN_TASK):
                task.cancel()
        raise
    finally:
        del _watched[run_id]


def _watch_loop() -> None:
    """Have the running loop make its tasks here; once."""
    loop = asyncio.get_running_loop()
    before: Any = loop.get_task_factory()
    if getattr(before, _MARK, False):
        return

    def made(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        task = (
            asyncio.Task(coroutine, loop=loop, **options)
            if before is None
            else before(loop, coroutine, **options)
        )
        ids = ancestor_ids() if _watched else ()
        if ids and (kept := _watched.get(ids[-1])) is not None:
            kept.add(task)
            task.add_done_callback(kept.discard)
        return task

    setattr(made, _MARK, True)
    loop.set_task_factory(made)
