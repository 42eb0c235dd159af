"""Each provider's streams as bytes, in both wire formats: text, reasoning, two tool calls, usage, and each of its ends.

The bytes in `recorded/` are written from the providers' documentation and from public reports, one file for a provider
and wire format: its first line says what is its own, `### NAME {expectation}` begins a stream. Nobody was asked.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbagent.errors import ModelError
from nbagent.models import OpenAIChat, OpenAIResponses, provider_row
from nbagent.models.openai.chat import CHAT
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.openai.responses import RESPONSES
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.transport.errors import RequestTarget
from nbagent.models.transport.sse import SSEDecoder
from tests.models.single_call import stream
from tests.provider.steps import Raw

FILES = sorted((Path(__file__).parent / "recorded").glob("*.txt"))
REPLIES = {"chat": ChatStreamParser, "responses": ResponsesStreamParser}
APIS = {"chat": CHAT.api, "responses": RESPONSES.api}
TOKENS = ("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "reasoning_tokens")
PROVIDERS = frozenset(
    "openai azure anthropic gemini deepseek qwen kimi ollama vllm sglang llama-cpp groq openrouter mistral".split()
)


def recorded() -> list[object]:
    """Return each stream: provider, wire format, what is expected, bytes."""
    found = []
    for path in FILES:
        provider, wire = path.stem.split(".")
        for section in path.read_text(encoding="utf-8").split("\n### ")[1:]:
            head, body = section.split("\n", 1)
            name, expected = head.split(" {", 1)
            given = pytest.param(
                provider,
                wire,
                json.loads("{" + expected),
                (body + "\n").encode(),
                id=f"{provider}-{wire}-{name}",
            )
            found.append(given)
    return found


def target(provider: str, wire: str) -> RequestTarget:
    """Return who is asked, with the habits of the provider's row."""
    row = provider_row(provider)
    return RequestTarget(
        provider=provider,
        model="m",
        base_url="http://127.0.0.1:1/v1",
        api=APIS[wire],
        sends_finish_reason=row is None or row.sends_finish_reason,
    )


def hold(finished, expected) -> None:
    """Hold a whole reply against what its stream says."""
    assert finished.text == expected.get("text", "")
    assert finished.reasoning == expected.get("reasoning")
    assert finished.refusal == expected.get("refusal")
    assert [[one.name, one.arguments] for one in finished.tool_requests] == expected.get("calls", [])
    assert len({one.tool_call_id for one in finished.tool_requests}) == len(finished.tool_requests)
    assert (finished.finish_reason, finished.server_finish_reason) == (expected["finish"], expected["word"])
    assert [getattr(finished.usage, name) for name in TOKENS] == expected["tokens"]
    assert (finished.response_model, finished.response_id) == (expected["model"], expected["id"])
    assert finished.usage.cost_usd == expected.get("cost")


@pytest.mark.parametrize("block", [1 << 20, 61, 7], ids=["whole", "blocks", "crumbs"])
@pytest.mark.parametrize(("provider", "wire", "expected", "body"), recorded())
def test_stream(provider, wire, expected, body, block):
    """A stream says the same however its bytes are cut: the whole reply, or the error in the server's words."""
    reply, decoder = REPLIES[wire](target(provider, wire)), SSEDecoder()
    for at in range(0, len(body), block):
        reply.take(decoder.feed(body[at : at + block]))
    reply.take(decoder.close())
    if "error" not in expected:
        hold(reply.finished(), expected)
        return
    with pytest.raises(ModelError) as raised:
        reply.finished()
    assert type(raised.value).__name__ == expected["kind"]
    assert expected["error"] in raised.value.what


@pytest.mark.parametrize(
    ("name", "wire", "expected", "body"),
    [one for one in recorded() if one.id.endswith(("-text", "-tools", "-error", "-early"))],
)
def test_stream_of_an_address(provider, name, wire, expected, body):
    """The same over a socket, for a model that is given by its base URL alone."""
    provider.reply((Raw(body),))
    kind = OpenAIChat if wire == "chat" else OpenAIResponses
    model = kind(id="m", base_url=provider.base_url)
    if "error" not in expected:
        hold(stream(model)[-1], expected)
        return
    with pytest.raises(ModelError) as raised:
        stream(model)
    assert (type(raised.value).__name__, expected["error"] in raised.value.what) == (expected["kind"], True)


def test_every_provider_is_there():
    """Each provider has its text, its tools and at least one end of its own, in the formats that it speaks."""
    names = [one.id for one in recorded()]
    assert {name.stem.split(".")[0] for name in FILES} == PROVIDERS
    for path in FILES:
        kinds = [name.removeprefix(path.stem.replace(".", "-") + "-") for name in names if name.startswith(path.stem.replace(".", "-") + "-")]  # fmt: skip
        assert {"text", "tools", "length"} <= set(kinds)
        assert len(kinds) >= 5
