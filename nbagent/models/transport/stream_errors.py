"""Errors in a stream that began well: which events are one, whatever form they have. Pure.

A stream answers 200 before the server knows whether it will get through. What goes wrong later is an `error`
object, an event named `error`, a line `error: ...` of no event at all, or the body of a framework's error
page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_SAYING = ("detail", "message", "msg", "error_msg", "error_message", "errorMessage")
_PINGS = frozenset({"ping", "heartbeat", "keepalive", "info", "status", "progress"})
_ANSWERING = ("choices", "usage", "response", "item", "delta")
_NO_DETAILS = {"message": "it says that there is an error, and no more"}


def error_in(chunk: Mapping[str, Any]) -> Any:
    """Return the error that a chunk without an answer in it is; None where it is no error."""
    if error := chunk.get("error") or chunk.get("errors"):
        return _unpacked(error)
    base = chunk.get("base_resp")  # MiniMax: with every reply, an error where its number is not 0
    if isinstance(base, Mapping) and base.get("status_code"):
        return {"message": base.get("status_msg"), "code": base.get("status_code")}
    if chunk.get("object") == "error" or chunk.get("type") == "error":
        return chunk
    kind = str(chunk.get("type") or "")
    if kind in _PINGS or kind.startswith("response.") or any(name in chunk for name in _ANSWERING):
        return None
    for name in _SAYING:
        if said := chunk.get(name):
            if isinstance(said, Mapping) and "role" in said:  # a reply in another API's form
                return None
            return said if isinstance(said, Mapping) else {**chunk, "message": said}
    return None


def error_payload(data: bytes) -> bytes:
    """Return the data of an event named `error`, or of an `error:` line, as a chunk with an error object."""
    try:
        said = orjson.loads(data)
    except ValueError:
        said = data.decode("utf-8", "replace").strip()
    if isinstance(said, Mapping) and (said.get("error") or said.get("type") == "error"):
        return data
    return orjson.dumps({"error": said or _NO_DETAILS})


def _unpacked(error: Any) -> Any:
    """Return the innermost error object of several in each other, or the first of a list of them."""
    while isinstance(error, (Mapping, list)) and error:
        inner = error[0] if isinstance(error, list) else error.get("error")
        if not inner or (isinstance(error, Mapping) and error.get("message")):
            break
        error = inner
    return error
