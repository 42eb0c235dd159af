"""The demo server's Responses API, through the official SDK's typed events and raw HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from nbagent.demo import DemoProcess

CAPITAL = "What is the capital of France?"
LONG = "Write 5,000 words about the sea."
PRICE_TOOL: Any = {
    "type": "function",
    "name": "price",
    "description": "Latest price of a stock",
    "parameters": {"type": "object", "properties": {"ticker": {"type": "string"}}, "required": ["ticker"]},
    "strict": False,
}
CITY_FORMAT: Any = {
    "format": {
        "type": "json_schema",
        "name": "City",
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
}
EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
Scenario = Callable[[AsyncOpenAI], Awaitable[None]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The base URL of a demo server of this module's own."""
    server = DemoProcess(speed=4)
    yield server.start()
    server.stop()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[AsyncOpenAI]:
    """Open the official client without retries."""
    async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        yield client


def play(url: str, scenario: Scenario) -> None:
    """Run a scenario with a client of its own."""

    async def run() -> None:
        async with client_of(url) as client:
            await scenario(client)

    asyncio.run(run())


async def collect(stream: Any) -> list[Any]:
    """Read a stream's events, each validated strictly against the SDK's types."""
    events = [event async for event in stream]
    for event in events:
        EVENT.validate_python(event.model_dump())
    return events


async def ended(client: AsyncOpenAI, response_id: str) -> Response:
    """Poll a response until it has ended, with a deadline."""
    deadline = time.monotonic() + 10
    while (response := await client.responses.retrieve(response_id)).status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return response


def types_of(events: list[Any]) -> list[str]:
    """Name the events' types, repetitions once."""
    kinds = [event.type for event in events]
    return [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]


def test_a_whole_response_fits_the_types(url: str) -> None:
    """A response has its text, usage that adds up, and can be retrieved."""

    async def scenario(client: AsyncOpenAI) -> None:
        response = await client.responses.create(model="assistant", input=CAPITAL, instructions="Be brief.")
        Response.model_validate(response.model_dump())
        assert response.output_text == "The capital of France is Paris."
        assert (response.status, response.model, response.instructions) == (
            "completed",
            "demo-assistant",
            "Be brief.",
        )
        assert response.usage is not None
        assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
        assert response.usage.output_tokens_details.reasoning_tokens == 0
        again = await client.responses.retrieve(response.id)
        assert again == response
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve("resp_of_another")

    play(url, scenario)


def test_text_events_come_in_the_real_order(url: str) -> None:
    """A streamed text has every event of the real API, in its order, numbered without gaps."""

    async def scenario(client: AsyncOpenAI) -> None:
        events = await collect(await client.responses.create(model="assistant", input=CAPITAL, stream=True))
        assert types_of(events) == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert deltas == events[-1].response.output_text == "The capital of France is Paris."

    play(url, scenario)


def test_tool_calls_are_streamed_and_answered(url: str) -> None:
    """Calls come as items with their arguments in parts; their outputs lead to the answer."""

    async def scenario(client: AsyncOpenAI) -> None:
        question: Any = [{"role": "user", "content": "Compare AAPL and MSFT"}]
        events = await collect(
            await client.responses.create(model="assistant", input=question, tools=[PRICE_TOOL], stream=True)
        )
        assert types_of(events)[2:6] == [
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
        ]
        output = events[-1].response.output
        calls = [item for item in output if item.type == "function_call"]
        assert [call.arguments for call in calls] == ['{"ticker":"AAPL"}', '{"ticker":"MSFT"}']
        results = [
            {"type": "function_call_output", "call_id": call.call_id, "output": price}
            for call, price in zip(calls, ("223", "415"), strict=True)
        ]
        replayed: Any = [*question, *(item.model_dump(exclude_none=True) for item in output), *results]
        answer = await client.responses.create(model="assistant", input=replayed, tools=[PRICE_TOOL])
        assert answer.output_text == "The price for AAPL is 223. The price for MSFT is 415."

    play(url, scenario)


def test_structured_output_and_limits(url: str) -> None:
    """A schema is filled; a limit ends the response as incomplete, with the reason."""

    async def scenario(client: AsyncOpenAI) -> None:
        city = await client.responses.create(model="assistant", input="Facts about Tokyo", text=CITY_FORMAT)
        assert json.loads(city.output_text) == {"city": "Tokyo"}
        events = await collect(
            await client.responses.create(model="assistant", input=LONG, max_output_tokens=16, stream=True)
        )
        response = events[-1].response
        assert events[-1].type == "response.incomplete"
        assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        assert response.usage.output_tokens <= 16
        assert response.output[0].status == "incomplete"

    play(url, scenario)


def test_a_failing_response_says_so(url: str) -> None:
    """`failing` streams half of its text, then fails with an error."""

    async def scenario(client: AsyncOpenAI) -> None:
        events = await collect(await client.responses.create(model="failing", input=CAPITAL, stream=True))
        assert events[-1].type == "response.failed"
        assert events[-1].response.error.code == "server_error"
        assert any(e.type == "response.output_text.delta" for e in events)
        with pytest.raises(openai.APIError, match="failed, as this one always does"):
            await collect(
                await client.chat.completions.create(
                    model="failing", messages=[{"role": "user", "content": CAPITAL}], stream=True
                )
            )

    play(url, scenario)


def test_a_background_response_goes_on_alone(url: str) -> None:
    """It is queued, goes on while nobody listens, and has usage only when it has ended."""

    async def scenario(client: AsyncOpenAI) -> None:
        response = await client.responses.create(model="assistant", input=CAPITAL, background=True)
        assert (response.status, response.usage, response.background) == ("queued", None, True)
        done = await ended(client, response.id)
        assert (done.status, done.output_text) == ("completed", "The capital of France is Paris.")
        assert done.usage is not None

    play(url, scenario)


def test_a_dropped_background_stream_is_resumed(url: str) -> None:
    """The stream of a background response goes on after a sequence number, without gaps or repeats."""

    async def scenario(client: AsyncOpenAI) -> None:
        stream = await client.responses.create(
            model="assistant", input="Write 60 words about rain.", background=True, stream=True
        )
        begun = []
        async for event in stream:
            begun.append(event)
            if len(begun) == 20:
                break
        await stream.close()
        assert types_of(begun)[:3] == ["response.created", "response.queued", "response.in_progress"]
        response_id = begun[0].response.id
        rest = await collect(
            await client.responses.retrieve(
                response_id, stream=True, starting_after=begun[-1].sequence_number
            )
        )
        events = [*begun, *rest]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert text == events[-1].response.output_text
        assert len(text.split()) == 60

    play(url, scenario)


def test_a_background_response_is_cancelled(url: str) -> None:
    """Cancel ends it, its stream ends without a final event, usage stays null; again changes nothing."""

    async def scenario(client: AsyncOpenAI) -> None:
        stream = await client.responses.create(model="slow", input=LONG, background=True, stream=True)
        seen = []
        async for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta" and len(seen) < 10:
                cancelled = await client.responses.cancel(seen[0].response.id)
                assert (cancelled.status, cancelled.usage) == ("cancelled", None)
        assert seen[-1].type == "response.output_text.delta"
        response_id = seen[0].response.id
        assert (await client.responses.cancel(response_id)).status == "cancelled"
        assert (await client.responses.retrieve(response_id)).usage is None
        done = await client.responses.create(model="assistant", input=CAPITAL, background=True)
        await ended(client, done.id)
        assert (await client.responses.cancel(done.id)).status == "completed"
        plain = await client.responses.create(model="assistant", input=CAPITAL)
        with pytest.raises(openai.BadRequestError, match="background=true"):
            await client.responses.cancel(plain.id)

    play(url, scenario)


def test_a_plain_stream_stops_when_its_client_goes(url: str) -> None:
    """Without background the work ends with the connection, and the response is not kept."""

    async def scenario(client: AsyncOpenAI) -> None:
        stream = await client.responses.create(model="slow", input=LONG, stream=True)
        async for event in stream:
            created: Any = event
            break
        await stream.close()
        deadline = time.monotonic() + 5
        while True:
            try:
                await client.responses.retrieve(created.response.id)
            except openai.NotFoundError:
                break
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    play(url, scenario)


def test_flaky_drops_the_stream_of_a_background_response(url: str) -> None:
    """After the rate limit the stream breaks off, but the response goes on and can be streamed again."""

    async def scenario(client: AsyncOpenAI) -> None:
        with pytest.raises(openai.RateLimitError):
            await client.responses.create(model="flaky", input=CAPITAL, background=True, stream=True)
        stream = await client.responses.create(model="flaky", input=CAPITAL, background=True, stream=True)
        seen: list[Any] = []

        async def listen() -> None:
            async for event in stream:
                seen.append(event)  # noqa: PERF401 - what was seen before the error is wanted

        with pytest.raises(openai.APIConnectionError):
            await listen()
        rest = await collect(
            await client.responses.retrieve(
                seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number
            )
        )
        assert [e.sequence_number for e in [*seen, *rest]] == list(range(len(seen) + len(rest)))
        assert rest[-1].response.output_text == "The capital of France is Paris."

    play(url, scenario)


def test_an_old_stream_cannot_be_taken_up_again() -> None:
    """After the resume window streaming again is refused, and polling works."""
    server = DemoProcess(speed=10, resume_s=0)

    async def scenario(client: AsyncOpenAI) -> None:
        stream = await client.responses.create(model="assistant", input=CAPITAL, background=True, stream=True)
        response_id = (await collect(stream))[0].response.id
        with pytest.raises(openai.BadRequestError, match="cannot be streamed again"):
            await client.responses.retrieve(response_id, stream=True)
        assert (await client.responses.retrieve(response_id)).status == "completed"

    play(server.start(), scenario)
    server.stop()


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "gpt-9"}, 404, "model"),
        ({"input": None}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": [{"type": "message", "role": "king"}]}, 400, "input[0].role"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, 400, "input[0].call_id"),
        ({"input": [{"type": "teapot"}]}, 400, "input[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 400, "input[0].type"),
        ({"previous_response_id": "resp_1"}, 400, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, 400, "tools[0].type"),
        ({"tool_choice": {"type": "function", "name": "nope"}}, 400, "tool_choice"),
        ({"text": {"format": {"type": "json_schema"}}}, 400, "text.format.name"),
        ({"max_output_tokens": 0}, 400, "max_output_tokens"),
    ],
)
def test_bad_requests_get_openais_error_form(url: str, body: dict[str, Any], status: int, param: str) -> None:
    """A refused request says what is wrong, in OpenAI's form, naming the parameter."""

    async def scenario(client: AsyncOpenAI) -> None:
        sent = {"model": "assistant", "input": CAPITAL} | body
        with pytest.raises(openai.APIStatusError) as refused:
            await client.post("/responses", body=sent, cast_to=object)
        assert refused.value.status_code == status
        error = orjson.loads(refused.value.response.content)["error"]
        assert (error["param"], error["type"]) == (param, "invalid_request_error")

    play(url, scenario)
