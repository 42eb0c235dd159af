"""An MCP server of the 2025-06-18 protocol that answers as hostile or broken ones do: `odd_server.py KIND`."""

from __future__ import annotations

import json
import sys
from typing import Any

KIND = sys.argv[1]
LARGE = 400_000


def tool(name: str, **properties: Any) -> dict[str, Any]:
    """Return a tool of these properties."""
    return {
        "name": name,
        "description": "d" * 200,
        "inputSchema": {"type": "object", "properties": properties},
    }


def tools() -> list[dict[str, Any]]:
    """Return what is listed."""
    if KIND == "thousands":
        return [tool(f"t{n}", x={"type": "string", "pattern": "^(a+)+$"}) for n in range(3000)]
    return [tool("t", x={"type": "string", "pattern": "^(a+)+$"}), tool("say")]


def send(message: dict[str, Any] | bytes) -> None:
    """Write a message, or a line as it is."""
    line = message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def call(number: Any, name: str) -> None:
    """Answer a call of a tool."""
    text = [{"type": "text", "text": "said"}]
    if name == "t" and KIND == "large":
        text = [{"type": "text", "text": "H" * LARGE}]
    if name == "t" and KIND == "id last":
        send(b'{"result": {"content": "' + b"H" * LARGE + b'"}, "jsonrpc": "2.0", "id": %d}' % number)
    elif name == "t" and KIND == "no id":
        send(b"H" * LARGE)
    elif name == "t" and KIND == "values":
        send({"id": number, "result": {"content": text, "structuredContent": {"a": [{}] * 300_000}}})
    else:
        send({"id": number, "result": {"content": text}})


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "initialize":
        info = {"name": "odd", "version": "1"}
        send(
            {
                "id": asked["id"],
                "result": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {"tools": {}},
                    "serverInfo": info,
                },
            }
        )
    elif asked["method"] == "tools/list":
        send({"id": asked["id"], "result": {"tools": tools()}})
    elif asked["method"] == "tools/call":
        call(asked["id"], asked["params"]["name"])
    else:
        send({"id": asked["id"], "error": {"code": -32601, "message": "Method not found"}})
