"""Ids of tool calls that tell the calls of one reply apart, whatever the server sent. Pure.

Some servers give every call the same id, or none. Two calls are two calls: each is run, approved and answered
by itself, and the model is told of both by the ids that they have here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from nbagent.events import ToolRequest

_ID_CHARACTERS = 64  # what OpenAI takes


def distinct_requests(requests: tuple[ToolRequest, ...]) -> tuple[ToolRequest, ...]:
    """Return the calls of one reply with distinct ids: an empty or repeated one is replaced."""
    ids = [request.tool_call_id for request in requests]
    if all(ids) and len(set(ids)) == len(ids):
        return requests
    pairs = zip(requests, _distinct(ids), strict=True)
    return tuple(replace(request, tool_call_id=call_id) for request, call_id in pairs)


def distinct_items(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the output items of a response, their function calls with ids as `distinct_requests` gives."""
    calls = [item for item in items if item.get("type") == "function_call"]
    ids = [str(item.get("call_id") or item.get("id") or "") for item in calls]
    if all(item.get("call_id") for item in calls) and len(set(ids)) == len(ids):
        return list(items)
    named = iter(_distinct(ids))
    return [
        {**item, "call_id": next(named)} if item.get("type") == "function_call" else item for item in items
    ]


def _distinct(ids: Iterable[str]) -> list[str]:
    found: list[str] = []
    for given in ids:
        call_id, number = given or f"call_{uuid4().hex[:24]}", 1
        while call_id in found:
            number += 1
            ending = f"_{number}"
            call_id = given[: _ID_CHARACTERS - len(ending)] + ending
        found.append(call_id)
    return found
