"""What a worker says of itself: one line of JSON an event, on standard error. Any thread."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from typing import Any

import orjson

_lock = threading.Lock()


def say(event: str, **fields: Any) -> None:
    """Write an event with what belongs to it; None is left out."""
    row = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
    row |= {name: value for name, value in fields.items() if value is not None}
    line = orjson.dumps(row, default=str).decode()
    with _lock:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
