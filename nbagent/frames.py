"""DataFrames from the store's SQL. The only room for pandas; everything here runs on the caller's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbagent import runtime

if TYPE_CHECKING:
    import pandas as pd

_RUNS = """
select label, agent_name, provider, model, status, stop_reason, error, created_at,
       (epoch_us(finished_at) - epoch_us(started_at)) / 1e6 as duration_s, prompt,
       error_type, started_at, finished_at, attempt, run_id, session_id
from runs order by created_at, run_id
"""


def runs() -> pd.DataFrame:
    """Every run of the store, one row each, oldest first; `_at` are UTC timestamps."""
    return sql(_RUNS)


def sql(query: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
    """Ask the store in SQL: the tables are `runs`, `attempts`, `model_calls`, `tool_calls`, `messages`."""
    frame: pd.DataFrame = runtime.current().store.frame(query, parameters)
    return frame
