"""Short work that outlives whoever asked for it: cancelling a response at its provider.

Used by `background.py` and `connections.py` on the background thread. The event loop itself keeps no tasks alive: they are held here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_running: set[asyncio.Task[None]] = set()


def spawn(work: Coroutine[Any, Any, None], seconds: float) -> None:
    """Do `work` on the running loop, for at most `seconds`; its failure is nobody's to hear of."""
    task = asyncio.get_running_loop().create_task(_bounded(work, seconds))
    _running.add(task)
    task.add_done_callback(_ended)


async def drain(seconds: float) -> None:
    """Wait for this loop's errands, for at most `seconds`: the connections they use are about to be closed."""
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
