"""Our history as the messages of frameworks that take none of the usual form. Each imports its framework when called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbagent.events import Message


def pydantic_ai_messages(messages: Sequence[Message]) -> list[Any]:
    """Return them as requests and responses of pydantic-ai."""
    from pydantic_ai import messages as kinds

    made: list[Any] = []
    for one in messages:
        if one.role == "user":
            made.append(kinds.ModelRequest(parts=[kinds.UserPromptPart(content=one.content)]))
        elif one.role == "tool":
            part = kinds.ToolReturnPart(
                tool_name=one.name or "", content=one.content, tool_call_id=one.tool_call_id or ""
            )
            made.append(kinds.ModelRequest(parts=[part]))
        elif one.role == "assistant":
            calls = [
                kinds.ToolCallPart(tool_name=call.name, args=call.arguments, tool_call_id=call.tool_call_id)
                for call in one.tool_requests
            ]
            text = [kinds.TextPart(content=one.content)] if one.content else []
            made.append(kinds.ModelResponse(parts=[*text, *calls]))
    return made


def responses_items(messages: Sequence[Message]) -> list[Any]:
    """Return them as input items of the Responses API, which openai-agents takes."""
    made: list[Any] = []
    for one in messages:
        if one.role == "tool":
            made.append({"type": "function_call_output", "call_id": one.tool_call_id, "output": one.content})
        elif one.content:
            made.append({"role": one.role, "content": one.content})
        made += [
            {
                "type": "function_call",
                "call_id": call.tool_call_id,
                "name": call.name,
                "arguments": call.arguments,
            }
            for call in one.tool_requests
        ]
    return made


def agent_framework_messages(messages: Sequence[Message]) -> list[Any]:
    """Return them as messages of agent-framework."""
    from agent_framework import Content
    from agent_framework import Message as TheirMessage

    made = []
    for one in messages:
        contents: list[Any] = [one.content] if one.content and one.role != "tool" else []
        contents += [
            Content.from_function_call(call.tool_call_id, call.name, arguments=call.arguments)
            for call in one.tool_requests
        ]
        if one.role == "tool":
            contents.append(Content.from_function_result(one.tool_call_id or "", result=one.content))
        made.append(TheirMessage(role=one.role, contents=contents))
    return made
