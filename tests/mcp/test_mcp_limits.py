"""MCP servers that send too much, or what would hold everybody up."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbagent import Agent, MCPServer, settings
from nbagent.runtime import current
from tests.mcp.conftest import answers
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Head, Raw, answer

ODD = Path(__file__).with_name("odd_server.py")
LIMIT = 100_000


def odd(kind: str) -> MCPServer:
    """A server that answers oddly, in its own process."""
    return MCPServer.stdio(sys.executable, [str(ODD), kind], name="odd")


@pytest.fixture
def _small_limit() -> Iterator[None]:
    settings.configure("max_message_bytes", LIMIT)
    yield
    settings.configure("max_message_bytes", None)


@pytest.mark.usefixtures("_small_limit")
@pytest.mark.parametrize("kind", ["large", "id last", "values"])
def test_a_result_that_is_too_large_fails_its_call_alone(
    agent_with: Callable[..., Agent], provider: ScriptedProvider, kind: str
) -> None:
    """The model is told the limit, the server is asked again, and nothing of the result is kept."""
    if kind == "values":
        settings.configure("max_message_bytes", 4_000_000)
    agent = agent_with(odd(kind))
    provider.reply(tool_reply(("t", {})), tool_reply(("say", {})), text_reply("done"))
    assert agent.start("go").result(timeout=60).content == "done"
    first, second = answers(provider)
    assert "the server sent a message of" in first
    assert "max_message_bytes" in first
    assert len(first) < 1000
    assert second == "said"


@pytest.mark.usefixtures("_small_limit")
def test_a_line_that_answers_nobody_ends_the_connection(
    agent_with: Callable[..., Agent], provider: ScriptedProvider
) -> None:
    """Where nobody knows which call it was for, the calls under way fail with the limit; a next one starts anew."""
    agent = agent_with(odd("no id"))
    provider.reply(tool_reply(("t", {})), tool_reply(("say", {})), text_reply("done"))
    assert agent.start("go").result(timeout=60).content == "done"
    first, second = answers(provider)
    assert "more than 100,000 bytes (max_message_bytes)" in first
    assert second == "said"


def served(web: ScriptedProvider, result: Callable[[int], tuple]) -> None:
    """Have a scripted HTTP server speak MCP; `result` makes the script that answers a call."""

    def chosen(request):
        if request.method != "POST":
            return answer(405, "")
        asked = request.body
        if "id" not in asked:
            return (Head(202, {}),)
        if asked["method"] == "tools/call":
            return result(asked["id"])
        done = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "w", "version": "1"},
            },
            "tools/list": {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]},
        }.get(asked["method"])
        if done is None:
            error = {"code": -32601, "message": "Method not found"}
            return answer(200, {"jsonrpc": "2.0", "id": asked["id"], "error": error})
        return answer(200, {"jsonrpc": "2.0", "id": asked["id"], "result": done})

    web.otherwise(chosen)


@pytest.fixture
def web() -> Iterator[ScriptedProvider]:
    """A second scripted server."""
    server = ScriptedProvider()
    yield server
    server.close()


ENDLESS = tuple(Raw(b"x" * 50_000) for _ in range(40))


@pytest.mark.usefixtures("_small_limit")
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_result_over_http_that_is_too_large_is_not_read(
    agent_with: Callable[..., Agent], provider: ScriptedProvider, web: ScriptedProvider, kind: str
) -> None:
    """A JSON body and an event stream that do not end fail their call with the limit."""
    begun = b'{"jsonrpc": "2.0", "result": "' if "json" in kind else b"data: "
    served(web, lambda _: (Head(200, {"content-type": kind}), Raw(begun), *ENDLESS))
    agent = agent_with(MCPServer.http(f"http://127.0.0.1:{web.port}/mcp", name="web"))
    provider.reply(tool_reply(("t", {})), text_reply("done"))
    assert agent.start("go").result(timeout=60).content == "done"
    (told,) = answers(provider)
    assert "100,000" in told or "100000" in told
    assert len(told) < 1000


def test_no_mcp_redirect_to_another_server_is_followed(
    agent_with: Callable[..., Agent], provider: ScriptedProvider, web: ScriptedProvider
) -> None:
    """The key in the headers goes to the server that it is for, and to no other."""
    web.otherwise(answer(307, "", {"location": provider.base_url}))
    server = MCPServer.http(
        f"http://127.0.0.1:{web.port}/mcp", headers={"authorization": "Bearer abcdefgh"}, name="web"
    )
    output = agent_with(server).start("go").wait(timeout=60)
    assert output.status == "error"
    assert provider.requests == []


def test_a_pattern_of_a_server_stops_nothing(
    agent_with: Callable[..., Agent], provider: ScriptedProvider
) -> None:
    """A regular expression that backtracks for ever elsewhere is answered at once, to the model."""
    agent = agent_with(odd("patterns"))
    provider.reply(tool_reply(("t", {"x": "a" * 40 + "!"})), text_reply("done"))
    assert agent.start("go").result(timeout=60).content == "done"
    assert "does not match" in answers(provider)[0]


def test_thousands_of_tools_delay_nobody(
    agent_with: Callable[..., Agent], provider: ScriptedProvider
) -> None:
    """While a listing of 3,000 tools becomes tools, the loop that all runs share goes on."""
    server = odd("thousands")

    async def listed() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        task = loop.create_task(server.list_tools())
        longest, at = 0.0, loop.time()
        for _ in itertools.count():
            await asyncio.sleep(0.001)
            longest, at = max(longest, loop.time() - at), loop.time()
            if task.done():
                return len(task.result()), longest
        raise AssertionError

    count, longest = current().thread.submit(listed()).result(60)
    print(f"the loop stood still for {longest * 1000:.0f} ms at most")
    assert count == 3000
    server.close()
