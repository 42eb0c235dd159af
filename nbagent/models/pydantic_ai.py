"""pydantic-ai's models as models of ours: `from_pydantic_ai(model)`, or by name, "pydantic-ai:cohere:command-a".

A user of the public seam: nothing here is known elsewhere but by its row. The library is imported when a model is
made; requests run on the background loop, one each, through the model's own client. What a reply holds that only
pydantic-ai can read (signatures, encrypted thoughts) is kept as its own JSON and goes back to the model that made it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbagent import errors
from nbagent.errors import ConfigurationError, ModelError
from nbagent.events import Message, ToolRequest, Usage
from nbagent.models.protocol import (
    FinishReason,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    ReplyFinished,
    ReplyStarted,
    TextDelta,
)
from nbagent.models.providers import Provider
from nbagent.models.wire.request_content import schema_name, schema_prompt

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model as TheirModel
    from pydantic_ai.models import ModelRequestParameters

_FINISH: Mapping[str | None, FinishReason] = {
    None: "stop", "stop": "stop", "length": "length", "tool_call": "tool_calls",
    "content_filter": "content_filter", "error": "error",
}  # fmt: skip
# their errors by the names of their classes, the most exact first; of a status where it has one
_FAULTS: Mapping[str, type[ModelError]] = {
    "ModelQuotaExceededError": errors.OutOfQuotaError,
    "ModelContextWindowExceededError": errors.ContextExceededError,
    "ContentFilterError": errors.ContentFilterError,
    "ModelRequestRejectedError": errors.ProviderRefusedError,
    "ModelTimeoutError": errors.ProviderSilentError,
    "ModelConnectionError": errors.ProviderUnreachableError,
    "ModelRateLimitError": errors.ProviderOverloadedError,
    "ModelUnavailableError": errors.ProviderOverloadedError,
    "ModelServerError": errors.ProviderOverloadedError,
    "UserError": errors.ProviderRefusedError,
    "UnexpectedModelBehavior": errors.ProviderProtocolError,
}
_LATER = frozenset({408, 409, 425, 429})


def from_pydantic_ai(model: TheirModel | str) -> PydanticAIModel:
    """Return a model of pydantic-ai, or the one that it knows by this name, as a model of ours.

    Its provider is "pydantic-ai", its id pydantic-ai's own name of it: "openai:gpt-5-mini". Raises
    ConfigurationError at the launch where pydantic-ai is not installed, or cannot make the model.
    """
    return PydanticAIModel(id=model) if isinstance(model, str) else PydanticAIModel(model)


class PydanticAIModel:
    """A pydantic-ai model; made of the object, or of its name as `id`."""

    def __init__(
        self,
        model: TheirModel | None = None,
        *,
        id: str | None = None,  # noqa: A002 - as every wire format
        provider: Provider | str = "pydantic-ai",
    ) -> None:
        self._model = model
        self.provider = provider.name if isinstance(provider, Provider) else provider
        self.id = id or f"{self.model.system}:{self.model.model_name}"

    def __repr__(self) -> str:
        return f"from_pydantic_ai({self.id!r})"

    @property
    def model(self) -> TheirModel:
        """Pydantic-ai's model; made at the first look where it was given by its name."""
        if self._model is None:
            self._model = _inferred(self.id)
        return self._model

    def check(self) -> None:
        """Raise ConfigurationError where pydantic-ai is not installed or cannot make the model."""
        _ = self.model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send the request; their errors become ours."""
        from pydantic_ai.messages import PartDeltaEvent, PartStartEvent

        given = self._messages(request), _settings(request), self._parameters(request)
        started = False
        try:
            if getattr(self.model, "stream_function", self) is None:  # a FunctionModel that answers whole
                yield self._finished(await self.model.request(*given))
                return
            async with self.model.request_stream(*given) as reply:
                async for event in reply:
                    part = event.part if isinstance(event, PartStartEvent) else None
                    part = event.delta if isinstance(event, PartDeltaEvent) else part
                    if part is not None and not started:
                        started = True
                        yield ReplyStarted()
                    text = getattr(part, "content_delta", None) or getattr(part, "content", None)
                    if isinstance(text, str) and text and part is not None:
                        thinks = part.part_delta_kind if hasattr(part, "part_delta_kind") else part.part_kind
                        if thinks in ("text", "thinking"):
                            yield TextDelta(text) if thinks == "text" else ReasoningDelta(text)
                yield self._finished(reply.get())
        except Exception as error:
            raise self._fault(error) from error

    def _parameters(self, request: ModelRequest) -> ModelRequestParameters:
        from pydantic_ai.models import ModelRequestParameters
        from pydantic_ai.output import OutputObjectDefinition
        from pydantic_ai.tools import ToolDefinition

        tools = [
            ToolDefinition(
                name=one.name, description=one.description, parameters_json_schema=dict(one.parameters)
            )
            for one in request.tools
        ]
        if request.schema is None or not self._takes_schemas:
            return ModelRequestParameters(function_tools=tools)
        wanted = OutputObjectDefinition(
            json_schema=dict(request.schema.json_schema), name=schema_name(request.schema.name)
        )
        return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=wanted)

    @property
    def _takes_schemas(self) -> bool:
        return bool(self.model.profile.get("supports_json_schema_output"))

    def _messages(self, request: ModelRequest) -> list[ModelMessage]:
        from pydantic_ai import messages as kinds

        made: list[Any] = []
        if request.schema is not None and not self._takes_schemas:
            made.append(kinds.SystemPromptPart(content=schema_prompt(request.schema)))
        names = {call.tool_call_id: call.name for one in request.messages for call in one.tool_requests}
        for one in request.messages:
            made += self._parts(one, names, kinds)
        grouped: list[ModelMessage] = []
        for (
            part
        ) in made:  # what follows each other from one side is one message: results of one turn go together
            if isinstance(part, kinds.ModelResponse):
                grouped.append(part)
            elif grouped and isinstance(grouped[-1], kinds.ModelRequest):
                grouped[-1] = kinds.ModelRequest(parts=[*grouped[-1].parts, part])
            else:
                grouped.append(kinds.ModelRequest(parts=[part]))
        return grouped

    def _parts(self, one: Message, names: Mapping[str, str], kinds: Any) -> Iterator[Any]:
        if one.role == "assistant":
            yield self._turn(one, kinds)
            return
        if one.role == "system":
            yield kinds.SystemPromptPart(content=one.content)
            return
        files = [
            kinds.BinaryContent.from_data_uri(f"data:{file.media_type};base64,{file.data}")
            for file in one.files
        ]
        if one.role == "tool":
            call_id = one.tool_call_id or ""
            yield kinds.ToolReturnPart(
                tool_name=names.get(call_id, one.name or ""), content=one.content, tool_call_id=call_id
            )
        if one.role == "user" or files:
            text = [one.content] if one.content and one.role == "user" else []
            yield kinds.UserPromptPart(content=[*text, *files] if files else one.content)

    def _turn(self, one: Message, kinds: Any) -> ModelResponse:
        """Return what a model said: as it was where this one said it, else its text and its calls."""
        for item in one.provider_items:
            if item.get("maker") == f"{self.provider}:{self.id}" and "pydantic_ai" in item:
                (kept,) = kinds.ModelMessagesTypeAdapter.validate_python([item["pydantic_ai"]])
                if isinstance(kept, kinds.ModelResponse):
                    return kept
        calls = [
            kinds.ToolCallPart(
                tool_name=call.name, args=call.arguments or "{}", tool_call_id=call.tool_call_id
            )
            for call in one.tool_requests
        ]
        text = [kinds.TextPart(content=one.content)] if one.content or not calls else []
        return kinds.ModelResponse(parts=[*text, *calls])

    def _finished(self, reply: ModelResponse) -> ReplyFinished:
        from pydantic_ai import messages as kinds

        parts = reply.parts
        calls = tuple(
            ToolRequest(tool_call_id=one.tool_call_id, name=one.tool_name, arguments=one.args_as_json_str())
            for one in parts
            if isinstance(one, kinds.ToolCallPart)
        )
        usage = _usage_of(reply.usage)
        (kept,) = json.loads(kinds.ModelMessagesTypeAdapter.dump_json([replace(reply)]))
        return ReplyFinished(
            text="".join(one.content for one in parts if isinstance(one, kinds.TextPart)),
            reasoning="".join(one.content for one in parts if isinstance(one, kinds.ThinkingPart)) or None,
            tool_requests=calls,
            finish_reason="tool_calls" if calls else _FINISH.get(reply.finish_reason, "unknown"),
            server_finish_reason=reply.finish_reason,
            usage=usage,
            usage_source="missing" if usage == Usage() else "reported",
            response_model=reply.model_name,
            response_id=reply.provider_response_id,
            provider_items=({"maker": f"{self.provider}:{self.id}", "pydantic_ai": kept},),
        )

    def _fault(self, error: Exception) -> Exception:
        """Return our error for one of theirs; what is none of theirs as it is."""
        names = {one.__name__ for one in type(error).__mro__}
        kind = next((made for name, made in _FAULTS.items() if name in names), None)
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and kind in (None, errors.ProviderRefusedError):
            later = status in _LATER or status >= 500  # noqa: PLR2004 - HTTP's classes
            kind = errors.ProviderOverloadedError if later else errors.ProviderRefusedError
        if kind is None:
            return error
        told = " ".join(str(getattr(error, "message", None) or error).split())
        headers = getattr(error, "headers", None) or {}
        wait = str(headers.get("retry-after", ""))
        return kind(
            f"model {self.id!r} of pydantic-ai failed: {told:.300}",
            "pydantic-ai's documentation of this model and its provider says what it takes",
            status_code=status,
            retry_after_s=float(wait) if wait.isdigit() else None,
        )


def _settings(request: ModelRequest) -> Any:
    given = request.settings
    known = {
        "temperature": given.temperature,
        "top_p": given.top_p,
        "max_tokens": given.max_output_tokens,
        "seed": given.seed,
        "parallel_tool_calls": given.parallel_tool_calls,
        "thinking": given.reasoning_effort,
        "extra_body": dict(given.extra_body) or None,
        "timeout": request.idle_timeout_s,
    }
    return {name: value for name, value in known.items() if value is not None}


def _usage_of(usage: Any) -> Usage:
    """Return their counts; theirs are 0 where nobody counted."""
    if not usage.input_tokens and not usage.output_tokens:
        return Usage()
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
        reasoning_tokens=usage.details.get("reasoning_tokens"),
    )


def _inferred(name: str) -> TheirModel:
    """Return the model that pydantic-ai knows by this name."""
    try:
        from pydantic_ai.models import infer_model
    except ImportError:
        raise ConfigurationError(
            f"pydantic-ai is not installed, so that there is no model {name!r} of it",
            'pip install "nbagent-jupyter[pydantic-ai]", and what its page says for the provider',
        ) from None
    try:
        return infer_model(name)
    except Exception as error:  # the border to the library: a wrong name, a missing key or package
        told = " ".join(str(error).split())
        raise ConfigurationError(
            f"pydantic-ai makes no model {name!r}: {told:.300}",
            "see its list of models: the name is its own, as in pydantic-ai:openai:gpt-5-mini",
        ) from error
