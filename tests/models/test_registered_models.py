"""Model objects of somebody else's: they work wherever a model is given, and by name once they are registered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

import nbagent as nb
from nbagent import Agent, Team, settings
from nbagent.errors import ConfigurationError, ProviderOverloadedError, UnknownModelError
from nbagent.events import ToolRequest, Usage
from nbagent.models import (
    ModelEvent,
    ModelRequest,
    OpenAIChat,
    ReplyFinished,
    ReplyStarted,
    TextDelta,
    has_price,
    known_models,
    pricing,
    register_model,
    registry,
    resolve_model,
)
from nbagent.spec import Limits
from tests.magics.shell import loaded_shell


class Echo:
    """Says the last message back; calls its first tool once, where it has one."""

    def __init__(self, id: str = "v1", provider: str = "house", fails: int = 0) -> None:  # noqa: A002
        self.id, self.provider, self.fails = id, provider, fails

    def check(self) -> None:
        """Nothing can be missing."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answer, after as many failures as it was told; waits for ever at "wait"."""
        if self.fails:
            self.fails -= 1
            raise ProviderOverloadedError("it is busy", "try again", retry_after_s=0.0)
        last = request.messages[-1]
        yield ReplyStarted()
        if last.content == "wait":
            await asyncio.Event().wait()
        if request.tools and last.role == "user":
            arguments = dict.fromkeys(request.tools[0].parameters["properties"], "Hi")
            called = ToolRequest(
                tool_call_id="c1", name=request.tools[0].name, arguments=json.dumps(arguments)
            )
            yield ReplyFinished(text="", tool_requests=(called,), finish_reason="tool_calls")
            return
        yield TextDelta(last.content)
        usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, total_tokens=2_000_000)
        yield ReplyFinished(text=last.content, finish_reason="stop", usage=usage, usage_source="reported")


@pytest.fixture(autouse=True)
def _own_names(monkeypatch):
    """Names that a test gives are gone after it."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(pricing, "_given_keys", {})


def test_it_works_wherever_a_model_is_given():
    """An agent, with tools, in a team, over a table, side by side, in a session, after others in a list."""

    def again(text: str) -> str:
        """Say it again."""
        return text * 2

    model = Echo()
    assert Agent(model=model).run("a").content == "a"
    assert Agent(model=model, tools=[again]).run("a").content == "HiHi"
    team = Team(members=[Agent(name="helper", model=Echo("v2"))], model=model)
    assert "Hi" in team.run("a").content
    assert list(Agent(model=model).map(["x", "y"], "{{ row }}").result(60)["content"]) == ["x", "y"]
    frame = nb.compare([model, Echo("v2")], "a")
    assert list(frame["contender"]) == ["house:v1", "house:v2"]
    assert Agent(model=[Echo("busy", fails=9), model], limits=Limits(model_retries=0)).run("a").content == "a"
    session = nb.Session()
    for one in (model, "demo:assistant"):
        assert Agent(model=one).run("b", session=session).status == "completed"


def test_it_is_tried_again_and_cancelled_as_ours():
    """Retries are the loop's; a cancel ends its stream where it stands."""
    output = Agent(model=Echo(fails=2)).run("a")
    assert (output.content, [call.status for call in output.model_calls]) == (
        "a",
        ["error", "error", "completed"],
    )
    run = Agent(model=Echo()).start("wait")
    run.cancel()
    assert run.wait(timeout=60).status == "cancelled"


@pytest.mark.parametrize("name", ["house:v1", " house:v1 ", ["house:v1"], "demo:assistant, house:v1"])
def test_a_registered_model_is_named(name):
    """By its name, in a list, with blanks around it, it is that very object."""
    model = Echo()
    register_model(model)
    found = resolve_model(name)
    assert model in getattr(found, "models", [found])
    assert known_models("house") == ["house:v1"]


def test_the_last_one_of_a_name_counts():
    """A cell that is run again registers its new object; a name of the table can be taken, by one that says so."""
    register_model(Echo())
    second = Echo()
    register_model(second)
    assert resolve_model("house:v1") is second
    mine = OpenAIChat(id="gpt-x", provider="openai", base_url="http://127.0.0.1:1/v1")
    register_model(mine)
    assert resolve_model("openai:gpt-x") is mine
    assert resolve_model("openai:gpt-y") is not mine


def test_magics_name_it():
    """`-m` takes a registered model's name as any other."""
    register_model(Echo())
    with loaded_shell() as shell:
        shell.run_cell_magic("agent", "-m house:v1 -o said", "hello there")
        assert shell.user_ns["said"].content == "hello there"


def test_a_stopped_run_goes_on_by_name():
    """The record holds the name: a kernel that has registered the model goes on with it."""
    register_model(Echo(fails=1))
    output = Agent(model="house:v1", limits=Limits(model_retries=0)).run("a")
    assert output.status == "error"
    register_model(Echo())  # as the next kernel does
    assert nb.resume(output.run_id).result(60).content == "a"


def test_a_run_of_a_registered_object_goes_on_by_name(monkeypatch):
    """Given as an object that is registered, it is named in the record, too; unregistered it is said to be gone."""
    model = Echo(fails=1)
    register_model(model)
    output = Agent(model=model, limits=Limits(model_retries=0)).run("a")
    monkeypatch.setattr(registry, "_registered", {})
    other = Echo("other", fails=1)
    gone = Agent(model=other, limits=Limits(model_retries=0)).run("a")
    del model
    register_model(Echo())
    assert nb.resume(output.run_id).result(60).content == "a"
    assert gone.status == "error"


def test_its_prices():
    """Its own name in the option comes first, then the key that it was registered with; else nobody knows."""
    pytest.importorskip("genai_prices")
    register_model(Echo("plain"))
    register_model(Echo(), price_key="openai:gpt-4o-mini")
    assert has_price("house", "v1")
    assert not has_price("house", "plain")
    listed = pricing.price_usd("openai", "gpt-4o-mini", Usage(input_tokens=10**6, output_tokens=10**6))
    assert Agent(model="house:v1", limits=Limits(max_cost_usd=100)).run("a").metrics.cost_usd == listed
    assert Agent(model="house:plain").run("a").metrics.cost_usd is None
    settings.configure("prices", {"house:v1": {"input": 1.0, "output": 1.0}})
    try:
        assert Agent(model="house:v1").run("a").metrics.cost_usd == 2.0
    finally:
        settings.configure("prices", None)


def test_a_price_key_may_be_one_of_our_names():
    """`gemini:` is `google:` on the list: either name is understood."""
    register_model(Echo(), price_key="gemini:gemini-2.5-pro")
    assert pricing.price_key("house", "v1") == ("google", "gemini-2.5-pro")


@pytest.mark.parametrize("key", ["", "gpt-5", ":x", "openai:", " : ", 7, []])
def test_an_odd_price_key_is_refused(key):
    """Two lines that say how it should be; the model is not registered."""
    with pytest.raises(ConfigurationError) as raised:
        register_model(Echo(), price_key=key)
    assert len(str(raised.value).splitlines()) == 2
    with pytest.raises(UnknownModelError):
        resolve_model("house:v1")


@pytest.mark.parametrize(
    ("provider", "name"),
    [("", "v1"), ("house", ""), ("a:b", "v1"), ("a,b", "v1"), ("house", "v1, v2"), (" house", "v1"), (None, "v1"), ("house", 7)],
)  # fmt: skip
def test_a_name_that_cannot_be_read_again_is_refused(provider, name):
    """Colons, commas and blanks would make it another name."""
    with pytest.raises(ConfigurationError, match="a model cannot be named"):
        register_model(Echo(name, provider))


@pytest.mark.parametrize("given", [None, "openai:gpt-5", Echo, object(), 7])
def test_only_models_are_registered(given):
    """A name or a class is none."""
    with pytest.raises(UnknownModelError, match="is no model"):
        register_model(given)


def test_the_modules_name_needs_no_import():
    """`nb.models` is there as it stands."""
    assert nb.models.register_model is register_model
