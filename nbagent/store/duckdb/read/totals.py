"""The metrics of a session or a batch, from the same SQL as the frames. On any thread but the writer's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbagent.run import TOKEN_FIELDS, RunMetrics
from nbagent.store.duckdb.read.metrics_sql import PAID, RunFilter, by_model, by_tool, in_all

if TYPE_CHECKING:
    from nbagent.store.ports import Reader

_FIRST_TOKEN = f"""
    select ttft_s from model_calls c join launches l using (run_id)
    where {{where}} and ttft_s is not null and {PAID} order by c.started_at, c.try_no limit 1
"""  # noqa: S608 - text of ours alone
_SUMS = (
    *TOKEN_FIELDS,
    "cost_usd",
    "estimated_tokens",
    "estimated_cost_usd",
    "duration_s",
    "queued_s",
    "paused_s",
    "model_calls",
    "tool_calls",
)
_OF_A_MODEL = {
    "provider": "provider",
    "id": "model",
    "calls": "model_calls",
    **{name: name for name in (*TOKEN_FIELDS, "cost_usd", "duration_s")},
}
_UNKNOWN: Mapping[str, int] = {}
_OF_A_TOOL = {"name": "tool_name", "calls": "tool_calls", "errors": "errors", "duration_s": "duration_s"}


def session_metrics(store: Reader, session_id: str) -> RunMetrics:
    """The sum over a session's runs, all attempts included; zero calls for a session nobody used. Raises StoreError.

    Equal to the session's row of `nb.metrics.by_session()`: what a copied answer cost counts where it was paid, and
    members' time is their leader's. `ttft_s` is that of the first model call.
    """
    return _sum(store, RunFilter(sessions=[session_id]))


def batch_metrics(store: Reader, batch_id: str) -> RunMetrics:
    """The sum over the runs of a batch and those below them; one that asked nothing cost nothing. Raises StoreError."""
    return _sum(store, RunFilter(batches=[batch_id]), of_none=dict.fromkeys((*TOKEN_FIELDS, "cost_usd"), 0))


def _sum(store: Reader, chosen: RunFilter, of_none: Mapping[str, int] = _UNKNOWN) -> RunMetrics:
    where, params = chosen.where()
    with store.analysis() as ask:
        found = ask(*in_all(chosen))
        if not found:
            return RunMetrics(**of_none, details={"model": [], "tool_call": []})
        first = ask(_FIRST_TOKEN.format(where=where), params)
        models, tools = ask(*by_model(chosen)), ask(*by_tool(chosen))
    return RunMetrics(
        **{name: found[0][name] for name in _SUMS},
        ttft_s=first[0]["ttft_s"] if first else None,
        details={
            "model": [_renamed(row, _OF_A_MODEL) for row in models],
            "tool_call": [_renamed(row, _OF_A_TOOL) for row in tools],
        },
    )


def _renamed(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The row in the words of `RunMetrics.details`."""
    return {name: row[column] for name, column in names.items()}
