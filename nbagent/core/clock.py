"""The clock: the time now in UTC, the seconds between two times, ids that sort by time. Any thread."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from uuid import UUID


def utc_now() -> datetime:
    """Return the time now, in UTC and aware of it."""
    return datetime.now(UTC)


def seconds_between(begin: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from one time to the other, None where one is unknown, 0 where the clock was set back."""
    if begin is None or end is None:
        return None
    return max(0.0, (end - begin).total_seconds())


def uuid7() -> UUID:
    """Return a time-ordered unique id (RFC 9562, version 7): 48 bits of milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)
