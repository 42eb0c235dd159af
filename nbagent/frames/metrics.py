"""`nb.metrics`: what runs cost and how fast they were, as DataFrames; all counting is the store's SQL.

On the caller's thread. Nothing is counted twice: retries and resumed attempts are rows of their own, a team's
row is its leader's own work and each member's row its own, and a run answered from an earlier one costs
nothing. What is unknown is NA and never 0; `usage_known` and `cost_known` say how much is known.

>>> output = Agent(model="demo:assistant").run("What is the capital of Japan?", session="japan")
>>> nb.metrics.by_model(session="japan")[["provider", "model", "model_calls", "total_tokens"]]
  provider      model  model_calls  total_tokens
0     demo  assistant            1            20
>>> nb.metrics.steps(output)[["step", "kind", "name", "status"]]
   step   kind            name     status
0     1  model  demo:assistant  completed
>>> nb.metrics.messages(output)[["role", "content"]]
        role                         content
0       user   What is the capital of Japan?
1  assistant  The capital of Japan is Tokyo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from nbagent import runtime
from nbagent.errors import UnknownOptionError
from nbagent.frames.build import frame_of
from nbagent.frames.columns import (
    BY_AGENT,
    BY_MEMBER,
    BY_MODEL,
    BY_SCORE,
    BY_SESSION,
    BY_TOOL,
    FAMILY,
    MESSAGES,
    SCORES,
    STEPS,
    Columns,
    documented,
)
from nbagent.frames.filters import Filters, Since, run_filter, runs_meant_by
from nbagent.store import Query, RunFilter, list_family, list_messages, list_steps, metrics_sql, pick_runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "by_agent",
    "by_member",
    "by_model",
    "by_score",
    "by_session",
    "by_tool",
    "messages",
    "scores",
    "steps",
]

Tags = Mapping[str, str] | None


class MetricsFrame(Protocol):
    """What counts the runs that its filters choose; every frame by something is called like this."""

    def __call__(
        self,
        *,
        session: Any = None,
        since: Since = None,
        status: Any = None,
        agent: Any = None,
        tags: Tags = None,
        label: Any = None,
        batch: Any = None,
        columns: Any = None,
    ) -> pd.DataFrame: ...


_FILTERS = """The filters choose runs: `session`, `status`, `agent`, `label` and `batch` take one or several (agents, sessions
    and batches by name or as objects; a batch's label means the latest of that label), `since` a time or date (local
    where it has no zone), ISO text of either, a timedelta back from now or text such as "12h", `tags` a mapping that
    must all be there. What a label or a batch means includes
    the runs below. A wrong status, time or tag raises UnknownOptionError. All columns are there as data; a cell that
    ends in the frame shows the main ones, with `columns="all"` all, with a list of names these."""


def _metrics_frame(name: str, query: Callable[[RunFilter], Query], table: Columns, doc: str) -> MetricsFrame:
    """Return the function of that name: it asks `query` of the chosen runs and gives a frame of the table's columns."""

    def count(
        *,
        session: Any = None,
        since: Since = None,
        status: Any = None,
        agent: Any = None,
        tags: Tags = None,
        label: Any = None,
        batch: Any = None,
        columns: Any = None,
    ) -> pd.DataFrame:
        from nbagent.frames.views import viewed

        filters = Filters(
            session=session, since=since, status=status, agent=agent, tags=tags, label=label, batch=batch
        )
        return viewed(_frame(query(run_filter(filters)), table), columns)

    count.__name__ = count.__qualname__ = name
    count.__doc__ = f"{doc}\n\n    {_FILTERS}"
    return documented(table)(count)


by_model = _metrics_frame(
    "by_model",
    metrics_sql.by_model,
    BY_MODEL,
    """Model calls, tokens, cost and speed, one row for each provider and model that was asked for.

    A repeated try is a call of its own; `retries` says how many of them are.""",
)
by_member = _metrics_frame(
    "by_member",
    metrics_sql.by_member,
    BY_MEMBER,
    """Runs, tokens, cost and speed, one row for each member of each team, its leader among them.

    The rows add up to the team. Runs that belong to no team are not here; the filter `agent` means the member.""",
)
by_session = _metrics_frame(
    "by_session",
    metrics_sql.by_session,
    BY_SESSION,
    """Runs, tokens, cost and speed, one row for each session, in the order of their first runs.

    `duration_s`, `queued_s` and `paused_s` leave members out: a member works while its leader waits.""",
)
by_agent = _metrics_frame(
    "by_agent",
    metrics_sql.by_agent,
    BY_AGENT,
    """Runs, tokens, cost and speed, one row for each agent by name: its own work, without its members'.""",
)
by_tool = _metrics_frame(
    "by_tool",
    metrics_sql.by_tool,
    BY_TOOL,
    """Calls, failures and speed, one row for each tool by name.""",
)
by_score = _metrics_frame(
    "by_score",
    metrics_sql.by_score,
    BY_SCORE,
    """Scores of runs (`run.score`), one row for each name and agent; of a run and an author the latest counts.""",
)
scores = _metrics_frame(
    "scores",
    metrics_sql.list_scores,
    SCORES,
    """Scores of runs (`run.score`), one row for each that counts, oldest first.""",
)


@documented(STEPS)
def steps(run: Any, *, members: bool = False) -> pd.DataFrame:
    """Every model call and tool call of a run in the order of their start, one row each.

    `run` is a handle, an output, a run id or a label, or a `Batch` or its label, for the steps of all of its
    rows; with `members` the steps of all runs below come too. Raises UnknownNameError for a run that nobody
    launched.
    """
    found = runs_meant_by(run)
    if found.run_id is not None:
        return _frame(list_steps([found.run_id], members=members), STEPS)
    sql, params = pick_runs(replace(found.selected, rows_only=not members), None)
    run_ids = runtime.current().store.arrays(sql, params)["run_id"].tolist()
    return _frame(list_steps(run_ids, members=False), STEPS)


@documented(MESSAGES)
def messages(run: Any = None, *, session: Any = None) -> pd.DataFrame:
    """The messages of a run, or of a session's runs, or of all, in order, one row each.

    `run` is a handle, an output, a run id or a label, or a `Batch` or its label, for those of all of its
    rows. Raises UnknownNameError for a run that nobody launched.
    """
    selected = run_filter(Filters(session=session))
    if run is not None:
        selected = replace(runs_meant_by(run).selected, sessions=selected.sessions)
    return _frame(list_messages(selected), MESSAGES)


def family(run: Any) -> pd.DataFrame:
    """Return a run and all runs below it, in launch order: agent, status and times.

    Raises UnknownNameError for a run that nobody launched, and UnknownOptionError for a batch.
    """
    found = runs_meant_by(run)
    if found.run_id is None:
        raise UnknownOptionError(
            f"{run!r:.80} is a batch, and this is of one run",
            "give one of its rows, by the run_id in its to_frame(); plot_latency(batch=...) and plot_cost take all",
        )
    return _frame(list_family(found.run_id), FAMILY)


def _frame(query: Query, columns: Columns) -> pd.DataFrame:
    sql, params = query
    runtime.catch_up_prices(runtime.current())
    return frame_of(columns, runtime.current().store.arrays(sql, params))


def __dir__() -> list[str]:
    """Name the verbs alone, for who looks at what `nb.metrics` has."""
    return list(__all__)
