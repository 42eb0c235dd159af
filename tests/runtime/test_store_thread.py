"""The store's thread runs the store's code and what lies below it: nothing of a run, a batch or a user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

import nbagent as nb
from nbagent import Agent, tool
from nbagent.store.duckdb.write.writer import Writer
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence

T = 20
BELOW = {"store", "run", "spec", "tools", "schemas", "prompts", "events", "errors", "core", "settings"}
PACKAGE = Path(nb.__file__).parent


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Collect the files of nbagent above the store of which the store's thread runs a function.

    That thread alone is profiled: on Python 3.11 threads that begin with a profiler can stand still for minutes
    where many begin at once.
    """
    seen: set[str] = set()
    run = Writer._run

    def profile(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(str(PACKAGE)):
            return
        inside = Path(path).relative_to(PACKAGE)
        if inside.parts[0].removesuffix(".py") not in BELOW:
            seen.add(f"{inside}:{frame.f_code.co_name}")

    def profiled(writer: Writer) -> None:
        sys.setprofile(profile)
        try:
            run(writer)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr(Writer, "_run", profiled)
    return seen


@tool
def capital(country: str) -> str:
    """Give a country's capital."""
    return "Rome"


def run_with_a_tool(agent: Agent, provider: ScriptedProvider) -> None:
    """Let a run end that calls a tool and is asked for its future."""
    provider.reply(tool_reply(("capital", {"country": "Italy"})), text_reply("Rome"))
    run = nb.Agent(model=agent.model, tools=[capital]).start("Italy?", on_event=lambda _: None)
    assert run.future().result(T).content == "Rome"


def cancelled_run(agent: Agent, provider: ScriptedProvider) -> None:
    """Cancel a run at work, and one that waits for it in its session."""
    provider.otherwise((*text("Once "), Silence()))
    runs = [agent.start("Write.", session_id="s") for _ in range(2)]
    provider.wait_for_requests(1)
    for run in reversed(runs):
        run.cancel()
        run.wait(timeout=T)


def launch_on_the_loop(agent: Agent, provider: ScriptedProvider) -> None:
    """Launch runs on the background loop, where nobody waits for the disk."""
    provider.otherwise(text_reply("Yes."))

    @tool
    async def ask(question: str) -> str:
        """Ask another agent."""
        return str((await agent.arun(question)).content)

    provider.reply(tool_reply(("ask", {"question": "Is it?"})), text_reply("Yes."), text_reply("It is."))
    assert nb.Agent(model=agent.model, tools=[ask]).run("Ask.").content == "It is."


def batch(agent: Agent, provider: ScriptedProvider) -> None:
    """Ask the rows of a batch."""
    provider.otherwise(text_reply("Yes."))
    rows = agent.map([{"n": n} for n in range(5)], "Is {{ row.n }} a number?").result(T)
    assert list(rows["status"]) == ["completed"] * 5


@pytest.mark.parametrize("work", [run_with_a_tool, cancelled_run, launch_on_the_loop, batch])
def test_the_stores_thread_never_calls_upwards(
    agent: Agent,
    provider: ScriptedProvider,
    seen: set[str],
    work: Callable[[Agent, ScriptedProvider], None],
) -> None:
    """A write's result is settled on the loop that waits for it, or by whoever blocks on its future."""
    work(agent, provider)
    assert len(nb.runs())
    assert seen == set()
