"""Tool calls are shown in the order in which the model asked for them, however they ended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import nbagent as nb
from nbagent import Agent, OpenAIChat
from nbagent.events import Message, ToolCall, ToolRequest
from nbagent.run import in_asked_order
from nbagent.runtime import current
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def call(step: int, tool_call_id: str, name: str = "t") -> ToolCall:
    """A finished call."""
    return ToolCall(
        step=step, tool_call_id=tool_call_id, name=name, arguments="{}", status="completed", started_at=NOW,
        duration_s=0.1,
    )  # fmt: skip


def asking(*ids: str) -> Message:
    """The assistant message of a step."""
    requests = tuple(ToolRequest(tool_call_id=one, name="t", arguments="{}") for one in ids)
    return Message(role="assistant", tool_requests=requests)


def test_by_step_and_then_as_asked() -> None:
    """Ids may come again in another step; what no message asks for comes last; one id twice stays in its order."""
    messages = [Message(role="user", content="?"), asking("b", "a"), asking("a", "b")]
    first, second = call(2, "a", "first"), call(2, "a", "second")
    odd = call(1, "odd")
    calls = [second_step := call(2, "b"), call(1, "a"), odd, call(1, "b"), first, second]
    assert in_asked_order(calls, messages) == (calls[3], calls[1], odd, first, second, second_step)
    assert in_asked_order([odd], []) == (odd,)


def test_live_and_stored_are_the_same(provider: ScriptedProvider) -> None:
    """Three tools that end in the opposite order: output and metrics show them as asked, live and stored."""
    turns = {name: asyncio.Event() for name in "abc"}

    async def a() -> str:
        """End last."""
        await turns["b"].wait()
        return "a"

    async def b() -> str:
        """End second."""
        await turns["c"].wait()
        turns["b"].set()
        return "b"

    async def c() -> str:
        """End first."""
        turns["c"].set()
        return "c"

    provider.reply(tool_reply(("a", {}), ("b", {}), ("c", {})), text_reply("done"))
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    run = Agent(model=model, tools=[a, b, c]).start("Go")
    live = run.result(timeout=60)
    assert run.record is not None
    assert [one.name for one in run.record.tool_calls] == ["c", "b", "a"]
    assert [one.name for one in live.tool_calls] == ["a", "b", "c"]
    assert [one["name"] for one in live.metrics.details["tool_call"]] == ["a", "b", "c"]
    assert current().stored(run.run_id) == live == nb.get(run.run_id).output
