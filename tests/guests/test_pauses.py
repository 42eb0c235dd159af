"""A framework's own pause waits for a person here, and goes on in the same process with what was decided."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent import RunStatus
from tests.guests.objects import MODEL, make, openai_agents, pydantic_ai
from tests.guests.test_foreign_tools import tool_of
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]
T = 60
paid: list[int] = []


def pay(amount: int) -> str:
    """Pay an amount."""
    paid.append(amount)
    return f"paid {amount}"


def guarded(framework: str, url: str) -> Any:
    """Return an agent with a tool that its framework asks a person for."""
    if framework == "langgraph":
        from langchain.agents.middleware import HumanInTheLoopMiddleware
        from langgraph.checkpoint.memory import InMemorySaver

        middleware = [HumanInTheLoopMiddleware(interrupt_on={"pay": True})]
        return make(framework, url, pay, middleware=middleware, checkpointer=InMemorySaver())
    made = tool_of(framework, pay, approval=True)
    if framework == "pydantic_ai":
        return pydantic_ai(url, [made])
    if framework == "openai_agents":
        agent = openai_agents(url, [])
        agent.tools.append(made)
        return agent
    return make(framework, url, made)


FRAMEWORKS = ("pydantic_ai", "openai_agents", "agno", "agent_framework", "langgraph")


def waiting(framework: str, provider: ScriptedProvider) -> nb.Run:
    """Return a run that waits for a person."""
    paid.clear()
    provider.reply(tool_reply(("pay", {"amount": 5})), text_reply("done"))
    run = nb.guest(guarded(framework, provider.base_url)).start("Pay 5.")
    for _ in run.events():
        if run.pending_approvals:
            break
    assert run.status is RunStatus.paused
    (call,) = run.pending_approvals
    assert (call.name, call.arguments) == ("pay", {"amount": 5})
    assert paid == []
    return run


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_approve_lets_it_go_on(framework: str, provider: ScriptedProvider) -> None:
    """The tool runs once, and the model is asked again."""
    run = waiting(framework, provider)
    run.approve()
    output = run.result(timeout=T)
    assert (output.content, paid) == ("done", [5])
    assert len(provider.requests) == len(output.model_calls) == 2
    assert provider.bodies[0]["model"] == MODEL


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_deny_is_told_to_the_model(framework: str, provider: ScriptedProvider) -> None:
    """The tool never runs; the run goes on."""
    run = waiting(framework, provider)
    run.deny("too much")
    output = run.result(timeout=T)
    assert (output.content, paid) == ("done", [])
    assert len(provider.requests) == 2


@pytest.mark.parametrize("framework", ["pydantic_ai", "agno", "langgraph"])
def test_arguments_can_be_changed(framework: str, provider: ScriptedProvider) -> None:
    """Where the framework takes that."""
    run = waiting(framework, provider)
    run.approve(arguments={"amount": 3})
    assert run.result(timeout=T).content == "done"
    assert paid == [3]


@pytest.mark.parametrize("framework", ["openai_agents", "agent_framework"])
def test_where_arguments_cannot_be_changed_it_says_so(framework: str, provider: ScriptedProvider) -> None:
    """Nothing is called with other arguments than a person agreed to."""
    run = waiting(framework, provider)
    run.approve(arguments={"amount": 3})
    output = run.wait(timeout=T)
    assert output.status is RunStatus.error
    assert "cannot be changed" in (output.error or "")
    assert paid == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cancel_ends_a_pause(framework: str, provider: ScriptedProvider) -> None:
    """A run that waits for a person is cancelled as any other."""
    run = waiting(framework, provider)
    assert run.cancel()
    assert run.wait(timeout=T).status is RunStatus.cancelled
    assert paid == []
