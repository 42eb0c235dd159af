"""Real MCP servers in processes of their own, and agents on the scripted provider that use them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbagent import Agent, Limits, MCPServer, OpenAIChat
from nbagent.mcp import close_servers
from nbagent.runtime import current
from tests.harness.waiting import until
from tests.provider.server import ScriptedProvider

TOOLSERVER = Path(__file__).with_name("tool_server.py")


class Log:
    """What the tool server wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        """All lines so far."""
        return self.path.read_text().splitlines() if self.path.exists() else []

    def wait_for(self, line: str, count: int = 1) -> None:
        """Return once the line is there."""
        until(lambda: self.lines().count(line) >= count)

    def pids(self) -> list[int]:
        """The process ids of all servers that were started."""
        return [int(line.split()[1]) for line in self.lines() if line.startswith("pid ")]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """The tool server's log."""
    return Log(tmp_path / "server.log")


@pytest.fixture
def stdio(log: Log) -> Callable[..., MCPServer]:
    """Make a stdio server with the options given."""
    return lambda **options: MCPServer.stdio(
        sys.executable, [str(TOOLSERVER), str(log.path)], **{"name": "ts", **options}
    )


@pytest.fixture(scope="module", params=["stdio", "http"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[MCPServer, Log]]:
    """One server over each transport for all tests of a module, and its log; a start costs a second."""
    log = Log(tmp_path_factory.mktemp("mcp") / "server.log")
    command = [sys.executable, str(TOOLSERVER), str(log.path)]
    if request.param == "stdio":
        yield MCPServer.stdio(command[0], command[1:], name="ts"), log
        return
    with subprocess.Popen([*command, "http"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        yield MCPServer.http(url, headers={"x-test": "1"}, name="ts"), log
        current().thread.submit(close_servers()).result(60)
        process.kill()


@pytest.fixture
def agent_with(provider: ScriptedProvider) -> Callable[..., Agent]:
    """Make an agent with tools, on the scripted provider."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return lambda *tools, **limits: Agent(
        model=model, tools=list(tools), limits=Limits(model_retries=0, **limits)
    )


@pytest.fixture(autouse=True, scope="module")
def _closed_at_the_end() -> Iterator[None]:
    """Leave no server behind."""
    yield
    current().thread.submit(close_servers()).result(60)


def answers(provider: ScriptedProvider, request: int = -1) -> list[Any]:
    """What the model was told by tools, in one request."""
    return [m["content"] for m in provider.bodies[request]["messages"] if m["role"] == "tool"]
