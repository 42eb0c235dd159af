"""`AnthropicMessages`: one request in the wire format of Anthropic, streamed.

A user makes one, or `resolve_model` does; the runtime calls `check` at launch (any thread), the loop iterates
`stream` on the background thread. Whoever leaves the iterator early closes it (`contextlib.aclosing`): that
closes the connection, as does cancelling the task that waits in it. `message_body.py` writes the request,
`message_stream.py` reads the reply.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from nbagent.events import Message, Usage
from nbagent.models.anthropic.message_batches import MessageBatches
from nbagent.models.anthropic.message_body import CONCESSIONS, left_out, message_headers, messages_body
from nbagent.models.anthropic.message_history import text_block, tool_use_block
from nbagent.models.anthropic.message_stream import MessageStreamParser
from nbagent.models.endpoint import custom_headers
from nbagent.models.protocol import ModelEvent, ModelRequest, ReplyFinished, ReplyStarted
from nbagent.models.providers import Provider
from nbagent.models.transport.errors import Api
from nbagent.models.wire.streamed_model import StreamedModel, WireFormat

MOST_PAUSES = 20  # of one answer; then it ends with the last one
_PAUSE = "pause_turn"
_API = Api("Messages", "; a server that speaks Chat Completions is an openai-chat: model")
MESSAGES = WireFormat(
    name="messages",
    api=_API,
    path="/messages",
    body=messages_body,
    reply=MessageStreamParser,
    left_out=left_out,
    headers=message_headers,
    concessions=CONCESSIONS,
)


class AnthropicMessages(StreamedModel):
    """A model behind an endpoint that speaks Anthropic's Messages API.

    The API wants a limit on the output: `max_output_tokens` of limits or settings, else 16,000 tokens, after
    the thoughts where these have a budget. `temperature` and `top_p` are sent with the last version of the API
    that takes them. Tools in the settings' `extra_body`, such as the provider's web search, are offered beside
    the agent's own.

    Args:
        id: the model's name at the provider.
        base_url: where the server is, with or without /v1; by default as the provider's row says.
        api_key: the key itself; better left out, so that it is read from the provider's variable.
        provider: the name of a row in the table of providers, or a row.

    Raises:
        UnknownModelError: no such provider, or an empty id.

    >>> from nbagent.models.anthropic import AnthropicMessages
    >>> Agent(model=AnthropicMessages(id="claude-opus-5-5")).model
    AnthropicMessages(id='claude-opus-5-5', provider='anthropic')
    """

    wire = MESSAGES

    def __init__(
        self,
        id: str,  # noqa: A002 - the name that the reference systems use
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str | Provider = "anthropic",
    ) -> None:
        super().__init__(id, provider, base_url, api_key)

    @staticmethod
    def environment_headers() -> Mapping[str, str]:
        """Return the headers that Anthropic's SDK takes from the environment."""
        return custom_headers("ANTHROPIC_CUSTOM_HEADERS")

    def batches(self) -> MessageBatches:
        """Return the message batches of the provider."""
        return MessageBatches(self)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request` and yield what comes; the last event is a `ReplyFinished`.

        An answer that the provider paused (its own tools take long) is asked for again with what there is of
        it, until it ends: the pieces are one reply, and what they cost is added up.

        Raises:
            ModelError: whatever goes wrong at the provider or on the way to it.
            ConfigurationError: as in `check`.
        """
        before: ReplyFinished | None = None
        for pauses in range(MOST_PAUSES + 1):
            asked = request if before is None else _continued(request, before)
            paused = False
            async with aclosing(self._stream(asked)) as events:
                async for event in events:
                    if isinstance(event, ReplyFinished):
                        before = event if before is None else self._joined(before, event)
                        paused = event.server_finish_reason == _PAUSE and pauses < MOST_PAUSES
                        if not paused:
                            yield before
                    elif before is None or not isinstance(event, ReplyStarted):
                        yield event
            if not paused:
                return

    def _joined(self, first: ReplyFinished, then: ReplyFinished) -> ReplyFinished:
        """Return two pieces of one answer as one reply."""
        items = first.provider_items or then.provider_items
        maker = f"{self.provider}:{self.id}"
        return replace(
            then,
            text=first.text + then.text,
            reasoning="\n\n".join(filter(None, (first.reasoning, then.reasoning))) or None,
            tool_requests=(*first.tool_requests, *then.tool_requests),
            provider_items=(*_items_of(first, maker), *_items_of(then, maker)) if items else (),
            usage=_sum(first.usage, then.usage),
            usage_source="missing" if "missing" in (first.usage_source, then.usage_source) else "reported",
        )


def _continued(request: ModelRequest, so_far: ReplyFinished) -> ModelRequest:
    """Return the request whose answer goes on from what there is of it."""
    turn = Message(
        role="assistant",
        content=so_far.text,
        tool_requests=so_far.tool_requests,
        provider_items=so_far.provider_items,
    )
    return replace(request, messages=(*request.messages, turn))


def _items_of(reply: ReplyFinished, maker: str) -> tuple[Mapping[str, Any], ...]:
    """Return the blocks of a reply as a message keeps them, also where its own words would do."""
    if reply.provider_items:
        return reply.provider_items
    blocks = [text_block(reply.text)] if reply.text else []
    blocks += [tool_use_block(request, request.tool_call_id) for request in reply.tool_requests]
    return tuple({"maker": maker, "block": block} for block in blocks)


def _sum(first: Usage, then: Usage) -> Usage:
    """Add the counts; one that a piece does not know is not known of the whole."""
    return Usage(
        **{
            name: None if one is None or other is None else one + other
            for name in Usage.__slots__
            for one, other in [(getattr(first, name), getattr(then, name))]
        }
    )
