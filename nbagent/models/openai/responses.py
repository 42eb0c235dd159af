"""`OpenAIResponses`: one request in the Responses wire format, streamed; and how it is written as a body.

A user makes one, or `resolve_model` does; the runtime calls `check` at launch (any thread), the loop iterates
`stream` on the background thread. Whoever leaves the iterator early closes it (`contextlib.aclosing`), as for
`OpenAIChat`; a response that lives at the provider (`background.py`) is then cancelled there.
`responses_body` is pure: the history always goes as explicit input items, as a previous response's id would
tie a session to one provider's memory, and fails at some after a background response. `responses_stream.py`
reads the reply.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any

from nbagent.events import FilePart, Message
from nbagent.models.capabilities import RequestOptions
from nbagent.models.openai.background import BackgroundResponse, not_in_background
from nbagent.models.openai.base import OpenAICompatibleModel
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.openai.strict_schema import strict_schema
from nbagent.models.protocol import ModelEvent, ModelRequest, SchemaDefinition
from nbagent.models.providers import Provider
from nbagent.models.transport.errors import Api
from nbagent.models.wire.request_content import (
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

_ENCRYPTED = "reasoning.encrypted_content"


def responses_body(request: ModelRequest, model: str, row: Provider, plan: RequestOptions) -> dict[str, Any]:
    """Return the request's body as JSON data; the user's `extra_body` has the last word."""
    messages = request.messages
    system = messages[0].content if messages and messages[0].role == "system" else ""
    body: dict[str, Any] = {
        "model": model,
        "input": list(_items(messages[1:] if system else messages, _maker(row, model), plan)),
        "stream": True,
    }
    if system:
        body["instructions"] = system
    if plan.background:
        body |= {"background": True, "store": True}
    elif not row.keeps_responses:
        body["store"] = False
    if plan.include_encrypted:
        body["include"] = [_ENCRYPTED]
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": sent_description(tool, plan.longest_description),
                "parameters": dict(tool.parameters),
                "strict": False,  # left out, it would mean true here
            }
            for tool in request.tools
        ]
    if request.schema is not None:
        _ask_for_json(body, request.schema, plan)
    _add_settings(body, request)
    return body


def left_out(request: ModelRequest) -> tuple[str, ...]:
    """Return notices, on a run's first step, for settings that this wire format does not have."""
    if not request.messages or request.messages[-1].role != "user":
        return ()
    return tuple(
        f"the Responses API takes no {name}: it is left out"
        for name in ("seed", "thinking")
        if getattr(request.settings, name) is not None
    )


def _maker(row: Provider, model: str) -> str:
    return f"{row.name}:{model}"


def _items(messages: Iterable[Message], maker: str, plan: RequestOptions) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role == "tool":
            yield {
                "type": "function_call_output",
                "call_id": message.tool_call_id,
                "output": _output(message, plan),
            }
        elif message.role == "assistant":
            yield from _assistant_items(message, maker)
        else:
            yield {"role": message.role, "content": _content(message)}


def _output(message: Message, plan: RequestOptions) -> str | list[dict[str, Any]]:
    """Return a tool's result, the files that it returned with it."""
    text = sent_result(message, shows_files=plan.tool_files)
    if not message.files or not plan.tool_files:
        return text
    return [{"type": "input_text", "text": text}, *map(_file, message.files)]


def _assistant_items(message: Message, maker: str) -> Iterator[dict[str, Any]]:
    own = [
        dict(made["item"]) for made in message.provider_items if made.get("maker") == maker and "item" in made
    ]
    for item in own:
        if item.get("type") == "function_call":
            arguments = item.get("arguments")
            item["arguments"] = sent_arguments(
                arguments if isinstance(arguments, str) else json.dumps(arguments)
            )
        yield item
    if own:
        return
    if message.content or not message.tool_requests:
        yield {"type": "message", "role": "assistant", "content": message.content or NO_TEXT}
    for request in message.tool_requests:
        yield {
            "type": "function_call",
            "call_id": request.tool_call_id,
            "name": request.name,
            "arguments": sent_arguments(request.arguments),
        }


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.files:
        return message.content
    return [
        *([{"type": "input_text", "text": message.content}] if message.content else []),
        *(_file(part) for part in message.files),
    ]


def _file(part: FilePart) -> dict[str, Any]:
    if (text := text_of(part)) is not None:
        return {"type": "input_text", "text": text}
    if part.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": data_url(part), "detail": "auto"}
    return {"type": "input_file", "filename": part.name or "file", "file_data": data_url(part)}


def _ask_for_json(body: dict[str, Any], schema: SchemaDefinition, plan: RequestOptions) -> None:
    if plan.rung == "json_schema":
        strict, reason = strict_schema(schema.json_schema)
        named = {"name": schema_name(schema.name), "schema": strict, "strict": reason is None}
        body["text"] = {"format": {"type": "json_schema", **named}}
        return
    if plan.rung != "prompt":
        body["text"] = {"format": {"type": "json_object"}}
    # json_object is refused where the input itself does not speak of JSON; the instructions do not count
    body["input"].insert(0, {"role": "system", "content": schema_prompt(schema)})


def _add_settings(body: dict[str, Any], request: ModelRequest) -> None:
    settings = request.settings
    for name in ("temperature", "top_p", "max_output_tokens"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.reasoning_effort is not None:
        body["reasoning"] = {"effort": settings.reasoning_effort}
    if settings.parallel_tool_calls is not None and request.tools:
        body["parallel_tool_calls"] = settings.parallel_tool_calls
    body.update(settings.extra_body)


_API = Api(
    "Responses", "; a server that speaks only Chat Completions is an OpenAIChat(...) or an openai-chat: model"
)
RESPONSES = WireFormat(
    name="responses",
    api=_API,
    path="/responses",
    body=responses_body,
    reply=ResponsesStreamParser,
    left_out=left_out,
)


class OpenAIResponses(OpenAICompatibleModel):
    """A model behind a Responses endpoint.

    Args:
        id: the model's name at the provider.
        base_url: where the server is, most often ending in /v1; by default as the provider's row says.
        api_key: the key itself; better left out, so that it is read from the provider's variable.
        provider: the name of a row in the table of providers, or a row.
        background: whether the provider is asked to run each response on its own side, where it outlives this
            kernel. A provider that cannot is said once, and the run is in the notebook then.
        queued_timeout_s: how long a background response may wait at the provider before it begins; None
        waits.

    Raises:
        UnknownModelError: no such provider, or an empty id.

    >>> Agent(model=OpenAIResponses(id="gpt-5", background=True)).model
    OpenAIResponses(id='gpt-5', provider='openai')
    """

    wire = RESPONSES

    def __init__(
        self,
        id: str,  # noqa: A002 - the name that the reference systems use
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str | Provider = "openai",
        background: bool = False,
        queued_timeout_s: float | None = 300.0,
    ) -> None:
        super().__init__(id, provider, base_url, api_key)
        self.background = background
        self.queued_timeout_s = queued_timeout_s

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request` and yield what comes; the last event is a `ReplyFinished`.

        With `background`, or where `request.resume` names a response that lives at the provider,
        `ResponseAttached` events say where it stands, and a dropped connection is taken up again.

        Raises:
            ModelError: whatever goes wrong at the provider or on the way to it.
            ConfigurationError: as in `check`.
        """
        if request.resume is None and not self.background:
            return self._stream(request)
        if request.resume is None and not self.row.native_background:
            return self._stream(request, not_in_background(request, self.provider))
        return BackgroundResponse(self, self._endpoint, request, self.queued_timeout_s).stream()
