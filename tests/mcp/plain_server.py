"""A small MCP server of the 2025-06-18 protocol, written without any SDK: `plain_server.py LOG [stubborn]`.

It starts in no time, and knows only the old handshake. A stubborn one stays when its input ends, and ignores
SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

LOG = Path(sys.argv[1])
TOOLS = [
    {"name": "pid", "description": "Its process id.", "inputSchema": {"type": "object"}},
    {"name": "wait", "inputSchema": {"type": "object"}},
]


def reply(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of a request, None for one that stays unanswered."""
    if method == "initialize":
        info = {"name": "plain", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":  # two pages
        at = int(params.get("cursor", 0))
        return {"tools": [TOOLS[at]], **({"nextCursor": "1"} if at == 0 else {})}
    if params["name"] == "wait":
        return None
    return {"content": [{"type": "text", "text": str(os.getpid())}]}


def note(line: str) -> None:
    """Write a line of the log."""
    with LOG.open("a") as log:
        log.write(f"{line}\n")


note(f"pid {os.getpid()}")
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("a server that prints is forgiven", flush=True)
for line in sys.stdin:
    message = json.loads(line)
    note(message["method"])
    if "id" not in message:
        continue
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] in {"initialize", "tools/list", "tools/call"}:
        result = reply(message["method"], message.get("params", {}))
        if result is None:
            continue
        answer["result"] = result
    else:
        answer["error"] = {"code": -32601, "message": "Method not found"}
    print(json.dumps(answer), flush=True)
if "stubborn" in sys.argv:
    threading.Event().wait()
note("ended by itself")
