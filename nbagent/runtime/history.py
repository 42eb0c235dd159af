"""A session's history made fit to be sent: pure, called before a run joins its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbagent.events import Message


def usable(messages: Sequence[Message]) -> list[Message]:
    """Drop what a cut-off run left open: tool calls without an answer, and answers without their call.

    Providers refuse a history in which a tool call has no result. The text beside an open call is kept.
    """
    answered = {message.tool_call_id for message in messages if message.role == "tool"}
    kept: list[Message] = []
    asked: set[str] = set()
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id in asked:
                kept.append(message)
        elif all(request.tool_call_id in answered for request in message.tool_requests):
            asked.update(request.tool_call_id for request in message.tool_requests)
            kept.append(message)
        elif message.content:
            kept.append(replace(message, tool_requests=(), provider_items=()))
    return kept
