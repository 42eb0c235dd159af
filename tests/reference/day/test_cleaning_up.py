"""Cleaning up: a record of ten thousand runs of a hundred days, from which weeks, batches and failures go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import nbagent as nb
from nbagent import runtime
from nbagent.events import ModelCall, Usage
from nbagent.store import BatchRecord, Finish, Launch
from tests.reference.day.counting import COUNTED, CountingServer, sums

RUNS = 10_000
NOW = datetime.now(UTC)
ENDS = {"completed": "end", "error": "error", "cancelled": "cancelled"}


def history() -> pd.DataFrame:
    """The runs as they shall be: every tenth is a row of one of five batches, every twentieth failed, some are members."""
    runs = pd.DataFrame({"n": range(RUNS)})
    runs["run_id"] = "run-" + runs["n"].astype(str)
    runs["created_at"] = [NOW - timedelta(days=100) + timedelta(minutes=14.4 * n) for n in runs["n"]]
    runs["status"] = [
        "error" if n % 20 == 7 else "cancelled" if n % 50 == 11 else "completed" for n in runs["n"]
    ]
    runs["session_id"] = [f"session-{n // 4}" for n in runs["n"]]
    runs["batch_id"] = [f"batch-{n // 2000}" if n % 10 == 3 else None for n in runs["n"]]
    runs["parent_run_id"] = [f"run-{n - 1}" if n % 10 == 5 else None for n in runs["n"]]
    runs["input_tokens"] = 100 + runs["n"] % 37
    runs["output_tokens"] = 10 + runs["n"] % 11
    runs["total_tokens"] = runs["input_tokens"] + runs["output_tokens"]
    runs["cost_usd"] = runs["total_tokens"] / 1024
    runs["model_calls"] = 1
    return runs


def write(runs: pd.DataFrame) -> None:
    """Put them into the record, as runs of this kernel that have ended."""
    store = runtime.current().store
    for run in runs.to_dict("records"):
        known = {name: run[name] for name in ("run_id", "session_id", "batch_id", "parent_run_id")}
        created = run["created_at"].to_pydatetime()
        store.submit(Launch({**known, "agent_name": "old", "created_at": created, "turn": run["n"] % 4 + 1}))
        call = ModelCall(
            step=1,
            attempt=1,
            provider="openai-chat",
            request_model="retired",
            status="completed",
            started_at=created,
            duration_s=1.0,
            usage=Usage(**{name: run[name] for name in COUNTED[1:4]}),
            usage_source="reported",
            cost_usd=run["cost_usd"],
        )
        times = {"started_at": created, "finished_at": created + timedelta(seconds=1)}
        end = {"status": run["status"], "stop_reason": ENDS[run["status"]], **times}
        store.submit(Finish(run_id=run["run_id"], end=end, model_calls=(call,)))
    for batch_id, rows in runs.groupby("batch_id"):
        created = rows["created_at"].min().to_pydatetime()
        store.submit(
            BatchRecord(
                batch_id=str(batch_id),
                batch_key=str(batch_id),
                created_at=created,
                owner=store.owner,
                label=f"pass-{batch_id}",
                total=len(rows),
                finished_at=created + timedelta(hours=1),
            )
        )
    assert store.flush(30)


FRAMES = {
    "runs": nb.runs,
    "by_agent": nb.metrics.by_agent,
    "by_model": nb.metrics.by_model,
    "by_session": nb.metrics.by_session,
}


def recorded() -> dict[str, dict[str, float]]:
    """What the frames say of all that is there."""
    return {name: sums(frame()) for name, frame in FRAMES.items()}


def test_ten_thousand_runs(server: CountingServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Each clearing says and takes what the plain table of the history says; today's runs stay to the last token."""
    left = history()
    write(left)
    today = server.agent(name="today").map([f"Say {n}" for n in range(5)], "{{ row }}", label="today")
    today.wait(60)

    def agrees() -> None:
        old, new = {name: left[name].sum() for name in COUNTED}, server.count()
        expected = {name: old[name] + new[name] for name in COUNTED}
        assert recorded() == dict.fromkeys(FRAMES, pytest.approx(expected, rel=1e-9))
        assert len(nb.runs()) == len(left) + 5

    def cleared(goes: pd.Series, **filters: object) -> None:
        nonlocal left
        before = len(left)
        # a member goes with its leader, and never alone
        alone = left["parent_run_id"].isna()
        roots = set(left.loc[goes & alone, "run_id"])
        gone = left["run_id"].isin(roots) | left["parent_run_id"].isin(roots)
        assert nb.clear_runs(**filters, dry_run=True) == gone.sum()
        assert len(nb.sql("select run_id from runs")) == before + 5, "a dry run deletes nothing"
        assert nb.clear_runs(**filters) == gone.sum()
        first, second = capsys.readouterr().out.splitlines()
        assert first == second
        assert f"{len(roots)} run{'' if len(roots) == 1 else 's'} to delete" in first
        left = left[~gone].reset_index(drop=True)
        agrees()

    agrees()
    cutoff = NOW - timedelta(days=30)
    cleared(left["created_at"] < cutoff, older_than=cutoff)
    assert nb.runs()["created_at"].min() >= cutoff
    cleared(left["batch_id"] == "batch-4", batch="pass-batch-4")
    cleared(left["status"] == "error", status="error")
    cleared(left["session_id"] == "session-2222", session="session-2222")
    assert len(left) > 1_000
    cleared(left["created_at"] < NOW, older_than=nb.runs(label="today")["created_at"].min().to_pydatetime())
    assert left.empty
    assert nb.sql("select label from batches")["label"].to_list() == ["today"]
    assert (today.to_frame()["cost_usd"].sum(), today.metrics.model_calls) == (
        pytest.approx(server.count()["cost_usd"]),
        5,
    )
    assert nb.clear_runs(batch=today) == 5
    assert nb.runs().empty
