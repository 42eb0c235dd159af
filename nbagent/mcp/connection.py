"""One live connection to an MCP server, owned by one task; and all of this kernel's. On the background loop only.

The SDK's client has to be opened and closed by one task, and is used by many: a run's call waits in the run's
own task, so that cancelling the run cancels that call, tells the server so, and touches no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import os
from typing import TYPE_CHECKING, Any

from nbagent.core import one_line, run_in_daemon_thread
from nbagent.mcp.errors import MCPServerError, MCPToolError
from nbagent.mcp.transports import ServerAddress

if TYPE_CHECKING:
    import mcp

_PAGES_MAX = 100
_CLOSED = "Connection closed"
_SESSION_LOST = "Session terminated"  # what the SDK says for a session that a restarted server does not know


class ServerConnection:
    """A connection from its opening to its end, made on the loop that it lives on.

    Invariants: `listing` is set before `opened()` returns; `failure` is set if it never opened; once `over`
    it stays so, and calls on it fail.
    """

    def __init__(self, name: str, address: ServerAddress, *, timeout_s: float) -> None:
        self.over = False
        self.stale = False
        self.listing: tuple[mcp.Tool, ...] = ()
        self.failure: MCPServerError | None = None
        self._name = name
        self._address = address
        self._timeout_s = timeout_s
        self._link = address.link()
        self._client: mcp.Client | None = None
        self._ready = asyncio.Event()
        self._leave = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # an empty context: a connection belongs to no cell
        self._task = self._loop.create_task(self._own(), context=contextvars.Context())
        _open.add(self)

    @property
    def is_usable(self) -> bool:
        """True while it opens or is open, in the process and on the loop that it was made in."""
        return (
            self in _open
            and not (self.over or self._leave.is_set())
            and self._loop is asyncio.get_running_loop()
        )

    async def opened(self) -> None:
        """Return once the server has answered and its tools are listed. Raises MCPServerError."""
        await self._ready.wait()
        if self.failure is not None:  # a new one for each who waits: a raised error grows its traceback
            raise MCPServerError(self.failure.what, self.failure.todo)

    async def call(self, tool: str, arguments: dict[str, Any]) -> mcp.types.CallToolResult:
        """Call a tool once, whatever happens. Raises MCPToolError, and MCPServerError where the server ended."""
        from mcp import MCPError

        await self.opened()
        assert self._client is not None
        try:
            return await self._client.call_tool(tool, arguments)
        except MCPError as error:
            if error.message in {_CLOSED, _SESSION_LOST}:
                self._leave.set()
            if self._leave.is_set() or self.over:
                raise self._ended(
                    f"during the call of {tool!r}: nobody knows whether that was done"
                ) from None
            raise MCPToolError(error.message) from None

    async def refresh(self) -> None:
        """List the tools again. Raises MCPServerError where the server ended."""
        from mcp import MCPError

        assert self._client is not None
        try:
            self.stale = False
            self.listing = await _listed(self._client)
        except MCPError as error:
            self._leave.set()
            raise self._ended(f"while it listed its tools: {error.message}") from None

    def close(self, grace_s: float | None = None) -> None:
        """Begin to close; `grace_s` is what a child process gets to end by itself."""
        if grace_s is not None:
            self._link.close_grace_s = grace_s
        self._leave.set()
        if not self._ready.is_set():
            self._fail(self._ended("before it was ready: it was closed"))
            self._task.cancel()

    def close_soon(self) -> None:
        """Begin to close, from any thread; a forked process leaves its parent's connection alone."""
        if self in _open:
            with contextlib.suppress(RuntimeError):  # the loop ended with its kernel
                self._loop.call_soon_threadsafe(self.close)

    async def closed(self) -> None:
        """Return once it is over."""
        await asyncio.wait([self._task])

    async def _own(self) -> None:
        """Hold the SDK's client open until it is to close or the server has gone."""
        timer = self._loop.call_later(self._timeout_s, self._give_up)
        try:
            sdk: Any = await run_in_daemon_thread(_import_sdk)
            transport = self._link.streams(self._leave.set)
            async with sdk.Client(transport, message_handler=self._heard, cache=None) as client:
                self.listing = await _listed(client)
                self._client = client
                self._ready.set()
                timer.cancel()
                await self._leave.wait()
        except asyncio.CancelledError:
            self._fail(self._ended("before it was ready"))
        except BaseException as error:  # noqa: BLE001 - whatever the SDK raises is this server's failure
            self._fail(self._not_opened(error))
        finally:
            timer.cancel()
            self.over = True
            _open.discard(self)
            self._fail(MCPServerError(f"MCP server {self._name!r} ended before it was ready"))

    async def _heard(self, message: object) -> None:
        if type(message).__name__ == "ToolListChangedNotification":
            self.stale = True

    def _give_up(self) -> None:
        words = self._link.last_words()
        self._fail(
            MCPServerError(
                f"MCP server {self._name!r} ({self._address.display_name}) was not ready within {self._timeout_s:g} s"
                + (f": {words}" if words else ""),
                "see whether it runs outside of the notebook, or give it longer with connect_timeout=",
            )
        )
        self._task.cancel()

    def _fail(self, failure: MCPServerError) -> None:
        """Tell all who wait for the opening that it failed; does nothing once it has opened or failed."""
        if not self._ready.is_set():
            self.failure = failure
            self._ready.set()

    def _not_opened(self, error: BaseException) -> MCPServerError:
        error = _innermost(error)
        if isinstance(error, FileNotFoundError):
            what, todo = f"there is no {error.filename!r}", "install it, or give its full path"
        else:
            reason = f"{error}" or type(error).__name__
            what = self._link.last_words() or reason
            todo = "see whether it runs outside of the notebook, and check its address and arguments"
        line = one_line(what, 2_000)
        return MCPServerError(
            f"MCP server {self._name!r} ({self._address.display_name}) did not start: {line}", todo
        )

    def _ended(self, when: str) -> MCPServerError:
        words = self._link.last_words()
        return MCPServerError(
            f"MCP server {self._name!r} ended {when}" + (f" ({words})" if words else ""),
            "it is started again when it is needed next",
        )


def _import_sdk() -> Any:
    """Import what a connection needs, about a second's work: not on the loop, where other runs would wait."""
    import jsonschema_rs
    import mcp
    import mcp.client.streamable_http

    with contextlib.suppress(ImportError):  # else it is imported on the loop, with the first connection
        importlib.import_module("anyio._backends._asyncio")

    del jsonschema_rs  # for the check of arguments
    return mcp


async def _listed(client: mcp.Client) -> tuple[mcp.Tool, ...]:
    """Return all tools of a server, page by page."""
    if client.server_capabilities.tools is None:
        return ()
    found: list[mcp.Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES_MAX):
        page = await client.list_tools(cursor=cursor)
        found.extend(page.tools)
        cursor = page.next_cursor
        if cursor is None:
            break
    return tuple(found)


def _innermost(error: BaseException) -> BaseException:
    """Return the first error inside of a group, else the error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


_open: set[ServerConnection] = set()
_inherited: list[set[ServerConnection]] = []


async def close_servers(grace_s: float = 0.3) -> None:
    """Close every connection of this kernel; returns once the child processes have ended."""
    closing = list(_open)
    for connection in closing:
        connection.close(grace_s)
    for connection in closing:
        await connection.closed()


def _forget_after_fork() -> None:
    """Leave the parent's connections alone in a forked child.

    They are kept, not dropped: collecting them would close sockets and wake-up calls that the parent still
    uses.
    """
    global _open  # noqa: PLW0603 - all of a process's connections
    _inherited.append(_open)
    _open = set()


os.register_at_fork(after_in_child=_forget_after_fork)
