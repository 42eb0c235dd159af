"""The models: one protocol, the wire formats behind it, and the table of providers.

`openai` is imported nowhere but here, and only at the first request. Where things are:

    protocol.py     ModelRequest, the ModelEvents and the Model protocol: what the loop sees
    registry.py     "provider:id" -> a model
    providers.py    the table of facts about providers (provider_status.py: as a person reads it)
    plugins.py      providers that other packages bring, by entry point
    wire.py         what both wire formats share: one request, put as the provider takes it, its answer read
    chat.py         OpenAIChat: Chat Completions (chat_body.py: request -> body; chat_reply.py: chunks -> events)
    responses.py    OpenAIResponses: the Responses API (responses_body.py, responses_reply.py, response_items.py)
    background.py   a response that lives at its provider (background_faults.py, errands.py)
    concessions.py  what a provider turned out not to take, remembered
    strict.py       JSON Schema -> the strict subset
    parts.py        files and schemas in the words that both wire formats use
    encoding.py     JSON to and from a provider
    sse.py          bytes -> data payloads
    endpoint.py     where a model is, and its key
    identity.py     what tells one model from another
    exchange.py     one HTTP request and the bytes of its answer
    connections.py  one SDK client for each server, key and event loop
    faults.py       anything that goes wrong -> a ModelError that says what to do (fault_table.py: the rows)
    redaction.py    keys, cut out of messages
    usage.py        a usage object -> Usage
    prices.py       what a call cost
    listed.py       models by name, for completion
"""

from nbagent.models.identity import model_identity
from nbagent.models.known_models import known_models
from nbagent.models.openai.batch_api import MOST_BYTES, MOST_LINES, PRICE_SHARE, BatchClient, BatchJob
from nbagent.models.openai.chat import OpenAIChat
from nbagent.models.openai.responses import OpenAIResponses
from nbagent.models.pricing import has_price, is_free, price_table, price_usd
from nbagent.models.protocol import (
    Model,
    ModelEvent,
    ModelRequest,
    Notice,
    ReasoningDelta,
    ReplyFinished,
    ReplyStarted,
    ResponseAttached,
    ResumePoint,
    SchemaDefinition,
    TextDelta,
    ToolDefinition,
    prepare,
)
from nbagent.models.provider_status import provider_status
from nbagent.models.providers import Provider, provider_names, provider_row, register_provider
from nbagent.models.registry import default_model_name, resolve_model
from nbagent.models.replies.call_ids import distinct_requests
from nbagent.models.token_estimates import ESTIMATED, estimate_of, estimated_tokens, tokens_of_messages
from nbagent.models.transport.client import close_connections

__all__ = [
    "ESTIMATED",
    "MOST_BYTES",
    "MOST_LINES",
    "PRICE_SHARE",
    "BatchClient",
    "BatchJob",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "Notice",
    "OpenAIChat",
    "OpenAIResponses",
    "Provider",
    "ReasoningDelta",
    "ReplyFinished",
    "ReplyStarted",
    "ResponseAttached",
    "ResumePoint",
    "SchemaDefinition",
    "TextDelta",
    "ToolDefinition",
    "close_connections",
    "default_model_name",
    "distinct_requests",
    "estimate_of",
    "estimated_tokens",
    "has_price",
    "is_free",
    "known_models",
    "model_identity",
    "prepare",
    "price_table",
    "price_usd",
    "provider_names",
    "provider_row",
    "provider_status",
    "register_provider",
    "resolve_model",
    "tokens_of_messages",
]
