"""Every filter takes a label and a batch; a batch goes wherever a run goes, or is refused in two lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent import maintenance
from nbagent.errors import NBAgentError, UnknownOptionError


@pytest.fixture
def batch() -> nb.Batch:
    """Three rows labelled `pass_a` beside a run of another label, and an earlier batch of the same label."""
    agent = nb.Agent(model="demo:assistant", name="guide")
    agent.run("What is the capital of Peru?", label="single")
    agent.map(["Chile"], "What is the capital of {{ row }}?", label="pass_a").wait(60)
    found = agent.map(["Kenya", "Japan", "Italy"], "What is the capital of {{ row }}?", label="pass_a")
    found.wait(60)
    return found


def counts(frame: Any) -> int:
    """The model calls that a frame counts."""
    return int(frame["model_calls"].sum())


@pytest.mark.parametrize(
    "count",
    [nb.runs, nb.metrics.by_model, nb.metrics.by_agent, nb.metrics.by_session],
    ids=["runs", "by_model", "by_agent", "by_session"],
)
def test_frames_are_of_a_batch_or_a_label(batch, count: Callable[..., Any]):
    """A batch's label as `batch=` means the latest; as `label=` all that had it; objects and ids mean what they are."""
    assert counts(count()) == 5
    assert (
        counts(count(batch=batch))
        == counts(count(batch=batch.batch_id))
        == counts(count(batch="pass_a"))
        == 3
    )
    assert counts(count(label="pass_a")) == 4
    assert counts(count(label=["pass_a", "single"])) == 5
    assert counts(count(label="single", agent="guide")) == 1
    assert counts(count(batch="nobody")) == counts(count(label="nobody")) == counts(count(label=[])) == 0


def test_what_runs_start_belongs_to_their_label():
    """A team by its label is paid for with its members."""
    member = nb.Agent(model="demo:assistant", name="geographer")
    team = nb.Team(members=[member], model="demo:assistant", name="desk")
    team.run("What is the capital of Kenya?", label="report")
    assert set(nb.runs(label="report")["agent_name"]) == set(nb.runs()["agent_name"])
    assert counts(nb.metrics.by_model(label="report")) == counts(nb.metrics.by_model())


def test_a_batchs_metrics_are_those_of_the_frames(batch):
    """`batch.metrics` is what `nb.metrics` counts of it."""
    by_model = nb.metrics.by_model(batch=batch)
    metrics = batch.metrics
    assert metrics.model_calls == by_model["model_calls"].sum() == 3
    assert metrics.total_tokens == by_model["total_tokens"].sum() == batch.progress.tokens
    assert metrics.cost_usd is None
    again = nb.Agent(model="demo:assistant", name="guide").map(["Kenya"], "What is the capital of {{ row }}?")
    again.wait(60)
    assert (again.metrics.model_calls, again.progress.reused) == (0, 1)


def test_a_batch_goes_where_a_run_goes(batch):
    """Its steps and messages are those of all of its rows; gathered it is its frame; by its label too."""
    for one in (batch, "pass_a", batch.batch_id):
        assert len(nb.metrics.steps(one)) == 3
        assert set(nb.metrics.messages(one)["role"]) == {"user", "assistant"}
        assert len(nb.metrics.messages(one)) == 6
    output, frame = nb.gather(nb.get("single"), batch, timeout=60)
    assert (output.content, len(frame)) == ("The capital of Peru is Lima.", 3)
    assert nb.get(batch) is batch
    assert nb.cancel_run(batch) is False
    assert nb.plot_cost(batch=batch).axes
    assert nb.plot_latency(by="agent", label="pass_a").axes


@pytest.mark.parametrize(
    "use",
    [
        nb.plot_timeline,
        lambda batch: nb.compare(batch, "Hello"),
        lambda batch: nb.runs(session=batch),
        lambda batch: nb.runs(agent=batch),
        lambda batch: nb.runs(status=batch),
        lambda _: nb.metrics.steps(3),
        lambda _: nb.runs(batch=nb.get("single")),
        lambda batch: nb.export_runs("x.csv", batchs=batch),
    ],
)
def test_what_takes_no_batch_says_so(batch, use: Callable[[Any], Any]):
    """In two lines: what it is, and what to give."""
    with pytest.raises(NBAgentError) as caught:
        use(batch)
    assert caught.value.what
    assert caught.value.todo


def test_a_batch_is_cleared_whole(batch, tmp_path):
    """Its rows and itself; others of its label stay. One that had no run of its own goes too."""
    assert nb.export_runs(tmp_path / "runs.csv", batch=batch) == 3
    assert nb.export_runs(tmp_path / "calls.csv", table="model_calls", label="pass_a") == 4
    assert str(maintenance.to_clear(batch=batch)).startswith("3 runs to delete (3 completed)")
    assert nb.clear_runs(batch="pass_a") == 3
    assert len(nb.runs(label="pass_a")) == 1
    assert nb.sql("select count(*) as n from runs where batch_id = ?", [batch.batch_id])["n"][0] == 0
    reused = nb.Agent(model="demo:assistant", name="guide").map(
        ["Chile"], "What is the capital of {{ row }}?", label="again"
    )
    reused.wait(60)
    assert reused.progress.reused == 1
    assert str(maintenance.to_clear(batch="again")).startswith("1 batch without a run of its own to delete")
    nb.clear_runs(batch="again")
    assert len(maintenance.to_clear(batch="again").found.batch_ids) == 0


def test_older_runs_take_their_batch_along(batch):
    """Where all of a batch's runs go, it goes with them."""
    assert nb.clear_runs() == 5
    with pytest.raises(UnknownOptionError):
        nb.runs(batch=batch.progress)
    with pytest.raises(NBAgentError):
        nb.metrics.steps("pass_a")


@pytest.mark.parametrize("limit", [-1, "a", 1.5, True])
def test_a_limit_that_is_no_count_is_refused(batch, limit):
    """`nb.runs(limit=...)` takes a whole number; 0 gives no run, not all."""
    with pytest.raises(UnknownOptionError, match=f"limit is {limit!r}"):
        nb.runs(limit=limit)
    assert (len(nb.runs(limit=0)), len(nb.runs(limit=2))) == (0, 2)
