"""MCP servers as sources of tools: started or reached at a run's first need, shared by this kernel's runs.

`MCPServer` is what a user gives to an agent among its tools; the loop asks it for its tools on the background
loop, before a run's first model call. The runtime calls `close_servers` when the kernel ends. The package
`mcp` (extra `mcp`) is imported with the first connection.

    server.py       `MCPServer`: what a user holds, and the tools it stands for
    transports.py   where a server is and how it is reached: a command to start, or a URL
    connection.py   one live connection, owned by one task; all connections of this kernel
    stdio.py        a server's child process and its standard streams
    tool_list.py    what a server lists, as tools
    tool_result.py  what a call returned, as a value for the model
    errors.py       the two errors, and what `mcp` has to be
"""

from __future__ import annotations

from nbagent.mcp.connection import close_servers
from nbagent.mcp.errors import MCPServerError, MCPToolError
from nbagent.mcp.server import MCPServer

__all__ = ["MCPServer", "MCPServerError", "MCPToolError", "close_servers"]
