"""A run with three tools for processes that die: the tools, the provider's side of it, and the child that launches it.

`python -m tests.runtime.three_tool_run URL LOG RUN_ID [TOOL ...]` launches the run and says so; it is then killed, or
ends. The tools leave a line when they begin and one when they end, so that a second call would show.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, tool
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import Request
from tests.provider.steps import Script

NAMES = ("buy", "pack", "send")
WORK_S = 0.02


def _log(line: str) -> None:
    with Path(os.environ["TOOL_LOG"]).open("a") as file:  # one small write: it is there or it is not
        file.write(line + "\n")


def _work(name: str) -> str:
    _log(f"begin {name}")
    time.sleep(WORK_S)
    _log(f"end {name}")
    return f"{name}-done"


def buy() -> str:
    """Buy it."""
    return _work("buy")


async def pack() -> str:
    """Pack it."""
    return _work("pack")


def send() -> str:
    """Send it."""
    return _work("send")


def die() -> str:
    """Begin, and take the process along."""
    _log("begin die")
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@tool(idempotent=True)
def die_once() -> str:
    """Take the process along the first time."""
    first = "begin die_once" not in Path(os.environ["TOOL_LOG"]).read_text()
    _log("begin die_once")
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    return "die_once-done"


def agent_on(base_url: str, tools: Sequence[str] = NAMES) -> Agent:
    """The agent, the same in every process."""
    model = OpenAIChat(id="scripted-1", base_url=base_url, api_key="not-needed")
    return Agent(
        model=model, tools=[globals()[name] for name in tools], limits=Limits(model_retries=0), name="clerk"
    )


def one_tool_after_another(tools: Sequence[str] = NAMES) -> Any:
    """A provider that asks for each tool in turn, by what the conversation shows, and then says how each went."""

    def reply(request: Request) -> Script:
        told = [message["content"] for message in request.body["messages"] if message["role"] == "tool"]
        if len(told) < len(tools):
            return tool_reply((tools[len(told)], {}))
        return text_reply("all of it: ", json.dumps(told))

    return reply


if __name__ == "__main__":
    url, log, run_id, *names = sys.argv[1:]
    os.environ["TOOL_LOG"] = log
    run = agent_on(url, names or NAMES).start("Go", run_id=run_id)
    print("launched", flush=True)
    print(nb.gather(run)[0].status.value, flush=True)
