"""The time in which a person is waited for: a column of its own, and no part of the work's."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import Agent, RunOutput, RunStatus, tool
from nbagent.events import RunFinished
from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime import current
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.runtime import test_approval_processes as processes
from tests.runtime.test_team_approval import bank, cast_of, waiting

Until = Callable[[Callable[[], bool]], None]
T = 60
START = datetime(2026, 11, 30, 9, tzinfo=UTC)


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def at(seconds: float) -> datetime:
    """That many seconds after the start."""
    return START + timedelta(seconds=seconds)


PAUSES: dict[str, tuple[list[tuple[str, float]], float]] = {
    "none": ([], 0.0),
    "one": ([("pause", 1), ("unpause", 4)], 3.0),
    "two, one after the other": ([("pause", 1), ("unpause", 2), ("pause", 5), ("unpause", 7)], 3.0),
    "two at once": ([("pause", 1), ("pause", 2), ("unpause", 3), ("unpause", 6)], 5.0),
    "one that the end cuts": ([("pause", 4)], 6.0),
    "one taken back after the end": ([("pause", 4), ("end", 10), ("unpause", 30)], 6.0),
    "one that begins after the end": ([("end", 10), ("pause", 12), ("unpause", 30)], 0.0),
    "a clock that was set back": ([("pause", 5), ("unpause", 2)], 0.0),
}


@pytest.mark.parametrize("pauses", PAUSES)
def test_pauses_nest_and_end_with_the_attempt(pauses: str) -> None:
    """Seconds with at least one open call count once, within the attempt; the rest is work."""
    steps, paused_s = PAUSES[pauses]
    record = RunRecord(RunLaunch(run_id="r", session_id="s", created_at=START))
    record.started_at = START
    end = RunFinished(stop_reason="end", content="x", finished_at=at(10))
    for verb, seconds in steps:
        if verb == "end":
            record.apply(end)
        else:
            getattr(record, verb)(at(seconds))
    record.apply(end)
    assert (record.metrics.paused_s, record.metrics.duration_s) == (paused_s, 10.0 - paused_s)


def whole_s(output: RunOutput) -> float:
    """Seconds from the first attempt's start to the last one's end."""
    assert output.started_at is not None
    assert output.finished_at is not None
    return (output.finished_at - output.started_at).total_seconds()


def agrees(run: nb.Run) -> None:
    """The live run, the record, and the frames say the same of its times."""
    metrics = run.output.metrics
    stored = current().stored(run.run_id).metrics
    (row,) = nb.runs().query("run_id == @run.run_id").to_dict("records")
    for found in (stored.model_dump(), row):
        for name in ("duration_s", "queued_s", "paused_s"):
            assert found[name] == pytest.approx(getattr(metrics, name), abs=2e-6), name


@pytest.mark.parametrize("decide", ["approve", "deny", "cancel"])
def test_waiting_for_a_person_is_no_work(
    agent: Agent, provider: ScriptedProvider, until: Until, decide: str
) -> None:
    """Whatever the person decides: what it took is `paused_s`, and what is left of the run is `duration_s`."""
    agent.tools = [pay]
    provider.reply(tool_reply(("pay", {"amount": 5})), text_reply("Done."))
    run = agent.start("Pay.")
    until(lambda: run.status is RunStatus.paused)
    seen = time.monotonic()
    until(lambda: current().stored(run.run_id).status is RunStatus.paused)
    waited_s = time.monotonic() - seen
    getattr(run, decide)()
    output = run.wait(timeout=T)
    assert output.metrics.paused_s is not None
    assert output.metrics.paused_s >= waited_s
    assert output.metrics.duration_s == pytest.approx(whole_s(output) - output.metrics.paused_s, abs=1e-6)
    agrees(run)
    assert nb.metrics.by_agent().paused_s[0] == pytest.approx(output.metrics.paused_s)
    assert nb.metrics.by_session().duration_s[0] == pytest.approx(output.metrics.duration_s)


def test_a_team_does_not_work_while_a_member_waits(provider: ScriptedProvider, until: Until) -> None:
    """The leader's own times leave out what its member waited for."""
    cast_of(provider)
    run = bank(provider.base_url).start("Go")
    clerk = waiting(run, until)
    clerk.approve()
    output = run.result(timeout=T)
    member = output.member_responses[0]
    assert output.metrics.paused_s == pytest.approx(member.metrics.paused_s, abs=0.05)
    assert output.metrics.duration_s == pytest.approx(
        whole_s(output) - (output.metrics.paused_s or 0), abs=1e-6
    )
    agrees(run)
    agrees(nb.get(member.run_id))


def test_a_pause_that_a_process_left_counts_until_it_was_last_heard_of(
    provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt of the dead process has its own work time; the time between the two is neither work nor pause."""
    monkeypatch.chdir(tmp_path)  # where its tools write what they did
    processes.child(provider, processes.KILL).communicate(timeout=T)
    provider.reply(text_reply("Paid."))
    run = nb.get("mine")
    run.approve(agent=processes.agent_on(provider.base_url))
    metrics = run.result(timeout=T).metrics
    attempts = nb.sql("select * from attempts where run_id = 'mine' order by attempt")
    spans = (attempts.finished_at - attempts.started_at).dt.total_seconds()
    assert len(attempts) == 2
    assert metrics.paused_s == pytest.approx(attempts.paused_s.sum(), abs=1e-5)
    assert metrics.duration_s == pytest.approx((spans - attempts.paused_s).sum(), abs=1e-5)
