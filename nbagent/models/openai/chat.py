"""`OpenAIChat`: one request in the Chat Completions wire format, streamed; and how it is written as a body.

A user makes one, or `resolve_model` does; the runtime calls `check` at launch (any thread), the loop iterates
`stream` on the background thread. Whoever leaves the iterator early closes it (`contextlib.aclosing`): that
closes the connection, as does cancelling the task that waits in it. `chat_body` is pure: what providers want
differently comes from the provider's row and the plan. `chat_stream.py` reads the reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models.capabilities import RequestOptions
from nbagent.models.openai.base import OpenAICompatibleModel
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.openai.strict_schema import strict_schema
from nbagent.models.protocol import ModelRequest, SchemaDefinition
from nbagent.models.providers import Provider
from nbagent.models.transport.errors import CHAT_COMPLETIONS
from nbagent.models.wire.request_content import (
    FROM_TOOLS,
    NO_TEXT,
    data_url,
    schema_name,
    schema_prompt,
    sent_arguments,
    sent_description,
    sent_result,
    text_of,
)
from nbagent.models.wire.streamed_model import WireFormat

_DETAILS = "reasoning_details"  # go back with tool turns only, to the model that made them
_SAME_NAME = ("temperature", "top_p", "reasoning_effort", "seed")


def chat_body(request: ModelRequest, model: str, row: Provider, plan: RequestOptions) -> dict[str, Any]:
    """Return the request's body as JSON data; the user's `extra_body` has the last word."""
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(request, model, row, plan),
        "stream": True,
        **row.chat_fields,
    }
    if plan.include_usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": sent_description(tool, plan.longest_description),
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
            body[row.setting_names.get(name, name)] = value
    if settings.max_output_tokens is not None:
        body[plan.limit_parameter] = settings.max_output_tokens
    if settings.parallel_tool_calls is not None and request.tools:
        body["parallel_tool_calls"] = settings.parallel_tool_calls
    body.update(settings.extra_body)
    return body


def _messages(request: ModelRequest, model: str, row: Provider, plan: RequestOptions) -> list[dict[str, Any]]:
    maker = f"{row.name}:{model}"
    messages: list[dict[str, Any]] = []
    files: list[FilePart] = []  # of the tools' results so far
    for message in request.messages:
        if message.role != "tool" and files:
            messages.append(_files_of_tools(files))
            files = []
        messages.append(_message(message, maker, row, plan))
        if message.role == "tool" and plan.tool_files:
            files += message.files
    if files:
        messages.append(_files_of_tools(files))
    if request.schema is None or plan.rung == "json_schema":
        return messages
    told = schema_prompt(request.schema)
    if messages and messages[0]["role"] == "system":
        messages[0]["content"] = f"{messages[0]['content']}\n\n{told}"
    else:
        messages.insert(0, {"role": "system", "content": told})
    return messages


def _message(message: Message, maker: str, row: Provider, plan: RequestOptions) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "user" and message.files:
        wire["content"] = [
            *([{"type": "text", "text": message.content}] if message.content else []),
            *(_file(part) for part in message.files),
        ]
    elif message.role == "tool":
        wire["content"] = sent_result(message, shows_files=plan.tool_files)
        wire["tool_call_id"] = _sent_id(message.tool_call_id or "", row)
    elif message.role == "assistant":
        _add_turn(wire, message, maker, row, plan)
    return wire


def _add_turn(
    wire: dict[str, Any], message: Message, maker: str, row: Provider, plan: RequestOptions
) -> None:
    """Add what a model said, called, and wants back of its own fields: from the one who made them only."""
    kept = _kept_of(message, row, plan)
    wire.update({name: value for name, value in kept.get("extra", {}).items() if name != _DETAILS})
    if not message.tool_requests:
        wire["content"] = message.content or NO_TEXT
        return
    # null, not empty: gateways to Anthropic's API refuse empty text
    wire["content"] = message.content if message.content.strip() else None
    calls = kept.get("calls", {})
    wire["tool_calls"] = [
        _tool_call(request, row) | calls.get(request.tool_call_id, {}) for request in message.tool_requests
    ]
    mine = _made_by(message, maker)
    replays = row.replays_reasoning if plan.replays_reasoning is None else plan.replays_reasoning
    if replays is False:
        return
    if details := mine.get("extra", {}).get(_DETAILS):
        wire[_DETAILS] = details
    elif message.reasoning and mine.get("reasoning_field"):
        wire[mine["reasoning_field"]] = message.reasoning
    elif replays:
        # where a turn had none, a blank stands for it: left out, the whole request is refused
        wire[row.reasoning_field] = message.reasoning or " "


def _kept_of(message: Message, row: Provider, plan: RequestOptions) -> Mapping[str, Any]:
    """Return the provider's own fields, of any of its models: Gemini's signatures go between them."""
    return _made_by(message, f"{row.name}:") if plan.extra_content else {}


def _made_by(message: Message, maker: str) -> Mapping[str, Any]:
    for made in message.provider_items:
        by = str(made.get("maker"))
        if (by == maker or (by.startswith(maker) and maker.endswith(":"))) and isinstance(
            made.get("chat"), Mapping
        ):
            kept: Mapping[str, Any] = made["chat"]
            return kept
    return {}


def _sent_id(call_id: str, row: Provider) -> str:
    return call_id if row.call_ids is None else row.call_ids(call_id)


def _tool_call(request: ToolRequest, row: Provider) -> dict[str, Any]:
    return {
        "id": _sent_id(request.tool_call_id, row),
        "type": "function",
        "function": {"name": request.name, "arguments": sent_arguments(request.arguments)},
    }


def _files_of_tools(files: list[FilePart]) -> dict[str, Any]:
    """Return the message with the files that tools returned: a tool's own message holds text alone here."""
    told = f"{FROM_TOOLS} {', '.join(part.name or 'file' for part in files)}"
    return {"role": "user", "content": [{"type": "text", "text": told}, *map(_file, files)]}


def _file(part: FilePart) -> dict[str, Any]:
    if (text := text_of(part)) is not None:
        return {"type": "text", "text": text}
    url = data_url(part)
    if part.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": url}}


def _response_format(schema: SchemaDefinition, plan: RequestOptions) -> dict[str, Any] | None:
    if plan.rung == "json_schema":
        strict, reason = strict_schema(schema.json_schema)
        return {
            "type": "json_schema",
            "json_schema": {"name": schema_name(schema.name), "schema": strict, "strict": reason is None},
        }
    if plan.rung == "json_object_schema":
        return {"type": "json_object", "schema": dict(schema.json_schema)}
    return {"type": "json_object"} if plan.rung == "json_object" else None


def left_out(request: ModelRequest) -> tuple[str, ...]:
    """Return a notice, on a run's first step, for the setting that this wire format does not have."""
    if request.settings.thinking is None or not request.messages or request.messages[-1].role != "user":
        return ()
    return ("Chat Completions takes no thinking: it is left out (reasoning_effort or extra_body may say it)",)


CHAT = WireFormat(
    name="chat",
    api=CHAT_COMPLETIONS,
    path="/chat/completions",
    body=chat_body,
    reply=ChatStreamParser,
    left_out=left_out,
)


class OpenAIChat(OpenAICompatibleModel):
    """A model behind a Chat Completions endpoint.

    Args:
        id: the model's name at the provider.
        base_url: where the server is, most often ending in /v1; by default as the provider's row says.
        api_key: the key itself; better left out, so that it is read from the provider's variable.
        provider: the name of a row in the table of providers, or a row.

    Raises:
        UnknownModelError: no such provider, or an empty id.

    >>> Agent(model=OpenAIChat(id="qwen3", base_url="http://localhost:8000/v1")).model
    OpenAIChat(id='qwen3', provider='openai-chat', base_url='http://localhost:8000/v1')
    """

    wire = CHAT

    def __init__(
        self,
        id: str,  # noqa: A002 - the name that the reference systems use
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str | Provider = "openai-chat",
    ) -> None:
        super().__init__(id, provider, base_url, api_key)
