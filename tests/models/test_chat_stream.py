"""OpenAIChat over a real socket: order and time of what comes, cancel, shared connections, steps down."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from nbagent.errors import ProviderRefusedError
from nbagent.models import (
    Notice,
    OpenAIChat,
    Provider,
    ReplyFinished,
    ReplyStarted,
    SchemaDefinition,
    TextDelta,
    ToolDefinition,
    close_connections,
    resolve_model,
)
from nbagent.models import capabilities as concessions_module
from nbagent.spec import ModelSettings
from tests.models.single_call import chat, reply_of, request, stream
from tests.provider.chat_wire import chunk, end, text, text_reply, tool_reply
from tests.provider.steps import Gate, Head, Raw, Silence, Wait, answer, error

SCHEMA = SchemaDefinition(
    name="City", json_schema={"type": "object", "properties": {"name": {"type": "string"}}}
)
TOOL = ToolDefinition(name="price", description="", parameters={"type": "object", "properties": {}})


@pytest.fixture(autouse=True)
def _nothing_conceded(monkeypatch):
    """Ports are used again: what one test's server refused is not remembered for the next."""
    monkeypatch.setattr(concessions_module, "_memories", {})


def test_what_is_sent_and_what_comes(provider):
    """One request goes to the chat path with the key and the body; text, usage and ids come back."""
    provider.reply(text_reply("Par", "is"))
    finished = reply_of(chat(provider, api_key="test-key"))
    assert (finished.text, finished.finish_reason, finished.usage.total_tokens) == ("Paris", "stop", 18)
    assert (finished.response_model, finished.response_id) == ("scripted-1", "chatcmpl-test")
    (sent,) = provider.requests
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == "Bearer test-key"
    assert sent.headers["content-type"] == "application/json"
    assert sent.body["stream_options"] == {"include_usage": True}


def test_pieces_come_when_they_are_sent(provider):
    """The first piece is here before the second is sent: nothing waits for the end."""
    gates = [Gate(), Gate()]
    provider.reply((chunk({"role": "assistant", "content": ""}), Wait(gates[0]), *text("Par"), Wait(gates[1]), *text("is"), *end()))  # fmt: skip

    async def read():
        seen = []
        async with aclosing(chat(provider).stream(request())) as events:
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(gates[0].reached.wait, 5)
            assert not waiting.done()  # an empty first delta starts nothing
            gates[0].open()
            seen.append(await waiting)
            seen.append(await anext(events))
            gates[1].open()
            seen.extend([event async for event in events])
        await close_connections()
        return seen

    started, first, second, finished = asyncio.run(read())
    assert (started, first, second) == (ReplyStarted(), TextDelta("Par"), TextDelta("is"))
    assert finished.text == "Paris"


def test_a_tool_call_starts_the_reply(provider):
    """Time to first token counts for a reply that is a tool call and nothing else."""
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})))
    started, finished = stream(chat(provider))
    assert started == ReplyStarted()
    assert finished.tool_requests[0].arguments == '{"symbol": "AAPL"}'


@pytest.mark.parametrize(
    "script",
    [
        (Silence(),),
        (Head(), Raw(b": connected\n\n"), Silence()),
        (chunk({"role": "assistant", "content": ""}), *text("Par"), Silence()),
    ],
    ids=["before the head", "before the first token", "in mid-text"],
)
def test_cancel_closes_the_connection(provider, script):
    """Cancelling the task that waits for the model is seen by the server as a disconnect."""
    provider.reply(script)

    async def run():
        async def consume():
            async with aclosing(chat(provider).stream(request())) as events:
                async for _ in events:
                    pass

        task = asyncio.create_task(consume())
        (sent,) = await asyncio.to_thread(provider.wait_for_requests, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(sent.disconnected.wait, 2)
        await close_connections()

    asyncio.run(run())


def test_leaving_the_iterator_closes_the_connection(provider):
    """`aclosing` around the iterator closes the connection when its reader stops reading."""
    provider.reply((*text("Par"), Silence()))

    async def run():
        async with aclosing(chat(provider).stream(request())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        assert await asyncio.to_thread(provider.disconnected.wait, 2)
        await close_connections()

    asyncio.run(run())


def test_connections_are_shared(provider):
    """Replies that ended leave their connection to the next request, of other model objects too."""
    provider.otherwise(text_reply("Paris"))

    async def run():
        clients = set()
        for _ in range(3):
            async for event in chat(provider).stream(request()):
                clients.add(type(event))
        await asyncio.gather(*(drain(chat(provider)) for _ in range(5)))
        await close_connections()

    async def drain(model):
        async for _ in model.stream(request()):
            pass

    asyncio.run(run())
    assert len(provider.requests) == 8
    assert provider.connections_opened <= 5


def test_each_event_loop_has_its_own_clients(provider):
    """A model object may be used from one event loop after the other."""
    provider.otherwise(text_reply("Paris"))
    model = chat(provider)
    assert [reply_of(model).text for _ in range(2)] == ["Paris", "Paris"]


def test_a_whole_reply_although_a_stream_was_asked_for(provider):
    """A server that cannot stream answers with plain JSON; that is the reply, in one piece."""
    message = {"role": "assistant", "content": "Paris", "reasoning_content": "hm"}
    body = {
        "id": "c",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
    provider.reply(answer(200, body))
    events = stream(chat(provider))
    assert events[0] == ReplyStarted()
    assert events[2] == TextDelta("Paris")
    assert (events[-1].reasoning, events[-1].usage.total_tokens) == ("hm", 4)


def test_stream_of_an_unnamed_type(provider):
    """A stream without its content type is known by its first bytes."""
    provider.reply((Head(200, {}), *text_reply("Paris")))
    assert reply_of(chat(provider)).text == "Paris"


def test_compressed_stream(provider):
    """A stream that a proxy compressed is read like a plain one."""
    import gzip

    whole = b"".join(step.data for step in text_reply("Paris"))
    provider.reply((Head(200, {"content-type": "text/event-stream", "content-encoding": "gzip"}), Raw(gzip.compress(whole))))  # fmt: skip
    assert reply_of(chat(provider)).text == "Paris"


def test_utf8_cut_between_reads(provider):
    """A character whose bytes come in two reads is whole."""
    whole = b"".join(step.data for step in text_reply("é😀"))
    at = whole.index("😀".encode()) + 2
    gate = Gate()
    provider.reply((Raw(whole[:at]), Wait(gate), Raw(whole[at:])))

    async def run():
        reading = asyncio.create_task(whole_reply())
        await asyncio.to_thread(gate.reached.wait, 5)
        gate.open()
        return await reading

    async def whole_reply():
        events = [event async for event in chat(provider).stream(request())]
        await close_connections()
        return events

    assert asyncio.run(run())[-1].text == "é😀"


def test_stream_options_are_dropped_once(provider):
    """A 400 that names stream_options is answered without them, said once, and remembered."""
    provider.reply(
        error(400, "Unrecognized request argument: stream_options"), text_reply("a"), text_reply("b")
    )
    model = chat(provider)
    first, second = stream(model), stream(model)
    assert [event.text for event in first if isinstance(event, Notice)] == [
        "provider 'openai-chat' takes no stream_options: token counts may be missing"
    ]
    assert not any(isinstance(event, Notice) for event in second)
    assert ["stream_options" in body for body in provider.bodies] == [True, False, False]


def test_schema_ladder(provider):
    """A refusal that names response_format steps down: schema, JSON object, prompt; each said once and remembered."""
    provider.reply(
        error(400, "'response_format' of type 'json_schema' is not supported", param="response_format"),
        error(400, "This response_format type is unavailable now"),
        text_reply("{}"),
        text_reply("{}"),
    )
    model = chat(provider)
    first, second = (stream(model, request(schema=SCHEMA)) for _ in range(2))
    assert [event.text for event in first if isinstance(event, Notice)] == [
        "provider 'openai-chat' cannot be asked for a JSON schema with this model: asking for a JSON object",
        "provider 'openai-chat' cannot be asked for a JSON object with this model: asking for JSON in the prompt alone",
    ]
    assert not any(isinstance(event, Notice) for event in second)
    formats = [body.get("response_format", {}).get("type") for body in provider.bodies]
    assert formats == ["json_schema", "json_object", None, None]


def test_ladder_is_remembered_for_each_model(provider):
    """Another model of the same provider starts at the top again."""
    provider.reply(error(400, "no response_format here"), text_reply("{}"), text_reply("{}"))
    stream(chat(provider, id="small"), request(schema=SCHEMA))
    stream(chat(provider, id="large"), request(schema=SCHEMA))
    assert provider.bodies[-1]["response_format"]["type"] == "json_schema"


def test_many_runs_step_down_together(provider):
    """Runs that are refused at the same time take one step, not one each, and one of them says so."""

    def choose(asked):
        kind = asked.body.get("response_format", {}).get("type")
        return error(400, "no json_schema") if kind == "json_schema" else text_reply("{}")

    provider.otherwise(choose)

    async def run():
        model = chat(provider)

        async def one():
            return [event async for event in model.stream(request(schema=SCHEMA))]

        replies = await asyncio.gather(*(one() for _ in range(10)))
        await close_connections()
        return replies

    replies = asyncio.run(run())
    assert sum(isinstance(event, Notice) for events in replies for event in events) == 1
    assert all(isinstance(events[-1], ReplyFinished) for events in replies)
    assert {body.get("response_format", {}).get("type") for body in provider.bodies} == {
        "json_schema",
        "json_object",
    }


def test_bottom_of_the_ladder(provider):
    """Where nothing is left to leave out, the refusal is the answer."""
    provider.otherwise(error(400, "no response_format"))
    with pytest.raises(ProviderRefusedError, match="no response_format"):
        stream(chat(provider), request(schema=SCHEMA))
    assert len(provider.requests) == 3


def test_other_refusals_are_not_tried_again(provider):
    """A 400 about something else is one request and one error, schema or not."""
    provider.otherwise(error(400, "prompt too long", param="messages"))
    with pytest.raises(ProviderRefusedError):
        stream(chat(provider), request(schema=SCHEMA))
    assert len(provider.requests) == 1


def test_output_limit_has_two_names(provider):
    """The limit goes by the older name to servers that imitate OpenAI; one that wants the newer name gets it."""
    refusal = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    provider.reply(error(400, refusal, param="max_tokens"), text_reply("a"), text_reply("b"))
    limited = request(settings=ModelSettings(max_output_tokens=5))
    for _ in range(2):
        stream(chat(provider), limited)
    assert [sorted(name for name in body if name.startswith("max")) for body in provider.bodies] == [
        ["max_tokens"],
        ["max_completion_tokens"],
        ["max_completion_tokens"],
    ]


def test_schema_and_tools_where_they_do_not_go_together(provider):
    """Groq takes no schema beside tools: with tools the schema goes into the prompt, without them it is native."""
    provider.otherwise(text_reply("{}"))
    model = chat(provider, provider="groq")
    stream(model, request(schema=SCHEMA, tools=(TOOL,)))
    stream(model, request(schema=SCHEMA))
    assert ["response_format" in body for body in provider.bodies] == [False, True]


def test_a_server_that_has_to_be_started(provider):
    """`find_base_url` is asked off the event loop, at the first request and not before."""
    import threading

    asked_on = []

    def find() -> str:
        asked_on.append(threading.current_thread())
        return provider.base_url

    model = OpenAIChat(id="m", provider=Provider(name="started", find_base_url=find, key_required=False))
    model.check()
    assert asked_on == []
    provider.reply(text_reply("Paris"))
    assert reply_of(model).text == "Paris"
    assert asked_on[0] is not threading.current_thread()


def test_key_set_later(provider, monkeypatch):
    """The key is read at each request: one that is set in a later cell is found."""
    monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
    model = resolve_model("openai-chat:m")
    provider.otherwise(text_reply("a"))
    stream(model)
    monkeypatch.setenv("OPENAI_API_KEY", "later")
    stream(model)
    assert [sent.headers["authorization"] for sent in provider.requests] == [
        "Bearer not-needed",
        "Bearer later",
    ]


def test_a_proxy_is_not_asked_for_this_machine(provider, monkeypatch):
    """With a proxy in the environment, a server on this machine is still asked directly."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    provider.reply(text_reply("Paris"))
    assert reply_of(chat(provider)).text == "Paris"
