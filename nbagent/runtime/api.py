"""What a user does with runs by handle, id or label: get, gather, resume, cancel. Used from any thread."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from nbagent.errors import WaitTimeout
from nbagent.run import RunOutput
from nbagent.runtime.ports import Runnable
from nbagent.runtime.run_handle import Run
from nbagent.runtime.runtime import current


def get(key: str) -> Run:
    """The run with this id or label (the latest of that label), from any kernel. Raises UnknownNameError.

    >>> _ = Agent(model="demo:assistant").run("What is the capital of Italy?", label="italy")
    >>> nb.get("italy").content
    'The capital of Italy is Rome.'
    """
    return current().get(key)


def gather(*runs: Run | Iterable[Run], timeout: float | None = None) -> list[RunOutput]:
    """Block until many runs have ended, return their `RunOutput`s in order; never raise for a run's failure.

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


def resume(run: str | Run, *, agent: Runnable | None = None, **options: Any) -> Run:
    """Go on with a stopped run, by handle, id or label, from any kernel; see `Run.resume` for the options.

    >>> def price(symbol: str) -> float:
    ...     "Last price of a stock, by its ticker symbol."
    ...     return 190.5
    >>> agent = Agent(model="demo:assistant", tools=[price], limits=Limits(max_steps=1))
    >>> stopped = agent.start("What is the price of AAPL?")
    >>> stopped.wait(timeout=30).stop_reason
    'max_steps'
    >>> resume(stopped, agent=agent, limits=Limits(max_steps=5)).result(timeout=30).content
    'The price for AAPL is 190.5.'
    """
    key = run if isinstance(run, str) else run.run_id
    return current().resume(key, agent=agent, **options)


def cancel_run(run_id: str) -> bool:
    """Cancel the run with this id, here or in another kernel, or before it is launched.

    True if it had not ended (an id not launched yet counts); False if it had: then nothing changes.

    >>> run = Agent(model="demo:assistant").start("Write 5000 words about tea.")
    >>> cancel_run(run.run_id), run.wait(timeout=30).status
    (True, <RunStatus.cancelled: 'cancelled'>)
    >>> cancel_run(run.run_id)
    False
    """
    return current().cancel(run_id)
