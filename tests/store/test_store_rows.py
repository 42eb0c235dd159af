from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbagent.events import FilePart, Message, ModelCall, ToolCall, ToolRequest, Usage
from nbagent.store import AppendRows, Finish, Launch, Store, load_run, load_turns
from nbagent.store.duckdb.codec import aware, clean, naive

NOW = datetime(2026, 11, 21, 5, 6, 7, 123456, tzinfo=UTC)
BARE_CALL = ModelCall(
    step=1, attempt=1, provider="p", request_model="m", status="error", started_at=NOW, duration_s=0.25
)
FULL_CALL = ModelCall(
    step=2,
    attempt=3,
    provider="openai",
    request_model="gpt-5-mini",
    status="completed",
    started_at=NOW + timedelta(seconds=1),
    duration_s=1.5,
    response_model="gpt-5-mini-2026",
    response_id="resp_1",
    finish_reason="stop",
    ttft_s=0.125,
    usage=Usage(
        input_tokens=0,
        output_tokens=2,
        total_tokens=3,
        cache_read_tokens=4,
        cache_write_tokens=5,
        reasoning_tokens=6,
        cost_usd=0.5,
    ),
    usage_source="reported",
    cost_usd=0.25,
    error_type="E",
    error="e",
)
BARE_TOOL = ToolCall(
    step=1,
    tool_call_id="t1",
    name="price",
    arguments="{}",
    status="cancelled",
    started_at=NOW,
    duration_s=0.0,
)
FULL_TOOL = ToolCall(
    step=2,
    tool_call_id="t2",
    name="price",
    arguments='{"of": "AAPL"}',
    status="completed",
    started_at=NOW + timedelta(seconds=2),
    duration_s=2.0,
    result="1.0",
    error_type="E",
    error="e",
)
MESSAGES = (
    Message(role="system", content="Be brief."),
    Message(
        role="user", content="What?", files=(FilePart(media_type="image/png", data="aGk=", name="a.png"),)
    ),
    Message(
        role="assistant",
        tool_requests=(ToolRequest(tool_call_id="t2", name="price", arguments='{"of": "AAPL"}'),),
        reasoning="hm",
        provider_items=({"type": "reasoning", "content": [{"text": None}]},),
    ),
    Message(role="tool", content="1.0", tool_call_id="t2", name="price"),
    Message(role="assistant", content="It is 1.\x00 \U0001f600"),
)


def finish(run_id: str, **given: Any) -> Finish:
    """A completed end."""
    return Finish(
        run_id=run_id, end={"status": "completed", "stop_reason": "end", "finished_at": NOW}, **given
    )


def test_records_come_back_as_they_were(store: Store) -> None:
    """Calls, tools and messages are read back equal: None stays None and 0 stays 0."""
    store.submit(Launch({"run_id": "r", "session_id": "s", "turn": 1}))
    rows: dict[str, Any] = {
        "model_calls": (BARE_CALL, FULL_CALL),
        "tool_calls": (BARE_TOOL, FULL_TOOL),
        "messages": tuple(enumerate(MESSAGES)),
    }
    store.submit(finish("r", **rows)).result(60)
    output = load_run(store, "r")
    assert output is not None
    assert output.model_calls == rows["model_calls"]
    assert output.tool_calls == rows["tool_calls"]
    assert output.messages == MESSAGES
    assert [turn.messages for turn in load_turns(store, "s")] == [MESSAGES]
    assert output.metrics.input_tokens == 0
    assert output.metrics.model_calls == 2


def test_many_rows_take_the_other_statement_and_come_back_the_same(store: Store) -> None:
    """Rows written as lists, whole columns of None among them, equal rows written one by one."""
    store.submit(Launch({"run_id": "r", "session_id": "s"})).result(60)
    calls = tuple(BARE_CALL for _ in range(20))
    tools = tuple(FULL_TOOL if i % 2 else BARE_TOOL for i in range(20))
    store.submit(AppendRows(run_id="r", model_calls=calls, messages=tuple(enumerate(MESSAGES * 4)))).result(
        10
    )
    store.submit(finish("r", tool_calls=tools)).result(60)
    output = load_run(store, "r")
    assert output is not None
    assert output.model_calls == calls
    assert output.messages == MESSAGES * 4
    assert sorted(output.tool_calls, key=repr) == sorted(tools, key=repr)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [("text", "text"), ({"cities": [1, None]}, "CityFacts"), ("a string", "str"), (0, "int"), ([], "list")],
)
def test_content_comes_back_by_its_type(store: Store, content: object, content_type: str) -> None:
    """Text stays text; anything else is JSON data and keeps its type."""
    store.submit(Launch({"run_id": "r", "session_id": "s"}))
    end = {"status": "completed", "stop_reason": "end", "content": content, "content_type": content_type}
    store.submit(Finish(run_id="r", end=end)).result(60)
    output = load_run(store, "r")
    assert output is not None
    assert (output.content, output.content_type) == (content, content_type)


def test_times_are_kept_as_the_moments_they_are(store: Store) -> None:
    """A time in any zone comes back as the same moment, in UTC, in rows and in frames."""
    there = datetime(2026, 1, 1, 2, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    store.submit(Launch({"run_id": "r", "session_id": "s", "created_at": there})).result(60)
    (row,) = store.read("select created_at from runs where created_at = ?", [there])
    assert row["created_at"] == there
    assert row["created_at"].tzinfo is UTC
    frame = store.frame("select created_at from runs")
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert frame["created_at"][0] == there


def test_what_launch_knows_is_all_in_the_view(store: Store) -> None:
    """Each name given at launch is a column of `runs`, JSON where it is data."""
    row = {
        "run_id": "r", "session_id": "s", "turn": 4, "label": "l", "parent_run_id": "p", "batch_id": "b",
        "row_key": "7", "cell_id": "c", "agent_name": "a", "kind": "agent", "provider": "demo", "model": "m",
        "model_settings": {"temperature": 0.5}, "mode_requested": "notebook", "prompt": 'say "hi" {x}',
        "output_schema": {"type": "object"}, "cached_from": "q", "tags": {"k": "v"}, "spec": {"name": "a"},
        "created_at": NOW,
    }  # fmt: skip
    store.submit(Launch(row)).result(60)
    (found,) = store.read("select * from runs")
    plain = {name: value for name, value in row.items() if not isinstance(value, dict)}
    assert {name: found[name] for name in plain} == plain
    (data,) = store.read(
        "select spec->>'$.name' as name, tags->>'$.k' as k, model_settings->'$.temperature' as t from runs"
    )
    assert data == {"name": "a", "k": "v", "t": "0.5"}


@given(st.datetimes(timezones=st.timezones()))
def test_naive_and_aware_undo_each_other(moment: datetime) -> None:
    """Turning a time into the store's form and back gives the same moment."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return
    assert aware(naive(moment)) == moment.astimezone(UTC)


@given(st.text(st.characters(categories=["L", "Cs", "Cc"])))
def test_clean_text_can_be_stored_and_keeps_the_rest(text: str) -> None:
    """Cleaning replaces lone surrogates alone, at any depth, and gives text that UTF-8 can hold."""
    (cleaned,) = clean([{"k": (text,)}])[0]["k"]
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert all(b in (a, "\ufffd") for a, b in zip(text, cleaned, strict=True))
