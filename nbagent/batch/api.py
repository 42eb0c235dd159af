"""What a user does with runs and batches by handle, id or label: get, gather, resume, cancel. Used from any thread.

The verbs over single runs are the runtime's; a label that a batch had last means the batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nbagent import runtime as of_runs
from nbagent.batch.batch import Batch, batches
from nbagent.batch.start import recorded_batch
from nbagent.core import check_seconds
from nbagent.errors import StoreError, UnknownNameError, UnknownOptionError, WaitTimeout, did_you_mean
from nbagent.runtime import Run, Runnable, current
from nbagent.store import RunStore, batch_labels, load_named, named

if TYPE_CHECKING:
    import pandas as pd

    from nbagent.run import RunOutput
    from nbagent.store import Named

    _Looked = tuple[Named | None, RunOutput | None]


def get(key: str | Run | Batch | Iterable[str | Run | Batch]) -> Any:
    """The `Run` or the `Batch` with this id, else what had this label last, from any kernel. Raises UnknownNameError.

    Of several keys, as in `nb.get(["a", "b"])`, a list of these in their order, read from the store in one go.

    A batch comes with all of its rows, also one that has ended or whose kernel has died: `to_frame()`,
    `failed()`, `retry_failed()`, `wait()`, `cancel()`, `resume()` work as in the kernel that made it.

    >>> _ = Agent(model="demo:assistant").run("What is the capital of Italy?", label="italy")
    >>> nb.get("italy").content
    'The capital of Italy is Rome.'
    """
    if isinstance(key, Run | Batch):
        return key
    if isinstance(key, list | tuple | set) or hasattr(key, "tolist"):  # as a column of a frame has
        return _get_many(list(key))
    _check(key)
    assert isinstance(key, str)
    live = current().live_here(key)
    if live is not None:
        return current().handle(live)
    found = _batch_or_run(key, load_named)
    if found is not None:
        return found
    try:
        return current().get(key)
    except UnknownNameError as error:
        known = [name for one in batches() for name in (one.label, one.batch_id) if name]
        if not (near := did_you_mean(key, known)):
            raise
        raise UnknownNameError(f"no run or batch {key!r}{near}", error.todo) from None


def _get_many(keys: Sequence[Any]) -> list[Any]:
    for key in keys:
        if not isinstance(key, Run | Batch):
            _check(key)
    names = [key for key in keys if isinstance(key, str)]
    labels = batch_labels(current().store, names) | {
        name for batch in batches() for name in (batch.batch_id, batch.label) if name
    }
    runs = of_runs.get_many([name for name in dict.fromkeys(names) if name not in labels])
    return [key if not isinstance(key, str) else runs[key] if key in runs else get(key) for key in keys]


def _check(key: Any) -> None:
    if not isinstance(key, str):
        raise UnknownOptionError(f"{key!r:.80} names no run", "give the id or label of a run or a batch")


def batch_named(key: str) -> Batch | None:
    """The batch with this id, or that had this label last; None where a run has, or nothing. Raises StoreError."""
    found = _batch_or_run(key, lambda store, name: (named(store, name), None))
    return found if isinstance(found, Batch) else None


def _batch_or_run(key: str, look: Callable[[RunStore, str], _Looked]) -> Batch | Run | None:
    """The batch with this id, or that had this label last, or the run if `look` reads runs and none here is called so."""
    own = [batch for batch in batches() if key in (batch.batch_id, batch.label)]
    launches = [live.record.launch for live in current().runs()]
    is_here = any(key in (launch.run_id, launch.label) for launch in launches)
    try:
        found, output = look(current().store, key)
    except StoreError:  # what this kernel holds is there all the same
        if own:
            return own[-1]
        if is_here:
            return None
        raise
    if found is not None and found.is_batch:
        return recorded_batch(found.id)
    if output is None or is_here:
        return None
    return Run(output.run_id, output.session_id, runtime=current(), read=output)


def gather(*runs: Run | Batch | Iterable[Run | Batch], timeout: float | None = None) -> list[Any]:
    """Block until many runs have ended and return the `RunOutput` of each in order; never raises for a run's failure.

    Takes runs, or lists of them; `await asyncio.gather(*runs)` is the way that does not block. A `Batch` is
    waited for too, and stands in the list as its frame.

    `timeout` in seconds is for all of them together; whoever has not ended by then is returned as it stands.

    >>> agent = Agent(model="demo:assistant")
    >>> runs = [agent.start(f"What is the capital of {country}?") for country in ("Kenya", "Peru")]
    >>> [output.content for output in nb.gather(runs, timeout=30)]
    ['The capital of Kenya is Nairobi.', 'The capital of Peru is Lima.']
    """
    check_seconds("timeout", timeout)
    deadline = None if timeout is None else time.monotonic() + timeout
    listed: list[Any] = []
    for given in runs:
        listed += (
            given if isinstance(given, Iterable) and not isinstance(given, Run | Batch | str) else [given]
        )
    waited = [get(one) for one in listed]
    ended: list[RunOutput | pd.DataFrame] = []
    of_runs.read_ahead(one for one in waited if isinstance(one, Run))
    for one in waited:
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        if isinstance(one, Batch):
            ended.append(_frame_of(one, left_s))
        else:
            ended += of_runs.gather(one, timeout=left_s)
    return ended


def _frame_of(batch: Batch, timeout: float | None) -> pd.DataFrame:
    try:
        return batch.wait(timeout)
    except WaitTimeout:
        return batch.to_frame()


def resume(run: str | Run | Batch, *, agent: Runnable | None = None, **options: Any) -> Any:
    """Go on with a stopped run or batch, by handle, id or label, from any kernel.

    See `Run.resume` and `Batch.resume` for the options.

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
    if not isinstance(run, Run | Batch):
        _check(run)
    batch = run if isinstance(run, Batch) else batch_named(run) if isinstance(run, str) else None
    if batch is not None:
        return batch.resume(agent=agent, **options)
    return of_runs.resume(run, agent=agent, **options)  # type: ignore[arg-type]


def cancel_run(run_id: str | Run | Batch) -> bool:
    """Cancel the run with this id, here or in another kernel, or before it is launched; or a batch, by id or label.

    True if it had not ended (an id not launched yet counts); False if it had: then nothing changes.

    >>> run = Agent(model="demo:assistant").start("Write 5000 words about tea.")
    >>> cancel_run(run.run_id), run.wait(timeout=30).status
    (True, <RunStatus.cancelled: 'cancelled'>)
    >>> cancel_run(run.run_id)
    False
    """
    if isinstance(run_id, Run | Batch):
        return run_id.cancel()
    _check(run_id)
    if current().live(run_id) is None and (batch := batch_named(run_id)) is not None:
        return batch.cancel()
    return of_runs.cancel_run(run_id)
