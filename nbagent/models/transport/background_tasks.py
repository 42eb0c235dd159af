"""Background tasks that outlive their caller, such as cancelling a response at its provider.

Used by `openai/background.py` and `client.py` on the background thread. The event loop itself keeps no tasks
alive: they are held here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_running: set[asyncio.Task[None]] = set()


def spawn(work: Coroutine[Any, Any, None], seconds: float) -> None:
    """Run `work` on the event loop for at most `seconds`; a failure is ignored."""
    task = asyncio.get_running_loop().create_task(_bounded(work, seconds))
    _running.add(task)
    task.add_done_callback(_ended)


async def drain(seconds: float) -> None:
    """Wait for this loop's tasks, for at most `seconds`: the connections they use are about to be closed."""
    loop = asyncio.get_running_loop()
    if mine := [task for task in _running if task.get_loop() is loop]:
        await asyncio.wait(mine, timeout=seconds)


async def _bounded(work: Coroutine[Any, Any, None], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await work


def _ended(task: asyncio.Task[None]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()
