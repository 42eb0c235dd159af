"""A stored run's snapshots as events: folded they give the run again, however often it was looked at."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent.events import ApprovalRequested, RunFinished, TextAdded
from nbagent.run import RunOutput, RunRecord, RunStatus, StoredEvents
from nbagent.runtime import current


def price(ticker: str) -> float:
    """The price of a share."""
    return 100.0


@pytest.fixture
def whole() -> RunOutput:
    """A run of two steps with a tool."""
    run = nb.Agent(model="demo:assistant", tools=[price]).start("What is the price of AAPL?")
    run.result(60)
    return current().stored(run.run_id)


def looks(whole: RunOutput) -> list[RunOutput]:
    """What somebody may have seen of it on the way: pending, text that grows, a tool's end, the end."""

    def at(**fields: Any) -> RunOutput:
        none = {"messages": (), "model_calls": (), "tool_calls": (), "content": "", "stop_reason": None}
        return whole.model_copy(update={"status": RunStatus.running, **none, **fields})

    first, text = {"model_calls": whole.model_calls[:1], "messages": whole.messages[:2]}, whole.content
    return [
        at(status=RunStatus.pending, started_at=None),
        at(),
        at(**first),
        at(**first, tool_calls=whole.tool_calls),
        at(**first, tool_calls=whole.tool_calls, content=text[:4]),
        at(**first, tool_calls=whole.tool_calls, content=text[:9]),
        whole,
    ]


def folded(run: RunOutput, seen: list[RunOutput]) -> tuple[RunRecord, list[Any]]:
    """The record of somebody who folds the events of these looks."""
    events, source = [], StoredEvents()
    for output in seen:
        events += source.news(output)
    live = current().live(run.run_id)
    assert live is not None
    record = RunRecord(live.record.launch)
    for event in events:
        record.apply(event)
    return record, events


@pytest.mark.parametrize("skipped", [(), (0, 1, 2), (1, 3, 5), (0, 1, 2, 3, 4, 5)])
def test_looks_fold_to_the_run(whole: RunOutput, skipped: tuple[int, ...]) -> None:
    """Calls, messages and the end come once each; the text's pieces join; whatever was seen in between."""
    seen = [one for place, one in enumerate(looks(whole)) if place not in skipped]
    record, events = folded(whole, seen)
    assert (tuple(record.model_calls), tuple(record.tool_calls)) == (whole.model_calls, whole.tool_calls)
    assert tuple(record.messages) == whole.messages
    assert "".join(one.text for one in events if isinstance(one, TextAdded)) == whole.content
    assert [type(one) for one in events].count(RunFinished) == 1
    assert record.snapshot().content == whole.content


def test_a_look_without_news_gives_nothing_and_a_call_that_waits_comes_once(whole: RunOutput) -> None:
    """The same snapshot twice is no news; nor is a call that still waits for a person."""
    source, (_, _, begun, *_) = StoredEvents(), looks(whole)
    call = nb.events.PendingApproval(step=1, tool_call_id="c", name="price", arguments={})
    paused = begun.model_copy(update={"status": RunStatus.paused, "pending_approvals": (call,)})
    assert source.news(begun)
    assert source.news(begun) == []
    assert source.news(paused) == [ApprovalRequested(call=call)]
    assert source.news(paused) == []
