"""Anthropic's own SDK reads the scripts of its wire format, and sends what they are asked with: the server is a real one.

In the leg of other frameworks (`-m guests`): the SDK is no dependency.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from typing import Any

import pytest

from nbagent.models.anthropic.message_stream import MessageStreamParser
from nbagent.models.transport.errors import RequestTarget
from nbagent.models.transport.sse import SSEDecoder
from tests.batch.message_batches_server import MessageBatchesApi
from tests.models.accepted_requests import messages_faults
from tests.provider import messages_wire as wire
from tests.provider.steps import Raw

pytestmark = [
    pytest.mark.guests,
    pytest.mark.skipif(importlib.util.find_spec("anthropic") is None, reason="wants pip install anthropic"),
]

TARGET = RequestTarget(provider="anthropic", model="claude", base_url="http://127.0.0.1:1/v1")
ASKED: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Where?"}]}],
}
SCRIPTS = {
    "text": wire.text_reply("Par", "is"),
    "a call after text": wire.tool_reply(("price", {"a": 1}), before=wire.text_block("Well."), thoughts=1),
    "parallel calls": wire.tool_reply(("price", {"a": 1}), ("price", {"a": [2, "ü"]})),
    "thoughts": (
        *wire.begun(),
        *wire.thinking_block("Let me ", "see."),
        *wire.redacted_block("hidden", index=1),
        *wire.text_block("4", index=2),
        *wire.end(),
    ),
    "thoughts that are not shown": (
        *wire.begun(),
        *wire.thinking_block(),
        *wire.text_block("4", index=1),
        *wire.end(),
    ),
    "a refusal": wire.refusal_reply("I cannot."),
    "the limit": wire.text_reply("1, 2", stop="max_tokens"),
    "the context": wire.text_reply("1, 2", stop="model_context_window_exceeded"),
    "a stop sequence": wire.text_reply("1", stop="stop_sequence", stop_sequence="2"),
    "a pause": wire.text_reply("so far", stop="pause_turn"),
    "unknown events": wire.strange_reply("Par", "is"),
}


def client(provider: Any) -> Any:
    """Return the SDK's client of the scripted provider; it tries once."""
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(base_url=provider.base_url.removesuffix("/v1"), api_key="k", max_retries=0)


@pytest.mark.parametrize("case", SCRIPTS)
def test_the_sdk_reads_what_we_read(provider, case):
    """The SDK's message of a script has the blocks, the stop reason and the usage that nbagent reads from it."""
    script = SCRIPTS[case]
    provider.reply(script)

    async def read() -> Any:
        async with client(provider) as sdk, sdk.messages.stream(**ASKED) as stream:
            return await stream.get_final_message()

    theirs = asyncio.run(read())
    parser, decoder = MessageStreamParser(TARGET), SSEDecoder()
    for step in script:
        if isinstance(step, Raw):
            parser.take(decoder.feed(step.data))
    ours = parser.finished()
    assert "".join(one.text for one in theirs.content if one.type == "text") == ours.text
    assert [(one.id, one.name, one.input) for one in theirs.content if one.type == "tool_use"] == [
        (one.tool_call_id, one.name, json.loads(one.arguments or "{}")) for one in ours.tool_requests
    ]
    assert (theirs.stop_reason, theirs.id) == (ours.server_finish_reason, ours.response_id)
    assert (theirs.usage.input_tokens, theirs.usage.output_tokens) == (
        ours.usage.input_tokens,
        ours.usage.output_tokens,
    )
    if ours.provider_items:
        kept = [dict(item["block"]) for item in ours.provider_items]
        assert [one.model_dump(exclude_none=True) for one in theirs.content] == kept
    assert list(messages_faults(provider.bodies[0])) == []


@pytest.mark.parametrize(
    ("script", "name"),
    [
        (wire.error(529, "Overloaded", kind="overloaded_error"), "OverloadedError"),
        (wire.error(429, "slow", kind="rate_limit_error"), "RateLimitError"),
        (wire.error(400, "no", kind="invalid_request_error"), "BadRequestError"),
        ((*wire.begun(), *wire.error_in_reply("Overloaded", "overloaded_error")), "APIStatusError"),
    ],
)
def test_the_sdk_takes_our_errors_for_its_own(provider, script, name):
    """An error's body, and an error event inside a stream, are those that the SDK knows."""
    import anthropic

    provider.reply(script)

    async def read() -> None:
        async with client(provider) as sdk, sdk.messages.stream(**ASKED) as stream:
            await stream.get_final_message()

    with pytest.raises(anthropic.APIStatusError) as raised:
        asyncio.run(read())
    assert name in {kind.__name__ for kind in type(raised.value).__mro__}


def test_the_sdk_gets_its_batch_from_our_server(provider):
    """The scripted batch server is one that the SDK creates, looks at and reads the results of."""
    api = MessageBatchesApi()
    api.may_end.set()

    def answered(request: Any) -> Any:
        request.headers.setdefault(
            "x-api-key", request.headers.get("authorization", "")
        )  # as the SDK sends it
        return api.answer(request)

    provider.otherwise(answered)

    async def read() -> Any:
        async with client(provider) as sdk:
            params = {**ASKED}
            batch = await sdk.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
            ended = await sdk.messages.batches.retrieve(batch.id)
            return ended, await sdk.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)

    ended, results = asyncio.run(read())
    assert ended.processing_status == "ended"
    assert "succeeded" in str(results)
