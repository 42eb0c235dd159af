"""A real MCP server for tests: `tool_server.py LOG` speaks on stdio, `tool_server.py LOG http` on a port that it prints.

It writes what happens to the file LOG, a line each.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import sys
from pathlib import Path

import uvicorn
from mcp.server import MCPServer
from mcp_types import ImageContent, TextContent

server = MCPServer("toolserver")
LOG = Path(sys.argv[1])
waiting: list[asyncio.Event] = []


def note(line: str) -> None:
    """Write a line of the log."""
    with LOG.open("a") as log:
        log.write(f"{line}\n")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    note(f"add {a} {b}")
    return a + b


@server.tool(structured_output=False)
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello {name}"


@server.tool(name="read.file", structured_output=False)
def read_file() -> str:
    """Have a name that providers refuse."""
    return "read"


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no such share")


@server.tool()
async def slow(tag: str) -> str:
    """Wait for ever, or until it is cancelled."""
    note(f"slow {tag}")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note(f"cancelled {tag}")
        raise
    return "late"


@server.tool()
async def meet(parties: int) -> str:
    """Answer once so many callers are here at the same time."""
    mine = asyncio.Event()
    waiting.append(mine)
    if len(waiting) == parties:
        for one in waiting:
            one.set()
    await mine.wait()
    return "met"


@server.tool()
def die() -> str:
    """End the server in the middle of a call."""
    note("die")
    print("out of memory", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool(structured_output=False)
def picture() -> list[TextContent | ImageContent]:
    """Return a text and an image."""
    data = base64.b64encode(b"12345").decode()
    return [TextContent(text="a dot"), ImageContent(data=data, mime_type="image/png")]


if __name__ == "__main__":
    note(f"pid {os.getpid()}")
    if sys.argv[2:] == ["http"]:
        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        app = server.streamable_http_app()
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])
    else:
        server.run()
