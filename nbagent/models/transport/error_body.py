"""What an error's body and headers say: a line for the person, code, parameter, wait; without keys.

Used by `errors.py`; pure. Providers quote the key they refuse, in part or whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from nbagent.core import mask, one_line, printable

_DETAIL_CHARS = 300
_KEY_SHAPES = re.compile(
    r"\b(?:sk|gsk|rk|pk|xai|nvapi|hf|AIza)[-_]?[A-Za-z0-9*][\w*.\-]{7,}"  # keys by their well-known beginnings
    r"|(?<![\w.\-])[\w.\-]*+\*{3,}[\w.\-*]*"  # keys that a provider has masked in part; linear, however long a word is
    r"|(?<=Bearer )\S+"
)


def redact(text: str, key: str | None) -> str:
    """Return `text` without `key` and without anything that looks like a key."""
    if key and len(key) > 3:  # noqa: PLR2004 - a shorter one is a word such as 'x'
        text = text.replace(key, "[key]")
    return mask(_KEY_SHAPES.sub("[key]", text))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the requested wait in seconds: `retry-after-ms`, or `retry-after` as seconds or a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(milliseconds / 1000, 0.0)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return max(seconds, 0.0)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)


def detail_of(body: Any, key: str | None) -> str:
    """Return one line of what a provider says in an error's body, redacted and cut to a readable length."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(error, Mapping):
        text = (
            error.get("message")
            or error.get("detail")
            or error.get("code")
            or error.get("type")
            or str(dict(error) or "")
        )
    elif isinstance(error, (list, tuple)):
        text = str(list(error))
    else:
        text = error or ""
    line = str(text)
    if line.lstrip()[:1] == "<":
        line = f"a web page{title_of(line)}"
    return redact(shown_line(line, _DETAIL_CHARS), key) or "no details given"


def named_parameter(body: Any) -> str | None:
    """Return the part of the request that an error's body names first, where its `param` names none."""
    found = re.search(
        r"stream_options|include_usage|response_format|text\.format|json_schema|max_completion_tokens|max_tokens"
        r"|\bbackground\b|encrypted|reasoning_content|reasoning_details|extra_content",
        str(body),
    )
    return found.group() if found else None


def error_field(body: Any, name: str) -> Any:
    """Return a field of the error object in a body; None where there is none."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    return error.get(name) if isinstance(error, Mapping) else None


def status_in(error: Any) -> int | None:
    """Return the HTTP status that an error object names, None where it names none."""
    for name in ("status_code", "code", "status"):
        number = _number(error_field(error, name))
        if number is not None and 400 <= number < 600:  # noqa: PLR2004 - HTTP's range of errors
            return int(number)
    return None


def title_of(page: str) -> str:
    """Return ` ('Log in')`, the title of a web page, else nothing."""
    found = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    title = shown_line(found.group(1), 60) if found else ""
    return f" ({title!r})" if title else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def shown_line(text: str, chars: int) -> str:
    """Return text of a server's in one line of at most so many characters, safe for a terminal."""
    return printable(one_line(text, chars))
