"""Text for reading: cut to a length, in one line, safe to send; dollars, durations and sizes. Pure."""

from __future__ import annotations

import json

LINE_CHARS, CALL_CHARS = 500, 160
_DIME = 0.1
_KB = 1_000


def one_line(text: str, limit: int = LINE_CHARS) -> str:
    """Return text in one line of at most `limit` characters, safe to send as UTF-8."""
    line = " ".join(text[: 4 * limit].split())
    return utf8_safe(line if len(line) <= limit else line[: limit - 1] + "…")


def call_text(name: str, arguments: str) -> str:
    """Return a tool call as it would stand in Python, in one line: `price(symbol='AAPL')`."""
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        given = None
    if isinstance(given, dict):
        arguments = ", ".join(f"{key}={value!r}" for key, value in given.items())
    return one_line(f"{name}({arguments})", CALL_CHARS)


def last_line(text: str, limit: int) -> str:
    """Return the end of a text in one line of at most `limit` characters: of one that is being written."""
    line = " ".join(text[-2 * limit :].split())
    return line if len(line) <= limit else "…" + line[1 - limit :]


def truncate(text: str, limit: int) -> str:
    """Return `text`, or its beginning and end with a note of what was left out between, `limit` in all."""
    if len(text) <= limit:
        return text
    note = f"\n[... {len(text) - limit:,} or more of {len(text):,} characters left out ...]\n"
    room = limit - len(note)
    if room <= 0:
        return text[:limit]
    tail = room // 3
    return text[: room - tail] + note + (text[-tail:] if tail else "")


def truncate_end(text: str, limit: int, note: str = "") -> str:
    """Return `text`, or its first `limit` characters and how many it has; `note` says where the rest is."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters{note})"


def utf8_safe(text: str) -> str:
    """Return text that can be sent as UTF-8: half of a surrogate pair, which a model can write, becomes `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def format_usd(dollars: float | None) -> str:
    """Return dollars with at least two digits that mean something; empty for unknown."""
    if dollars is None:
        return ""
    if dollars == 0 or dollars >= _DIME:
        return f"${dollars:,.2f}" if dollars else "$0"
    return f"${dollars:.2g}"


def format_seconds(seconds: float | None) -> str:
    """Return a duration: `1.25 s`, `48 s`, `2 min 05 s`, `1 h 30 min`; empty for unknown."""
    if seconds is None:
        return ""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def format_bytes(size: int) -> str:
    """Return a number of bytes: `812 B`, `48 KB`, `1.5 MB`."""
    if size < _KB:
        return f"{size} B"
    return f"{size / _KB:,.0f} KB" if round(size / _KB) < _KB else f"{size / _KB**2:,.1f} MB"
