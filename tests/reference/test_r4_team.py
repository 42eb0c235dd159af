"""R4, metrics of a team: the whole, each member's own, read back, the session, cancel. On each wire format."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, RunOutput, RunStatus, Team
from nbagent.run import TOKEN_FIELDS
from nbagent.runtime import current
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Silence
from tests.reference.wire_formats import Wire

pytestmark = pytest.mark.anyio

Polled = Callable[[Agent, RunOutput], Awaitable[RunOutput]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

QUESTION = "What is the capital of France, and the price of AAPL?"
EACH = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}  # of every scripted reply


class Exchange:
    """A toolkit: an instance whose public methods are tools."""

    def price(self, symbol: str) -> float:
        """Get the price of a stock.

        Args:
            symbol: The stock's symbol.
        """
        return {"AAPL": 190.5}.get(symbol, 1.0)


def desk(wire: Wire, url: str, leader: str, first: str, second: str, **fields: Any) -> Team:
    """A team of two whose parts have these models."""
    no_retry = Limits(model_retries=0)
    geo = Agent(name="geo", instructions="You know capitals.", model=wire.model(url, first), limits=no_retry)
    stocks = Agent(
        name="stocks",
        instructions="You know stock prices.",
        model=wire.model(url, second),
        tools=[Exchange()],
        limits=no_retry,
    )
    return Team(name="desk", model=wire.model(url, leader), members=[geo, stocks], limits=no_retry, **fields)


@pytest.fixture
def team(wire: Wire, demo_url: str) -> Team:
    """A team on the demo model: one member on the leader's model, one on another."""
    return desk(wire, demo_url, "assistant", "assistant", "slow")


def counted(output: RunOutput) -> Counter[str]:
    """A run's tokens, added up by hand from all calls under it."""
    total: Counter[str] = Counter()
    for call in output.model_calls:
        total.update({name: getattr(call.usage, name) or 0 for name in TOKEN_FIELDS})
    for member in output.member_responses:
        total.update(counted(member))
    return total


def check_the_whole(output: RunOutput) -> None:
    """The team's metrics are the sum of leader and members; each part of the details adds up to them."""
    assert output.content == "The capital of France is Paris. The price for AAPL is 190.5."
    metrics = output.metrics
    by_hand = counted(output)
    assert (metrics.input_tokens, metrics.output_tokens) == (
        by_hand["input_tokens"],
        by_hand["output_tokens"],
    )
    own = sum(call.usage.total_tokens or 0 for call in output.model_calls)
    members = sum(member.metrics.total_tokens or 0 for member in output.member_responses)
    assert metrics.total_tokens == own + members
    models = metrics.details["model"]
    assert {(one["provider"], one["id"]) for one in models} == {
        (call.provider, call.request_model)
        for run in (output, *output.member_responses)
        for call in run.model_calls
    }
    assert sum(one["total_tokens"] for one in models) == metrics.total_tokens
    assert [(one["name"], one["calls"]) for one in metrics.details["tool_call"]] == [
        ("delegate_to_geo", 1),
        ("delegate_to_stocks", 1),
        ("price", 1),
    ]


async def test_a_team_in_the_foreground_and_in_the_background(team: Team, polled: Polled) -> None:
    """Both count the same; `run.metrics` is the whole team, each member's are its own, with its model and tools."""
    front = await team.arun(QUESTION)
    back = await team.arun(QUESTION, background=True)
    assert (back.status, back.member_responses) == (RunStatus.pending, ())
    back = await polled(team, back)
    for output in (front, back):
        check_the_whole(output)
        geo, stocks = output.member_responses
        assert (geo.agent_name, geo.model, geo.content) == (
            "geo",
            "assistant",
            "The capital of France is Paris.",
        )
        assert (stocks.agent_name, stocks.model) == ("stocks", "slow")
        assert (geo.metrics.model_calls, geo.metrics.details["tool_call"]) == (1, [])
        assert [one["name"] for one in stocks.metrics.details["tool_call"]] == ["price"]
        assert {geo.parent_run_id, stocks.parent_run_id} == {output.run_id}
    for one, other in zip((front, *front.member_responses), (back, *back.member_responses), strict=True):
        assert [getattr(one.metrics, name) for name in TOKEN_FIELDS] == [
            getattr(other.metrics, name) for name in TOKEN_FIELDS
        ]
        assert one.metrics.model_calls == other.metrics.model_calls


async def test_it_is_the_same_read_back_in_another_process(team: Team) -> None:
    """A new process reads from the store what the kernel that ran it shows."""
    output = await team.arun(QUESTION)
    assert current().stored(output.run_id) == output
    code = f"import nbagent as nb; print(nb.get({output.run_id!r}).output.model_dump_json())"
    reading = [sys.executable, "-c", code]
    read = await asyncio.to_thread(subprocess.run, reading, capture_output=True, text=True, check=True)
    assert read.stdout.strip() == output.model_dump_json()


async def test_the_session_is_the_sum_of_its_runs(team: Team) -> None:
    """Each call counts once: leaders, members, an agent's run in the same session."""
    first = await team.arun(QUESTION, session_id="s")
    second = await team.arun(QUESTION, session_id="s")
    alone = await team.members[0].arun("What is the capital of Japan?", session_id="s")
    metrics = team.get_session_metrics("s")
    assert metrics == team.get_session_metrics()
    assert metrics.total_tokens == sum(run.metrics.total_tokens or 0 for run in (first, second, alone))
    assert metrics.model_calls == sum(run.metrics.model_calls for run in (first, second, alone))
    asked = current().store.read("select count(*) n, sum(total_tokens) t from model_calls")
    assert asked == [{"n": metrics.model_calls, "t": metrics.total_tokens}]


async def test_the_frames_say_what_the_metrics_say(team: Team) -> None:
    """`nb.runs`, `by_member`, `by_model` and `by_session` count a team's calls as its metrics do: each once."""
    output = await team.arun(QUESTION, session_id="s")
    runs = nb.runs().set_index("run_id")
    whole = ("model_calls", "total_tokens")
    for run in (output, *output.member_responses):
        row = runs.loc[run.run_id]
        assert [row[f"team_{name}"] for name in whole] == [getattr(run.metrics, name) for name in whole]
        assert row["model_calls"] == len(run.model_calls)
        assert row["duration_s"] == pytest.approx(run.metrics.duration_s)
    counted_in = ("model_calls", "tool_calls", *EACH)
    wanted = {name: getattr(output.metrics, name) for name in counted_in}
    members = nb.metrics.by_member()
    assert {name: members[name].sum() for name in counted_in} == wanted
    by_name = members.set_index("agent_name")
    assert list(by_name["team_name"]) == ["desk"] * 3
    for run in output.member_responses:
        own = {name: getattr(run.metrics, name) for name in counted_in}
        assert {name: by_name.loc[run.agent_name, name] for name in counted_in} == own
    for frame in (nb.metrics.by_session(), nb.metrics.by_session(session="s")):
        (session,) = frame.to_dict("records")
        assert {name: session[name] for name in counted_in} == wanted
        assert session["duration_s"] == pytest.approx(team.get_session_metrics("s").duration_s)
    models = nb.metrics.by_model().set_index("model")["total_tokens"].to_dict()
    assert models == {one["id"]: one["total_tokens"] for one in output.metrics.details["model"]}


async def test_two_members_on_one_model_stay_apart(wire: Wire, demo_url: str) -> None:
    """One entry of the details for the model, and two members with tokens of their own."""
    output = await desk(wire, demo_url, "assistant", "assistant", "assistant").arun(QUESTION)
    check_the_whole(output)
    assert len(output.metrics.details["model"]) == 1
    geo, stocks = (member.metrics.total_tokens for member in output.member_responses)
    assert geo != stocks


@pytest.mark.parametrize("mode", ["coordinate", "route", "broadcast"])
async def test_the_count_is_what_the_server_was_asked(
    wire: Wire, provider: ScriptedProvider, mode: Any
) -> None:
    """In every mode calls and tokens are those of the requests that reached the server, no more and no less."""

    def reply(request: Request) -> Any:
        first = not any(str(role) == "tool" for role, _ in wire.said(request.body)) and not_answered(request)
        if request.body["model"] == "leader" and first and mode != "broadcast":
            return wire.calls("delegate_to_geo", task="Capital?")
        return wire.reply("Paris")

    def not_answered(request: Request) -> bool:
        body = request.raw_body.decode()
        return "function_call_output" not in body and "tool_use_id" not in body

    provider.otherwise(reply)
    output = await desk(wire, provider.base_url, "leader", "m1", "m2", mode=mode).arun("Capital of France?")
    assert output.content == "Paris"
    asked = Counter(body["model"] for body in provider.bodies)
    assert {one["id"]: one["calls"] for one in output.metrics.details["model"]} == asked
    calls = len(provider.requests)
    assert output.metrics.model_calls == calls
    assert {name: getattr(output.metrics, name) for name in EACH} == {
        name: count * calls for name, count in EACH.items()
    }


async def test_texts_of_members_can_be_left_out(wire: Wire, demo_url: str) -> None:
    """`store_member_responses=False`: the members' metrics are there, what they said is not."""
    team = desk(wire, demo_url, "assistant", "assistant", "assistant", store_member_responses=False)
    output = await team.arun(QUESTION)
    check_the_whole(output)
    assert [member.agent_name for member in output.member_responses] == ["geo", "stocks"]
    assert [member.content for member in output.member_responses] == [None, None]
    assert all(member.metrics.total_tokens for member in output.member_responses)
    assert current().stored(output.run_id) == output


async def test_cancelling_the_team_cancels_its_members(
    wire: Wire, provider: ScriptedProvider, until: Until
) -> None:
    """Members at work are cancelled, the calls that had finished are kept, and the server hears nothing more."""

    def reply(request: Request) -> Any:
        if request.body["model"] == "leader":
            return wire.calls("delegate_to_geo", task="Capital?")
        return (*wire.begun("Par"), Silence())

    provider.otherwise(reply)
    team = desk(wire, provider.base_url, "leader", "m1", "m2")
    out = await team.arun("Capital?", background=True)
    run = nb.get(out.run_id)
    await until(lambda: [one.content for one in run.member_responses] == ["Par"])
    assert await team.acancel_run(run_id=out.run_id) is True
    output = await asyncio.to_thread(run.wait, 5)
    assert output.status is RunStatus.cancelled
    (geo,) = output.member_responses
    assert (geo.status, geo.content) == (RunStatus.cancelled, "Par")
    assert output.metrics.total_tokens == EACH["total_tokens"]
    assert team.get_session_metrics().total_tokens == EACH["total_tokens"]
    assert provider.requests[-1].disconnected.wait(60)
    assert len(provider.requests) == 2
