"""Two models compared: the same questions to both, answers beside cost and time, and pictures of it."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from tests.reference.day.counting import COUNTED, CountingServer, Question, assert_record_agrees
from tests.reference.day.datasets import cars


class Origin(BaseModel):
    origin: str
    why: str


def guess(question: Question) -> dict[str, str]:
    """The large model knows where cars come from and says much; the small one takes all for American."""
    name = question.prompt.removeprefix("Where is this car from? ")
    origin = str(cars().loc[name, "Origin"]) if question.model == "large" else "USA"
    return {"origin": origin, "why": "By its maker, its year and its engine." if origin != "USA" else "So."}


def prompts() -> dict[str, str]:
    """Eight questions and their right answers."""
    table = cars().iloc[::5]
    return {
        f"Where is this car from? {name}": str(origin)
        for name, origin in zip(table.index, table["Origin"], strict=True)
    }


@pytest.fixture
def frame(server: CountingServer) -> pd.DataFrame:
    """Both models asked everything twice."""
    server.answers = guess
    both = {name: server.agent(name, name=name) for name in ("small", "large")}
    return nb.compare(both, prompts(), output_schema=Origin, repeat=2, timeout=60)


def test_answers_beside_cost(frame: pd.DataFrame, server: CountingServer) -> None:
    """Each row's counts add up to the server's of its model; which is right more often is a group-by away."""
    assert len(frame) == len(server.calls) == 2 * 2 * 8
    assert set(frame["status"]) == {"completed"}
    by_model = frame.groupby("model", observed=True)[list(COUNTED)].sum()
    for model in ("small", "large"):
        assert by_model.loc[model].to_dict() == pytest.approx(server.count(model=model), rel=1e-12)
    right = frame["answer.origin"] == frame["prompt"].map(prompts())
    share = right.groupby(frame["contender"], observed=True).mean()
    assert share["large"] == 1
    assert share["small"] == pd.Series(prompts()).eq("USA").mean() < 1
    assert_record_agrees(server)
    for model in ("small", "large"):
        found = nb.metrics.by_agent(tags={"compare": model}).iloc[0]
        assert {name: found[name] for name in COUNTED} == pytest.approx(server.count(model=model), rel=1e-12)


@pytest.mark.parametrize("by", ["model", "agent", "session"])
def test_bars_are_as_long_as_the_cost(frame: pd.DataFrame, server: CountingServer, by: str) -> None:
    """The picture of the cost has the server's dollars, the dearest first, with figures that say the same."""
    axes = nb.plot_cost(by=by).axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    if by == "session":
        assert len(widths) == 30, "the most that are drawn"
        costs = sorted((call.cost_usd for call in server.calls), reverse=True)[:30]
        assert axes.get_title(loc="right") == "2 more are not shown"
    else:
        costs = [server.count(model=model)["cost_usd"] for model in ("large", "small")]
        named = [label.get_text().rpartition(":")[2] for label in axes.get_yticklabels()]
        assert named == ["large", "small"]
    assert widths == pytest.approx(costs, rel=1e-12)
    assert [text.get_text() for text in axes.texts] == [
        f"${cost:.4f}" if cost < 1 else f"${cost:.2f}" for cost in costs
    ]


@pytest.mark.parametrize("by", ["model", "agent"])
def test_marks_are_where_the_times_are(frame: pd.DataFrame, by: str) -> None:
    """The picture of the times has the frame's medians and percentiles, the faster one first."""
    times = getattr(nb.metrics, f"by_{by}")().sort_values("duration_p50_s")
    lines = nb.plot_latency(by=by).axes[0].lines
    dots, ends = ([line.get_xdata()[0] for line in lines if line.get_marker() == mark] for mark in ("o", "|"))
    assert dots == pytest.approx(times["duration_p50_s"].to_list())
    assert ends == pytest.approx(times["duration_p95_s"].to_list())
    if by == "agent":
        medians = frame.groupby("contender", observed=True)["duration_s"].median().sort_values()
        assert dots == pytest.approx(medians.to_list())
