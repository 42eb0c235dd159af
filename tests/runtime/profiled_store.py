"""A process that works in several ways and prints what its store's thread ran above the store, one a line.

It is a process of its own: in one with a long life a thread of Python 3.11 that begins with a profiler can stand still.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import nbagent as nb
from nbagent.store.duckdb.write.writer import Writer
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence

T = 60
BELOW = {"store", "run", "spec", "tools", "schemas", "prompts", "events", "errors", "core", "settings"}
PACKAGE = Path(nb.__file__).parent

seen: set[str] = set()
run_thread = Writer._run


def profile(frame: FrameType, event: str, _: object) -> None:
    """Note a function of nbagent above the store that is called."""
    path = frame.f_code.co_filename
    if event != "call" or not path.startswith(str(PACKAGE)):
        return
    inside = Path(path).relative_to(PACKAGE)
    if inside.parts[0].removesuffix(".py") not in BELOW:
        seen.add(f"{inside}:{frame.f_code.co_name}")


def profiled(writer: Writer) -> None:
    """Run the store's thread under the profiler."""
    sys.setprofile(profile)
    try:
        run_thread(writer)
    finally:
        sys.setprofile(None)


@nb.tool
def capital(country: str) -> str:
    """Give a country's capital."""
    return "Rome"


def run_with_a_tool(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """Let a run end that calls a tool and is asked for its future."""
    provider.reply(tool_reply(("capital", {"country": "Italy"})), text_reply("Rome"))
    run = nb.Agent(model=agent.model, tools=[capital]).start("Italy?", on_event=lambda _: None)
    assert run.future().result(T).content == "Rome"


def cancelled_run(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """Cancel a run at work, and one that waits for it in its session."""
    provider.otherwise((*text("Once "), Silence()))
    runs = [agent.start("Write.", session_id="s") for _ in range(2)]
    provider.wait_for_requests(1)
    for run in reversed(runs):
        run.cancel()
        run.wait(timeout=T)


def launch_on_the_loop(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """Launch runs on the background loop, where nobody waits for the disk."""
    provider.otherwise(text_reply("Yes."))

    @nb.tool
    async def ask(question: str) -> str:
        """Ask another agent."""
        return str((await agent.arun(question)).content)

    provider.reply(tool_reply(("ask", {"question": "Is it?"})), text_reply("Yes."), text_reply("It is."))
    assert nb.Agent(model=agent.model, tools=[ask]).run("Ask.").content == "It is."


def batch(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """Ask the rows of a batch."""
    provider.otherwise(text_reply("Yes."))
    rows = agent.map([{"n": n} for n in range(5)], "Is {{ row.n }} a number?").result(T)
    assert list(rows["status"]) == ["completed"] * 5


def main() -> None:
    """Do each work with a provider of its own."""
    Writer._run = profiled  # type: ignore[method-assign]
    for work in (run_with_a_tool, cancelled_run, launch_on_the_loop, batch):
        provider = ScriptedProvider()
        model = nb.OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
        work(nb.Agent(model=model, limits=nb.Limits(model_retries=0)), provider)
        provider.close()
    assert len(nb.runs())
    print("worked", *sorted(seen), sep="\n")


if __name__ == "__main__":
    main()
