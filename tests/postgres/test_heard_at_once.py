"""What another process asks of a run is heard by the process that works on it when it is asked, not with the next look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent import Agent, tool
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.runtime.recovery import heartbeat
from nbagent.settings import server_url
from nbagent.store import CancelRequest, DecisionRequest, RunStore, SendMessage, open_store
from nbagent.store.postgres import listener
from tests.harness.waiting import until
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence
from tests.runtime.conftest import agent  # noqa: F401 - a fixture

pytestmark = pytest.mark.postgres

NEVER_S = 1000.0


@pytest.fixture(autouse=True)
def _on_a_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the record on the server, and nobody look at it but for what is heard."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    monkeypatch.setattr(heartbeat, "TICK_S", NEVER_S)
    monkeypatch.setattr(listener, "LOOK_S", NEVER_S)
    yield
    current().store.close()


@pytest.fixture
def other(database_url: str, tmp_path: Path) -> Iterator[RunStore]:
    """Another process's way to the record."""
    one = open_store(server_url(database_url), tmp_path / "other")
    yield one
    assert one.close(30)


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def test_a_cancel(agent: Agent, provider: ScriptedProvider, other: RunStore) -> None:  # noqa: F811
    """It ends a run in the middle of its stream, the second one as the first."""
    for _ in range(2):
        provider.reply((*text("Once"), Silence()))
        run = agent.start("Write a story")
        until(lambda run=run: run.text, "its first text")
        other.submit(CancelRequest(run.run_id)).result(60)
        assert run.wait(timeout=60).status is RunStatus.cancelled


@pytest.mark.parametrize("approved", [True, False])
def test_a_decision(agent: Agent, provider: ScriptedProvider, other: RunStore, *, approved: bool) -> None:  # noqa: F811
    """It lets a paused run go on, approved or denied."""
    agent.tools = [pay]
    provider.reply(tool_reply(("pay", {"amount": 5})), text_reply("Done."))
    run = agent.start("Pay")
    until(lambda: run.status is RunStatus.paused)
    call = run.pending_approvals[0]
    wish = DecisionRequest(
        run_id=run.run_id, step=1, tool_call_id=call.tool_call_id, approved=approved, reason="no"
    )
    other.submit(wish).result(60)
    assert run.result(timeout=60).content == "Done."
    assert [one.status for one in run.output.tool_calls] == ["completed" if approved else "denied"]


def test_a_sent_message(agent: Agent, provider: ScriptedProvider, other: RunStore) -> None:  # noqa: F811
    """It is with the run, which has not gone on yet."""
    agent.tools = [pay]
    provider.reply(tool_reply(("pay", {"amount": 5})), text_reply("Done."))
    run = agent.start("Pay")
    until(lambda: run.status is RunStatus.paused)
    other.submit(SendMessage(run.run_id, "m1", "only 2024")).result(60)
    until(lambda: run.record is not None and bool(run.record.sent), "the message")
    run.approve()
    assert run.result(timeout=60).content == "Done."


def test_many_at_once_reach_each(agent: Agent, provider: ScriptedProvider, other: RunStore) -> None:  # noqa: F811
    """Wishes that come while earlier ones are being done are not left for later."""
    provider.otherwise((*text("Once"), Silence()))
    lives = [agent.start(f"Story {i}") for i in range(12)]
    until(lambda: all(run.text for run in lives), "their texts")
    for run in lives:
        other.submit(CancelRequest(run.run_id)).result(60)
    assert [run.wait(timeout=60).status for run in lives] == [RunStatus.cancelled] * 12
