"""An analyst who looks prices up by itself and trades only with a person's word."""

from __future__ import annotations

import time
from typing import Any

import pytest

import nbagent as nb
from nbagent import Session, tool
from tests.reference.day.counting import CountingServer, Question, ToolCalls, assert_record_agrees
from tests.reference.day.datasets import stocks

SYMBOLS = ("AAPL", "IBM")


class Market:
    """The desk's tools, and what they have done."""

    def __init__(self) -> None:
        self.prices = stocks().pivot_table(index="date", columns="symbol", values="price")
        self.orders: list[tuple[str, int]] = []

    def change(self, symbol: str) -> float:
        """Return how much a stock has gained over its last year, in percent."""
        prices = self.prices[symbol].dropna()
        return round(float(prices.iloc[-1] / prices.iloc[-13] - 1) * 100, 1)

    @tool(requires_approval=True)
    def order(self, symbol: str, shares: int) -> str:
        """Buy shares."""
        self.orders.append((symbol, shares))
        return f"bought {shares} {symbol}"


def analyst(question: Question) -> Any:
    """Looks both stocks up at once, wants the better one, and says what came of it."""
    told = question.told
    if not told:
        return ToolCalls(tuple(("change", {"symbol": symbol}) for symbol in SYMBOLS))
    if len(told) == len(SYMBOLS):
        best = max(zip(told, SYMBOLS, strict=True), key=lambda one: float(one[0]))[1]
        return ToolCalls((("order", {"symbol": best, "shares": 100}),))
    return f"Done: {told[0]}."


def until_asked(run: nb.Run) -> float:
    """Wait until a person is wanted; return the time."""
    assert any(run.pending_approvals for _ in run.events())
    return time.monotonic()


@pytest.fixture
def market() -> Market:
    """The tools of this job."""
    return Market()


@pytest.fixture
def desk(server: CountingServer, market: Market) -> nb.Agent:
    """The analyst's agent."""
    server.answers = analyst
    return server.agent("large", name="analyst", tools=[market.change, market.order])


def test_three_questions_in_a_session(desk: nb.Agent, market: Market, server: CountingServer) -> None:
    """Approved, approved with other figures, denied: only what the person allowed was done, and all calls are counted."""
    session = Session("desk")
    answers, waited_s = [], 0.0
    for decide in (
        lambda run: run.approve(),
        lambda run: run.approve(arguments={"symbol": "AAPL", "shares": 10}),
        lambda run: run.deny("no more of it this month"),
    ):
        run = desk.start("Which of AAPL and IBM did better? Buy it.", session=session)
        asked = until_asked(run)
        (pending,) = run.pending_approvals
        assert (pending.name, dict(pending.arguments)) == ("order", {"symbol": "AAPL", "shares": 100})
        assert len(market.orders) == len(answers), "nothing is bought before the person's word"
        waited_s += time.monotonic() - asked
        decide(run)
        answers.append(run.result(timeout=60))
    assert market.orders == [("AAPL", 100), ("AAPL", 10)]
    said = ("bought 100 AAPL", '{"symbol":"AAPL","shares":10}', "no more of it this month")
    assert all(word in answer.content for word, answer in zip(said, answers, strict=True))
    assert len(server.calls) == 3 * 3
    tools = nb.metrics.by_tool().set_index("tool_name")["tool_calls"]
    assert tools.to_dict() == {"change": 6, "order": 3}
    metrics = desk.get_session_metrics(session)
    assert (metrics.model_calls, metrics.tool_calls) == (9, 9)
    assert metrics.cost_usd == pytest.approx(server.count()["cost_usd"], rel=1e-12)
    assert metrics.total_tokens == sum(answer.metrics.total_tokens or 0 for answer in answers)
    assert (metrics.paused_s or 0) >= waited_s
    assert_record_agrees(server, session=session)
    assert_record_agrees(server)


def test_the_wait_for_a_person_is_no_work(desk: nb.Agent) -> None:
    """Work, queue and the person's time are parts of the run's time from launch to end, each in its own column."""
    run = desk.start("Which of AAPL and IBM did better? Buy it.")
    until_asked(run)
    with pytest.raises(nb.WaitTimeout):
        run.wait(0.3)
    run.approve()
    out = run.result(timeout=60)
    row = nb.runs().iloc[0]
    assert row["paused_s"] >= 0.3
    lasted_s = (row["finished_at"] - row["created_at"]).total_seconds()
    assert row["duration_s"] + row["queued_s"] + row["paused_s"] == pytest.approx(lasted_s, abs=1e-5)
    assert (row["duration_s"], row["paused_s"]) == (out.metrics.duration_s, out.metrics.paused_s)
    by_agent = nb.metrics.by_agent().iloc[0]
    assert (by_agent["duration_s"], by_agent["paused_s"]) == (row["duration_s"], row["paused_s"])
