"""`MCPServer`: what a user holds. Made on any thread; its tools are listed and called on the background loop."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from typing_extensions import Unpack

from nbagent.core import remember_named, remember_url, run_in_daemon_thread
from nbagent.errors import ToolDefinitionError
from nbagent.mcp.connection import ServerConnection
from nbagent.mcp.errors import MCPServerError, require_sdk
from nbagent.mcp.tool_list import ToolFilter, tools_from
from nbagent.mcp.tool_result import value_of
from nbagent.mcp.transports import HttpAddress, ServerAddress, StdioAddress
from nbagent.tools import Tool

if TYPE_CHECKING:
    import mcp

_LONG = 100_000  # characters; comparing longer ones takes a thread of its own
CONNECT_TIMEOUT_S = 30.0  # a first `npx` or `uvx` downloads what it starts


class ServerOptions(TypedDict, total=False):
    """What both kinds of server take.

    `name` is for messages (default: from the command or URL). `tools` names the tools to offer, all by
    default; `prefix` goes before each name. `timeout` is in seconds, for one call. `requires_approval` and
    `idempotent` hold for every tool, or for those named. `connect_timeout` is in seconds, until the tools are
    listed.
    """

    name: str | None
    tools: Sequence[str] | None
    prefix: str
    timeout: float | None
    requires_approval: bool | Collection[str]
    idempotent: bool | Collection[str]
    connect_timeout: float


class _ConnectionLease:
    """The server's present connection, in an object of its own that a finalizer can hold."""

    def __init__(self) -> None:
        self.connection: ServerConnection | None = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close_soon()


class MCPServer:
    """An MCP server as a source of tools: `Agent(tools=[MCPServer.stdio("npx", ["-y", "some-server"])])`.

    Making one starts nothing. The first run that uses it connects, in the background, before its first model
    call; all runs of this kernel share that connection, and a server that ended is started again at its next
    use. A call is never repeated. It closes with the kernel, with `close()`, or with the last reference to
    it.

    >>> clock = MCPServer.stdio("uvx", ["mcp-server-time"], tools=["get_current_time"])
    >>> agent = Agent(model="demo:assistant", tools=[clock])
    """

    def __init__(self, address: ServerAddress, **options: Unpack[ServerOptions]) -> None:
        require_sdk()
        _check(options)
        self.name = options.get("name") or address.default_name
        self._address = address
        self._connect_timeout_s = float(options.get("connect_timeout", CONNECT_TIMEOUT_S))
        only, timeout = options.get("tools"), options.get("timeout")
        self._choice = ToolFilter(
            only=tuple(only) if only is not None else None,
            prefix=options.get("prefix", ""),
            timeout_s=float(timeout) if timeout is not None else None,
            requires_approval=options.get("requires_approval", False),
            idempotent=options.get("idempotent", False),
        )
        self._made: tuple[tuple[mcp.Tool, ...], tuple[Tool, ...]] | None = None
        self._holder = _ConnectionLease()
        weakref.finalize(self, self._holder.close).atexit = False  # the runtime closes all at exit

    @classmethod
    def stdio(
        cls,
        command: str,
        args: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        **options: Unpack[ServerOptions],
    ) -> MCPServer:
        """Return the server that `command` starts, speaking on its standard input and output.

        The process gets `env` beside a few variables (PATH, HOME, ...), not the kernel's environment with its
        keys. See `ServerOptions` for the rest. Raises ConfigurationError where `mcp` is missing.
        """
        if isinstance(args, str):
            raise ToolDefinitionError(f"args={args!r} is one text", "give a list: args=[...]")
        remember_named(env or {})
        address = StdioAddress(command=command, args=tuple(map(str, args)), env=dict(env or {}), cwd=cwd)
        return cls(address, **options)

    @classmethod
    def http(
        cls, url: str, *, headers: Mapping[str, str] | None = None, **options: Unpack[ServerOptions]
    ) -> MCPServer:
        """Return the server at `url` (streamable HTTP); `headers` go with every request.

        See `ServerOptions` for the rest. Raises ConfigurationError where `mcp` is missing.
        """
        if not url.startswith(("http://", "https://")):
            raise ToolDefinitionError(f"{url!r} is no URL of a server", "give one that begins with https://")
        remember_named(headers or {})
        remember_url(url)
        return cls(HttpAddress(url=url, headers=dict(headers or {})), **options)

    def __repr__(self) -> str:
        return f"MCPServer({self.name!r}, {self._address.display_name!r})"

    def close(self) -> None:
        """Close the connection and end the child process; the next use connects again. Returns at once."""
        self._holder.close()

    def __nbagent_tools__(self) -> Iterator[Tool]:
        """Yield one stand-in, which is replaced by the server's tools before a run's first model call."""
        yield Tool(
            name=f"mcp:{self.name}",
            description=f"the tools of MCP server {self.name!r} ({self._address.display_name})",
            parameters={},
            function=self.list_tools,
            is_async=True,
            expands=True,
        )

    async def list_tools(self) -> tuple[Tool, ...]:
        """Return the tools it offers now; connects where needed. On the background loop only.

        Raises MCPServerError for a server that cannot be reached, ToolDefinitionError for tools that cannot
        be used.
        """
        connection = await self._connected()
        if connection.stale:
            try:
                await connection.refresh()
            except MCPServerError:  # it ended meanwhile; a listing does no harm twice
                connection = await self._connected()
        if self._made is None or self._made[0] is not connection.listing:
            listing = connection.listing
            tools = await run_in_daemon_thread(
                lambda: tools_from(self.name, listing, self._choice, self._call)
            )
            self._made = listing, tools
            return tools
        return self._made[1]

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        connection = await self._connected()
        result = await connection.call(tool, arguments)
        if sum(len(getattr(block, "text", None) or "") for block in result.content) > _LONG:
            return await run_in_daemon_thread(lambda: value_of(result))
        return value_of(result)

    async def _connected(self) -> ServerConnection:
        connection = self._holder.connection
        if connection is None or not connection.is_usable:
            connection = ServerConnection(self.name, self._address, timeout_s=self._connect_timeout_s)
            self._holder.connection = connection
        await connection.opened()
        return connection


def _check(options: ServerOptions) -> None:
    known = ServerOptions.__annotations__
    for name in options:
        if name not in known:
            raise ToolDefinitionError(
                f"a server has no option {name!r}", f"the options are: {', '.join(known)}"
            )
    for key in ("timeout", "connect_timeout"):
        value = options.get(key)
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise ToolDefinitionError(f"{key}={value!r} is no time", "give seconds above 0, or leave it out")
    if isinstance(options.get("tools"), str):
        raise ToolDefinitionError(
            f"tools={options['tools']!r} is one text", "give a list of names: tools=[...]"
        )
