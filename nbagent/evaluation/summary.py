"""Means with intervals, and what has become worse: from the frames of evaluations. Pure; pandas is imported on use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbagent.evaluation.columns import COLUMNS
from nbagent.evaluation.intervals import Interval, bootstrap, wilson

if TYPE_CHECKING:
    import pandas as pd


def score_names(frame: pd.DataFrame) -> list[str]:
    """Name the columns of a frame that are scores."""
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype
    return [name for name in frame.columns if name not in COLUMNS and numeric(frame[name])]


def summary_of(frame: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
    """Give a row for each contender and score, as `Evaluation.summary` describes."""
    import pandas as pd

    rows = []
    for contender, own in frame.groupby("contender", observed=True, sort=False):
        failed = int(((own["status"] != "completed") & (own["status"] != "pending")).sum())
        for name in score_names(frame):
            values = own.dropna(subset=[name])
            interval = _interval(values, name)
            row: dict[str, Any] = {"contender": contender, "score": name, "cases": values["case"].nunique()}
            row |= {"mean": interval.mean, "low": interval.low, "high": interval.high, "failed": failed}
            row |= {cost: own[cost].sum(min_count=1) for cost in ("cost_usd", "judge_cost_usd")}
            if earlier is not None:
                row |= _change(own, _before(earlier, contender), name)
            rows.append(row)
    columns = ["contender", "score", "cases", "mean", "low", "high", "failed", "cost_usd", "judge_cost_usd"]
    columns += ["before", "change", "change_low", "change_high"] if earlier is not None else []
    numbers = {name: "Float64" for name in columns if name not in ("contender", "score", "cases", "failed")}
    return pd.DataFrame(rows, columns=columns).astype({"cases": "Int64", "failed": "Int64"} | numbers)


def _interval(values: pd.DataFrame, name: str) -> Interval:
    """Give a score's mean and interval: cases are what is drawn, however often each was asked."""
    once = values["case"].is_unique
    if values[name].dtype == "boolean" and once:
        return wilson(int(values[name].sum()), len(values))
    return bootstrap(list(_by_case(values, name).values()))


def _by_case(frame: pd.DataFrame, name: str) -> dict[Any, float]:
    """Give each case's mean score, by its label, which may be a tuple."""
    own = frame.dropna(subset=[name])
    means = own[name].astype(float).groupby(own["case"], sort=False).mean()
    return dict(zip(means.index, means.tolist(), strict=True))


def _before(earlier: pd.DataFrame, contender: Any) -> pd.DataFrame:
    """Give the earlier rows of a contender; where only one was asked then, those, whatever its name."""
    names = list(earlier["contender"].unique())
    own: pd.DataFrame = earlier[earlier["contender"] == (names[0] if len(names) == 1 else contender)]
    return own


def _change(after: pd.DataFrame, before: pd.DataFrame, name: str) -> dict[str, Any]:
    if name not in before.columns:
        return {}
    then, now = _by_case(before, name), _by_case(after, name)
    both = [case for case in then if case in now]
    difference = bootstrap([now[case] - then[case] for case in both])
    known = {"change": difference.mean, "change_low": difference.low, "change_high": difference.high}
    return {"before": sum(then[case] for case in both) / len(both) if both else None} | known


def regressions_of(frame: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Give a row for each contender, case and score that has become lower, the largest loss first."""
    import pandas as pd

    columns = [
        "contender",
        "case",
        "score",
        "before",
        "after",
        "change",
        "answer_before",
        "answer_after",
        "run_id",
    ]
    rows = list(_losses(frame, earlier))
    found = pd.DataFrame(rows, columns=columns).astype(
        dict.fromkeys(("before", "after", "change"), "Float64")
    )
    return found.sort_values("change", kind="stable", ignore_index=True)


def _first_rows(frame: pd.DataFrame) -> dict[Any, dict[str, Any]]:
    """Give each case's first row, by its label."""
    rows = frame[["case", "answer", "run_id"]].to_dict("records")
    return {row["case"]: row for row in reversed(rows)}


def _losses(frame: pd.DataFrame, earlier: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for contender, own in frame.groupby("contender", observed=True, sort=False):
        before = _before(earlier, contender)
        last, first = _first_rows(own), _first_rows(before)
        for name in score_names(frame):
            if name not in before.columns:
                continue
            then, now = _by_case(before, name), _by_case(own, name)
            for case in now:
                if case in then and now[case] < then[case]:
                    yield {
                        "contender": contender, "case": case, "score": name,
                        "before": then[case], "after": now[case], "change": now[case] - then[case],
                        "answer_before": first[case]["answer"], "answer_after": last[case]["answer"],
                        "run_id": last[case]["run_id"],
                    }  # fmt: skip
