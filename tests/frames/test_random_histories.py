"""The frames against a plain count, for random histories: nothing is counted twice, nothing is lost."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbagent as nb
from nbagent import runtime
from nbagent.store import load_run, session_metrics
from tests.frames import expected_counts
from tests.frames.random_histories import BEGIN, Past, histories, joined, write

_example = itertools.count()
KEYS = {
    "by_model": ("provider", "model"),
    "by_tool": ("tool_name",),
    "by_agent": ("agent_name",),
    "by_session": ("session_id",),
    "by_member": ("team_name", "leader_name", "agent_name"),
}


def rows_of(frame: Any, keys: tuple[str, ...], *, prefix: str = "") -> dict[Any, dict[str, Any]]:
    """A frame as plain rows by key; NA is None."""
    found = {}
    for record in frame.to_dict("records"):
        row = {name: None if _is_na(value) else value for name, value in record.items()}
        key = tuple(row.pop(name) for name in keys)
        found[tuple(part.removeprefix(prefix) if part else part for part in key)] = row
    assert len(found) == len(frame), "two rows have one key"
    return found


def _is_na(value: Any) -> bool:
    import pandas as pd

    return not isinstance(value, (list, dict)) and bool(pd.isna(value))


def same(found: dict[Any, Any], wanted: dict[Any, Any]) -> None:
    """Assert that both have the same keys and, up to rounding of quotients, the same values."""
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert found[key].keys() == row.keys(), key
        for name, value in row.items():
            got = found[key][name]
            if isinstance(value, float) and isinstance(got, float):
                assert math.isclose(got, value, rel_tol=1e-9, abs_tol=1e-12), (key, name, got, value)
            else:
                assert got == value, (key, name, got, value)


FILTERS: dict[str, tuple[dict[str, Any], Any]] = {
    "status": ({"status": ["error", "timeout"]}, lambda past: past.status in ("error", "timeout")),
    "agent": ({"agent": "a"}, lambda past: past.agent == "a"),
    "since": (
        {"since": BEGIN + timedelta(minutes=5)},
        lambda past: past.created_at >= BEGIN + timedelta(minutes=5),
    ),
    "tags": ({"tags": {"group": "y/~z"}}, lambda past: past.tags["group"] == "y/~z"),
    "session": ({"session": ["0.s-1", "1.s-2"]}, lambda past: past.session in ("0.s-1", "1.s-2")),
}


def check(several: list[list[Past]], filter_name: str) -> None:
    """Write histories and compare every frame, whole and filtered, with the plain count."""
    runs, example = joined(several), f"x{next(_example)}"
    write(runtime.current().store, runs, example=example)
    mine = {"tags": {"example": example}}
    compare(runs, runs, example, mine)
    asked, fits = FILTERS[filter_name]
    asked = {**mine, **asked, "tags": {**mine["tags"], **asked.get("tags", {})}}
    if filter_name == "session":
        asked["session"] = [f"{example}-{session}" for session in asked["session"]]
    compare([past for past in runs if fits(past)], runs, example, asked)
    compare_runs(runs, example)
    compare_one_session(runs, example)


def compare(chosen: list[Past], runs: list[Past], example: str, filters: dict[str, Any]) -> None:
    """Compare the five frames for the runs that the filters choose."""
    for name, keys in KEYS.items():
        count = getattr(expected_counts, name)
        wanted = count(chosen, runs) if name == "by_member" else count(chosen)
        same(rows_of(getattr(nb.metrics, name)(**filters), keys, prefix=f"{example}-"), wanted)


def compare_runs(runs: list[Past], example: str) -> None:
    """Compare `nb.runs()` with the plain count and, where it says the same, with each run read back."""
    frame = nb.runs(tags={"example": example})
    assert list(frame["run_id"]) == [f"{example}-{past.run_id}" for past in runs]
    for past, row in zip(runs, rows_of(frame, ("run_id",)).values(), strict=True):
        own = expected_counts.of_calls(expected_counts.calls_of(past)) | expected_counts.nothing_of(past)
        own_columns = ("model_calls", *expected_counts.TOKENS, "usage_known", "cost_usd", "cost_known")
        below = [c for one in expected_counts.team_of(past, runs) for c in expected_counts.calls_of(one)]
        team = expected_counts.of_calls(below) if below else own
        wanted = {
            **{name: own[name] for name in own_columns},
            "tool_calls": len(expected_counts.tools_of(past)),
            "duration_s": expected_counts.work_of(past),
            "queued_s": expected_counts.queue_of(past),
            "paused_s": expected_counts.paused_of(past),
            "attempt": len(past.attempts),
            "team_model_calls": team["model_calls"],
            "team_total_tokens": team["total_tokens"],
            "team_cost_usd": team["cost_usd"],
            "team_cost_known": team["cost_known"],
        }
        assert row["status"] == past.status
        same({0: {name: row[name] for name in wanted}}, {0: wanted})
    for past, row in list(zip(runs, rows_of(frame, ("run_id",)).values(), strict=True))[-2:]:
        if not any(one.cached for one in expected_counts.team_of(past, runs)):
            agree_with_output(row, f"{example}-{past.run_id}")


def agree_with_output(row: dict[str, Any], run_id: str) -> None:
    """Assert that a row of `nb.runs()` and `RunOutput.metrics` say the same."""
    output = load_run(runtime.current().store, run_id, members=False)
    assert output is not None
    metrics = output.metrics
    times, whole = ("duration_s", "queued_s", "paused_s"), ("total_tokens", "cost_usd", "model_calls")
    if output.kind == "team":  # its metrics are those of everything under it
        found = {**{name: row[f"team_{name}"] for name in whole}, **{name: row[name] for name in times}}
    else:
        names = (*expected_counts.TOKENS, "cost_usd", "ttft_s", "model_calls", "tool_calls", *times)
        found = {name: row[name] for name in names}
    same({0: found}, {0: {name: getattr(metrics, name) for name in found}})


def compare_one_session(runs: list[Past], example: str) -> None:
    """Assert that `get_session_metrics`, its details too, and the plain count of a session say the same."""
    for session in sorted({past.session for past in runs})[:1]:
        mine = [past for past in runs if past.session == session]
        metrics = session_metrics(runtime.current().store, f"{example}-{session}")
        names = (
            *expected_counts.TOKENS,
            "cost_usd",
            "duration_s",
            "queued_s",
            "paused_s",
            "model_calls",
            "tool_calls",
        )
        row = expected_counts.of_runs(mine, roots_only=True)
        same({0: {name: getattr(metrics, name) for name in names}}, {0: {name: row[name] for name in names}})
        for word, counted, key in (
            ("model", expected_counts.by_model(mine), ("provider", "id")),
            ("tool_call", expected_counts.by_tool(mine), ("name",)),
        ):
            entries = {tuple(one[name] for name in key): one for one in metrics.details[word]}
            names = (
                "duration_s",
                *(("errors",) if word == "tool_call" else (*expected_counts.TOKENS, "cost_usd")),
            )
            same(
                {place: {name: one[name] for name in names} for place, one in entries.items()},
                {place: {name: one[name] for name in names} for place, one in counted.items()},
            )


FOUR = 4
_SEVERAL = st.lists(histories(), min_size=FOUR, max_size=FOUR)
_QUICK = settings(
    max_examples=48 // FOUR,  # the other hundred of `test_scripted_histories.py` really run
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@pytest.mark.timeout(300)
@given(_SEVERAL, st.sampled_from(sorted(FILTERS)))
@_QUICK
def test_frames_equal_a_plain_count(several: list[list[Past]], filter_name: str) -> None:
    """Every frame of random histories, whole and filtered, equals a plain Python count of them."""
    check(several, filter_name)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@given(_SEVERAL, st.sampled_from(sorted(FILTERS)))
@settings(_QUICK, max_examples=1000 // FOUR)
def test_frames_equal_a_plain_count_a_thousand_times(several: list[list[Past]], filter_name: str) -> None:
    """The same for 1,000 histories."""
    check(several, filter_name)
