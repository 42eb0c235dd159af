"""What a scripted provider can do while it answers, as data; and the words that tests put replies together with.

A script is a sequence of steps for one request. `chat_wire.py` holds the words for Chat Completions replies.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Gate:
    """A point in a script that waits until the test opens it.

    `reached` is set when a request gets there, `opened` when it is open.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[Any] = []

    def open(self) -> None:
        """Let every request go on that waits here or comes here later."""
        with self._lock:
            self.opened.set()
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    def join(self, loop: Any, event: Any) -> None:
        """Have `event` set on `loop` when the gate opens; called by the server."""
        with self._lock:
            if not self.opened.is_set():
                self._waiting.append((loop, event))
                event = None
        if event is not None:
            event.set()
        self.reached.set()


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and headers; a script without one answers 200 with an event stream."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes of the body, written and flushed by themselves."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until the gate opens, or until the client goes."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing more until the client goes or the server closes."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Cut the connection: reset it, or close it without the end that HTTP's framing promises."""

    reset: bool = True


@dataclass(frozen=True, slots=True)
class DropAt:
    """Cut the connection once `body_bytes` of the body are written; stands first in a script."""

    body_bytes: int


Step = Head | Raw | Wait | Silence | Drop | DropAt
Script = tuple[Step, ...]


def answer(
    status: int, body: bytes | str | Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Script:
    """Return the script of a whole answer that is no stream: JSON for a mapping, else text as it is."""
    import orjson

    kind = "application/json"
    if isinstance(body, Mapping):
        data = orjson.dumps(body)
    else:
        data = body.encode() if isinstance(body, str) else body
        kind = "text/html" if data.lstrip().startswith(b"<") else "text/plain"
    return (Head(status, {"content-type": kind, **(headers or {})}), Raw(data))


def error(
    status: int, message: str = "scripted", *, headers: Mapping[str, str] | None = None, **fields: Any
) -> Script:
    """Return the script of an error in the providers' usual form."""
    return answer(status, {"error": {"message": message, **fields}}, headers)
