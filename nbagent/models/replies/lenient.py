"""Parts of a reply that a server sends in another form than the API's, read for what they mean.

Used by both wire formats where a value is not of the type that it should be; pure. What means nothing is a
`ProviderProtocolError` that names it: no server's mistake becomes an error about our own code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nbagent.models.transport.errors import RequestTarget, error_from_reply

# what reading a value of an unforeseen type raises, at whatever depth
MISREADINGS = (AttributeError, TypeError, KeyError, ValueError, IndexError, RecursionError)
_THINKING = frozenset(
    {"thinking", "reasoning", "reasoning_text", "reasoning.text", "reasoning.summary", "summary_text"}
)
_TEXT_NAMES = ("text", "content", "value", "thinking", "reasoning", "summary")

SHORTEST_SNAPSHOT = 3  # characters; a piece that begins with fewer may well be a new one


def error_from_shape(error: Exception, payload: object, target: RequestTarget) -> Exception:
    """Return the error for a chunk whose parts are of types that nobody can read."""
    shown = payload[:80].decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)[:80]
    fault = error_from_reply(f"a chunk of it is not of the form that the API has: {shown!r}", target)
    fault.__cause__ = error
    return fault


def objects_in(value: Any, name: str, target: RequestTarget) -> list[Mapping[str, Any]]:
    """Return the objects of a list that may hold nulls, or be the one object itself.

    Raises:
        ProviderProtocolError: it is something else, or holds something else.
    """
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    found = [item for item in items if item is not None]
    for item in found:
        if not isinstance(item, Mapping):
            raise error_from_reply(f"in its {name} stands {item!r:.60}, which is no object", target)
    return found


def take_text(value: Any, texts: list[str], thoughts: list[str], target: RequestTarget) -> None:
    """Append the text of `value` to `texts`, and what it marks as reasoning to `thoughts`.

    It may be text, a list of parts, one part, or a number; a part without text, such as a picture, holds
    none.

    Raises:
        ProviderProtocolError: it is an object that says neither its type nor any text.
    """
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list):
        for part in value:
            take_text(part, texts, thoughts, target)
    elif isinstance(value, Mapping):
        into = thoughts if value.get("type") in _THINKING else texts
        named = next((name for name in _TEXT_NAMES if value.get(name) is not None), None)
        if named is not None:
            take_text(value[named], into, thoughts, target)
        elif value and "type" not in value:
            raise error_from_reply(f"where text belongs stands {dict(value)!r:.60}", target)
    elif value is not None:
        texts.append(json.dumps(value))


def text_in(value: Any, target: RequestTarget) -> str:
    """Return all text of `value`, as `take_text` finds it."""
    found: list[str] = []
    take_text(value, found, found, target)
    return "".join(found)


def whole_number(value: Any) -> int | None:
    """Return a count or index that may come as text or as a float; None for anything else."""
    if type(value) is int:
        return value
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value[:20])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def name_in(value: Any) -> str:
    """Return an id or a name as text, empty where there is none."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def take_extra(part: Mapping[str, Any], kept: dict[str, Any]) -> None:
    """Add to `kept` the fields of a message or tool call that its provider wants back as they are.

    They may come in pieces; Gemini's mark that a piece is a thought is about that piece alone.
    """
    for name in ("extra_content", "thought_signature", "provider_specific_fields"):
        value = part.get(name)
        if isinstance(value, Mapping):
            _merge(value, kept.setdefault(name, {}) if isinstance(kept.get(name, {}), dict) else kept)
            if not kept.get(name):
                kept.pop(name, None)
        elif value:
            kept[name] = value
    details = part.get("reasoning_details")
    if isinstance(details, list):
        _join_details(
            [one for one in details if isinstance(one, Mapping)], kept.setdefault("reasoning_details", [])
        )


def _merge(value: Mapping[str, Any], into: dict[str, Any]) -> None:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            _merge(inner, into.setdefault(name, {}) if isinstance(into.get(name, {}), dict) else into)
            if not into.get(name):
                into.pop(name, None)
        elif name != "thought" and inner is not None:
            into[name] = inner


def _join_details(pieces: list[Mapping[str, Any]], whole: list[dict[str, Any]]) -> None:
    """Join the pieces of a detail: those of one type and place that follow each other.

    MiniMax documents that each holds all of the text so far, and most of its servers send what is new.
    """
    for piece in pieces:
        last = whole[-1] if whole else None
        if last is None or any(last.get(name) != piece.get(name) for name in ("type", "index", "format")):
            whole.append(dict(piece))
            continue
        for name, value in piece.items():
            joined = name in ("text", "summary", "data") and isinstance(value, str)
            if joined and isinstance(last.get(name), str):
                again = len(last[name]) >= SHORTEST_SNAPSHOT and value.startswith(last[name])
                last[name] = value if again else last[name] + value
            elif value is not None:
                last[name] = value
