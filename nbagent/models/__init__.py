"""The models: one protocol, the wire formats behind it, and the table of providers.

aiohttp is imported here and nowhere else, at the first request; `openai` at the first batch file. Where
things are:

    protocol.py         ModelRequest, the ModelEvents and the Model protocol: what the loop sees
    providers.py        what a provider's row can say
    catalog/            the providers known by name: a new provider is a row
    plugins.py          providers that other packages bring, by entry point
    registry.py         "provider:id" -> a model; the names and providers known here
    fallback.py         several models of which the next is asked where one cannot answer
    first_model.py      from the demo to a real model: what to type
    model_list.py       what a provider itself says it serves
    endpoint.py         where a model is, its key, the headers that carry it
    capabilities.py     what a provider turned out not to take, remembered; how a request is put
    pricing.py          what a call cost
    token_estimates.py  how many tokens a text has, where nobody counted
    pydantic_ai.py      pydantic-ai's models as ours
    openai/             the wire formats of OpenAI: Chat Completions, Responses, batch files
    anthropic/          the wire format of Anthropic: Messages
    wire/               what every wire format is made of
    replies/            what every wire format's reply is read with
    transport/          HTTP: a request, the bytes of its answer, and what goes wrong on the way

A new wire format is a folder beside `openai/` with a class of models, named by the rows that speak it
(`Provider.wire`).
"""

from nbagent.models.catalog.table import provider_names, provider_row, register_provider
from nbagent.models.fallback import alternatives, model_name, names_in
from nbagent.models.first_model import first_model, keys_set, lines_to_real
from nbagent.models.model_list import listed_names, served_models
from nbagent.models.openai.chat import OpenAIChat
from nbagent.models.openai.responses import OpenAIResponses
from nbagent.models.pricing import (
    can_cost,
    dearest_usd,
    has_price,
    is_free,
    may_cost,
    prepare_prices,
    price_table,
    price_usd,
)
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
    TextReclassified,
    ToolDefinition,
    prepare,
)
from nbagent.models.providers import Provider, is_loopback
from nbagent.models.registry import (
    ModelGiven,
    default_model_name,
    is_named,
    known_models,
    model_identity,
    named_providers,
    provider_status,
    register_model,
    resolve_model,
)
from nbagent.models.replies.call_ids import distinct_requests
from nbagent.models.token_estimates import ESTIMATED, estimate_of, estimated_tokens, tokens_of_messages
from nbagent.models.transport.client import close_connections
from nbagent.models.wire.batches import PRICE_SHARE, BatchClient, BatchJob, batch_client

__all__ = [
    "ESTIMATED",
    "PRICE_SHARE",
    "BatchClient",
    "BatchJob",
    "Model",
    "ModelEvent",
    "ModelGiven",
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
    "TextReclassified",
    "ToolDefinition",
    "alternatives",
    "batch_client",
    "can_cost",
    "close_connections",
    "dearest_usd",
    "default_model_name",
    "distinct_requests",
    "estimate_of",
    "estimated_tokens",
    "first_model",
    "has_price",
    "is_free",
    "is_loopback",
    "is_named",
    "keys_set",
    "known_models",
    "lines_to_real",
    "listed_names",
    "may_cost",
    "model_identity",
    "model_name",
    "named_providers",
    "names_in",
    "prepare",
    "prepare_prices",
    "price_table",
    "price_usd",
    "provider_names",
    "provider_row",
    "provider_status",
    "register_model",
    "register_provider",
    "resolve_model",
    "served_models",
    "tokens_of_messages",
]


def __getattr__(name: str) -> object:
    """Import what few use at its first use."""
    if name != "from_pydantic_ai":
        raise AttributeError(f"module 'nbagent.models' has no attribute {name!r}")
    from nbagent.models.pydantic_ai import from_pydantic_ai

    return from_pydantic_ai
