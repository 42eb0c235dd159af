"""Runs that tools launch end with the run whose tool launched them, unless they were detached."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

import nbagent as nb
from nbagent import Agent, RunStatus
from nbagent.runtime import current
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script, Silence

Until = Callable[[Callable[[], bool]], None]


def endless(request: Request) -> Script:
    """Ask the outer agent's tool; answer everything else without an end."""
    if "tools" in request.body:
        return tool_reply((request.body["tools"][0]["function"]["name"], {}))
    return (*text("Once"), Silence())


def outer(agent: Agent, tool: Callable[..., object]) -> Agent:
    """An agent whose tool launches runs."""
    return Agent(model=agent.model, tools=[tool], name="outer")


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_children_are_cancelled_with_their_parent(
    agent: Agent, provider: ScriptedProvider, until: Until, how: str
) -> None:
    """A child, and a child's child, end `cancelled` with their text, and their connections are closed."""

    async def inner() -> str:
        """Run an agent and await it."""
        return str((await agent.start("Inner", label="leaf")).content)

    async def middle() -> str:
        """Run an agent with a tool and await it."""
        return str((await outer(agent, inner).start("Middle", label="middle")).content)

    provider.otherwise(endless)
    run = outer(agent, middle).start("Outer", timeout=1.0 if how == "timeout" else None)
    provider.wait_for_requests(3)
    until(lambda: nb.get("leaf").text == "Once")
    if how == "cancel":
        assert run.cancel()
    assert run.wait(timeout=60).status.value == {"cancel": "cancelled"}.get(how, how)
    outputs = nb.gather(nb.get("middle"), nb.get("leaf"), timeout=60)
    assert [out.status for out in outputs] == [RunStatus.cancelled] * 2
    assert outputs[1].content == "Once"
    assert provider.requests[2].disconnected.wait(60)
    assert len(provider.requests) == 3
    until(lambda: current().unfinished() == [])


def test_a_run_that_was_launched_and_left_is_cancelled_too(
    agent: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """Also where the tool did not wait for it and is at something else."""
    gate = threading.Event()

    def launch() -> str:
        """Launch a run and go on."""
        agent.start("Inner", label="inner")
        gate.wait(60)
        return "done"

    provider.otherwise(endless)
    run = outer(agent, launch).start("Outer")
    provider.wait_for_requests(2)
    run.cancel()
    assert nb.get("inner").wait(timeout=60).status is RunStatus.cancelled
    gate.set()


def test_a_detached_run_goes_on(agent: Agent, provider: ScriptedProvider) -> None:
    """`detached=True` keeps it out of its parent's end; it names its parent all the same."""
    gate = threading.Event()

    def launch() -> str:
        """Launch a run for somebody else."""
        agent.start("Inner", label="inner", detached=True)
        gate.wait(60)
        return "done"

    provider.otherwise(endless)
    run = outer(agent, launch).start("Outer")
    provider.wait_for_requests(2)
    run.cancel()
    run.wait(timeout=60)
    inner = nb.get("inner")
    assert inner.status is RunStatus.running
    assert inner.output.parent_run_id == run.run_id
    assert inner.cancel()
    gate.set()


def test_a_child_of_a_run_that_has_ended_well_goes_on(agent: Agent, provider: ScriptedProvider) -> None:
    """Only a stop is handed down: a run that was launched and left outlives a parent that completed."""

    def launch() -> str:
        """Launch a run and leave it."""
        return agent.start("Inner", label="inner").run_id

    provider.reply(tool_reply(("launch", {})))
    provider.otherwise(
        lambda request: text_reply("ok") if "tools" in request.body else (*text("Once"), Silence())
    )
    outer(agent, launch).start("Outer").result(timeout=60)
    inner = nb.get("inner")
    provider.wait_for_requests(3)
    assert not inner.done()
    assert inner.cancel()


def test_an_abandoned_tool_launches_nothing_that_works(agent: Agent, provider: ScriptedProvider) -> None:
    """A sync tool cannot be killed: what it launches after its run was cancelled ends without a model call."""
    began, gate, over = threading.Event(), threading.Event(), threading.Event()

    def late() -> str:
        """Launch a run when it is too late."""
        began.set()
        gate.wait(60)
        agent.start("Inner", label="inner")
        over.set()
        return "done"

    provider.otherwise(endless)
    run = outer(agent, late).start("Outer")
    assert began.wait(60)
    run.cancel()
    run.wait(timeout=60)
    gate.set()
    assert over.wait(60)
    assert nb.get("inner").wait(timeout=60).status is RunStatus.cancelled
    assert len(provider.requests) == 1
