"""What stops a team or a part of it, and what is left: its cost limit, a cancel at every point, a member that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import nbagent as nb
from nbagent import Limits, RunStatus, Team, settings
from nbagent.run import RunOutput
from nbagent.runtime import Run, current
from nbagent.spec import Mode
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Silence, Wait
from tests.runtime.scripted_team import Cast, asks, member, model, team

Until = Callable[[Callable[[], bool]], None]
BOTH = asks(("ann", "A"), ("bob", "B"))
PRICES = {f"openai-chat:{part}": {"input": 2.0, "output": 10.0} for part in ("leader", "chief", "ann", "bob")}
COST = (11 * 2 + 7 * 10) / 1e6  # of each scripted reply
T = 60


@pytest.fixture(name="_priced")
def priced() -> Iterator[None]:
    """Every part's model has a price."""
    settings.configure("prices", PRICES)
    yield
    settings.configure("prices", None)


# -------------------------------------------------------------------- max_cost


@pytest.mark.usefixtures("_priced")
def test_a_cost_limit_reached_in_the_middle_stops_members_at_work(
    provider: ScriptedProvider, until: Until
) -> None:
    """The call that passes it is paid and kept, who is at work is stopped with its text, nothing more is asked."""
    url = provider.base_url
    gate = Gate()
    Cast(
        provider,
        leader=[BOTH, text_reply("never")],
        ann=[(Wait(gate), *tool_reply(("nothing", {}))), text_reply("never")],
        bob=(*text("so far"), Silence()),
    )
    run = team(url, "ann", "bob", limits=Limits(model_retries=0, max_cost_usd=1.5 * COST)).start("Go")
    (bob,) = [one for one in provider.wait_for_requests(3) if one.body["model"] == "bob"]
    until(lambda: [one.content for one in run.member_responses][1:] == ["so far"])
    gate.open()
    assert bob.disconnected.wait(T)
    output = run.wait(timeout=T)
    assert (output.status, output.stop_reason) == (RunStatus.error, "max_cost")
    assert "the team 'desk' cost $0.0002; its max_cost is $0.0001" in (output.error or "")
    assert [one.stop_reason for one in output.member_responses] == ["max_cost"] * 2
    assert output.member_responses[1].content == "so far"
    assert len(provider.requests) == 3
    assert current().unfinished() == []
    assert output.metrics.cost_usd == pytest.approx(2 * COST)
    assert [one.metrics.total_tokens for one in output.member_responses] == [18, None]
    assert current().stored(output.run_id) == output
    members = nb.metrics.by_member().set_index("agent_name")
    assert members["cost_usd"].sum() == pytest.approx(2 * COST)
    assert (members.loc["bob", "cost_known"], members.loc["bob", "cancelled"]) == (0.0, 0)


@pytest.mark.usefixtures("_priced")
def test_a_cost_limit_bounds_a_team_in_a_team(provider: ScriptedProvider) -> None:
    """What the inner team's members cost counts for the outer one, which ends with it; the inner one's text is kept."""
    url = provider.base_url
    Cast(
        provider,
        leader=[asks(("inner", "I")), text_reply("never")],
        chief=[BOTH, text_reply("never")],
        ann=text_reply("a"),
        bob=text_reply("b"),
    )
    inner = team(url, "ann", "bob", name="inner", model=model(url, "chief"))
    outer = team(url, members=[inner], limits=Limits(model_retries=0, max_cost_usd=3.5 * COST))
    output = outer.start("Go").wait(timeout=T)
    assert output.stop_reason == "max_cost"
    (middle,) = output.member_responses
    assert middle.stop_reason == "max_cost"
    assert [one.content for one in middle.member_responses] == ["a", "b"]
    assert len(provider.requests) == 4
    assert output.metrics.cost_usd == pytest.approx(4 * COST)


# ---------------------------------------------------------------------- cancel


class Canceller:
    """Cancels a run as the server has its n-th request, whose answer is held until the cancel is through."""

    def __init__(self, cast: Cast, number: int) -> None:
        self._cast, self._number, self._seen = cast, number, 0
        self._lock = threading.Lock()
        self.gate = Gate()

    def answer(self, request: Request) -> Script:
        """Answer as the cast does."""
        with self._lock:
            self._seen += 1
            held = (Wait(self.gate),) if self._seen == self._number else ()
        return (*held, *self._cast._play(request))

    def cancel(self, run: Run) -> None:
        """Wait for the moment, cancel, and let the answer go."""
        assert self.gate.reached.wait(T)
        assert run.cancel()
        self.gate.open()


def nested(url: str, mode: Mode) -> Team:
    """A team of an agent with a tool and a team of two; seven requests in coordinate mode."""

    def look() -> str:
        """Look."""
        return "seen"

    inner = team(url, "ann", "bob", name="inner", model=model(url, "chief"), mode=mode)
    return team(url, members=[inner, member(url, "cas", tools=[look])])


REQUESTS: dict[Mode, int] = {"coordinate": 8, "broadcast": 7, "route": 6}


@pytest.mark.parametrize(
    ("mode", "number"), [(mode, number) for mode, most in REQUESTS.items() for number in range(1, most + 1)]
)
def test_a_team_is_cancelled_at_any_point(provider: ScriptedProvider, mode: Mode, number: int) -> None:
    """Cancelled as the server has its n-th request, for every n: all parts end, no call begins after the end."""
    cast = Cast(
        provider,
        leader=[asks(("inner", "I"), ("cas", "C")), text_reply("all")],
        chief=[text_reply("both")] if mode == "broadcast" else [BOTH, text_reply("both")],
        ann=text_reply("a"),
        bob=text_reply("b"),
        cas=[tool_reply(("look", {})), text_reply("c")],
    )
    canceller = Canceller(cast, number)
    provider.otherwise(canceller.answer)
    run = nested(provider.base_url, mode).start("Go")
    canceller.cancel(run)
    output = run.wait(timeout=T)
    assert output.status is RunStatus.cancelled
    assert current().unfinished() == []
    everything = list(below(output))
    assert {one.status for one in everything} <= {RunStatus.cancelled, RunStatus.completed}
    assert output.finished_at is not None
    calls = [call for one in everything for call in one.model_calls]
    assert all(call.started_at <= output.finished_at for call in calls)
    assert len(provider.requests) <= len(calls)
    assert current().stored(run.run_id).metrics == output.metrics


def below(output: RunOutput) -> Iterator[RunOutput]:
    """Yield an output and those of all runs below it."""
    yield output
    for one in output.member_responses:
        yield from below(one)


# ----------------------------------------------------------------- hanging members


@pytest.mark.parametrize("mode", ["coordinate", "broadcast", "route"])
def test_a_team_goes_on_without_a_member_that_hangs(provider: ScriptedProvider, mode: Mode) -> None:
    """Its own time limit ends it and its connection, in every mode; the others' answers and the team's stand."""
    url = provider.base_url
    leader: dict[str, Any] = {
        "coordinate": [BOTH, text_reply("with bob")],
        "broadcast": [text_reply("with bob")],
        "route": [asks(("ann", "A")), asks(("bob", "B"))],
    }
    Cast(provider, leader=leader[mode], ann=(*text("so far"), Silence()), bob=text_reply("with bob"))
    slow = member(url, "ann", limits=Limits(model_retries=0, timeout_s=0.3))
    output = team(url, mode=mode, members=[slow, member(url, "bob")]).start("Go").result(timeout=T)
    assert output.content == "with bob"
    ends = {one.agent_name: (one.status, one.stop_reason) for one in output.member_responses}
    assert ends == {"ann": (RunStatus.timeout, "timeout"), "bob": (RunStatus.completed, "end")}
    (hung,) = [one for one in provider.requests if one.body["model"] == "ann"]
    assert hung.disconnected.wait(T)
    assert nb.metrics.by_member().set_index("agent_name").loc["ann", "timeouts"] == 1


def test_a_team_in_a_team_that_hangs_is_stopped_by_its_own_limit(
    provider: ScriptedProvider, until: Until
) -> None:
    """The inner team's time limit stops its member at work; the outer leader is told and goes on."""
    url = provider.base_url
    Cast(
        provider,
        leader=[asks(("inner", "I")), text_reply("alone")],
        chief=asks(("ann", "A")),
        ann=(*text("so far"), Silence()),
    )
    limits = Limits(model_retries=0, timeout_s=0.5)
    inner = team(url, "ann", name="inner", model=model(url, "chief"), limits=limits)
    output = team(url, members=[inner]).start("Go").result(timeout=T)
    assert output.content == "alone"
    (middle,) = output.member_responses
    assert middle.status is RunStatus.timeout
    assert [one.status for one in middle.member_responses] == [RunStatus.cancelled]
    assert provider.requests[2].disconnected.wait(T)
    until(lambda: current().unfinished() == [])
