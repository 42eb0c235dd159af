"""JSON on its way to a provider and back, also where it is not quite JSON.

Used by both wire formats; pure. orjson does the work, the standard library what orjson refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from nbagent.core import load_json
from nbagent.models.transport.errors import RequestTarget, error_from_reply

_LONG = re.compile(rb"\d{19}")


def encode(body: Mapping[str, Any]) -> bytes:
    """Return `body` as JSON bytes; a lone surrogate, as from a cut emoji, is sent as its escape."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, ensure_ascii=True, default=dict).encode()


def loads(payload: bytes, target: RequestTarget) -> list[dict[str, Any]]:
    """Return the JSON objects of one payload: one, but for servers that do not part their events.

    Objects in a list count one by one, as Gemini wraps its errors; null is nothing.

    Raises:
        ProviderProtocolError: it is no JSON, or none that is an object.
    """
    found: list[Any]
    try:
        found = [load_json(payload) if _is_long(payload) else orjson.loads(payload)]
    except ValueError:
        found = _loads_leniently(payload, target)
    if len(found) == 1 and type(found[0]) is dict:
        return found
    chunks = [one for item in found for one in (item if type(item) is list else [item]) if one is not None]
    for chunk in chunks:
        if type(chunk) is not dict:
            raise error_from_reply(f"a chunk of it is no JSON object: {chunk!r:.60}", target)
    return chunks


def _is_long(payload: bytes) -> bool:
    """Say whether a payload has a count or an argument that orjson would round: an integer beyond 64 bits."""
    return (b"usage" in payload or b"arguments" in payload) and _LONG.search(payload) is not None


def _loads_leniently(payload: bytes, target: RequestTarget) -> list[Any]:
    try:
        # the standard library takes what orjson refuses and some servers send: NaN, half an emoji
        return [json.loads(payload)]
    except (ValueError, RecursionError):
        pass
    try:
        # events that are not parted by blank lines
        return [json.loads(line) for line in payload.split(b"\n") if line.strip()]
    except (ValueError, RecursionError):
        shown = payload[:60].decode("utf-8", "replace")
        raise error_from_reply(f"a chunk of it is no JSON: {shown!r}", target) from None


class SurrogateJoiner:
    """Text in pieces, made fit to be written: surrogate pairs that were cut between two pieces are joined."""

    __slots__ = ("half",)

    def __init__(self) -> None:
        self.half = ""  # the first half of a pair, until the second comes

    def join(self, text: str) -> str:
        """Return the next piece as it can be shown, which may be nothing yet."""
        if not self.half and text.isascii():
            return text
        text, self.half = self.half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return whole_text(text)


def whole_text(text: str) -> str:
    """Return `text` with its surrogate pairs joined; lone ones cannot be written anywhere."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
