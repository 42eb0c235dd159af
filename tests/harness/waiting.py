"""Wait for what has no event of its own. How long is a safety net against hanging, never a bound that a test holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 60.0  # less than a test's timeout, so that what did not happen is named


def until(holds: Callable[[], T], what: object = "it", *, pause_s: float = 0.002) -> T:
    """Return the first true value; AssertionError with `what` (called, where it is a function) when none comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(_too_late(what))
        time.sleep(pause_s)
    return found


async def until_async(holds: Callable[[], T], what: object = "it", *, pause_s: float = 0.005) -> T:
    """Do the same on an event loop."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(_too_late(what))
        await asyncio.sleep(pause_s)
    return found


def _too_late(what: object) -> str:
    return f"{what() if callable(what) else what} did not happen within {PATIENCE_S:.0f} s"
