"""pydantic-ai's models as ours: its own test models, and its OpenAI models against the scripted server."""

from __future__ import annotations

import contextlib

import pytest

import nbagent as nb
from nbagent import Agent, Team
from nbagent.errors import ConfigurationError
from nbagent.events import Usage
from nbagent.models import pricing, registry, resolve_model
from nbagent.spec import Limits, ModelSettings
from tests.provider import chat_wire, responses_wire
from tests.provider.steps import Drop, Gate, Wait, error

with contextlib.suppress(ImportError):  # in the environment of .ci/run guests
    from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.providers.openai import OpenAIProvider

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]  # what others warn of is theirs
ONCE = Limits(model_retries=0)
CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def chat_model(provider, name="gpt-4o-mini"):
    """Return pydantic-ai's Chat Completions model at the scripted server, as ours; its client tries once."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=provider.base_url, api_key="k-12345678", max_retries=0)
    return nb.models.from_pydantic_ai(OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client)))


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_its_test_model_works_everywhere():
    """An agent with tools, a team, a table, side by side, a session, by name."""
    model = nb.models.from_pydantic_ai(TestModel(custom_output_text="fine"))
    assert (model.provider, model.id) == ("pydantic-ai", "test:test")
    assert Agent(model=model).run("Hi").content == "fine"
    output = Agent(model=model, tools=[add]).run("Hi")
    assert (output.content, [call.name for call in output.tool_calls]) == ("fine", ["add"])
    assert output.metrics.total_tokens > 0
    assert list(Agent(model=model).map(["a", "b"], "{{ row }}").result(60)["content"]) == ["fine", "fine"]
    assert Team(members=[Agent(name="helper")], model=model).run("Hi").content == "fine"
    assert list(nb.compare([model, "pydantic-ai:test"], "Hi")["contender"]) == [
        "pydantic-ai:test:test",
        "pydantic-ai:test",
    ]


def test_a_function_model_streams_or_answers_whole():
    """Text comes in pieces where it streams; one that only answers whole is asked so."""

    async def stream(messages, info):
        yield "Ro"
        yield "me"

    seen = []
    run = Agent(model=nb.models.from_pydantic_ai(FunctionModel(stream_function=stream))).start(
        "Hi", on_text=seen.append
    )
    assert run.result(60).content == "Rome"

    def answer(messages, info):
        return ModelResponse(parts=[ThinkingPart("Hm"), TextPart("Rome")])

    whole = FunctionModel(answer)
    output = Agent(model=nb.models.from_pydantic_ai(whole)).run("Hi")
    assert (output.content, output.messages[-1].reasoning) == ("Rome", "Hm")


def test_what_it_said_goes_back_as_it_was():
    """Thoughts with their signatures go back to the model that had them, in the turn that called the tool."""
    seen = []

    def answer(messages, info):
        seen.append(messages)
        if len(messages) > 1:
            return ModelResponse(parts=[TextPart("3")])
        parts = [ThinkingPart("Hm", signature="s1g", id="t1"), ToolCallPart("add", {"a": 1, "b": 2}, "c1")]
        return ModelResponse(parts=parts)

    output = Agent(
        model=nb.models.from_pydantic_ai(FunctionModel(answer)), tools=[add], instructions="Be brief."
    ).run("1 + 2?")
    assert output.content == "3"
    first, turn, results = seen[-1]
    assert [part.part_kind for part in first.parts] == ["system-prompt", "user-prompt"]
    assert (turn.parts[0].signature, turn.parts[0].id) == ("s1g", "t1")
    (result,) = results.parts
    assert (result.tool_name, result.tool_call_id, result.content) == ("add", "c1", "3")


def test_calls_of_one_turn_are_answered_together():
    """Two calls at once have their results in one message, as some of its providers want them."""
    seen = []

    async def stream(messages, info):
        seen.append(messages)
        if len(messages) > 1:
            yield "done"
            return
        yield {0: DeltaToolCall(name="add", json_args='{"a": 1, "b": 2}', tool_call_id="c1")}
        yield {1: DeltaToolCall(name="add", json_args='{"a": 3, "b": 4}', tool_call_id="c2")}

    output = Agent(model=nb.models.from_pydantic_ai(FunctionModel(stream_function=stream)), tools=[add]).run(
        "?"
    )
    assert output.content == "done"
    assert [part.content for part in seen[-1][-1].parts] == ["3", "7"]


def test_its_openai_model_asks_the_server(provider):
    """A request is pydantic-ai's own, with our settings, tools and history; usage and price are known."""
    pytest.importorskip("genai_prices")
    provider.reply(chat_wire.tool_reply(("add", {"a": 1, "b": 2})), chat_wire.text_reply("It", " is 3."))
    agent = Agent(
        model=chat_model(provider),
        tools=[add],
        instructions="Be brief.",
        settings=ModelSettings(temperature=0.5, max_output_tokens=50, extra_body={"user": "me"}),
        limits=Limits(max_cost_usd=1.0),
    )
    output = agent.run("1 + 2?")
    assert (output.content, output.error) == ("It is 3.", None)
    body = provider.bodies[0]
    assert (body["model"], body["temperature"], body["user"]) == ("gpt-4o-mini", 0.5, "me")
    assert body["tools"][0]["function"]["name"] == "add"
    assert [one["role"] for one in provider.bodies[1]["messages"]] == ["system", "user", "assistant", "tool"]
    assert output.metrics.total_tokens == 36
    listed = pricing.price_usd("openai", "gpt-4o-mini", Usage(input_tokens=22, output_tokens=14))
    assert output.metrics.cost_usd == pytest.approx(listed)


def test_its_responses_model_asks_the_server(provider):
    """Any of its wire formats will do."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=provider.base_url, api_key="k-12345678", max_retries=0)
    theirs = OpenAIResponsesModel("gpt-5-mini", provider=OpenAIProvider(openai_client=client))
    provider.reply(responses_wire.text_reply("Rome"))
    assert Agent(model=nb.models.from_pydantic_ai(theirs)).run("Hi").content == "Rome"
    assert provider.requests[0].path.endswith("/responses")


@pytest.mark.parametrize("known", [True, False])
def test_a_typed_answer(provider, known):
    """By the provider's own schemas where the model has them, else by the prompt."""
    provider.otherwise(chat_wire.text_reply('{"name": "Rome"}'))
    model = chat_model(provider, "gpt-4o-mini" if known else "gpt-3.5-turbo")
    if not known:
        model._model = OpenAIChatModel(
            "m", provider=model.model._provider, profile={"supports_json_schema_output": False}
        )
    assert Agent(model=model, output_schema=CITY).run("A city").content == {"name": "Rome"}
    assert ("response_format" in provider.bodies[0]) is known
    assert ("JSON Schema" in provider.requests[0].raw_body.decode()) is not known


FAULTS = {
    "a wrong key": (error(401, "wrong key"), "ProviderRefusedError", False),
    "a bad request": (error(400, "too hot"), "ProviderRefusedError", False),
    "busy": (error(503, "busy"), "ProviderOverloadedError", True),
    "the rate": (error(429, "slow down", headers={"retry-after": "0"}), "ProviderOverloadedError", True),
    "no quota": (error(429, "pay", code="insufficient_quota"), "OutOfQuotaError", True),
    "dropped": ((Drop(),), "ProviderUnreachableError", True),
}


@pytest.mark.parametrize(("script", "kind", "gives_way"), FAULTS.values(), ids=FAULTS)
def test_its_errors_are_ours(provider, script, kind, gives_way):
    """Each of its errors has our class, so that retries and fallbacks are as for our own models."""
    provider.otherwise(script)
    model = chat_model(provider)
    output = Agent(model=model, limits=ONCE).run("Hi")
    assert (output.status, output.error_type) == ("error", kind)
    assert len(output.error.splitlines()) == 2
    fell_back = Agent(model=[model, "demo:assistant"], limits=ONCE).run("What is the capital of Italy?")
    assert (fell_back.status == "completed") is gives_way


def test_a_failed_try_is_tried_again(provider):
    """Retries are the loop's."""
    provider.reply(error(503, "busy"), chat_wire.text_reply("Rome"))
    output = Agent(model=chat_model(provider), limits=Limits(model_retries=1)).run("Hi")
    assert (output.content, len(output.model_calls)) == ("Rome", 2)


def test_cancel_closes_its_connection(provider):
    """The provider sees the client go at once."""
    gate = Gate()
    provider.otherwise((*chat_wire.begun(), *chat_wire.text("Ro"), Wait(gate)))
    run = Agent(model=chat_model(provider)).start("Hi")
    assert gate.reached.wait(60)
    run.cancel()
    assert run.wait(timeout=60).status == "cancelled"
    assert provider.requests[0].disconnected.wait(60)


def test_sessions_mix_it_with_ours(provider):
    """A history of its turns and of ours is one that each takes."""
    provider.otherwise(chat_wire.text_reply("Rome"))
    theirs = chat_model(provider)
    ours = nb.OpenAIChat(id="m", base_url=provider.base_url, api_key="k-12345678")
    session = nb.Session()
    for model in (theirs, ours, theirs, ours):
        assert Agent(model=model).run("Hi", session=session).content == "Rome"
    assert [one["role"] for one in provider.bodies[-1]["messages"]] == ["user", "assistant"] * 3 + ["user"]
    assert [one["role"] for one in provider.bodies[2]["messages"]] == ["user", "assistant"] * 2 + ["user"]


@pytest.mark.parametrize(
    "name", ["pydantic-ai:nonsense", "pydantic-ai:openai:gpt-5-mini", "pydantic-ai:nowhere:x"]
)
def test_a_name_that_it_cannot_make_is_said_at_the_launch(name):
    """What pydantic-ai says, in two lines."""
    with pytest.raises(ConfigurationError) as raised:
        Agent(model=name).start("Hi")
    assert len(str(raised.value).splitlines()) == 2


def test_a_run_by_name_goes_on_by_name(monkeypatch):
    """The record holds the name; an object that is registered has one, too."""
    monkeypatch.setattr(registry, "_registered", {})
    assert resolve_model("pydantic-ai:test").id == "test"
    model = nb.models.from_pydantic_ai(TestModel(custom_output_text="fine"))
    nb.register_model(model, price_key="openai:gpt-5-mini")
    assert resolve_model("pydantic-ai:test:test") is model
    assert Agent(model=model).resolved().spec.model_named
