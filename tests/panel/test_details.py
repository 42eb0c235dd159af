"""What an opened run shows beside its card: bounded, plain, on one clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from nbagent.events import (
    Message,
    MessageAdded,
    ModelCall,
    ModelCallFinished,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCall,
    ToolCallFinished,
    ToolRequest,
    Usage,
)
from nbagent.panel.details.data import MESSAGES, TEXT_CHARS, details_of, stage_of
from nbagent.run import RunLaunch, RunRecord

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_record() -> RunRecord:
    record = RunRecord(
        RunLaunch(run_id="r1", session_id="s1", created_at=T0, agent_name="desk", prompt="why?")
    )
    record.apply(RunStarted(started_at=T0))
    return record


def model_call(at_s: float, **given) -> ModelCall:
    plain = {"step": 1, "attempt": 1, "provider": "openai", "request_model": "m", "status": "completed"}
    return ModelCall(**(plain | {"started_at": T0 + timedelta(seconds=at_s), "duration_s": 1.5} | given))


def tool_call(at_s: float, **given) -> ToolCall:
    plain = {
        "step": 1,
        "tool_call_id": "t",
        "name": "price",
        "arguments": '{"symbol": "NVDA"}',
        "status": "completed",
    }
    return ToolCall(**(plain | {"started_at": T0 + timedelta(seconds=at_s), "duration_s": 0.5} | given))


def test_steps_stand_on_one_clock():
    """Model and tool calls are in the order in which they began, each at its place on one span."""
    record = a_record()
    record.apply(
        ModelCallFinished(call=model_call(0, usage=Usage(total_tokens=1200), cost_usd=0.01, ttft_s=0.2))
    )
    record.apply(ModelCallFinished(call=model_call(2, step=2)))
    record.apply(ToolCallFinished(call=tool_call(1.5)))
    steps = details_of(record.snapshot())["steps"]
    assert [(row["kind"], row["at_ms"], row["ms"]) for row in steps["rows"]] == [
        ("model", 0, 1500), ("tool", 1500, 500), ("model", 2000, 1500),
    ]  # fmt: skip
    assert steps["span_ms"] == 3500
    assert steps["rows"][0]["note"] == "1.50 s · 1,200 tokens · $0.01 · first token 0.20 s"


def test_calls_and_messages_are_shown_as_they_were():
    """Arguments that are JSON are indented, results that are none are left; an error stands before; requests read as Python."""
    record = a_record()
    request = ToolRequest(tool_call_id="t", name="price", arguments='{"symbol": "NVDA"}')
    record.apply(MessageAdded(message=Message(role="assistant", tool_requests=(request,))))
    record.apply(ToolCallFinished(call=tool_call(1, result="{not json", status="error", error="no price")))
    shown = details_of(record.snapshot())
    assert shown["messages"][0]["calls"] == ["price(symbol='NVDA')"]
    [call] = shown["steps"]["rows"]
    assert call["given"] == [{"role": "arguments", "text": '{\n  "symbol": "NVDA"\n}'}]
    assert call["came"] == [{"role": "error", "text": "no price"}, {"role": "result", "text": "{not json"}]
    assert call["status"] == "error"


def test_a_whole_answer_can_be_copied_and_so_can_the_code_that_gets_it():
    """While an answer streams there is nothing to copy yet."""
    record = a_record()
    record.apply(TextAdded("**so", step=1))
    assert details_of(record.snapshot())["answer"] == ""
    record.apply(
        RunFinished(stop_reason="end", content="**so far**", finished_at=T0, traceback="Traceback\n ...")
    )
    shown = details_of(record.snapshot())
    assert shown["answer"] == "**so far**"
    assert shown["code"] == 'nb.get("r1")'
    assert shown["traceback"].startswith("Traceback")


def test_a_very_long_history_is_bounded_and_says_so():
    """Megabytes of messages and lone surrogates are sent as what can be shown."""
    record = a_record()
    for _ in range(MESSAGES + 7):
        record.apply(MessageAdded(message=Message(role="user", content="\ud800" + "x" * 100_000)))
    shown = details_of(record.snapshot())
    assert (len(shown["messages"]), shown["left"]) == (MESSAGES, 7)
    assert all(len(message["text"]) < TEXT_CHARS + 100 for message in shown["messages"])
    json.dumps(shown, ensure_ascii=False).encode()


def test_streaming_text_changes_no_details():
    """Details are sent again when a step, a message or the status came, and not for each word."""
    record = a_record()
    before = stage_of(record)
    record.apply(TextAdded("word", step=1))
    assert stage_of(record) == before == stage_of(record.snapshot())
    record.apply(ModelCallFinished(call=model_call(0)))
    assert stage_of(record) != before
