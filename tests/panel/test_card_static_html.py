"""The static forms of a run: escaped, readable without styles, comparable by nbval."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from nbagent.events import ApprovalRequested, NoticeGiven, PendingApproval, RunFinished, RunStarted, TextAdded
from nbagent.panel import show_card, summary_plain
from nbagent.panel.card import static_html
from nbagent.panel.card.data import RunSnapshot, card_row
from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime import Run, Runtime
from nbagent.schemas import OutputSchema

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "</pre></div><script>alert(1)</script><img src=x onerror='alert(1)'>\"&lt;"
ALLOWED = {"div", "p", "strong", "em", "br", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"} | {
    "details",
    "summary",
    "small",
    "ul",
    "li",
}


class Tags(HTMLParser):
    """Collects every tag, attribute and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def a_record(run_id: str = "run-1", **launch) -> RunRecord:
    launch = {"label": "facts", "agent_name": "analyst", "provider": "demo", "model": "slow", **launch}
    return RunRecord(RunLaunch(run_id=run_id, session_id="s", created_at=T0, **launch))


def looked(record: RunRecord):
    seen = RunSnapshot.of_record(record)
    return card_row(seen), seen.text


def test_hostile_text_stays_text_wherever_it_stands():
    """Answer, names, model, error, notices and table hold no tag, attribute or script of their own."""
    schema = OutputSchema.of({"type": "array", "items": {"type": "object"}})
    names = {"label": HOSTILE, "agent_name": HOSTILE, "model": HOSTILE, "output_schema": schema}
    record = a_record(run_id=HOSTILE, **names)
    record.apply(RunStarted(started_at=T0))
    record.apply(TextAdded(HOSTILE, step=1))
    record.apply(NoticeGiven(text=HOSTILE))
    record.apply(
        RunFinished(
            stop_reason="end", content=[{HOSTILE: HOSTILE}], output_valid=True, error=HOSTILE, finished_at=T0
        )
    )
    row, text = looked(record)
    assert row["table"] is not None
    tags = parsed(static_html.html_of(row, text, key=static_html.key_of(HOSTILE)))
    assert tags.tags <= ALLOWED
    assert tags.attributes <= {"class", "style"}
    assert HOSTILE in tags.texts


def test_a_nested_answer_stays_a_tree_of_text():
    """What the card shows as a tree is nested lists in the file, its names and values escaped."""
    record = a_record(output_schema=OutputSchema.of({"type": "object"}))
    value = {HOSTILE: {"inner": [HOSTILE, 2_100_000]}}
    record.apply(RunFinished(stop_reason="end", content=value, output_valid=True, finished_at=T0))
    row, text = looked(record)
    assert row["form"] == "tree"
    tags = parsed(static_html.html_of(row, text))
    assert tags.tags <= ALLOWED
    assert "2,100,000" in " ".join(tags.texts)


def test_the_plain_form_is_the_same_from_launch_to_end_and_from_run_to_run():
    """nbval compares text/plain: it has no id, status, time or answer in it."""
    first, second = a_record("id-1"), a_record("id-2")
    at_launch = static_html.plain_of(looked(first)[0])
    second.apply(RunStarted(started_at=T0))
    second.apply(TextAdded("an answer", step=1))
    second.apply(RunFinished(stop_reason="error", error="a\nb", finished_at=T0))
    assert static_html.plain_of(looked(second)[0]) == at_launch
    assert at_launch == "nbagent run\nfacts: agent 'analyst', model 'demo:slow'"


def test_the_html_tells_status_answer_cost_and_how_to_get_the_result():
    """A reader of a saved notebook sees what the live card showed."""
    record = a_record()
    record.apply(RunStarted(started_at=T0))
    record.apply(TextAdded("an answer", step=1))
    record.apply(RunFinished(stop_reason="end", content="an answer", finished_at=T0))
    shown = " ".join(parsed(static_html.html_of(*looked(record))).texts)
    for part in (
        "facts",
        "completed",
        "demo:slow",
        "demo model: canned answers",
        "an answer",
        "tokens ?",
        'nb.get("facts")',
    ):
        assert part in shown


def test_a_very_long_answer_does_not_fill_the_notebook():
    """The snapshot in the file is bounded."""
    record = a_record()
    record.apply(TextAdded("x" * 1_000_000, step=1))
    assert len(static_html.html_of(*looked(record))) < static_html.HTML_TEXT_LIMIT + 2_000


def test_a_key_is_a_class_name_whatever_the_run_id():
    """The class by which the live card hides the snapshot cannot be broken out of."""
    assert static_html.key_of(HOSTILE).replace("-", "").isalnum()
    assert static_html.key_of("\ud800") != static_html.key_of("a")


def test_a_terminal_gets_text(capsys: pytest.CaptureFixture[str]):
    """Without a kernel a card is one line, so is a run that a line ends in; a result is status and answer."""
    record = a_record()
    record.apply(TextAdded("an answer", step=1))
    record.apply(RunFinished(stop_reason="end", content="an answer", finished_at=T0))
    run = Run("run-1", "s", runtime=Runtime())
    run._final = record.snapshot()
    show_card(run)
    printed = capsys.readouterr().out
    assert printed == "nbagent run 'facts' on demo:slow: completed; get it with nb.get(\"facts\")\n"
    assert summary_plain(run) == printed.rstrip("\n")
    assert summary_plain(run.output).startswith("facts: completed\nan answer\n")
    show_card(run, quiet=True)
    assert capsys.readouterr().out == ""


def test_a_paused_run_says_what_it_waits_for():
    """The static forms name the call, escaped."""
    record = a_record()
    call = PendingApproval(step=1, tool_call_id="1", name="pay", arguments={"to": HOSTILE})
    record.apply(ApprovalRequested(call=call))
    row, text = looked(record)
    tags = parsed(static_html.html_of(row, text))
    assert tags.tags <= ALLOWED
    assert str(call) in tags.texts
    assert f"waits for approval: {call}" in static_html.terminal_text(row, text)
