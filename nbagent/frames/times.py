"""A time as a person says it, made into one moment: what `since`, `older_than` and their flags take.

A datetime, date or text without a zone is local time, as in `datetime.now()`, here and nowhere else; the
record's own times are UTC. An hour that clocks show twice is its first, unless `fold` says otherwise. Pure;
any thread.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nbagent.errors import UnknownOptionError

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_GIVE = 'give a span such as "7d", a timedelta, a local time such as "2026-11-01 09:00", or one with its zone'


def moment_of(value: Any, option: str) -> datetime | None:
    """Return the moment in UTC that `value` means, counted back from now for a span; None for None.

    Raises UnknownOptionError, naming the option, for what is no time.
    """
    if value is None:
        return None
    try:
        at = _read(value)
        if isinstance(at, timedelta):
            return datetime.now(UTC) - at
        return _in_utc(at)
    except (ValueError, TypeError, OverflowError, OSError):
        raise UnknownOptionError(f"{option} is {value!r:.80}", _GIVE) from None


def format_moment(at: datetime) -> str:
    """Return a moment of the record as a person's clock shows it, with its offset: 2026-11-21 18:00 +09:00."""
    local = at.astimezone()
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"


def _read(value: Any) -> datetime | date | timedelta:
    """Return the time or span; those of numpy as Python's."""
    if isinstance(value, str):
        if span := _SPAN.fullmatch(value):
            return timedelta(seconds=float(span[1]) * _SECONDS[span[2]])
        return datetime.fromisoformat(value.strip())
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind in ("M", "m") and getattr(value, "shape", None) == ():
        value = value.astype("datetime64[us]" if kind == "M" else "timedelta64[us]").item()
    if isinstance(value, date | timedelta):
        return value
    raise TypeError(value)


def _in_utc(at: date) -> datetime:
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)  # noqa: DTZ001 - local, like all that has no zone
    # a datetime of Python's own: pandas' does not take a time without a zone as local; its NaT has no year
    plain = datetime(
        at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo, fold=at.fold
    )
    try:
        return plain.astimezone(UTC)
    except (OverflowError, ValueError):  # at the ends of the calendar the zone makes no difference
        return plain.replace(tzinfo=UTC)
