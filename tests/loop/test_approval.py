"""Which calls wait for a person is decided as a table; what is performed is what the person agreed to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nbagent.events import (
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    Event,
    Message,
    PendingApproval,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
)
from nbagent.loop import CallTools, Decision, LoopContext, LoopState, OpenGate, next_action, run_loop
from nbagent.models.protocol import ReplyFinished
from nbagent.spec import AgentSpec
from nbagent.tools import tool, tools_of
from tests.loop.scripted_model import ScriptedModel, perform, says, wants

ran: list[Any] = []


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    ran.append(amount)
    return f"paid {amount}"


def undecided(**_: object) -> bool:
    """Cannot say."""
    raise ValueError


@tool(requires_approval=undecided)
def risk() -> str:
    """Risk it."""
    ran.append("risk")
    return "risked"


def look() -> str:
    """Look."""
    ran.append("look")
    return "seen"


SPEC = AgentSpec(name="a", model="scripted:one", tools=tools_of([pay, risk, look]))
PAY = ToolRequest(tool_call_id="1", name="pay", arguments='{"amount": 5}')
LOOK = ToolRequest(tool_call_id="2", name="look", arguments="{}")
RISK = ToolRequest(tool_call_id="3", name="risk", arguments="{}")
NONE = ToolRequest(tool_call_id="4", name="none", arguments="{}")
DONE = Message(role="tool", content="paid", tool_call_id="1", name="pay")


@pytest.mark.parametrize(
    ("requests", "state", "guarded"),
    [
        ((LOOK,), {}, ()),
        ((PAY,), {}, (PAY,)),
        ((PAY, LOOK, RISK), {}, (PAY, RISK)),
        ((NONE,), {}, ()),
        ((PAY, RISK), {"answered": {"1": DONE}}, (RISK,)),
        ((PAY, LOOK), {"held": frozenset({"2"})}, (PAY, LOOK)),
        ((PAY, LOOK), {"held": frozenset({"1"}), "answered": {"1": DONE}}, ()),
    ],
)
def test_which_calls_are_guarded(
    requests: tuple[ToolRequest, ...], state: dict[str, Any], guarded: tuple[ToolRequest, ...]
) -> None:
    """Those whose tool may want approval, and those that waited before; not those that have their answer."""
    reply = ReplyFinished(text="", finish_reason="tool_calls", tool_requests=requests)
    action = next_action(SPEC, LoopState(reply=reply, **state))
    assert action == CallTools(requests=requests, guarded=guarded)


def decided(decision: Decision, *calls: tuple[str, str]) -> tuple[list[Event], ScriptedModel]:
    """A loop whose person says the same to every call."""
    ran.clear()
    events: list[Event] = []
    model = ScriptedModel(wants(*calls), says("ok"))

    async def approve(call: PendingApproval) -> Decision:
        assert ran in ([], ["look"])
        assert ApprovalRequested(call=call) in events
        return decision

    context = LoopContext(emit=events.append, gate=OpenGate(), stopped=lambda: False, approve=approve)
    asyncio.run(run_loop(SPEC, model, LoopState(), context))
    return events, model


def kinds(events: list[Event]) -> list[str]:
    wanted = (ApprovalRequested, ApprovalGiven, ApprovalDenied, ToolCallStarted, ToolCallFinished)
    return [type(event).__name__ for event in events if isinstance(event, wanted)]


def test_an_approved_call_runs_after_its_approval() -> None:
    """Requested, given, started, finished, in this order; a predicate that raises counts as yes, it is needed."""
    events, model = decided(Decision(approved=True), ("pay", '{"amount": "5"}'))
    assert kinds(events) == ["ApprovalRequested", "ApprovalGiven", "ToolCallStarted", "ToolCallFinished"]
    (request,) = (event for event in events if isinstance(event, ApprovalRequested))
    assert request.call == PendingApproval(
        step=1, tool_call_id="call_0", name="pay", arguments={"amount": "5"}
    )
    assert (ran, model.requests[1].messages[-1].content) == ([5], "paid 5")
    events, _ = decided(Decision(approved=True), ("risk", "{}"))
    assert kinds(events)[0] == "ApprovalRequested"


def test_a_denied_call_never_starts() -> None:
    """Its row says denied, the model reads why, and the other call of the step ran."""
    events, model = decided(Decision(approved=False, reason="no"), ("pay", '{"amount": 5}'), ("look", "{}"))
    rows = {event.call.name: event.call.status for event in events if isinstance(event, ToolCallFinished)}
    assert (rows, ran) == ({"pay": "denied", "look": "completed"}, ["look"])
    assert model.requests[1].messages[-2].content.startswith("Error: a person denied this call of 'pay': no")


def test_changed_arguments_are_used_and_told() -> None:
    """The tool gets the person's arguments; row and message say what they were."""
    events, model = decided(Decision(approved=True, arguments={"amount": 1}), ("pay", '{"amount": 5}'))
    (row,) = (event.call for event in events if isinstance(event, ToolCallFinished))
    assert (ran, row.arguments) == ([1], '{"amount":1}')
    assert model.requests[1].messages[-1].content == row.result
    assert "changed the arguments" in (row.result or "")


def test_without_anybody_to_ask_the_answer_is_no() -> None:
    """A loop that nobody gave a way to ask denies: a guarded tool never runs unasked."""
    ran.clear()
    events = perform(SPEC, ScriptedModel(wants(("pay", '{"amount": 5}')), says("ok")))
    assert kinds(events)[1:] == ["ApprovalDenied", "ToolCallFinished"]
    assert ran == []
