"""How a leader hands out work: what its tools are called and say, and what a member's end means for it."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from nbagent.events import Event, Message, ModelCallFinished, RunFinished, ToolCallFinished, ToolRequest
from nbagent.loop import AskModel, CallTools, Finish, LoopContext, LoopState, OpenGate, next_action
from nbagent.loop.team_loop import NAME_LIMIT, Answer, failure, member_description, run_team, tool_names
from nbagent.models.protocol import ReplyFinished
from nbagent.spec import AgentSpec, Limits, Mode, TeamSpec
from tests.loop.scripted_model import ScriptedModel, says, wants

GEO = AgentSpec(name="geo", model="m:1", instructions="You know capitals.")
STOCKS = AgentSpec(name="stocks", model="m:1")


def team(mode: Mode = "coordinate", *members: AgentSpec, **fields: Any) -> TeamSpec:
    return TeamSpec(name="desk", model="m:0", mode=mode, members=members or (GEO, STOCKS), **fields)


def asks(*tasks: tuple[str, str]) -> Any:
    return wants(*((f"delegate_to_{name}", json.dumps({"task": task})) for name, task in tasks))


class Children:
    """Members that answer what they are told to, and what they were asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, str]] = []

    async def __call__(self, place: int, task: str) -> Answer:
        self.asked.append((place, task))
        return self.answers.pop(0)


def done(content: Any, **fields: Any) -> Answer:
    return Answer(run_id=f"run of {content}", stop_reason="end", content=content, **fields)


def perform(spec: TeamSpec, model: ScriptedModel, children: Children) -> list[Event]:
    events: list[Event] = []
    context = LoopContext(emit=events.append, gate=OpenGate(), stopped=lambda: False)
    state = LoopState(messages=[Message(role="user", content="Go")])
    asyncio.run(run_team(spec, model, state, context, children))
    return events


def results(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(e.call.status, e.call.result) for e in events if isinstance(e, ToolCallFinished)]


def end(events: list[Event]) -> RunFinished:
    (last,) = [event for event in events if isinstance(event, RunFinished)]
    assert events[-1] is last
    return last


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("geo", "stock desk"), ("delegate_to_geo", "delegate_to_stock_desk")),
        (("a b", "a-b", "a.b"), ("delegate_to_a_b", "delegate_to_a_b_2", "delegate_to_a_b_3")),
        (("研究员", "🐍"), ("delegate_to_member_1", "delegate_to_member_2")),
        (("x" * 99, "x" * 98), ("delegate_to_" + "x" * 52, "delegate_to_" + "x" * 50 + "_2")),
    ],
)
def test_each_member_has_a_tool_name_that_providers_take(names: tuple[str, ...], expected: Any) -> None:
    """Letters, digits and _, at most 64, each different, whatever the members are called."""
    made = tool_names(team("coordinate", *(AgentSpec(name=name, model="m:1") for name in names)))
    assert made == expected
    assert all(re.fullmatch(rf"[a-zA-Z0-9_]{{1,{NAME_LIMIT}}}", name) for name in made)


def test_the_leader_is_told_what_a_member_is_for() -> None:
    """Its name, its instructions in one line and not all of long ones, its members."""
    assert member_description(GEO) == "Hand a task to 'geo' and get its answer. You know capitals."
    assert "leads a team of 'geo', 'stocks'" in member_description(team())
    assert len(member_description(AgentSpec(name="a", model="m:1", instructions="long " * 999))) < 500


def test_an_answer_given_by_a_member_ends_the_run() -> None:
    """Once a tool has given the run's answer nothing else is done, whatever the model had asked for."""
    final = Finish(stop_reason="end", content="Paris", answered_by="r")
    request = ToolRequest(tool_call_id="1", name="x", arguments="{}")
    reply = ReplyFinished(text="", finish_reason="tool_calls", tool_requests=(request,))
    assert next_action(team(), LoopState(reply=reply, final=final)) == final
    assert isinstance(next_action(team(), LoopState(reply=reply)), CallTools)
    assert next_action(team(), LoopState()) == AskModel()


def test_coordinate_asks_members_and_the_leader_answers() -> None:
    """Each call starts its member with the leader's words; their answers are the calls' results."""
    model = ScriptedModel(asks(("geo", "Capital?"), ("stocks", "Price?")), says("both"))
    children = Children(done("Paris"), done({"price": 1.5}, output_valid=True))
    events = perform(team(instructions="Be brief."), model, children)
    assert children.asked == [(0, "Capital?"), (1, "Price?")]
    assert results(events) == [("completed", "Paris"), ("completed", '{"price": 1.5}')]
    assert end(events).content == "both"
    system = model.requests[0].messages[0].content
    assert system.startswith("Be brief.\n\nYou lead a team.")


def test_route_returns_the_first_members_answer() -> None:
    """The leader is not asked again, only one member works, and plain data stays data."""
    model = ScriptedModel(asks(("stocks", "Price?"), ("geo", "Price?")))
    children = Children(done({"price": 1.5}, output_valid=True))
    events = perform(team("route"), model, children)
    assert children.asked == [(1, "Price?")]
    assert [status for status, _ in results(events)] == ["completed", "error"]
    assert (end(events).content, end(events).output_valid) == ({"price": 1.5}, True)
    assert len(model.requests) == 1


def test_a_route_whose_member_fails_goes_to_another_one() -> None:
    """The leader is told of the failure and may choose again."""
    model = ScriptedModel(asks(("stocks", "A")), asks(("geo", "A")))
    failed = Answer(run_id="r", stop_reason="timeout", error="the run took too long\nask for less")
    events = perform(team("route"), model, Children(failed, done("Paris")))
    assert [status for status, _ in results(events)] == ["error", "completed"]
    assert end(events).content == "Paris"


def test_a_leader_that_routes_to_nobody_answers_itself() -> None:
    """A plain text of the leader is an answer too."""
    assert end(perform(team("route"), ScriptedModel(says("Hello.")), Children())).content == "Hello."


def test_broadcast_asks_everybody_before_the_leader_is_asked() -> None:
    """All get the prompt as it is; the leader's first call sees their answers, and can ask nobody again."""
    model = ScriptedModel(asks(("geo", "Again")), says("merged"))
    children = Children(done("one"), done("two"))
    events = perform(team("broadcast"), model, children)
    assert children.asked == [(0, "Go"), (1, "Go")]
    told = [message.content for message in model.requests[0].messages if message.role == "tool"]
    assert told == ["one", "two"]
    assert [status for status, _ in results(events)] == ["completed", "completed", "error"]
    assert [e.call.step for e in events if isinstance(e, ModelCallFinished)] == [2, 3]
    assert end(events).content == "merged"


def test_a_broadcast_counts_only_model_calls_as_steps() -> None:
    """`max_steps` bounds the leader's calls; asking everybody is none."""
    spec = team("broadcast", limits=Limits(max_steps=1))
    events = perform(spec, ScriptedModel(says("merged")), Children(done("one"), done("two")))
    assert end(events).content == "merged"


def test_a_members_failure_is_a_message() -> None:
    """It names the member, says why, and quotes what it had written; the team goes on."""
    failed = Answer(run_id="r", stop_reason="timeout", error="it took too long\nmore time", partial="Once")
    assert failure(GEO, failed).what == (
        "member 'geo' gave no answer: it took too long; until then it had written: Once"
    )
    model = ScriptedModel(asks(("geo", "A")), says("without geo"))
    events = perform(team(), model, Children(failed))
    ((status, told),) = results(events)
    assert (status, end(events).content) == ("error", "without geo")
    assert told is not None
    assert "member 'geo' gave no answer: it took too long" in told


def test_a_call_without_a_task_is_told_to_the_leader() -> None:
    """No member starts; the arguments are checked like any tool's."""
    children = Children()
    events = perform(team(), ScriptedModel(wants(("delegate_to_geo", "{}")), says("ok")), children)
    assert [status for status, _ in results(events)] == ["error"]
    assert children.asked == []
