"""What must not deadlock: each way in which a run could wait for itself, with the run coming to its end."""

from __future__ import annotations

import threading

import pytest

import nbagent as nb
from nbagent import Agent, tool
from nbagent.runtime.execution.run_context import MAX_DEPTH
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

DEADLINE_S = 60


@pytest.mark.parametrize("on_busy", ["queue", "reject", "cancel", "parallel"])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_tool_starts_a_run_in_its_own_session(
    agent: Agent, provider: ScriptedProvider, on_busy: str, *, awaited: bool
) -> None:
    """A child takes no turn: it neither waits for its parent, nor is refused, nor ends it; it names its parent."""
    agent.on_busy = on_busy

    def blocking() -> str:
        """Run another agent and wait."""
        return str(agent.start("Inner?", session_id="s", run_id="child").result(timeout=DEADLINE_S).content)

    async def awaiting() -> str:
        """Run another agent and await it."""
        return str((await agent.start("Inner?", session_id="s", run_id="child")).content)

    asked = awaiting if awaited else blocking
    provider.reply(tool_reply((asked.__name__, {})), text_reply("inner"), text_reply("outer"))
    outer = Agent(model=agent.model, tools=[asked], on_busy=on_busy).start("Go", session_id="s")
    assert outer.result(timeout=DEADLINE_S).content == "outer"
    child = nb.get("child").result(timeout=DEADLINE_S)
    assert (child.content, child.parent_run_id) == ("inner", outer.run_id)
    assert outer.output.parent_run_id is None


def test_a_run_behind_the_parent_waits_for_the_parent_only(agent: Agent, provider: ScriptedProvider) -> None:
    """The session's queue stays as it was: the next run comes after the parent, child or no child."""
    behind: list[nb.Run] = []

    def nested() -> str:
        """Queue a run behind this one from outside, then run a child."""
        thread = threading.Thread(
            target=lambda: behind.append(agent.start("Behind", session_id="s"))
        )  # a thread of its own is no part of this tool's run
        thread.start()
        thread.join(DEADLINE_S)
        return str(agent.start("Inner?", session_id="s").result(timeout=DEADLINE_S).content)

    provider.reply(tool_reply(("nested", {})), text_reply("inner"), text_reply("outer"), text_reply("behind"))
    outer = Agent(model=agent.model, tools=[nested]).start("Go", session_id="s")
    assert outer.result(timeout=DEADLINE_S).content == "outer"
    assert behind[0].result(timeout=DEADLINE_S).content == "behind"
    assert behind[0].output.parent_run_id is None


def test_two_sessions_that_start_runs_in_each_other(agent: Agent, provider: ScriptedProvider) -> None:
    """Two runs whose tools each run a child in the other's session both complete."""
    barrier = threading.Barrier(2, timeout=DEADLINE_S)

    def cross(session: str) -> str:
        """Run a child in that session."""
        barrier.wait()
        return str(agent.start("Inner?", session_id=session).result(timeout=DEADLINE_S).content)

    outer = Agent(model=agent.model, tools=[cross])
    provider.reply(tool_reply(("cross", {"session": "b"})), tool_reply(("cross", {"session": "a"})))
    provider.otherwise(text_reply("ok"))
    runs = [outer.start("Go", session_id="a"), outer.start("Go", session_id="b")]
    assert [output.content for output in nb.gather(*runs, timeout=DEADLINE_S)] == ["ok", "ok"]


def test_the_only_slot_and_a_tool_that_waits_for_a_run(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With max_concurrency=1 a run that waits in a tool holds no slot."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY_PER_MODEL", "1")

    async def nested() -> str:
        """Run another agent and await it."""
        return str((await agent.start("Inner?")).content)

    provider.reply(tool_reply(("nested", {})), text_reply("inner"), text_reply("outer"))
    run = Agent(model=agent.model, tools=[nested]).start("Go")
    assert run.result(timeout=DEADLINE_S).tool_calls[0].result == "inner"


def test_sixty_blocking_tools_at_once(agent: Agent, provider: ScriptedProvider) -> None:
    """More sync tools than any pool has threads wait for each other, and all get there."""
    count = 60
    barrier = threading.Barrier(count, timeout=DEADLINE_S)

    def meet() -> str:
        """Wait for all the others."""
        barrier.wait()
        return "met"

    provider.reply(tool_reply(*[("meet", {})] * count), text_reply("all"))
    output = Agent(model=agent.model, tools=[meet]).start("Go").result(timeout=DEADLINE_S)
    assert [call.result for call in output.tool_calls] == ["met"] * count


def test_a_main_thread_tool_while_result_waits(agent: Agent, provider: ScriptedProvider) -> None:
    """The waiting main thread does the call that the run waits for."""

    @tool(main_thread=True)
    def here() -> bool:
        """Say whether this is the main thread."""
        return threading.current_thread() is threading.main_thread()

    provider.reply(tool_reply(("here", {})), text_reply("ok"))
    output = Agent(model=agent.model, tools=[here]).start("Go").result(timeout=DEADLINE_S)
    assert output.tool_calls[0].result in {"True", "true"}


def test_a_launch_on_the_background_thread_returns_at_once(agent: Agent, provider: ScriptedProvider) -> None:
    """An async tool launches without waiting for the store; `await run.launched()` is when the row is there."""
    launched: list[tuple[bool, str]] = []

    async def launch() -> str:
        """Launch a run and leave it."""
        run = agent.start("Inner?")
        launched.append((await run.launched(), run.run_id))
        return run.run_id

    provider.reply(tool_reply(("launch", {})))
    provider.otherwise(text_reply("ok"))
    Agent(model=agent.model, tools=[launch]).start("Go").result(timeout=DEADLINE_S)
    ((durable, run_id),) = launched
    assert durable
    assert nb.get(run_id).result(timeout=DEADLINE_S).content == "ok"


def test_a_launch_from_a_callback(agent: Agent, provider: ScriptedProvider) -> None:
    """A callback has a thread of its own: it may launch runs and even wait for them."""
    contents: list[str] = []
    over = threading.Event()

    def on_text(_: str) -> None:
        contents.append(agent.start("Again?").result(timeout=DEADLINE_S).content)
        over.set()

    provider.reply(text_reply("first"), text_reply("second"))
    agent.start("Well?", on_text=on_text).result(timeout=DEADLINE_S)
    assert over.wait(DEADLINE_S)
    assert contents == ["second"]
    assert list(nb.sql("select count(*) n from runs where parent_run_id is not null")["n"]) == [0]


def test_runs_that_launch_themselves_come_to_an_end(agent: Agent, provider: ScriptedProvider) -> None:
    """A tool that launches the agent whose tool it is: nested too deep, the launch is refused and the model told."""

    async def again() -> str:
        """Run this agent once more."""
        return str((await agent.start("Again")).content)

    agent.tools = [again]
    provider.reply(*[tool_reply(("again", {}))] * MAX_DEPTH)
    provider.otherwise(text_reply("enough"))
    assert agent.start("Go").result(timeout=DEADLINE_S * 2).content == "enough"
    calls = nb.sql("select status, error from tool_calls order by status")
    assert list(calls["status"]) == ["completed"] * (MAX_DEPTH - 1) + ["error"]
    assert f"nested {MAX_DEPTH} deep" in calls["error"].iloc[-1]
