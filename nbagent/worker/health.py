"""An answer over HTTP for whoever watches the process: 200 while it hears of its record, 503 otherwise. A thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


def serve_health(port: int, health: Callable[[], dict[str, Any]], host: str = "") -> ThreadingHTTPServer:
    """Answer every GET with what `health` says, as JSON; return the server, which listens already."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """Answer."""
            told = health()
            body = orjson.dumps(told)
            self.send_response(200 if told["healthy"] else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing of it."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="nbagent-health", daemon=True).start()
    return server
