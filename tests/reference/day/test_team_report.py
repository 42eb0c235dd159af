"""A team's report: an editor hands a question to an analyst and a critic with models of their own, and writes it up."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent import Team
from tests.reference.day.counting import (
    COUNTED,
    CountingServer,
    Question,
    Refused,
    ToolCalls,
    assert_record_agrees,
    sums,
)
from tests.reference.day.datasets import stocks

QUESTION = "What did MSFT do in 2009?"


def yearly(symbol: str, year: int) -> str:
    """Return a stock's first and last price of a year."""
    table = stocks()
    prices = table[(table["symbol"] == symbol) & (table["date"].dt.year == year)]["price"]
    return f"{prices.iloc[0]} to {prices.iloc[-1]}"


class Desk:
    """What the three models say; `is_out` has the critic's server fail."""

    def __init__(self, *, is_out: bool = False) -> None:
        self.is_out = is_out

    def __call__(self, question: Question) -> Any:
        instructions, told = str(question.body["messages"][0]["content"]), question.told
        if "figures" in instructions:
            return (
                f"It went {told[0]}." if told else ToolCalls((("yearly", {"symbol": "MSFT", "year": 2009}),))
            )
        if "doubts" in instructions:
            return Refused(400, "out of order") if self.is_out else "One year is no trend."
        if told:
            return f"Report: {' '.join(told)}"
        tasks = (("analyst", f"Figures: {QUESTION}"), ("critic", f"Doubts: {QUESTION}"))
        return ToolCalls(tuple((f"delegate_to_{name}", {"task": task}) for name, task in tasks))


def team(server: CountingServer) -> Team:
    """The editor and the others."""
    analyst = server.agent(name="analyst", instructions="You give figures.", tools=[yearly])
    critic = server.agent(name="critic", instructions="You voice doubts.")
    editor = server.agent("large")
    return Team(
        model=editor.model,
        name="editor",
        instructions="You write reports.",
        members=[analyst, critic],
        limits=editor.limits,
    )


def of_agent(server: CountingServer, word: str) -> dict[str, float]:
    """The server's count of the agent with this word in its instructions."""
    return server.count(
        [one for one in server.calls if word in str(one.question.body["messages"][0]["content"])]
    )


def test_a_report_is_the_sum_of_its_parts(server: CountingServer) -> None:
    """Each part has its own count, the team the whole, and nothing is counted twice in any frame."""
    server.answers = Desk()
    run = team(server).start(QUESTION, session="q3", label="report")
    out = run.result(timeout=60)
    assert out.content == "Report: It went 16.63 to 30.34. One year is no trend."
    assert len(server.calls) == 5
    whole = server.count()
    assert {name: getattr(out.metrics, name) for name in COUNTED} == pytest.approx(whole, rel=1e-12)
    assert out.metrics.tool_calls == 3
    members = nb.metrics.by_member().set_index("agent_name")
    parts = {"editor": "write reports", "analyst": "figures", "critic": "doubts"}
    for name, word in parts.items():
        counted = {key: members.loc[name, key] for key in COUNTED}
        assert counted == pytest.approx(of_agent(server, word), rel=1e-12), name
    assert members["tool_calls"].to_dict() == {"editor": 2, "analyst": 1, "critic": 0}
    assert {one.agent_name: one.metrics.cost_usd for one in out.member_responses} == pytest.approx(
        {name: of_agent(server, parts[name])["cost_usd"] for name in ("analyst", "critic")}, rel=1e-12
    )
    leader = nb.runs().set_index("agent_name").loc["editor"]
    shown = [leader[f"team_{name}"] for name in ("model_calls", "total_tokens", "cost_usd", "cost_known")]
    assert shown == pytest.approx([whole["model_calls"], whole["total_tokens"], whole["cost_usd"], 1.0])
    assert_record_agrees(server, session="q3")
    assert_record_agrees(server, label="report")
    assert_record_agrees(server)


def test_a_report_for_each_row(server: CountingServer) -> None:
    """A map of the team: a row has cost what its members did too, and the batch's numbers are the server's."""
    server.answers = Desk()
    batch = team(server).map([QUESTION] * 3, "{{ row }}", label="reports")
    frame = batch.result(60)
    assert len(server.calls) == 15
    whole = server.count()
    assert frame["cost_usd"].to_list() == pytest.approx([whole["cost_usd"] / 3] * 3, rel=1e-12)
    metrics = batch.metrics
    assert {name: getattr(metrics, name) for name in COUNTED} == pytest.approx(whole, rel=1e-12)
    assert (batch.progress.tokens, batch.progress.cost_usd) == pytest.approx(
        (whole["total_tokens"], whole["cost_usd"])
    )
    assert sums(nb.metrics.by_member(batch="reports")) == pytest.approx(whole, rel=1e-12)
    assert_record_agrees(server, batch="reports")
    assert_record_agrees(server)


def test_a_member_that_fails_is_told_and_counted(server: CountingServer) -> None:
    """The report says so; the failed call has no tokens, and the share that is known says that."""
    server.answers = Desk(is_out=True)
    out = team(server).run(QUESTION)
    assert out.content.startswith("Report: It went 16.63 to 30.34.")
    assert "out of order" in out.content
    members = nb.metrics.by_member().set_index("agent_name")
    assert members["errors"].to_dict() == {"editor": 0, "analyst": 0, "critic": 1}
    assert members.loc["critic", ["model_calls", "usage_known", "cost_known"]].to_list() == [1, 0, 0]
    assert members["cost_usd"].isna().to_dict() == {"editor": False, "analyst": False, "critic": True}
    assert nb.runs().set_index("agent_name").loc["editor", "team_cost_known"] == 4 / 5
    assert_record_agrees(server)
