"""`nb.runs()` and `nb.sql()`. On the caller's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from nbagent import runtime
from nbagent.errors import UnknownOptionError
from nbagent.frames.build import frame_of
from nbagent.frames.columns import RUNS, documented
from nbagent.frames.filters import Filters, Since, run_filter
from nbagent.store import list_chosen, list_picked, pick_runs

if TYPE_CHECKING:
    import pandas as pd


@documented(RUNS)
def runs(
    *,
    session: Any = None,
    since: Since = None,
    status: Any = None,
    agent: Any = None,
    tags: Mapping[str, str] | None = None,
    label: Any = None,
    batch: Any = None,
    limit: int | None = None,
    here: bool = False,
    columns: Any = None,
) -> pd.DataFrame:
    """Every run of the record, of all kernels, one row each, oldest first; with `limit` the newest ones.

    All columns are there as data; a cell that ends in it shows eight of them, the newest runs first, prompts
    cut. `columns="all"` gives a frame that shows all, a list of names one of these.

    `here`: only those that this kernel works on, or did last. The other filters are as in
    `nb.metrics.by_model`; times are UTC, and a time without a zone that `since` is given is local. Tokens and
    costs are the run's own, so that sums over rows are right; what a team's members used is in their rows,
    and once more in the team's `team_` columns.

    >>> _ = Agent(model="demo:assistant", name="guide").run("What is the capital of Kenya?", session="kenya")
    >>> nb.runs(session="kenya")[["agent_name", "status", "content"]]
      agent_name     status                            content
    0      guide  completed  The capital of Kenya is Nairobi.
    """
    most: Any = limit
    if most is not None and (isinstance(most, bool) or not isinstance(most, Integral) or int(most) < 0):
        raise UnknownOptionError(f"limit is {limit!r}", "give how many of the newest runs, or leave it out")
    filters = Filters(
        session=session, since=since, status=status, agent=agent, tags=tags, label=label, batch=batch
    )
    runtime.catch_up_prices(runtime.current())
    store = runtime.current().store
    selected = replace(run_filter(filters), owner=store.owner if here else None)
    if limit is None:
        arrays = store.arrays(*list_chosen(selected))
    else:  # few are found faster by their ids
        arrays = store.arrays(*list_picked(store.arrays(*pick_runs(selected, limit))["run_id"].tolist()))
    arrays["row_key"] = arrays["row_key_json"]  # typed: SQL has its text
    from nbagent.frames.views import viewed

    return viewed(frame_of(RUNS, arrays), columns, newest_first=True)


def sql(query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
    """Ask the store in SQL: the tables are `runs`, `attempts`, `model_calls`, `tool_calls`, `messages`.

    `parameters` are a value for each `?`, or a dict for `$names`.

    >>> _ = Agent(model="demo:assistant").run("What is the capital of Chile?", session="chile")
    >>> nb.sql("select status, count(*) as runs from runs where session_id = ? group by all", ["chile"])
          status  runs
    0  completed     1
    """
    runtime.catch_up_prices(runtime.current())
    frame: pd.DataFrame = runtime.current().store.frame(query, parameters)
    return frame
