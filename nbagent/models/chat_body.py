"""A `ModelRequest` as the body of a Chat Completions request.

Used by `chat.py`; pure. What providers want differently comes from the provider's row and the plan.
"""

from __future__ import annotations

from typing import Any

from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models.concessions import Plan
from nbagent.models.parts import data_url, schema_name, schema_prompt, text_of
from nbagent.models.protocol import ModelRequest, SchemaOffer
from nbagent.models.providers import Provider
from nbagent.models.strict import strict_schema

_SAME_NAME = ("temperature", "top_p", "reasoning_effort", "seed")


def chat_body(request: ModelRequest, model: str, row: Provider, plan: Plan) -> dict[str, Any]:
    """Return the request's body as JSON data; the user's `extra_body` has the last word."""
    body: dict[str, Any] = {"model": model, "messages": _messages(request, row, plan), "stream": True}
    if plan.include_usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
    response_format = _response_format(request.schema, plan) if request.schema else None
    if response_format:
        body["response_format"] = response_format
    settings = request.settings
    for name in _SAME_NAME:
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.max_output_tokens is not None:
        body[plan.limit_parameter] = settings.max_output_tokens
    if settings.parallel_tool_calls is not None and request.tools:
        body["parallel_tool_calls"] = settings.parallel_tool_calls
    body.update(settings.extra_body)
    return body


def _messages(request: ModelRequest, row: Provider, plan: Plan) -> list[dict[str, Any]]:
    messages = [_message(message, row) for message in request.messages]
    if request.schema is None or plan.rung == "json_schema":
        return messages
    told = schema_prompt(request.schema)
    if messages and messages[0]["role"] == "system":
        messages[0]["content"] = f"{messages[0]['content']}\n\n{told}"
    else:
        messages.insert(0, {"role": "system", "content": told})
    return messages


def _message(message: Message, row: Provider) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "user" and message.files:
        wire["content"] = [
            *([{"type": "text", "text": message.content}] if message.content else []),
            *(_file(part) for part in message.files),
        ]
    elif message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    elif message.role == "assistant" and message.tool_requests:
        wire["tool_calls"] = [_tool_call(request) for request in message.tool_requests]
        if row.replays_reasoning and message.reasoning:
            wire[row.reasoning_field] = message.reasoning
    return wire


def _tool_call(request: ToolRequest) -> dict[str, Any]:
    return {
        "id": request.tool_call_id,
        "type": "function",
        # some servers parse what they once sent, and cannot parse nothing
        "function": {"name": request.name, "arguments": request.arguments or "{}"},
    }


def _file(part: FilePart) -> dict[str, Any]:
    if (text := text_of(part)) is not None:
        return {"type": "text", "text": text}
    url = data_url(part)
    if part.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": url}}


def _response_format(schema: SchemaOffer, plan: Plan) -> dict[str, Any] | None:
    if plan.rung == "json_schema":
        strict, reason = strict_schema(schema.json_schema)
        return {
            "type": "json_schema",
            "json_schema": {"name": schema_name(schema.name), "schema": strict, "strict": reason is None},
        }
    if plan.rung == "json_object_schema":
        return {"type": "json_object", "schema": dict(schema.json_schema)}
    return {"type": "json_object"} if plan.rung == "json_object" else None
