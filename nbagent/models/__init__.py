"""The models: one protocol, the wire formats behind it, and the table of providers.

`openai` is imported nowhere but here, and only at the first request. Where things are:

    protocol.py     ModelRequest, the ModelEvents and the Model protocol: what the loop sees
    resolve.py      "provider:id" -> a model
    providers.py    the table of facts about providers
    chat.py         OpenAIChat: one Chat Completions request, streamed
    chat_body.py    ModelRequest -> request body
    chat_reply.py   streamed chunks -> pieces and the finished reply
    concessions.py  what a provider turned out not to take, remembered
    strict.py       JSON Schema -> the strict subset
    sse.py          bytes -> data payloads
    endpoint.py     where a model is, and its key
    exchange.py     one HTTP request and the bytes of its answer
    connections.py  one SDK client for each server, key and event loop
    faults.py       anything that goes wrong -> a ModelError that says what to do (fault_table.py: the rows)
    redaction.py    keys, cut out of messages
    usage.py        a usage object -> Usage
    prices.py       what a call cost
"""

from nbagent.models.chat import OpenAIChat
from nbagent.models.connections import close_connections
from nbagent.models.prices import price_usd
from nbagent.models.protocol import (
    Model,
    ModelEvent,
    ModelRequest,
    Notice,
    ReasoningPiece,
    ReplyFinished,
    ReplyStarted,
    SchemaOffer,
    TextPiece,
    ToolOffer,
)
from nbagent.models.providers import Provider, provider_names, provider_row, register_provider
from nbagent.models.resolve import default_model_name, resolve_model

__all__ = [
    "Model",
    "ModelEvent",
    "ModelRequest",
    "Notice",
    "OpenAIChat",
    "Provider",
    "ReasoningPiece",
    "ReplyFinished",
    "ReplyStarted",
    "SchemaOffer",
    "TextPiece",
    "ToolOffer",
    "close_connections",
    "default_model_name",
    "price_usd",
    "provider_names",
    "provider_row",
    "register_provider",
    "resolve_model",
]
