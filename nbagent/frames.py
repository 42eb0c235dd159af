"""DataFrames from the store's SQL. The only room for pandas; everything here runs on the caller's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbagent import runtime

if TYPE_CHECKING:
    import pandas as pd

_RUNS = """
select run_id, label, session_id, agent_name, provider, model, status, stop_reason, error_type, error,
       created_at, started_at, finished_at, attempt, prompt
from runs order by created_at, run_id
"""


def runs() -> pd.DataFrame:
    """Every run of the store, one row each, oldest first; `_at` are UTC timestamps."""
    return sql(_RUNS)


def sql(query: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
    """Ask the store in SQL: the tables are `runs`, `attempts`, `model_calls`, `tool_calls`, `messages`."""
    frame: pd.DataFrame = runtime.current().store.frame(query, parameters)
    return frame
