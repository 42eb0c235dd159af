"""The tokens of a text where nobody has counted them, by one rule: a token for each four bytes of its UTF-8.

What is sent (messages, the tools offered, the schema) is input, what came (text, reasoning, tool calls) is
output; files are not counted. English text comes out about right, other languages within a factor of two.
Estimates bound limits where a server reports no usage, pace requests before their usage is known and cut
histories to a size; they are never taken for reported counts. Pure; on any thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nbagent.core import dump_json
from nbagent.events import Message, Usage
from nbagent.models.pricing import price_usd
from nbagent.models.protocol import ModelRequest, ReplyFinished

BYTES_PER_TOKEN = 4
ESTIMATED = "provider {provider!r} reports no usage: limits hold by an estimate, a token for each four bytes sent and answered"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A call's estimated usage, where its server reported none; the cost is None without a price."""

    input_tokens: int
    output_tokens: int
    cost_usd: float | None


def estimated_tokens(request: ModelRequest) -> int:
    """Estimate the input of a request before its usage is known."""
    described = 0
    if request.tools or request.schema is not None:
        offers = [[tool.name, tool.description, tool.parameters] for tool in request.tools]
        if request.schema is not None:
            offers.append([request.schema.name, "", request.schema.json_schema])
        described = len(dump_json(offers))
    return (_message_bytes(request.messages) + described) // BYTES_PER_TOKEN


def tokens_of_messages(messages: Iterable[Message]) -> int:
    """Estimate what messages of a conversation are, their tool calls included."""
    return _message_bytes(messages) // BYTES_PER_TOKEN


def estimate_of(
    request: ModelRequest, reply: ReplyFinished, provider: str, *models: str | None
) -> Estimate | None:
    """Return a call's estimated usage beside what was reported; None where nothing came or all is known.

    It costs what the first of `models` costs that has a price.
    """
    usage = reply.usage
    if usage.input_tokens is not None and usage.output_tokens is not None:
        return None
    if usage.total_tokens is None and not (
        reply.text or reply.reasoning or reply.tool_requests or reply.refusal
    ):
        return None
    given, made = _counts(usage, request, reply)
    costs = (
        price_usd(provider, model, Usage(input_tokens=given, output_tokens=made)) for model in models if model
    )
    cost = None if usage.cost_usd is not None else next((one for one in costs if one is not None), None)
    return Estimate(given, made, cost)


def _counts(usage: Usage, request: ModelRequest, reply: ReplyFinished) -> tuple[int, int]:
    given, total = usage.input_tokens, usage.total_tokens
    if given is None:
        given = estimated_tokens(request)
        if total is not None:
            given = min(given, total)
    made = usage.output_tokens
    if made is None and total is not None:
        made = max(total - given, 0)
    if made is None:
        texts = [reply.text, reply.reasoning or "", reply.refusal or ""]
        texts += [one.name + one.arguments for one in reply.tool_requests]
        made = -(-sum(map(_size, texts)) // BYTES_PER_TOKEN)
    return given, made


def _message_bytes(messages: Iterable[Message]) -> int:
    return sum(
        _size(message.content)
        + sum(_size(call.name) + _size(call.arguments) for call in message.tool_requests)
        for message in messages
    )


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
