"""A run as a trace: which row is what, what went in and came out of it, pauses, members; and its setup."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from nbagent.agent import Agent
from nbagent.events import (
    ApprovalRequested,
    Message,
    MessageAdded,
    ModelCallFinished,
    PendingApproval,
    RunFinished,
    RunStarted,
    ToolCallFinished,
    ToolRequest,
)
from nbagent.panel.details.run_trace import ALL_CHARS, ROWS, TEXT_CHARS, trace_of
from nbagent.panel.details.setup import setup_of
from nbagent.run import RunLaunch, RunRecord
from nbagent.spec import Limits, ModelSettings
from tests.panel.test_details import T0, a_record, model_call, tool_call


def request(name: str, number: int = 0) -> ToolRequest:
    return ToolRequest(tool_call_id=f"{name}{number}", name=name, arguments='{"symbol": "NVDA"}')


def told(record: RunRecord, *messages: Message) -> None:
    for message in messages:
        record.apply(MessageAdded(message=message))


def rows_of(record: RunRecord) -> list[dict]:
    return trace_of(record.snapshot())["rows"]


def test_each_step_has_a_name_of_its_own_and_what_went_in_and_came_out():
    """A reply is that of the call that came to an end; a try that failed has its error, and the same input."""
    record = a_record()
    told(record, Message(role="system", content="Be short."), Message(role="user", content="Why?"))
    record.apply(ModelCallFinished(call=model_call(0, status="error", error="overloaded: 429\nlater")))
    asks = (request("price"), request("price", 1), request("news"))
    told(record, Message(role="assistant", tool_requests=asks))
    record.apply(ModelCallFinished(call=model_call(2, attempt=2, finish_reason="tool_calls")))
    told(
        record,
        Message(role="tool", name="price", content="182"),
        Message(role="assistant", content="It rose."),
    )
    record.apply(ModelCallFinished(call=model_call(5, step=2)))
    failed, asked, answered = rows_of(record)
    assert (failed["name"], failed["came"]) == (
        "openai:m",
        [{"role": "error", "text": "overloaded: 429\nlater"}],
    )
    assert failed["given"] == asked["given"]
    assert [one["text"] for one in asked["given"]] == ["Be short.", "Why?"]
    assert (asked["name"], asked["about"]) == (
        "asks for price ×2, news",
        "openai:m, try 2, finish reason tool_calls",
    )
    assert (answered["name"], answered["came"][0]["text"]) == ("answers", "It rose.")
    assert answered["given"] == [{"role": "tool · price", "text": "182"}]


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_pause_for_a_person_has_a_bar_of_its_length(goes_on):
    """From the request to the tool's beginning; while it goes on, until now. A wait of no person has none."""
    record = a_record()
    record.apply(ModelCallFinished(call=model_call(0)))
    call = PendingApproval(step=1, tool_call_id="t", name="price", arguments={})
    record.apply(ApprovalRequested(call=call))
    record.pause(T0 + timedelta(seconds=1.5))
    if not goes_on:
        record.waiting.clear()
        record.unpause(T0 + timedelta(seconds=61.5))
        record.apply(ToolCallFinished(call=tool_call(61.5)))
    pause = next(row for row in rows_of(record) if row["kind"] == "pause")
    assert pause["at_ms"] == 1500
    assert pause["status"] == ("paused" if goes_on else "completed")
    assert pause["ms"] > 60_000 if goes_on else (pause["ms"], pause["note"]) == (60_000, "1 min 00 s")
    quick = a_record()
    quick.apply(ModelCallFinished(call=model_call(0)))
    quick.apply(ToolCallFinished(call=tool_call(9)))
    assert [row["kind"] for row in rows_of(quick)] == ["model", "tool"]


def test_members_stand_where_they_began_with_their_calls_below_them():
    """A member's member is one deeper; each has its prompt and its answer."""
    leader = a_record()
    leader.apply(ModelCallFinished(call=model_call(0)))
    for number, name in enumerate(("late", "early")):
        began = T0 + timedelta(seconds=4 - 2 * number)
        member = RunRecord(
            RunLaunch(run_id=name, session_id="s1", created_at=began, agent_name=name, prompt=f"do {name}")
        )
        member.apply(RunStarted(started_at=began))
        member.apply(ModelCallFinished(call=model_call(4 - 2 * number)))
        member.apply(
            RunFinished(stop_reason="end", content=f"done {name}", finished_at=began + timedelta(seconds=2))
        )
        leader.join(member)
    rows = rows_of(leader)
    assert [(row["kind"], row["name"], row["depth"], row["at_ms"]) for row in rows] == [
        ("model", "openai:m", 0, 0),
        ("member", "early", 0, 2000),
        ("model", "openai:m", 1, 2000),
        ("member", "late", 0, 4000),
        ("model", "openai:m", 1, 4000),
    ]
    assert [one["text"] for one in (*rows[1]["given"], *rows[1]["came"])] == ["do early", "done early"]


def test_a_trace_is_bounded_whatever_a_run_has_done():
    """The last rows, each text cut, all of them together within a budget; surrogates are sent as what can be shown."""
    record = a_record()
    for number in range(ROWS + 50):
        record.apply(ToolCallFinished(call=tool_call(number, result="\ud800" + "x" * 100_000)))
    rows = rows_of(record)
    assert len(rows) == ROWS
    assert all(len(one["text"]) < TEXT_CHARS + 50 for row in rows for one in row["came"])
    assert len(json.dumps(rows, ensure_ascii=False).encode()) < 2 * ALL_CHARS


def price(symbol: str) -> float:
    """Tell the price of a share.

    Args:
        symbol: as on the exchange.
    """
    return len(symbol)


def test_the_setup_names_what_was_chosen():
    """System prompt, tools with description and parameters, settings that are not the default; of the record as well."""
    agent = Agent(
        model="demo:assistant", instructions="Be short.", tools=[price], settings=ModelSettings(temperature=0.2),
        limits=Limits(max_steps=5),
    )  # fmt: skip
    spec = agent.resolved().spec
    for shown in (setup_of(spec), setup_of(json.loads(json.dumps(spec.to_data())))):
        assert shown["instructions"] == "Be short."
        assert [tool["name"] for tool in shown["tools"]] == ["price"]
        assert '"symbol"' in shown["tools"][0]["parameters"]
        assert shown["settings"] == [["model", "demo:assistant"], ["temperature", "0.2"], ["max_steps", "5"]]
    assert setup_of(spec)["tools"][0]["description"].startswith("Tell the price of a share.")
    assert setup_of({}) == {"instructions": "", "tools": [], "settings": []}
