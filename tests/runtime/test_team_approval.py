"""Teams whose members' tools need a person: the team's clock stands still, and a paused member outlives its kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import Limits, RunStatus, Team, tool
from nbagent.runtime import Run, current
from nbagent.store import InterruptOrphans
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence
from tests.runtime.scripted_team import Cast, asks, member, said, team

Until = Callable[[Callable[[], bool]], None]
ROOT = Path(__file__).resolve().parents[2]
T = 60

# the same source in the child and here: a changed tool stops the adoption
CHILD = """
import sys, time
from nbagent.runtime import current
from tests.runtime.test_team_approval import bank
run = bank(sys.argv[1]).start("Go", run_id="mine")
while [one.status for one in run.member_responses] != ["paused"]:
    time.sleep(0.005)
(clerk,) = run.member_responses
while current().stored(clerk.run_id).status != "paused":
    time.sleep(0.02)
print("paused", flush=True)
time.sleep(60)
"""


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def bank(url: str, timeout: float | None = 600.0) -> Team:
    """A team whose one member can pay."""
    limits = Limits(model_retries=0, timeout_s=timeout)
    return team(url, members=[member(url, "clerk", tools=[pay])], limits=limits)


def waiting(run: Run, until: Until) -> Run:
    """The member of this team, once it waits for a person."""
    until(lambda: [waits_here(one.run_id) for one in run.member_responses] == [True])
    return nb.get(run.member_responses[0].run_id)


def waits_here(run_id: str) -> bool:
    """Whether this run waits for a person, and this kernel works on it."""
    live = current().live(run_id)
    return live is not None and live.record.status is RunStatus.paused


def cast_of(provider: ScriptedProvider) -> Cast:
    """The member pays and says so; so does the leader."""
    return Cast(
        provider,
        leader=[asks(("clerk", "Pay 5")), text_reply("all paid")],
        clerk=[tool_reply(("pay", {"amount": 5})), text_reply("paid it")],
        warm=text_reply("Hello"),
    )


def test_a_teams_timeout_stands_still_while_a_member_waits_for_a_person(
    provider: ScriptedProvider, until: Until
) -> None:
    """What a person takes to decide is no time of the team; afterwards its clock goes on."""
    cast = cast_of(provider)
    member(provider.base_url, "warm").run("Hello")  # what a first run has to import takes no time of this one
    run = bank(provider.base_url, timeout=1.0).start("Go")
    clerk = waiting(run, until)
    with pytest.raises(nb.WaitTimeout):
        run.wait(1.2)
    clerk.approve()
    assert run.result(timeout=T).content == "all paid"
    assert said(cast.requests("clerk")[1])[-1] == ("tool", "paid 5")


def test_the_clock_goes_on_after_a_waiting_member_was_cancelled(
    provider: ScriptedProvider, until: Until
) -> None:
    """Nobody is waited for any more: the team that hangs then runs into its timeout."""
    Cast(
        provider,
        leader=[asks(("clerk", "Pay 5")), (*text("Hm"), Silence())],
        clerk=tool_reply(("pay", {"amount": 5})),
    )
    run = bank(provider.base_url, timeout=1.0).start("Go")
    assert waiting(run, until).cancel()
    assert run.wait(timeout=T).status is RunStatus.timeout


def test_cancel_of_the_team_ends_a_member_that_waits(provider: ScriptedProvider, until: Until) -> None:
    """Nothing waits for a person after its team was cancelled, and the tool never ran."""
    cast_of(provider)
    run = bank(provider.base_url).start("Go")
    waiting(run, until)
    run.cancel()
    output = run.wait(timeout=T)
    assert [one.status for one in output.member_responses] == [RunStatus.cancelled]
    assert output.member_responses[0].pending_approvals == ()
    assert current().stored(output.run_id).member_responses[0].tool_calls == ()


@pytest.mark.parametrize("first", ["the team is resumed", "a person approves", "both at once"])
def test_a_paused_member_of_a_killed_team(provider: ScriptedProvider, until: Until, first: str) -> None:
    """It waits on under its resumed team, and one that a person approved before has its answer; nothing is asked twice."""
    cast = cast_of(provider)
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, provider.base_url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "paused\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=T)
    current().store.submit(InterruptOrphans()).result(T)
    desk = bank(provider.base_url)
    before = nb.get("mine").member_responses[0]
    assert before.status is RunStatus.paused
    if first != "the team is resumed":
        clerk = nb.get(before.run_id)
        clerk.approve(agent=desk.members[0])
        if first == "a person approves":
            clerk.result(timeout=T)
    run = nb.resume("mine", agent=desk)
    if first == "the team is resumed":
        waiting(run, until).approve()
    output = run.result(timeout=T)
    assert output.content == "all paid"
    assert [(one.run_id, one.content) for one in output.member_responses] == [(before.run_id, "paid it")]
    assert [len(cast.requests(part)) for part in ("leader", "clerk")] == [2, 2]
    assert current().stored("mine") == output
