"""OpenAIResponses over a real socket: what is sent, when what comes, steps down, the demo model."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from nbagent.demo.process import DemoProcess
from nbagent.errors import ProviderRefusedError
from nbagent.events import Message
from nbagent.models import (
    Model,
    Notice,
    OpenAIResponses,
    ReplyStarted,
    SchemaDefinition,
    TextDelta,
    ToolDefinition,
    close_connections,
)
from nbagent.models import capabilities as concessions_module
from nbagent.spec import ModelSettings
from tests.models.single_call import reply_of, request, responses, stream
from tests.provider import responses_wire as wire
from tests.provider.steps import Gate, Head, Wait, answer, error

SCHEMA = SchemaDefinition(
    name="City", json_schema={"type": "object", "properties": {"name": {"type": "string"}}}
)


@pytest.fixture(autouse=True)
def _nothing_conceded(monkeypatch):
    """Ports are used again: what one test's server refused is not remembered for the next."""
    monkeypatch.setattr(concessions_module, "_memories", {})


def test_what_is_sent_and_what_comes(provider):
    """One request goes to the responses path with the key and the body; text, usage and ids come back."""
    provider.reply(wire.text_reply("Par", "is"))
    finished = reply_of(responses(provider, api_key="test-key"))
    assert (finished.text, finished.finish_reason, finished.usage.total_tokens) == ("Paris", "stop", 18)
    assert (finished.response_model, finished.response_id) == ("scripted-1", "resp_test")
    (sent,) = provider.requests
    assert (sent.method, sent.path) == ("POST", "/v1/responses")
    assert sent.headers["authorization"] == "Bearer test-key"
    assert sent.body["stream"] is True


def test_it_is_a_model_and_shows_no_key():
    """It satisfies the protocol; its repr says where it is and shows no key."""
    model = OpenAIResponses(id="m", base_url="http://127.0.0.1:1/v1", api_key="sk-very-secret")
    assert isinstance(model, Model)
    assert repr(model) == "OpenAIResponses(id='m', provider='openai', base_url='http://127.0.0.1:1/v1')"


def test_pieces_come_when_they_are_sent(provider):
    """The first piece is here before the second is sent: nothing waits for the end."""
    gate = Gate()
    provider.reply((*wire.begun(), *wire.text("Par"), Wait(gate), *wire.text("is"), wire.end()))

    async def read():
        async with aclosing(responses(provider).stream(request())) as events:
            seen = [await anext(events), await anext(events)]
            gate.open()
            rest = [event async for event in events]
        await close_connections()
        return seen, rest

    seen, rest = asyncio.run(read())
    assert seen == [ReplyStarted(), TextDelta("Par")]
    assert rest[0] == TextDelta("is")


def test_connections_are_shared(provider):
    """A reply that ended leaves its connection to the next request."""
    provider.otherwise(wire.text_reply("Paris"))

    async def run():
        for _ in range(3):
            async for _ in responses(provider).stream(request()):
                pass
        await close_connections()

    asyncio.run(run())
    assert (len(provider.requests), provider.connections_opened) == (3, 1)


def test_a_server_that_cannot_stream(provider):
    """A response object instead of a stream, of a named type or of none, is the reply."""
    whole = wire.response("completed", wire.message("Paris"))
    provider.reply(answer(200, whole), (Head(200, {}), *answer(200, whole)[1:]))
    for _ in range(2):
        assert reply_of(responses(provider)).text == "Paris"


def test_schema_ladder(provider):
    """A refusal that names text.format steps down: schema, JSON object, prompt; each said once and remembered."""
    provider.reply(
        error(
            400,
            "Invalid parameter: 'text.format' of type 'json_schema' is not supported",
            param="text.format",
        ),
        error(400, "text.format json_object is unavailable"),
        wire.text_reply("{}"),
        wire.text_reply("{}"),
    )
    model = responses(provider)
    first, second = (stream(model, request(schema=SCHEMA)) for _ in range(2))
    assert [event.text for event in first if isinstance(event, Notice)] == [
        "provider 'openai' cannot be asked for a JSON schema with this model: asking for a JSON object",
        "provider 'openai' cannot be asked for a JSON object with this model: asking for JSON in the prompt alone",
    ]
    assert not any(isinstance(event, Notice) for event in second)
    kinds = [body.get("text", {}).get("format", {}).get("type") for body in provider.bodies]
    assert kinds == ["json_schema", "json_object", None, None]


def test_encrypted_reasoning_where_it_is_not_known(provider):
    """A model without reasoning refuses the wish for encrypted items: it is left out from then on, silently."""
    provider.reply(
        error(400, "Encrypted content is not supported with this model.", param="include"),
        wire.text_reply("a"),
        wire.text_reply("b"),
    )
    model = responses(provider, provider="openrouter")
    for _ in range(2):
        assert not any(isinstance(event, Notice) for event in stream(model))
    assert ["include" in body for body in provider.bodies] == [True, False, False]


def test_what_cannot_be_said_here(provider):
    """A setting without a name in this format is said on the first step and on no later one."""
    provider.otherwise(wire.text_reply("a"))
    settings = ModelSettings(seed=7)
    first = stream(responses(provider), request(settings=settings))
    assert [event.text for event in first if isinstance(event, Notice)] == [
        "the Responses API takes no seed: it is left out"
    ]
    history = (Message(role="user", content="?"), Message(role="tool", tool_call_id="c", content="1"))
    later = stream(responses(provider), request(settings=settings, messages=history))
    assert not any(isinstance(event, Notice) for event in later)


def test_a_server_that_speaks_only_chat(provider):
    """A server without this path is named as such, with the model that would do."""
    provider.reply(answer(404, {"detail": "Not Found"}))
    with pytest.raises(ProviderRefusedError) as raised:
        stream(responses(provider))
    assert "nothing answers Responses requests at" in raised.value.what
    assert "OpenAIChat" in raised.value.todo


@pytest.fixture(scope="module")
def demo():
    """A demo server."""
    server = DemoProcess(speed=20)
    yield server.start()
    server.stop()


def test_the_demo_model(demo):
    """The demo model answers in this format too: text, JSON by a schema, a tool call with its result, a length stop."""
    model = OpenAIResponses(id="assistant", provider="demo", base_url=demo)
    assert reply_of(model).text == "The capital of France is Paris."
    asked = (Message(role="user", content="Give me facts about Tokyo."),)
    assert '"name"' in reply_of(model, request(messages=asked, schema=SCHEMA)).text
    cut = reply_of(model, request(settings=ModelSettings(max_output_tokens=3)))
    assert cut.finish_reason == "length"
    parameters = {"type": "object", "properties": {"symbol": {"type": "string"}}, "required": ["symbol"]}
    price = ToolDefinition(name="get_stock_price", description="The price of a stock.", parameters=parameters)
    question = Message(role="user", content="What is the stock price of NVDA?")
    called = reply_of(model, request(messages=(question,), tools=(price,)))
    (wanted,) = called.tool_requests
    assert (wanted.name, wanted.arguments) == ("get_stock_price", '{"symbol":"NVDA"}')
    history = (
        question,
        Message(role="assistant", tool_requests=called.tool_requests, provider_items=called.provider_items),
        Message(role="tool", tool_call_id=wanted.tool_call_id, content="912.5"),
    )
    assert "912.5" in reply_of(model, request(messages=history, tools=(price,))).text
