"""`%agent metrics`: a frame cut down to what fits on a screen; `nb.metrics` has all of its columns. Main thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbagent.frames import metrics

if TYPE_CHECKING:
    import pandas as pd

_KEYS = {
    "model": ("provider", "model"),
    "member": ("team_name", "leader_name", "agent_name"),
    "session": ("session_id",),
    "agent": ("agent_name",),
    "tool": ("tool_name",),
}
# what is always told, unknown or not; other columns go where no row knows anything of them
_ALWAYS = ("runs", "model_calls", "total_tokens", "cost_usd", "cost_known")
_SHOWN = (
    "runs",
    "model_calls",
    "tool_calls",
    "unfinished",
    "errors",
    "cancelled",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_usd",
    "cost_known",
    "duration_s",
    "duration_p50_s",
    "duration_p95_s",
    "ttft_p50_s",
    "output_tokens_per_s",
)
_DIGITS = {"cost_usd": 6, "cost_known": 2, "output_tokens_per_s": 1}


def summary(by: str, **filters: Any) -> pd.DataFrame:
    """Return the frame `by_<by>` with its main columns, rounded, the most expensive rows first."""
    frame: pd.DataFrame = getattr(metrics, f"by_{by}")(**filters)
    columns = [
        name for name in _SHOWN if name in frame.columns and (name in _ALWAYS or frame[name].notna().any())
    ]
    order = [name for name in ("cost_usd", "total_tokens", "duration_s") if name in frame.columns]
    frame = frame.sort_values(order, ascending=False, kind="stable", na_position="last", ignore_index=True)
    rounded = {name: _DIGITS.get(name, 3) for name in columns if str(frame[name].dtype) == "Float64"}
    return frame[[*_KEYS[by], *columns]].round(rounded)
