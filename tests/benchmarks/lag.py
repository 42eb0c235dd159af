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
    """How late the ticks were, in seconds. A stall counts once for each tick that it swallowed."""

    late_s: list[float] = field(default_factory=list)

    async def tick(self) -> None:
        """Note how late the loop comes to each tick, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            now = loop.time()
            while due < now - TICK_S:
                self.late_s.append(now - due)
                due += TICK_S
            self.late_s.append(now - due)

    def __str__(self) -> str:
        """Percentiles in milliseconds."""
        late = sorted(self.late_s)
        p50, p99, most = (late[int(len(late) * part)] * 1000 for part in (0.5, 0.99, 0.999999))
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms"


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
