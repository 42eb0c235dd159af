"""R2, structured output and several at once: the schema is the run's, the content is an instance. On each wire format."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import nbagent as nb
from nbagent import Agent, Limits, RunError, RunOutput, RunStatus
from nbagent.runtime import current
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait
from tests.reference.wire_formats import Wire

pytestmark = pytest.mark.anyio

Polled = Callable[[Agent, RunOutput], Awaitable[RunOutput]]

QUESTION = "Give me facts about Tokyo, Paris and New York."
CITIES = ["Tokyo", "Paris", "New York"]


class CityFact(BaseModel):
    """What is known of one city."""

    city: str = Field(description="The name of the city")
    country: str = Field(description="The country it is in")
    population: int = Field(description="How many people live there")
    fun_fact: str = Field(description="An interesting fact about the city")


class CityFactsResponse(BaseModel):
    """Facts about several cities."""

    cities: list[CityFact]


@dataclass
class CityRecord:
    """The same as a dataclass."""

    city: str
    country: str
    population: int


class CityDict(TypedDict):
    """The same as a TypedDict."""

    city: str
    country: str
    population: int


CITY_SCHEMA = {
    "title": "CityFacts",
    "type": "object",
    "properties": {
        "cities": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
                "required": ["city", "country"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["cities"],
    "additionalProperties": False,
}


async def test_the_schema_is_given_to_the_run_and_the_content_is_an_instance(
    agent: Agent, polled: Polled
) -> None:
    """`arun(..., output_schema=CityFactsResponse, background=True)`: content is one, to_frame() has a row per city."""
    out = await agent.arun(QUESTION, output_schema=CityFactsResponse, background=True)
    assert out.status == RunStatus.pending
    out = await polled(agent, out)
    assert out.status == RunStatus.completed
    assert type(out.content) is CityFactsResponse
    assert (out.output_valid, out.stop_reason) == (True, "end")
    frame = nb.get(out.run_id).to_frame()
    assert list(frame.columns) == list(CityFact.model_fields)
    assert list(frame["city"]) == CITIES
    assert list(frame["country"]) == ["Japan", "France", "United States"]
    assert (frame["population"] > 1_000_000).all()


NEW_KERNEL = """
import json, sys
import nbagent as nb
{defining}
run = nb.get({run_id!r})
print(json.dumps([type(run.content).__name__, len(run.to_frame()), run.output.content_type]))
"""
DEFINING = """
from pydantic import BaseModel
class CityFact(BaseModel):
    city: str
    country: str
    population: int
    fun_fact: str
class CityFactsResponse(BaseModel):
    cities: list[CityFact]
"""


@pytest.mark.parametrize(("defining", "type_name"), [(DEFINING, "CityFactsResponse"), ("", "dict")])
def test_read_again_in_a_new_kernel(agent: Agent, defining: str, type_name: str) -> None:
    """An instance where the new kernel defines the class, a plain dict where it does not; the frame is the same."""
    run = agent.start(QUESTION, output_schema=CityFactsResponse)
    output = run.result(timeout=60)
    assert current().typed(current().stored(run.run_id)) == output
    code = NEW_KERNEL.format(defining=defining, run_id=run.run_id)
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(read.stdout) == [type_name, 3, output.content_type]


async def test_an_invalid_reply_is_sent_back_once_with_its_errors(wire: Wire, demo_url: str) -> None:
    """The demo's `badjson` answers wrongly at first: the second answer is valid, and both calls are counted."""
    agent = Agent(model=wire.model(demo_url, "badjson"))
    out = await agent.arun(QUESTION, output_schema=CityFactsResponse)
    assert type(out.content) is CityFactsResponse
    assert (out.status, out.output_valid, out.metrics.model_calls) == (RunStatus.completed, True, 2)
    assert [message.role for message in out.messages] == ["user", "assistant", "user", "assistant"]
    assert "does not fit the required JSON Schema" in out.messages[2].content


async def test_what_is_sent_back(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> None:
    """The model sees its own reply and what is wrong with each field."""
    provider.reply(wire.reply('{"cities": [{"city": "Rome"}]}'), wire.reply('{"cities": []}'))
    out = await scripted.arun(QUESTION, output_schema=CityFactsResponse)
    assert out.content == CityFactsResponse(cities=[])
    assert nb.get(out.run_id).to_frame().empty
    said = [turn for turn in wire.said(provider.bodies[1]) if turn[0] != "system"]
    assert [role for role, _ in said] == ["user", "assistant", "user"]
    assert said[1][1] == '{"cities": [{"city": "Rome"}]}'
    assert "cities[0].country: Field required" in said[2][1]


async def test_still_invalid_ends_error_with_the_raw_text(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """Status error, output_valid False, the raw text kept, live and in the store; once is the default."""
    provider.reply(wire.reply("I like Rome."), wire.reply("I really do."))
    out = await scripted.arun(QUESTION, output_schema=CityFactsResponse)
    assert (out.status, out.stop_reason, out.output_valid) == (RunStatus.error, "invalid_output", False)
    assert out.content == "I really do."
    assert "CityFactsResponse" in (out.error or "")
    assert len(provider.requests) == 2
    assert current().typed(current().stored(out.run_id)) == out
    with pytest.raises(RunError):
        nb.get(out.run_id).to_frame()


@pytest.mark.parametrize("retries", [0, 2])
async def test_how_often_is_an_option(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, retries: int
) -> None:
    """`output_retries` is how often an invalid reply is sent back."""
    provider.otherwise(wire.reply("No."))
    scripted.limits = Limits(output_retries=retries)
    out = await scripted.arun(QUESTION, output_schema=CityFactsResponse)
    assert (out.status, len(provider.requests)) == (RunStatus.error, retries + 1)


FORMS: dict[str, tuple[Any, Callable[[Any], bool], list[str]]] = {
    "pydantic model": (CityFactsResponse, lambda value: isinstance(value, CityFactsResponse), CITIES),
    "list of models": (list[CityFact], lambda value: all(type(one) is CityFact for one in value), CITIES),
    "dataclass": (CityRecord, lambda value: type(value) is CityRecord, CITIES[:1]),
    "list of dataclasses": (list[CityRecord], lambda value: all(type(one) is CityRecord for one in value), CITIES),
    "TypedDict": (CityDict, lambda value: type(value) is dict, CITIES[:1]),
    "list of TypedDicts": (list[CityDict], lambda value: all(type(one) is dict for one in value), CITIES),
    "JSON Schema": (CITY_SCHEMA, lambda value: type(value) is dict, CITIES),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_the_forms_of_a_schema(agent: Agent, form: str) -> None:
    """A pydantic model, dataclass, TypedDict, a list of these or a JSON Schema dict; stored and read alike."""
    schema, fits, cities = FORMS[form]
    question = QUESTION if len(cities) > 1 else "Give me facts about Tokyo."
    out = await agent.arun(question, output_schema=schema)
    assert out.status == RunStatus.completed, out.error
    assert fits(out.content)
    assert list(nb.get(out.run_id).to_frame()["city"]) == cities
    assert current().typed(current().stored(out.run_id)).content == out.content


async def test_the_schema_holds_for_that_run_only(agent: Agent) -> None:
    """The agent keeps its own schema, or none."""
    typed = await agent.arun(QUESTION, output_schema=CityFactsResponse)
    plain = await agent.arun("What is the capital of France?")
    assert type(typed.content) is CityFactsResponse
    assert plain.content == "The capital of France is Paris."
    assert (agent.output_schema, plain.output_valid) == (None, None)
    agent.output_schema = list[CityRecord]
    assert type((await agent.arun(QUESTION, output_schema=CityFactsResponse)).content) is CityFactsResponse
    assert type((await agent.arun(QUESTION)).content) is list


QUESTIONS = {
    "What is the capital of France?": "Paris",
    "What is the tallest mountain in the world?": "Everest",
    "What is the longest river in the world?": "Nile",
}


async def test_three_questions_at_once(agent: Agent, polled: Polled) -> None:
    """Launched at once and gathered, each in a session of its own."""
    launched = await asyncio.gather(*(agent.arun(question, background=True) for question in QUESTIONS))
    assert [out.status for out in launched] == [RunStatus.pending] * 3
    assert len({out.session_id for out in launched}) == 3
    outputs = await asyncio.gather(*(polled(agent, out) for out in launched))
    for out, answer in zip(outputs, QUESTIONS.values(), strict=True):
        assert (out.status, answer in out.content) == (RunStatus.completed, True)
        assert len(out.messages) == 2


async def test_three_are_really_at_work_at_once(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """All three have reached the model before any has its answer."""
    gate = Gate()
    provider.otherwise((Wait(gate), *wire.reply("yes")))
    runs = [scripted.start(question) for question in QUESTIONS]
    await asyncio.to_thread(provider.wait_for_requests, 3)
    gate.open()
    assert [out.content for out in await asyncio.gather(*runs)] == ["yes"] * 3


async def test_runs_that_share_a_session_take_turns(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """One after the other, in launch order, each with the history of those before it; typed answers too."""
    gate = Gate()
    cities = json.dumps({"cities": []})
    provider.reply((Wait(gate), *wire.reply(cities)), wire.reply("two"), wire.reply("three"))
    first = scripted.start("One", session_id="s", output_schema=CityFactsResponse)
    others = [scripted.start(text, session_id="s") for text in ("Two", "Three")]
    await asyncio.to_thread(provider.wait_for_requests, 1)
    assert [run.status for run in others] == [RunStatus.pending] * 2
    gate.open()
    outputs = await asyncio.gather(first, *others)
    assert [out.content for out in outputs] == [CityFactsResponse(cities=[]), "two", "three"]
    said = [(role, text) for role, text in wire.said(provider.bodies[2]) if role != "system"]
    assert said == [
        ("user", "One"), ("assistant", cities), ("user", "Two"), ("assistant", "two"), ("user", "Three"),
    ]  # fmt: skip


async def test_gather_on_handles(agent: Agent) -> None:
    """`await asyncio.gather(*runs)` gives the outputs in order; a failed one is an exception with its output."""
    runs = [agent.start(question) for question in QUESTIONS]
    outputs = await asyncio.gather(*runs)
    assert [out.run_id for out in outputs] == [run.run_id for run in runs]
    runs.append(agent.start("Well?", timeout=0.001))
    *good, bad = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(out) for out in good] == [RunOutput] * 3
    assert isinstance(bad, RunError)
    assert bad.output.status is RunStatus.timeout
