"""Members of other frameworks' teams are runs of their own under the guest's, told as the server counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent import Limits, RunStatus, Team
from tests.guests.objects import price
from tests.harness.waiting import until
from tests.provider.chat_wire import USAGE, begun, text, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Wait, error
from tests.runtime.scripted_team import model as our_model

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]  # what others warn of is theirs
T = 60
TOKENS = USAGE["total_tokens"]


def agno(url: str, plays: str, *, members: Any = None, **options: Any) -> Any:
    """An agent of agno, or a team where it has members, named as its model."""
    import agno.agent
    import agno.team
    from agno.models.openai import OpenAIChat

    model = OpenAIChat(id=plays, base_url=url, api_key="k", max_retries=0)
    if members is None:
        return agno.agent.Agent(name=plays, model=model, telemetry=False, **options)
    return agno.team.Team(name=plays, model=model, members=members, telemetry=False, **options)


def coordinate(url: str) -> Any:
    """A leader hands a task to each of two members, one of which has a tool."""
    return agno(url, "Desk", members=[agno(url, "capitals"), agno(url, "prices", tools=[price])])


def route(url: str) -> Any:
    """One member's answer is the team's."""
    return agno(
        url,
        "Desk",
        members=[agno(url, "capitals"), agno(url, "prices")],
        respond_directly=True,
        description="You route.",
    )


def broadcast(url: str) -> Any:
    """Each member has the task at once."""
    return agno(
        url, "Desk", members=[agno(url, "capitals"), agno(url, "prices")], delegate_to_all_members=True
    )


def nested(url: str) -> Any:
    """A member leads a team of its own."""
    return agno(url, "Desk", members=[agno(url, "Inner", members=[agno(url, "capitals")])])


def handoffs(url: str) -> Any:
    """The first agent hands over to a second one, that one to a third."""
    from agents import Agent, OpenAIChatCompletionsModel
    from openai import AsyncOpenAI

    def one(plays: str, *to: Any) -> Any:
        client = AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
        return Agent(
            name=plays,
            model=OpenAIChatCompletionsModel(model=plays, openai_client=client),
            handoffs=list(to),
        )

    return one("Desk", one("capitals", one("prices")))


def workflow(url: str) -> Any:
    """One agent's work goes to two others."""
    from agent_framework import Agent, WorkflowBuilder
    from agent_framework.openai import OpenAIChatCompletionClient

    def one(plays: str) -> Any:
        return Agent(client=OpenAIChatCompletionClient(model=plays, base_url=url, api_key="k"), name=plays)

    first = one("capitals")
    made = WorkflowBuilder(start_executor=first).add_fan_out_edges(first, [one("prices"), one("dates")])
    return made.build().as_agent(name="Desk")


def plays(request: Request) -> Script:
    """Hand on what can be handed on, once; else answer."""
    body = request.body
    names = [one["function"]["name"] for one in body.get("tools", ())]
    onward = next((name for name in names if name.startswith("transfer_to_")), None)
    if onward is not None:
        return tool_reply((onward, {}), ids=[onward])
    if any(one["role"] == "tool" for one in body["messages"]):
        return text_reply(f"{body['model']} ", "says")
    if "price" in names:
        return tool_reply(("price", {"ticker": "NVDA"}), ids=["p1"])
    if "delegate_task_to_members" in names:
        return tool_reply(("delegate_task_to_members", {"task": "for all"}), ids=["all"])
    if "delegate_task_to_member" in names:
        known = ("inner",) if body["model"] == "Desk" and "inner" in str(body) else ("capitals", "prices")
        to = [one for one in known if one in str(body["messages"])][: 1 if "route" in str(body) else 2]
        calls = [("delegate_task_to_member", {"member_id": one, "task": f"for {one}"}) for one in to]
        return tool_reply(*calls, ids=[f"{body['model']}_{one}" for one in to])
    return text_reply(f"{body['model']} ", "says")


TEAMS: list[Callable[[str], Any]] = [coordinate, route, broadcast, nested, handoffs, workflow]


@pytest.mark.parametrize("make", TEAMS, ids=lambda one: one.__name__)
def test_members_are_runs_and_count_as_the_server_does(
    make: Callable[[str], Any], provider: ScriptedProvider
) -> None:
    """Each request is a call of one run, that of whoever asked; nothing is counted twice."""
    provider.otherwise(plays)
    output = nb.guest(make(provider.base_url)).run("Who?", timeout=T)
    assert output.status is RunStatus.completed, output.error
    asked = Counter(body["model"] for body in provider.bodies)
    runs = nb.runs(columns="all").set_index("agent_name")
    assert runs.model_calls.to_dict() == {"Desk": 0, **asked}
    assert runs.total_tokens.dropna().to_dict() == {name: n * TOKENS for name, n in asked.items()}
    assert runs.team_total_tokens["Desk"] == len(provider.requests) * TOKENS
    assert set(runs.status) == {"completed"}
    assert set(runs.kind) == {"guest"}
    members = nb.metrics.by_member()
    assert set(members.team_name) == {"Desk"}
    assert members.set_index("agent_name").total_tokens.dropna().sum() == len(provider.requests) * TOKENS
    leader = "Inner" if make is nested else "Desk"
    assert runs.parent_run_id["capitals"] == runs.run_id[leader]
    assert runs.provider.unique().tolist() == ["openai"] or make is workflow
    assert "capitals says" in runs.content["capitals"] or make is handoffs  # which hands on what it was given
    one = next(one for one in _family(nb.get(output.run_id).output) if one.agent_name == "capitals")
    tasks = {nested: "for capitals", coordinate: "for capitals", route: "for capitals", broadcast: "for all"}
    assert one.prompt == tasks.get(make, "Who?")
    assert one.messages[0].content == one.prompt


def _family(output: Any) -> list[Any]:
    return [output, *(one for member in output.member_responses for one in _family(member))]


def test_a_members_tools_are_its_own(provider: ScriptedProvider) -> None:
    """The leader's calls are those that hand out work."""
    provider.otherwise(plays)
    output = nb.guest(coordinate(provider.base_url)).run("Who?", timeout=T)
    prices = next(one for one in output.member_responses if one.agent_name == "prices")
    assert [(call.name, call.status) for call in prices.tool_calls] == [("price", "completed")]
    assert [message.role for message in prices.messages] == ["user", "assistant", "tool", "assistant"]
    assert [call.name for call in output.tool_calls] == ["delegate_task_to_member"] * 2


@pytest.mark.parametrize("whom", ["the guest", "the member"])
@pytest.mark.parametrize("make", [coordinate, handoffs, workflow], ids=lambda one: one.__name__)
def test_cancel_ends_all_of_it(make: Callable[[str], Any], whom: str, provider: ScriptedProvider) -> None:
    """A member cannot be stopped alone: with it goes the guest; the connection is closed."""
    gate, name = Gate(), "prices" if make is handoffs else "capitals"

    def waits(request: Request) -> Script:
        if request.body["model"] == name:
            return (*begun(), *text("Par", "is"), Wait(gate))
        return plays(request)

    provider.otherwise(waits)
    run = nb.guest(make(provider.base_url)).start("Who?")
    until(lambda: any(one.text == "Paris" for one in _live(run, name)), "the member's text")
    assert (run if whom == "the guest" else _live(run, name)[0]).cancel()
    output = run.wait(timeout=T)
    assert output.status is RunStatus.cancelled
    waiting = [one for one in provider.requests if one.body["model"] == name]
    assert all(one.disconnected.wait(T) for one in waiting)
    member = next(one for one in output.member_responses if one.agent_name == name)
    assert (member.status, member.content) == (RunStatus.cancelled, "Paris")
    assert [call.status for call in member.model_calls] == ["cancelled"]
    assert nb.runs(status="running").empty


def _live(run: nb.Run, name: str) -> list[nb.Run]:
    return [nb.get(one.run_id) for one in run.output.member_responses if one.agent_name == name]


@pytest.mark.parametrize("make", [coordinate, handoffs, workflow], ids=lambda one: one.__name__)
def test_a_members_failure_is_told(make: Callable[[str], Any], provider: ScriptedProvider) -> None:
    """Its run has an error; nothing of the guest's is left at work, whether the framework goes on or not."""
    provider.otherwise(
        lambda request: error(400, "no Paris") if request.body["model"] == "capitals" else plays(request)
    )
    output = nb.guest(make(provider.base_url)).run("Who?", timeout=T)
    if make is workflow:  # which tells nothing of whom it has asked
        assert [call.status for call in output.model_calls] == ["error"]
    else:
        member = next(one for one in output.member_responses if one.agent_name == "capitals")
        assert (member.status, "no Paris" in member.error) == (RunStatus.error, True)
        assert [call.status for call in member.model_calls] == ["error"]
    assert all(one.status.is_final for one in _family(output))
    if make is not coordinate:  # there the leader is told, and goes on
        assert (output.status, "no Paris" in (output.error or "")) == (RunStatus.error, True)


@pytest.mark.parametrize("make", [coordinate, handoffs, workflow], ids=lambda one: one.__name__)
def test_limits_bound_the_sum_of_guest_and_members(
    make: Callable[[str], Any], provider: ScriptedProvider
) -> None:
    """The call after the one that uses up the tokens is not made, whoever's it would be."""
    provider.otherwise(plays)
    most = (
        TOKENS if make is workflow else TOKENS + 1
    )  # there the second and third call are on their way at once
    limited = nb.guest(make(provider.base_url), limits=Limits(max_total_tokens=most))
    output = limited.run("Who?", timeout=T)
    assert (output.status, output.stop_reason) == (RunStatus.error, "max_total_tokens")
    asked = Counter(body["model"] for body in provider.bodies)
    assert asked["Desk"] <= 1
    assert len(provider.requests) <= 4  # two members at once may be on their way, one of them with a tool
    assert all(one.status.is_final for one in _family(output))


def test_a_guest_with_members_is_a_member_itself(provider: ScriptedProvider) -> None:
    """Its calls and its members' are bounded with ours, and counted under our team."""
    asked = iter([tool_reply(("delegate_to_Desk", {"task": "Who?"})), text_reply("so")])
    provider.otherwise(lambda request: next(asked) if request.body["model"] == "leader" else plays(request))
    ours = Team(
        name="house", model=our_model(provider.base_url, "leader"), members=[coordinate(provider.base_url)]
    )
    output = ours.run("Who?", timeout=T)
    assert output.content == "so"
    members = nb.metrics.by_member()
    assert set(members.team_name) == {"house"}
    assert members.total_tokens.sum() == len(provider.requests) * TOKENS
    assert members.set_index("agent_name").leader_name.dropna().to_dict() == {
        "Desk": "house", "capitals": "Desk", "prices": "Desk",
    }  # fmt: skip


def test_rows_of_a_table_have_members_each(provider: ScriptedProvider) -> None:
    """Ten rows at once: each row's members are its own."""
    provider.otherwise(plays)
    batch = nb.guest(coordinate(provider.base_url)).map([{"n": n} for n in range(10)], "Number {{ row.n }}?")
    batch.wait(timeout=T)
    runs = nb.runs(columns="all")
    assert runs.groupby("agent_name").size().to_dict() == {"Desk": 10, "capitals": 10, "prices": 10}
    assert (runs.dropna(subset="parent_run_id").groupby("parent_run_id").size() == 2).all()
    assert runs.total_tokens.sum() == len(provider.requests) * TOKENS
