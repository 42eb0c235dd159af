"""What the workers of these tests serve: agents whose model does what the prompt says, and tools that leave a line each.

A prompt is `TAG: tool, tool, ...`: the model calls these tools one after another and then says how many there were. Lines go
into the folder WORKERS_TEST_FOLDER, which the tests and all workers share.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import nbagent as nb
from nbagent.events import ToolRequest, Usage
from nbagent.models import ModelEvent, ModelRequest, ReplyFinished, ReplyStarted, TextDelta


def folder() -> Path:
    """Where lines and flags are."""
    return Path(os.environ["WORKERS_TEST_FOLDER"])


def note(what: str, tag: str = "", **more: Any) -> None:
    """Leave a line."""
    line = json.dumps({"what": what, "tag": tag, "pid": os.getpid(), **more}) + "\n"
    fd = os.open(folder() / "lines", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode())
    os.close(fd)


def lines(what: str | None = None, tag: str | None = None) -> list[dict[str, Any]]:
    """The lines that were left so far."""
    path = folder() / "lines"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [one for one in found if what in (None, one["what"]) and tag in (None, one["tag"])]


class Planner:
    """Calls the tools that the prompt names, one a step."""

    id, provider = "one", "planner"

    def check(self) -> None:
        """Nothing can be missing."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Call the next tool, or say how many were called, word by word."""
        asked = [one for one in request.messages if one.role == "user"][-1].content
        tag, _, plan = asked.partition(":")
        names = [name.strip() for name in plan.split(",") if name.strip()]
        since = max(at for at, one in enumerate(request.messages) if one.role == "user")
        told = [one.content for one in request.messages[since:] if one.role == "tool"]
        note("model", tag, step=len(told) + 1, history=len(request.messages))
        yield ReplyStarted()
        calls: tuple[ToolRequest, ...] = ()
        text = f"{tag}: {len(told)} tools, {told[-1] if told else 'none'}"
        if request.schema is not None:
            text = json.dumps({"tag": tag, "count": len(told)})
        if len(told) < len(names):
            calls = (_call(request, tag, names[len(told)], len(told)),)
            text = ""
        for word in text.split(" "):
            yield TextDelta(word + " ")
            await asyncio.sleep(0)
        yield ReplyFinished(
            text=text, tool_requests=calls, finish_reason="tool_calls" if calls else "stop",
            usage=Usage(input_tokens=10, output_tokens=5, total_tokens=15), usage_source="reported",
        )  # fmt: skip


def _call(request: ModelRequest, tag: str, wanted: str, number: int) -> ToolRequest:
    """The call of a tool; `member/tool` hands a member the prompt to call that tool."""
    member, slash, task = wanted.partition("/")
    arguments = {"task": f"{tag}: {task}"} if slash else {"tag": tag}
    name = next(one.name for one in request.tools if one.name == wanted or one.name.endswith(f"_{member}"))
    return ToolRequest(tool_call_id=f"c{number}", name=name, arguments=json.dumps(arguments))


@nb.tool(idempotent=True)
def look(tag: str) -> str:
    """Look; again does no harm."""
    note("look", tag)
    return "seen"


@nb.tool
def buy(tag: str) -> str:
    """Buy, which must not happen twice."""
    note("buy", tag)
    return "bought"


async def _held(what: str, tag: str) -> str:
    note(what, tag)
    while not (folder() / f"go {tag}").exists():  # noqa: ASYNC110 - another process says so
        await asyncio.sleep(0.01)
    note(f"{what} ended", tag)
    return "went on"


@nb.tool(idempotent=True)
async def hold(tag: str) -> str:
    """Wait until the test lets it go on; again does no harm."""
    return await _held("hold", tag)


@nb.tool
async def hold_once(tag: str) -> str:
    """Wait likewise; must not happen twice."""
    return await _held("hold_once", tag)


@nb.tool(idempotent=True)
def die(tag: str) -> str:
    """Kill the process that calls it."""
    note("die", tag)
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@nb.tool(requires_approval=True)
def send(tag: str) -> str:
    """Send, which a person has to approve."""
    note("send", tag)
    return "sent"


class Count(BaseModel):
    """A typed answer."""

    tag: str
    count: int


if os.environ.get("WORKERS_TEST_CHANGED"):  # a worker whose module is of another day

    @nb.tool(idempotent=True)  # type: ignore[no-redef]
    def look(tag: str, closely: bool = False) -> str:  # noqa: FBT001, FBT002 - a tool's
        """Look, as it has become."""
        return "seen anew"


desk = nb.Agent(model=Planner(), name="desk", tools=[look, buy, hold, hold_once, die, send])
plain = nb.Agent(model=Planner(), name="plain")
counter = nb.Agent(model=Planner(), name="counter", tools=[look, hold], output_schema=Count)
team = nb.Team(
    model=Planner(), name="team", members=[nb.Agent(model=Planner(), name="helper", tools=[look, hold])]
)
