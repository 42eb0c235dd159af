"""Tool calls in the order in which the model asked for them. Pure.

Calls of one step end in any order, and their rows are written as they end; whoever looks at a run, live or
read from the store, sees them as they were asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbagent.events import Message, ToolCall

_FEW = 2


def in_asked_order(calls: Sequence[ToolCall], messages: Sequence[Message]) -> tuple[ToolCall, ...]:
    """Return a run's tool calls by step, and in each step as its assistant message asks for them.

    The k-th assistant message of a run is that of step k. A call that no message asks for comes after the
    others of its step; calls of one id stay in their order.
    """
    if len(calls) < _FEW:
        return tuple(calls)
    places: dict[tuple[int, str], int] = {}
    step = 0
    for message in messages:
        if message.role == "assistant":
            step += 1
            for place, request in enumerate(message.tool_requests):
                places.setdefault((step, request.tool_call_id), place)
    last = len(places)
    return tuple(
        sorted(calls, key=lambda call: (call.step, places.get((call.step, call.tool_call_id), last)))
    )
