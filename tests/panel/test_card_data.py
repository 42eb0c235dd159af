"""What a card shows, as plain data, and the messages that carry it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from nbagent.core import call_text
from nbagent.events import (
    ApprovalDenied,
    ApprovalRequested,
    ModelCall,
    ModelCallFinished,
    NoticeGiven,
    PendingApproval,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
    Usage,
)
from nbagent.panel.card import data as view
from nbagent.panel.card.data import RunSnapshot, card_row, shown_text
from nbagent.panel.card.static_html import html_of
from nbagent.run import EarlierRun, RunLaunch, RunRecord
from nbagent.schemas import OutputSchema

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"


def a_record(**launch) -> RunRecord:
    given_launch = {
        "run_id": "run-1",
        "session_id": "s",
        "created_at": T0,
        "agent_name": "analyst",
        "provider": "openai",
        "model": "gpt-x",
        **launch,
    }
    return RunRecord(RunLaunch(**given_launch))


def seen_after(record: RunRecord, *events) -> dict:
    for event in events:
        record.apply(event)
    return card_row(RunSnapshot.of_record(record))


@pytest.mark.parametrize(
    ("position", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (23, "23rd")],
)
def test_a_waiting_run_shows_its_place(position: int, said: str):
    """Where a run's model call stands in the queue is on its card, until it is its turn."""
    record = a_record()
    record.move(position)
    assert seen_after(record)["waiting"] == f"waiting: {said} in the queue"
    record.move(None)
    assert seen_after(record)["waiting"] == "waiting for its turn"


def a_call(**changes) -> ModelCall:
    values = {
        "step": 1,
        "attempt": 1,
        "provider": "openai",
        "request_model": "gpt-x",
        "status": "completed",
        "started_at": T0,
        "duration_s": 1.5,
        **changes,
    }
    return ModelCall(**values)


def finished(reason: str = "end", **changes) -> RunFinished:
    return RunFinished(stop_reason=reason, finished_at=T0 + timedelta(seconds=2.5), **changes)


def test_a_pending_run_says_that_it_waits():
    """Before its start a run shows its names, its status, how to get it, and nothing that it cost."""
    row = seen_after(a_record(label="facts"))
    assert (row["title"], row["agent"], row["model"]) == ("facts", "analyst", "openai:gpt-x")
    assert (row["status"], row["waiting"]) == ("pending", "waiting for its turn")
    assert row["code"] == 'nb.get("facts").content'
    assert (row["facts"], row["took"], row["banner"]) == ([], "", "")


def test_without_a_label_the_agent_is_the_title_and_the_id_gets_the_result():
    """A name is not shown twice, and the code to get the result always works."""
    row = seen_after(a_record())
    assert (row["title"], row["agent"]) == ("analyst", "")
    assert row["code"] == 'nb.get("run-1").content'


def test_the_demo_model_is_labelled():
    """A canned answer is never mistaken for a real one."""
    assert seen_after(a_record(provider="demo", model="assistant"))["banner"].startswith("demo model:")


def test_unknown_is_a_question_mark_at_the_end_and_nothing_before():
    """Unknown counts are never shown as 0."""
    record = a_record()
    during = seen_after(record, RunStarted(started_at=T0), ModelCallFinished(call=a_call(ttft_s=0.25)))
    assert during["facts"] == [["first token", "0.25 s"]]
    after = seen_after(record, finished())
    assert after["facts"] == [["tokens", "?"], ["cost", "?"], ["first token", "0.25 s"]]
    assert after["took"] == "2.50 s"


def test_known_counts_are_shown_and_a_half_known_one_says_which_half_is_not():
    """Input and output tokens are known apart."""
    usage = Usage(input_tokens=12_345)
    row = seen_after(a_record(), ModelCallFinished(call=a_call(usage=usage, cost_usd=0.0123)), finished())
    assert row["facts"][:2] == [["tokens", "12,345 in, ? out"], ["cost", "$0.012"]]


def test_a_tool_at_work_is_shown_as_a_call_in_python():
    """The line says what runs now; afterwards the names of what was called remain."""
    record = a_record()
    request = ToolRequest(tool_call_id="t1", name="price", arguments='{"symbol": "AAPL", "days": 3}')
    row = seen_after(
        record, RunStarted(started_at=T0), ToolCallStarted(step=1, request=request, started_at=T0)
    )
    assert (row["calls"], row["waiting"]) == (["calling price(symbol='AAPL', days=3)"], "")
    call = ToolCall(
        step=1, tool_call_id="t1", name="price", arguments="{}", status="error", started_at=T0, duration_s=1
    )
    assert seen_after(record, ToolCallFinished(call=call))["called"] == "called price; 1 failed"


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "null", '"x"'])
def test_arguments_of_any_form_are_shown(arguments):
    """What a model sent as arguments never fails the card."""
    assert call_text("f", arguments).startswith("f(")


def test_a_retry_says_why_and_when():
    """While a model call waits for its next try, the first line of the failure and the pause are shown."""
    record = a_record()
    failed = a_call(status="error", error="429 from openai\nslow down")
    row = seen_after(record, RunStarted(started_at=T0), ModelCallFinished(call=failed, retry_in_s=2.0))
    assert (row["retry"], row["waiting"]) == ("429 from openai; trying again in 2.0 s", "")


def test_an_error_is_its_two_lines_and_a_reason_that_adds_something():
    """What happened and what to do; the stop reason only where the status does not say it already."""
    record = a_record()
    row = seen_after(
        record, NoticeGiven(text="stepped down"), finished("max_steps", error="20 steps\nraise it")
    )
    assert (row["status"], row["reason"], row["error"]) == ("error", "max steps", ["20 steps", "raise it"])
    assert row["notices"] == ["stepped down"]
    assert seen_after(a_record(), finished("cancelled"))["reason"] == ""


def test_a_valid_structured_answer_is_a_table():
    """Rows and columns as text, numbers marked, what is left out counted."""
    data = [{"city": f"C{i}", "people": 1_000 * i, "note": None} for i in range(30)]
    schema = OutputSchema.of({"type": "array", "items": {"type": "object"}})
    row = seen_after(a_record(output_schema=schema), finished(content=data, output_valid=True))
    assert row["table"]["columns"] == ["city", "people", "note"]
    assert row["table"]["numeric"][:2] == [False, True]
    assert row["table"]["cells"][20 - 1] == ["C19", "19,000", ""]
    assert row["more"] == "20 of 30 rows; to_frame() has all"


def test_an_answer_that_was_not_valid_is_no_table():
    """Raw text that failed its schema is shown as text."""
    schema = OutputSchema.of({"type": "array", "items": {"type": "object"}})
    row = seen_after(a_record(output_schema=schema), finished("invalid_output", output_valid=False))
    assert row["table"] is None


def test_a_run_read_from_the_store_shows_the_same_row():
    """The card of a finished run does not depend on whether this kernel ran it."""
    record = a_record(label="facts")
    live = seen_after(
        record, RunStarted(started_at=T0), TextAdded("hello", step=1), finished(content="hello")
    )
    assert card_row(RunSnapshot.of_output(record.snapshot())) == live
    assert RunSnapshot.of_output(record.snapshot()).text == "hello"


def test_names_keep_to_one_line():
    """A label of many lines, or a very long one, breaks no layout."""
    row = seen_after(a_record(label="a\nb\t" + "c" * 2_000, agent_name=HOSTILE))
    assert "\n" not in row["title"]
    assert len(row["title"]) <= 500
    assert row["agent"] == HOSTILE


def test_a_long_text_loses_its_beginning_in_steps():
    """The end stays, a line says how much is not shown, and most additions still only append."""
    assert shown_text("x" * view.TEXT_LIMIT) == "x" * view.TEXT_LIMIT
    before, after = shown_text("x" * (view.TEXT_LIMIT + 1)), shown_text("x" * (view.TEXT_LIMIT + 2))
    assert before.startswith(f"[the first {view.TEXT_STEP:,} characters are not shown]\n")
    assert after.startswith(before)
    assert len(shown_text("x" * 1_000_000)) <= view.TEXT_LIMIT + 100


def test_the_runs_under_a_run_stand_on_its_card():
    """Name, status and tokens of each member in launch order, members of members after theirs; a snapshot has them too."""
    record, inner, deep = (a_record(run_id=name, agent_name=name) for name in ("desk", "inner", "deep"))
    record.join(inner)
    inner.join(deep)
    deep.apply(RunStarted(started_at=T0))
    call = ModelCall(
        step=1,
        attempt=1,
        provider="openai",
        request_model="gpt-x",
        status="completed",
        started_at=T0,
        duration_s=1.0,
        usage=Usage(total_tokens=1234),
    )
    before = record.whole_version
    deep.apply(ModelCallFinished(call=call))
    assert record.whole_version == before + 1
    row = seen_after(record)
    assert row["members"] == [
        {"name": "inner", "status": "pending", "tokens": "", "depth": 1},
        {"name": "deep", "status": "running", "tokens": "1,234 tokens", "depth": 2},
    ]
    assert card_row(RunSnapshot.of_output(record.snapshot()))["members"] == row["members"]
    html = html_of(
        card_row(RunSnapshot.of_record(record)) | {"members": [row["members"][1] | {"name": HOSTILE}]}, ""
    )
    assert "1,234 tokens" in html
    assert "<img" not in html


def test_a_card_names_the_first_members_only():
    """Beyond forty the rest are counted."""
    record = a_record()
    for number in range(43):
        record.join(a_record(run_id=f"m{number}"))
    rows = seen_after(record)["members"]
    assert len(rows) == 41
    assert rows[-1]["name"] == "and 3 more"


def test_a_paused_run_shows_what_a_person_is_to_approve():
    """Each waiting call with its arguments in full, as text in which nothing hides; gone once it is decided."""
    record = a_record()
    arguments = {"amount": 5, "to": "Bob  \u202e\n" + HOSTILE, "a b": None}
    call = PendingApproval(step=2, tool_call_id="call_1", name="pay", arguments=arguments)
    row = seen_after(record, RunStarted(started_at=T0), ApprovalRequested(call=call))
    assert (row["status"], row["waiting"]) == ("paused", "waits for your approval")
    (shown,) = row["approvals"]
    assert (shown["step"], shown["tool_call_id"]) == (2, "call_1")
    assert shown["call"] == f"pay(amount=5, to='Bob  \\u202e\\n{HOSTILE}', 'a b'=None)"
    assert view.RunSnapshot.of_output(record.snapshot()).approvals == (call,)
    row = seen_after(record, ApprovalDenied(call=call, reason="no"))
    assert (row["status"], row["approvals"]) == ("running", [])


def test_a_members_waiting_call_stands_on_its_teams_card():
    """The call says who asks and which run to decide on; the leader itself waits for nobody."""
    record, member = a_record(run_id="desk"), a_record(run_id="m1", agent_name="payer")
    record.join(member)
    call = PendingApproval(step=1, tool_call_id="c1", name="pay", arguments={"amount": 5})
    before = record.whole_version
    member.apply(ApprovalRequested(call=call))
    assert record.whole_version > before
    row = seen_after(record, RunStarted(started_at=T0))
    wanted = {
        "run_id": "m1",
        "by": "payer",
        "step": 1,
        "tool_call_id": "c1",
        "call": "pay(amount=5)",
        "always": False,
    }
    assert row["approvals"] == [wanted]
    assert row["waiting"] == "payer waits for your approval"
    assert "payer waits for approval: " in html_of(row, "")
    assert seen_after(record, finished())["approvals"] == [wanted]
    member.apply(ApprovalDenied(call=call, reason="no"))
    assert card_row(RunSnapshot.of_record(record))["approvals"] == []


def test_half_a_surrogate_pair_can_be_shown():
    """A model that writes one stops no card: it becomes a question mark."""
    record = a_record(label="\ud800", output_schema=OutputSchema.of({"type": "object"}))
    record.apply(TextAdded("a\ud800", step=1))
    assert shown_text(record.text) == "a?"
    row = seen_after(record, finished(content={"\ud800": "\ud800"}, output_valid=True))
    json.dumps(row, ensure_ascii=False).encode()


def test_a_denied_call_is_no_failure():
    """What was called, what failed and what a person denied are told apart; a queued run names the paused one."""
    record = a_record()
    times = {"step": 1, "arguments": "{}", "started_at": T0, "duration_s": 0.0}
    for number, status in enumerate(("denied", "error", "completed")):
        call = ToolCall(tool_call_id=str(number), name="pay", status=status, **times)
        record.apply(ToolCallFinished(call=call))
    assert seen_after(record)["called"] == "called pay (3); 1 failed; 1 denied"
    queued = a_record()
    queued.wait_for(EarlierRun(name="order", paused=True))
    said = "waiting for its turn: run 'order' before it waits for approval"
    assert seen_after(queued)["waiting"] == said
