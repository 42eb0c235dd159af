"""How late an event loop comes to a ticker of 5 ms; for `many_runs.py`, on the background loop and on an idle one.

`python tests/benchmarks/lag.py` ticks on a loop that has nothing else to do until its standard input closes, and
prints how late it was: what the machine itself does to any process while something is measured beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass, field

TICK_S = 0.005


@dataclass(slots=True)
class Lag:
    """How late the ticks were, in seconds.

    `late_s` has one entry for each tick that came; in `stalled_s` a stall counts once for each tick that it swallowed,
    so that its percentiles are parts of the time, which is harder to please.
    """

    late_s: list[float] = field(default_factory=list)
    stalled_s: list[float] = field(default_factory=list)

    async def tick(self) -> None:
        """Note how late the loop comes to each tick, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            now = loop.time()
            self.late_s.append(now - due)
            while due < now - TICK_S:
                self.stalled_s.append(now - due)
                due += TICK_S
            self.stalled_s.append(now - due)

    def __str__(self) -> str:
        """Percentiles in milliseconds."""
        p50, p99, most = (_part(self.late_s, part) for part in (0.5, 0.99, 1.0))
        of_time = _part(self.stalled_s, 0.99)
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms; by time p99 {of_time:.1f} ms"


def _part(seconds: list[float], part: float) -> float:
    """Return a percentile in milliseconds."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * part))] * 1000


async def _until_input_closes() -> None:
    lag = Lag()
    ticking = asyncio.create_task(lag.tick())
    await asyncio.to_thread(sys.stdin.read)
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking
    print(lag)


if __name__ == "__main__":
    asyncio.run(_until_input_closes())
