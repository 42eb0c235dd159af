"""A wire format is a file and a row: a toy one (`toy_wire.py`) has all that ours have, and nothing else knows it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import Agent
from nbagent.models import Provider, provider_status, register_provider
from nbagent.models.catalog import table
from nbagent.spec import Limits
from tests.harness.waiting import until
from tests.models import toy_wire
from tests.provider.chat_wire import data
from tests.provider.steps import Drop, Gate, Wait, error

CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def over(why="done"):
    """Return the last object."""
    return data({"over": {"why": why, "counted": [11, 7]}})


def says(*words):
    """Return a whole answer."""
    return (*(data({"word": word}) for word in words), over())


@pytest.fixture(autouse=True)
def _row(provider, monkeypatch):
    """The row names the wire by its place, as a package's would."""
    monkeypatch.setattr(table, "_rows", dict(table._rows))
    register_provider(
        Provider(
            name="toy",
            wire="tests.models.toy_wire:TalkModel",
            base_url=provider.base_url,
            key_variable="TOY_API_KEY",
            price_key="openai:{}".format,
        )
    )


def test_it_is_a_file_of_less_than_150_lines():
    """The exercise: one file, of the parts that rooms below share, and a row."""
    text = Path(toy_wire.__file__).read_text()
    assert len(text.splitlines()) < 150
    rooms = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert all(one.startswith(("nbagent.models", "nbagent.events", "__future__", "typing")) for one in rooms)
    assert not any("toy" in path.read_text() for path in Path(nb.__file__).parent.glob("models/**/*.py"))


def test_an_answer_streams_with_usage_and_price(provider):
    """Text as it comes, counts, a price by the row's key; the status names the wire."""
    pytest.importorskip("genai_prices")
    provider.reply(says("Ro", "me"))
    output = Agent(model="toy:gpt-4o-mini", limits=Limits(max_cost_usd=1.0)).run("The capital of Italy?")
    assert (output.content, output.metrics.total_tokens) == ("Rome", 18)
    assert output.metrics.cost_usd > 0
    assert provider.requests[0].path == "/v1/talk"
    (entry,) = (one for one in provider_status() if one["provider"] == "toy")
    assert entry["wire_formats"] == ("TalkModel",)


def test_tools_thoughts_and_sessions(provider):
    """Calls are answered, seals go back to the model that made them, a session's history comes along."""

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    provider.reply(
        (
            data({"thought": "Hm.", "seal": "s1"}),
            data({"call": {"id": "c1", "name": "add", "with": {"a": 1, "b": 2}}}),
            over(),
        ),
        says("3"),
        says("Bye"),
    )
    session = nb.Session()
    agent = Agent(model="toy:m", tools=[add], instructions="Be brief.")
    output = agent.run("1 + 2?", session=session)
    assert (output.content, output.messages[1].reasoning) == ("3", "Hm.")
    said = provider.bodies[1]["said"]
    assert [one["by"] for one in said] == ["system", "user", "assistant", "tool"]
    assert (said[2]["seals"], said[3]["answers"], said[3]["words"]) == (["s1"], "c1", "3")
    assert agent.run("Thanks", session=session).content == "Bye"
    assert [one["words"] for one in provider.bodies[2]["said"]][-2:] == ["3", "Thanks"]


def test_a_typed_answer(provider):
    """Checked and repaired as any."""
    provider.reply(says("no city"), says('{"name": "Rome"}'))
    assert Agent(model="toy:m", output_schema=CITY).run("A city").content == {"name": "Rome"}
    assert provider.bodies[0]["like"]["required"] == ["name"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (error(503, "busy", headers={"retry-after": "0"}), "ProviderOverloadedError"),
        (error(401, "wrong key"), "ProviderRefusedError"),
        (
            (data({"word": "R"}), data({"trouble": {"message": "busy", "type": "overloaded"}})),
            "ProviderOverloadedError",
        ),
        ((data({"word": "R"}), Drop()), "ProviderUnreachableError"),
        ((data({"word": "R"}),), "ProviderProtocolError"),
    ],
)
def test_faults_are_told_as_ours(provider, script, kind):
    """By status, in the stream, cut off, ended early: each is the error that ours would be."""
    provider.otherwise(script)
    output = Agent(model="toy:m", limits=Limits(model_retries=0)).run("Hi")
    assert (output.status, output.error_type) == ("error", kind)
    assert "'toy'" in output.error


def test_it_is_tried_again_cancelled_and_fallen_back_from(provider):
    """Retries, cancel and lists of models are the loop's business."""
    provider.reply(error(503, headers={"retry-after": "0"}), says("Rome"))
    assert Agent(model="toy:m").run("Hi").content == "Rome"
    provider.reply(error(503, headers={"retry-after": "0"}), says("Milan"))
    assert Agent(model=["toy:a", "toy:b"], limits=Limits(model_retries=0)).run("Hi").content == "Milan"
    gate = Gate()
    provider.reply((data({"word": "Ro"}), Wait(gate)))
    run = Agent(model="toy:m").start("Hi")
    until(lambda: run.output.content == "Ro", "the first text")
    run.cancel()
    assert (run.wait(timeout=60).status, run.output.content) == ("cancelled", "Ro")
    assert provider.requests[-1].disconnected.wait(60)
