"""Waiting for many runs at once."""

from __future__ import annotations

import time
from collections.abc import Iterable

from nbagent.errors import WaitTimeout
from nbagent.run import RunOutput
from nbagent.runtime.handle import Run


def gather(*runs: Run | Iterable[Run], timeout: float | None = None) -> list[RunOutput]:
    """Block until many runs have ended and return their `RunOutput`s in order; never raises for a run's failure.

    Takes runs, or lists of them; `await asyncio.gather(*runs)` is the way that does not block.

    `timeout` in seconds is for all of them together; whoever has not ended by then is returned as it stands.

    >>> agent = Agent(model="demo:assistant")
    >>> runs = [agent.start(f"What is the capital of {country}?") for country in ("Kenya", "Peru")]
    >>> [output.content for output in nb.gather(runs, timeout=30)]
    ['The capital of Kenya is Nairobi.', 'The capital of Peru is Lima.']
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    listed = [run for one in runs for run in ([one] if isinstance(one, Run) else one)]
    for run in listed:
        try:
            run.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except WaitTimeout:
            continue
    return [run.output for run in listed]
