"""A team's life: members in parallel, their failures, the limits on the sum, cancel at each point, nesting, resume."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import Agent, ConfigurationError, Limits, RunStatus, Team
from nbagent.run import RunOutput
from nbagent.runtime import Run, current
from nbagent.spec import Mode
from nbagent.store import InterruptOrphans
from tests.harness.waiting import until
from tests.provider.chat_wire import json_reply, text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Script, Silence, Wait
from tests.runtime.scripted_team import NO_RETRY, Cast, asks, member, model, said, team

ROOT = Path(__file__).resolve().parents[2]
Until = Callable[[Callable[[], bool]], None]
BOTH = asks(("ann", "A"), ("bob", "B"))
TOKENS = 18  # of each scripted reply
T = 60


class Price(BaseModel):
    symbol: str
    usd: float


def members_of(output: RunOutput) -> list[tuple[str | None, str, Any]]:
    """A team's members as (name, status, content)."""
    return [(one.agent_name, one.status.value, one.content) for one in output.member_responses]


# ------------------------------------------------------------------------- modes


def test_members_work_at_the_same_time(provider: ScriptedProvider) -> None:
    """Asked for in one reply, both are asked before either has answered; each sees its task and nothing else."""
    gate = Gate()
    held = (Wait(gate), *text_reply("done"))
    cast = Cast(provider, leader=[BOTH, text_reply("both")], ann=held, bob=held)
    run = team(provider.base_url, "ann", "bob").start("Secret of the leader")
    provider.wait_for_requests(3)
    gate.open()
    output = run.result(timeout=T)
    assert output.content == "both"
    assert members_of(output) == [("ann", "completed", "done"), ("bob", "completed", "done")]
    assert [said(cast.requests(name)[0]) for name in ("ann", "bob")] == [[("user", "A")], [("user", "B")]]
    assert [content for role, content in said(cast.requests("leader")[1]) if role == "tool"] == ["done"] * 2


def test_route_gives_the_members_typed_answer(provider: ScriptedProvider) -> None:
    """The member's structured answer is the team's, live and read back; the leader is asked once."""
    cast = Cast(provider, leader=asks(("ann", "Price?")), ann=json_reply({"symbol": "A", "usd": 1.5}))
    desk = team(
        provider.base_url, mode="route", members=[member(provider.base_url, "ann", output_schema=Price)]
    )
    output = desk.start("Price of A?").result(timeout=T)
    assert (output.content, output.output_valid, output.stop_reason) == (
        Price(symbol="A", usd=1.5),
        True,
        "end",
    )
    assert len(cast.requests("leader")) == 1
    assert current().typed(current().stored(output.run_id)) == output


def test_route_asks_the_member_for_the_teams_schema(provider: ScriptedProvider) -> None:
    """The form that the team was asked for is the member's too."""
    Cast(provider, leader=asks(("ann", "Price?")), ann=json_reply({"symbol": "A", "usd": 1.5}))
    run = team(provider.base_url, "ann", mode="route").start("Price of A?", output_schema=Price)
    assert run.result(timeout=T).content == Price(symbol="A", usd=1.5)
    assert list(run.to_frame()["usd"]) == [1.5]


def test_broadcast_asks_all_at_once_and_merges(provider: ScriptedProvider) -> None:
    """Every member has the prompt before the leader is asked; the leader's one call sees their answers."""
    gate = Gate()
    held = (Wait(gate), *text_reply("mine"))
    cast = Cast(provider, leader=text_reply("merged"), ann=held, bob=held)
    run = team(provider.base_url, "ann", "bob", mode="broadcast").start("Well?")
    bodies = [request.body for request in provider.wait_for_requests(2)]
    assert [said(body) for body in bodies] == [[("user", "Well?")]] * 2
    gate.open()
    assert run.result(timeout=T).content == "merged"
    assert len(cast.requests("leader")) == 1


def test_the_next_turn_of_a_session_sees_the_leaders_turns_only(provider: ScriptedProvider) -> None:
    """A session's history holds prompt and answer of the team, not its members' messages; turns count on."""
    cast = Cast(
        provider, leader=[asks(("ann", "A")), text_reply("one"), text_reply("two")], ann=text_reply("x")
    )
    desk = team(provider.base_url, "ann")
    first = desk.start("First", session_id="s")
    first.result(timeout=T)
    second = desk.start("Second", session_id="s")
    assert second.result(timeout=T).content == "two"
    roles = [role for role, _ in said(cast.requests("leader")[2])]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert list(nb.sql("select turn from runs order by created_at")["turn"]) == [1, 1, 2]


def test_a_team_with_one_slot(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """With max_concurrency=1 leader, members and a team among them get there: nobody holds a slot while waiting."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    url = provider.base_url
    Cast(
        provider,
        leader=[asks(("ann", "A"), ("inner", "B")), text_reply("all")],
        chief=[asks(("bob", "C")), text_reply("of bob")],
        ann=text_reply("a"),
        bob=text_reply("b"),
    )
    inner = team(url, "bob", name="inner", model=model(url, "chief"))
    output = team(url, members=[member(url, "ann"), inner]).start("Go").result(timeout=T)
    assert output.content == "all"
    assert members_of(output) == [("ann", "completed", "a"), ("inner", "completed", "of bob")]


# ---------------------------------------------------------------- members' failures


def test_a_member_that_fails_is_told_and_the_team_goes_on(provider: ScriptedProvider) -> None:
    """An error, and a limit of the member's own: each is a message to the leader."""
    url = provider.base_url
    cast = Cast(
        provider,
        leader=[asks(("ann", "A"), ("bob", "B"), ("cas", "C")), text_reply("with cas")],
        bob=tool_reply(("nothing", {})),
        cas=text_reply("c"),
    )
    small = Limits(model_retries=0, max_total_tokens=TOKENS)
    members = [member(url, "ann"), member(url, "bob", limits=small), member(url, "cas")]
    output = team(url, members=members).start("Go").result(timeout=T)
    assert [one.status.value for one in output.member_responses] == ["error", "error", "completed"]
    told = [content for role, content in said(cast.requests("leader")[1]) if role == "tool"]
    assert "member 'ann' gave no answer" in told[0]
    assert "max_total_tokens is 18" in told[1]
    assert told[2] == "c"


def test_a_member_that_hangs_is_stopped_by_its_own_timeout(provider: ScriptedProvider) -> None:
    """The team goes on with what it had written until then."""
    url = provider.base_url
    cast = Cast(
        provider, leader=[asks(("ann", "A")), text_reply("without")], ann=(*text("so far"), Silence())
    )
    slow = member(url, "ann", limits=Limits(model_retries=0, timeout_s=0.2))
    output = team(url, members=[slow]).start("Go").result(timeout=T)
    assert members_of(output) == [("ann", "timeout", "so far")]
    told = said(cast.requests("leader")[1])[-1][1]
    assert "timeout of 0.2 s" in told
    assert told.endswith("so far")


def test_a_leaders_tool_timeout_does_not_bound_members(provider: ScriptedProvider) -> None:
    """A member has its own time limit; the leader's tool timeout is for tools."""
    url = provider.base_url
    gate = Gate()
    Cast(provider, leader=[asks(("ann", "A")), text_reply("ok")], ann=(Wait(gate), *text_reply("late")))
    desk = team(url, "ann", limits=Limits(model_retries=0, tool_timeout_s=0.05))
    run = desk.start("Go")
    assert gate.reached.wait(T)
    assert not run.future().cancelled()
    with pytest.raises(nb.WaitTimeout):
        run.wait(0.3)
    gate.open()
    assert members_of(run.result(timeout=T)) == [("ann", "completed", "late")]


# ------------------------------------------------------------- limits on the sum


def test_the_teams_token_limit_stops_members_at_work(provider: ScriptedProvider) -> None:
    """When the sum passes, a member at work is stopped, no further call is made, the team says why."""
    url = provider.base_url
    gate = Gate()
    Cast(
        provider,
        leader=[BOTH, text_reply("never")],
        ann=[(Wait(gate), *tool_reply(("nothing", {}))), text_reply("never")],
        bob=(*text("so far"), Silence()),
    )
    desk = team(url, "ann", "bob", limits=Limits(model_retries=0, max_total_tokens=2 * TOKENS))
    run = desk.start("Go")
    (bob,) = [one for one in provider.wait_for_requests(3) if one.body["model"] == "bob"]
    gate.open()
    assert bob.disconnected.wait(T)
    output = run.wait(timeout=T)
    assert (output.status, output.stop_reason) == (RunStatus.error, "max_total_tokens")
    assert "the team 'desk' used 36 tokens; its max_total_tokens is 36" in (output.error or "")
    assert [one.stop_reason for one in output.member_responses] == ["max_total_tokens"] * 2
    assert len(provider.requests) == 3


def test_an_answer_that_is_paid_for_is_kept(provider: ScriptedProvider) -> None:
    """The member whose call passes the limit keeps its answer; the leader is not asked again."""
    url = provider.base_url
    Cast(provider, leader=asks(("ann", "A")), ann=text_reply("paid"))
    desk = team(url, "ann", limits=Limits(model_retries=0, max_total_tokens=2 * TOKENS))
    output = desk.start("Go").wait(timeout=T)
    assert output.stop_reason == "max_total_tokens"
    assert members_of(output) == [("ann", "completed", "paid")]
    assert output.metrics.total_tokens == 2 * TOKENS


def test_the_limit_of_a_team_reaches_into_teams_in_it(provider: ScriptedProvider) -> None:
    """A member's member is bounded by every team above it."""
    url = provider.base_url
    Cast(provider, leader=asks(("inner", "A")), chief=asks(("ann", "B")), ann=tool_reply(("nothing", {})))
    inner = team(url, "ann", name="inner", model=model(url, "chief"))
    desk = team(url, members=[inner], limits=Limits(model_retries=0, max_total_tokens=3 * TOKENS))
    output = desk.start("Go").wait(timeout=T)
    assert output.stop_reason == "max_total_tokens"
    assert output.metrics.total_tokens == 3 * TOKENS
    assert output.member_responses[0].member_responses[0].stop_reason == "max_total_tokens"
    assert len(provider.requests) == 3


def test_the_teams_cost_limit_and_timeout_hold_for_the_sum(provider: ScriptedProvider) -> None:
    """`max_cost` counts the members' calls, and a model without a price is refused at launch; `timeout` stops all."""
    url = provider.base_url
    bounded = Limits(model_retries=0, max_cost_usd=1e-9)
    priced = model(url, "gpt-4o-mini")
    with pytest.raises(ConfigurationError, match=r"price of .*:ann is not in the price table"):
        team(url, "ann", model=priced, limits=bounded).start("Go")
    assert provider.requests == []
    Cast(provider, leader=asks(("ann", "A")), ann=(*text("so far"), Silence()))
    output = team(url, "ann").start("Go", timeout=1.0).wait(timeout=T)
    assert (output.status, members_of(output)) == (RunStatus.timeout, [("ann", "cancelled", "so far")])
    assert provider.requests[-1].disconnected.wait(T)


# ------------------------------------------------------------------------ cancel


HANG: Script = (*text("Hm"), Silence())
ANSWERS = {"ann": text_reply("a"), "bob": text_reply("b")}
HANGS = {"ann": HANG, "bob": HANG}
# what the team is doing when it is cancelled: its mode, its parts' scripts, the requests by then and those that hang
PHASES: dict[str, tuple[Mode, dict[str, Any], int, int]] = {
    "the leader thinks": ("coordinate", {"leader": HANG, **ANSWERS}, 1, 1),
    "both members work": ("coordinate", {"leader": [BOTH, HANG], **HANGS}, 3, 2),
    "one member is done": ("coordinate", {"leader": [BOTH, HANG], **HANGS, "ann": text_reply("a")}, 3, 1),
    "the leader writes": ("coordinate", {"leader": [BOTH, HANG], **ANSWERS}, 4, 1),
    "the router thinks": ("route", {"leader": HANG, **ANSWERS}, 1, 1),
    "the chosen one works": ("route", {"leader": asks(("bob", "B")), **HANGS}, 2, 1),
    "all work": ("broadcast", {"leader": HANG, **HANGS}, 2, 2),
    "the leader merges": ("broadcast", {"leader": HANG, **ANSWERS}, 3, 1),
}


@pytest.mark.parametrize("phase", PHASES)
def test_cancel_stops_all_at_once_and_starts_nothing(
    provider: ScriptedProvider, until: Until, phase: str
) -> None:
    """When `cancel` returns the team is cancelled, the members' connections are closed; the server hears nothing after."""
    mode, parts, count, hanging = PHASES[phase]
    Cast(provider, **parts)
    run = team(provider.base_url, "ann", "bob", mode=mode).start("Go")
    provider.wait_for_requests(count)
    until(lambda: texts_at_work(run).count("Hm") == hanging)
    assert run.cancel() is True
    assert run.status is RunStatus.cancelled
    open_ones = [one for one in provider.requests if not one.answered.is_set()]
    assert open_ones
    assert all(one.disconnected.wait(T) for one in open_ones)
    output = run.wait(timeout=T)
    assert {one.status.value for one in output.member_responses} <= {"cancelled", "completed"}
    assert len(provider.requests) == count
    stored = current().stored(run.run_id)
    assert (stored.member_responses, stored.metrics) == (output.member_responses, output.metrics)
    assert current().unfinished() == []


def texts_at_work(run: Run) -> list[str]:
    """What leader and members have written that are still at work."""
    record = run.record
    assert record is not None
    listed = [record, *record.member_responses]
    return [one.text for one in listed if not isinstance(one, RunOutput) and one.end is None]


def test_cancel_while_a_member_waits_for_its_slot(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """A member in the queue never asks its model."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    hang = (*text("Hm"), Silence())
    Cast(provider, leader=BOTH, ann=hang, bob=hang)
    run = team(provider.base_url, "ann", "bob").start("Go")
    provider.wait_for_requests(2)
    until(lambda: len(run.member_responses) == 2)
    run.cancel()
    output = run.wait(timeout=T)
    assert [one.status.value for one in output.member_responses] == ["cancelled"] * 2
    assert len(provider.requests) == 2


def test_cancel_of_one_member_leaves_the_team(provider: ScriptedProvider, until: Until) -> None:
    """A member is a run that can be cancelled by itself: its leader is told and goes on."""
    cast = Cast(provider, leader=[asks(("ann", "A")), text_reply("alone")], ann=(*text("Hm"), Silence()))
    run = team(provider.base_url, "ann").start("Go")
    until(lambda: "Hm" in texts_at_work(run))
    assert nb.cancel_run(run.member_responses[0].run_id) is True
    assert run.result(timeout=T).content == "alone"
    assert "gave no answer: cancelled" in said(cast.requests("leader")[1])[-1][1]


def test_a_tools_run_stops_with_its_members_team(provider: ScriptedProvider, until: Until) -> None:
    """What a member's tool has launched is under the team too."""
    url = provider.base_url
    inner = member(url, "deep")

    def dig() -> str:
        """Launch a run and wait for it."""
        return str(inner.start("Dig").result(timeout=T).content)

    Cast(provider, leader=asks(("ann", "A")), ann=tool_reply(("dig", {})), deep=(*text("Hm"), Silence()))
    run = team(url, members=[member(url, "ann", tools=[dig])]).start("Go")
    provider.wait_for_requests(3)
    run.cancel()
    assert provider.requests[-1].disconnected.wait(T)
    until(lambda: current().unfinished() == [])
    (ann,) = run.wait(timeout=T).member_responses
    assert [one.status.value for one in ann.member_responses] == ["cancelled"]
    assert len(provider.requests) == 3


# --------------------------------------------------------------------- the record


def test_texts_are_dropped_where_asked(provider: ScriptedProvider) -> None:
    """`store_member_responses=False` keeps who, how it ended and what it cost; live and in the file alike."""
    url = provider.base_url

    def price() -> str:
        """Tell the secret price."""
        return "secret price"

    Cast(
        provider,
        leader=[asks(("ann", "secret task")), text_reply("public")],
        ann=[tool_reply(("price", {"of": "secret"})), text_reply("secret answer")],
    )
    desk = team(url, members=[member(url, "ann", tools=[price])], store_member_responses=False)
    output = desk.start("Go").result(timeout=T)
    (ann,) = output.member_responses
    assert (ann.agent_name, ann.status, ann.metrics.total_tokens) == ("ann", RunStatus.completed, 2 * TOKENS)
    assert (ann.content, ann.prompt, ann.messages, ann.tool_calls[0].result) == (None, None, (), None)
    assert current().stored(output.run_id) == output
    rows = [*current().store.read("select * from runs"), *current().store.read("select * from messages")]
    kept = [row for row in rows if row["run_id"] == ann.run_id]
    assert len(kept) == 1
    assert "secret" not in str(kept)


def test_each_member_run_has_a_row_of_its_own(provider: ScriptedProvider) -> None:
    """Parent, name, kind, model and session stand in it; the whole tree is read back equal."""
    url = provider.base_url
    Cast(
        provider,
        leader=[asks(("inner", "A")), text_reply("all")],
        chief=[asks(("ann", "B")), text_reply("of ann")],
        ann=text_reply("a"),
    )
    inner = team(url, "ann", name="inner", model=model(url, "chief"))
    output = team(url, members=[inner]).start("Go", session_id="s").result(timeout=T)
    rows = nb.sql("select agent_name, kind, model, session_id from runs order by created_at, run_id")
    assert rows.to_numpy().tolist() == [
        ["desk", "team", "leader", "s"],
        ["inner", "team", "chief", "s"],
        ["ann", "agent", "ann", "s"],
    ]
    assert current().stored(output.run_id) == output
    assert output.metrics.total_tokens == 5 * TOKENS
    assert output.member_responses[0].metrics.total_tokens == 3 * TOKENS


def test_files_go_to_those_who_get_the_prompt(provider: ScriptedProvider, tmp_path: Path) -> None:
    """A broadcast gives members the prompt's files; a task that the leader wrote comes alone."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(bytes.fromhex("89504e470d0a1a0a"))
    for mode, given in (("broadcast", True), ("coordinate", False)):
        cast = Cast(provider, leader=[asks(("ann", "A")), text_reply("x")], ann=text_reply("a"))
        team(provider.base_url, "ann", mode=mode).start("Look", files=[picture]).wait(timeout=T)
        assert ("image_url" in str(cast.requests("ann")[-1])) is given


# ---------------------------------------------------------------------- mistakes


def test_a_team_that_cannot_be_is_refused_at_launch(provider: ScriptedProvider) -> None:
    """No members, no agent, two of one name, an unknown mode, a team in itself: two lines, nothing sent."""
    url = provider.base_url
    inside = team(url, "ann")
    inside.members = [inside]
    for wrong, told in [
        (team(url), "has members="),
        (team(url, members=["ann"]), "no Agent"),
        (team(url, members=[Agent(), Agent()]), "2 members of team 'desk' are named 'agent'"),
        (team(url, "ann", mode="cordinate"), r"did you mean 'coordinate'\?"),  # type: ignore[arg-type]
        (inside, "member of itself"),
    ]:
        with pytest.raises(ConfigurationError, match=told):
            wrong.start("Go")
    assert provider.requests == []


def test_a_member_without_a_model_has_its_leaders(provider: ScriptedProvider) -> None:
    """The nearest leader's, in teams of teams."""
    url = provider.base_url
    plain = Agent(name="ann", limits=NO_RETRY)
    Cast(provider, leader=[asks(("inner", "A")), asks(("ann", "B")), text_reply("ok")])
    inner = Team(name="inner", members=[plain], limits=NO_RETRY)
    output = team(url, members=[inner]).start("Go").result(timeout=T)
    assert output.member_responses[0].member_responses[0].model == "leader"


# ------------------------------------------------------------------------ resume


def killed(provider: ScriptedProvider, run_id: str, requests: int, mode: Mode = "coordinate") -> None:
    """Launch the team in a process that is killed once the server has had so many requests."""
    command = [sys.executable, "-m", "tests.runtime.scripted_team", provider.base_url, run_id, mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "launched\n"
    provider.wait_for_requests(requests)
    if mode != "route":  # the answer that is kept is in the file
        until(lambda: has_an_answer(current().stored(run_id)), pause_s=0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=T)
    current().store.submit(InterruptOrphans()).result(T)


def has_an_answer(output: RunOutput) -> bool:
    """True once the file holds a member's finished call."""
    return any(one.status == "completed" for one in output.tool_calls)


@pytest.mark.parametrize("mode", ["coordinate", "broadcast"])
def test_a_killed_team_asks_nobody_again_who_has_answered(provider: ScriptedProvider, mode: Mode) -> None:
    """After SIGKILL the finished member's answer is kept, the one cut off goes on in its own run, under its team."""
    hang: Script = (*text("half"), Silence())
    leader = [BOTH, text_reply("both")] if mode == "coordinate" else [text_reply("both")]
    cast = Cast(provider, leader=leader, ann=text_reply("a"), bob=[hang, text_reply("b")])
    killed(provider, "mine", 3 if mode == "coordinate" else 2, mode)
    assert [one.status.value for one in nb.get("mine").member_responses] == ["completed", "interrupted"]
    before = [one.run_id for one in nb.get("mine").member_responses]
    run = nb.resume("mine", agent=team(provider.base_url, "ann", "bob", mode=mode))
    output = run.result(timeout=T)
    assert output.content == "both"
    assert members_of(output) == [("ann", "completed", "a"), ("bob", "completed", "b")]
    assert [one.run_id for one in output.member_responses] == before
    assert [one.attempt for one in output.member_responses] == [1, 2]
    assert len(cast.requests("ann")) == 1
    assert current().stored("mine") == output


def test_a_killed_route_still_ends_with_its_members_answer(provider: ScriptedProvider) -> None:
    """The leader is not asked again: the member that was cut off goes on, and its answer is the team's."""
    cast = Cast(provider, leader=asks(("bob", "B")), bob=[(*text("half"), Silence()), text_reply("b")])
    killed(provider, "mine", 2, "route")
    run = nb.resume("mine", agent=team(provider.base_url, "ann", "bob", mode="route"))
    assert run.result(timeout=T).content == "b"
    assert len(cast.requests("leader")) == 1


def test_a_team_of_the_notebook_is_found_on_resume(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without agent= the team and its members' models come from the notebook's own team of that name."""
    Cast(
        provider,
        leader=[BOTH, text_reply("both")],
        ann=text_reply("a"),
        bob=[(*text("half"), Silence()), text_reply("b")],
    )
    killed(provider, "mine", 3)
    with pytest.raises(ConfigurationError, match=r"model .* was given as an object"):
        nb.resume("mine")
    monkeypatch.setattr(sys.modules["__main__"], "desk", team(provider.base_url, "ann", "bob"), raising=False)
    assert nb.resume("mine").result(timeout=T).content == "both"


def test_retry_starts_a_team_anew(provider: ScriptedProvider) -> None:
    """The same work as a new run, with members of its own."""
    cast = Cast(
        provider,
        leader=[asks(("ann", "A")), text_reply("one"), asks(("ann", "A")), text_reply("two")],
        ann=text_reply("a"),
    )
    run = team(provider.base_url, "ann").start("Go")
    run.result(timeout=T)
    again = run.retry()
    assert again.result(timeout=T).content == "two"
    assert again.member_responses[0].run_id != run.member_responses[0].run_id
    assert len(cast.requests("ann")) == 2
