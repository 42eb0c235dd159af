"""Where an MCP server is: a command to start, or a URL. Frozen; each `link()` is one way to talk to it.

Read on any thread; links are opened by `connection.py` on the background loop.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from nbagent.core import bound_json_body, cut_error_body, message_limit, redirected_to
from nbagent.mcp.errors import MCPServerError, is_secret_name, without
from nbagent.mcp.stdio import StdioTransport

if TYPE_CHECKING:
    from mcp.client import Transport
    from mcp.client._transport import TransportStreams

_SHOWN = 200
_LAUNCHERS = re.compile(
    r"(npx|uvx|bunx|uv|pnpm|node|deno|docker|pipx|py|python[\d.]*)(\.exe)?", re.IGNORECASE
)
_NAME = re.compile(r"[\w@./:+-]+")  # not a program's text, as after `python -c`
_SUBCOMMANDS = frozenset({"run", "exec", "dlx", "tool", "x"})


class ServerTransport(Protocol):
    """One way to a server, opened at most once. `close_grace_s` is what the far end gets to end by itself."""

    close_grace_s: float

    def streams(self, on_end: Callable[[], None]) -> Transport:
        """Open it; `on_end()` is called when the far end has gone."""
        ...

    def last_words(self) -> str:
        """Return what the far end said last, on one line, or nothing."""
        ...


class ServerAddress(Protocol):
    """Where a server is."""

    @property
    def display_name(self) -> str:
        """The address for messages, without secrets."""
        ...

    @property
    def default_name(self) -> str:
        """A short name for the server."""
        ...

    def link(self) -> ServerTransport:
        """Return a new way to it, not opened yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioAddress:
    """A program that speaks MCP on its standard input and output."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | os.PathLike[str] | None = None

    @property
    def secrets(self) -> frozenset[str]:
        """Values that no message may hold: those given for variables and flags named like secrets."""
        named = {value for name, value in self.env.items() if is_secret_name(name)}
        for flag, value in zip(self.args, [*self.args[1:], ""], strict=False):
            name, equals, inline = flag.partition("=")
            if flag.startswith("-") and is_secret_name(name):
                named.add(inline if equals else value)
        return frozenset(named)

    @property
    def display_name(self) -> str:
        """The command line, without secrets."""
        line = re.sub(r"//[^/@\s]+@", "//", shlex.join([self.command, *self.args]))
        return without(line, self.secrets)[:_SHOWN]

    @property
    def default_name(self) -> str:
        """The program's name; where a launcher such as npx starts it, the name of what it starts."""
        if _LAUNCHERS.fullmatch(PurePath(self.command).name):
            for word in self.args:
                if not word.startswith("-") and word not in _SUBCOMMANDS:
                    return PurePath(word if _NAME.fullmatch(word) else self.command).stem
        return PurePath(self.command).stem

    def link(self) -> StdioTransport:
        """Return a process that is not started yet."""
        return StdioTransport(self.command, self.args, env=self.env, cwd=self.cwd, hide=self.hidden)

    def hidden(self, text: str) -> str:
        """Return `text` without secrets."""
        return without(text, self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """A server that is reached by streamable HTTP."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def display_name(self) -> str:
        """The URL without user, password, query and fragment, any of which may be a secret."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))[:_SHOWN]

    @property
    def default_name(self) -> str:
        """The host."""
        return urlsplit(self.url).hostname or "mcp"

    def link(self) -> HttpTransport:
        """Return a connection that is not opened yet."""
        return HttpTransport(self)


class HttpTransport:
    """A streamable HTTP connection. Its far end is not watched: what is gone shows at the next request."""

    def __init__(self, address: HttpAddress) -> None:
        self.close_grace_s = 1.0
        self._address = address

    def last_words(self) -> str:
        """Return nothing: a URL has no standard error."""
        return ""

    def streams(self, on_end: Callable[[], None]) -> AbstractAsyncContextManager[TransportStreams]:
        """Open it."""
        del on_end
        return self._streams()

    @asynccontextmanager
    async def _streams(self) -> AsyncIterator[TransportStreams]:
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        async with create_mcp_http_client(headers=dict(self._address.headers)) as client:
            # no limit on reading: how long a call may take is the tool's own time limit
            client.timeout = (30.0, None, 30.0, 30.0)
            limit = message_limit()
            client.event_hooks = {"response": [functools.partial(_guard, limit)]}
            opening: Any = streamable_http_client
            # earlier releases of the SDK have no limit of their own
            given = "max_sse_event_size" in inspect.signature(opening).parameters
            options = {"max_sse_event_size": limit} if given else {}
            async with opening(self._address.url, http_client=client, **options) as streams:
                yield streams


async def _guard(limit: int, response: Any) -> None:
    """Look at an answer before its body is read or a redirect is followed."""
    there = redirected_to(response)
    if there is not None:
        raise MCPServerError(
            f"the MCP server sends requests on to {there}, another server: it was not asked",
            "if it is the one you mean, give its address",
        )
    cut_error_body(response)
    bound_json_body(response, limit)
