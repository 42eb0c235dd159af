"""Several models in a list: which one is asked when, what the record says of it, and what stays as it was."""

from __future__ import annotations

import threading

import pytest

import nbagent as nb
from nbagent import Agent, Team, settings
from nbagent.errors import ConfigurationError, MissingKeyError, UnknownModelError
from nbagent.models import (
    OpenAIChat,
    OpenAIResponses,
    Provider,
    model_identity,
    model_name,
    register_provider,
    resolve_model,
)
from nbagent.models.catalog import table as providers_module
from nbagent.runtime.launch.cache_key import cache_key
from nbagent.spec import Limits, ModelSettings
from tests.provider import chat_wire, responses_wire
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Gate, Silence, Wait, answer, error

ONCE = Limits(model_retries=0)


@pytest.fixture
def second():
    """A provider beside the first."""
    server = ScriptedProvider()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _own_table(monkeypatch):
    """Rows that a test adds are gone after it."""
    monkeypatch.setattr(providers_module, "_rows", dict(providers_module._rows))


def models(first, second, wires=(OpenAIChat, OpenAIChat)):
    """Return two models, one at each server."""
    return [
        wires[0](id="first", base_url=first.base_url, api_key="k-first"),
        wires[1](id="second", base_url=second.base_url, api_key="k-second"),
    ]


def asked(output):
    """Return who was asked, by its rows."""
    return [(call.request_model, call.status, call.attempt) for call in output.model_calls]


GIVES_WAY = {
    "overloaded": (error(503, "busy"),),
    "529": (error(529, "overloaded"),),
    "500": (error(500, "oops"),),
    "502 of a proxy": (answer(502, "<html>bad gateway</html>"),),
    "rate": (error(429, "slow down"),),
    "quota": (error(429, "no quota", code="insufficient_quota"),),
    "paid first": (error(402, "Insufficient Balance"),),
    "dropped before anything": ((Drop(),),),
    "dropped after its head": ((*chat_wire.begun(), Drop()),),
    "an error in the stream": (
        (chat_wire.data({"error": {"message": "busy", "type": "overloaded_error"}}),),
    ),
    "no quota, in the stream": (
        (chat_wire.data({"error": {"message": "pay", "code": "insufficient_quota"}}),),
    ),
    "an end before the model's": ((*chat_wire.begun(),),),
}


@pytest.mark.parametrize("scripts", GIVES_WAY.values(), ids=GIVES_WAY)
def test_the_next_answers(provider, second, scripts):
    """Overloaded, unreachable or out of quota: the next model answers, and the rows say who was asked and why."""
    provider.reply(*scripts)
    provider.otherwise(scripts[-1])
    second.reply(chat_wire.text_reply("Rome"))
    run = Agent(model=models(provider, second), limits=ONCE).start("The capital of Italy?")
    output = run.wait(timeout=60)
    assert (output.content, output.error) == ("Rome", None)
    assert asked(output)[-1] == ("second", "completed", len(output.model_calls))
    assert {call.request_model for call in output.model_calls[:-1]} == {"first"}
    assert output.model_calls[0].fallback_reason is None
    reason = output.model_calls[-1].fallback_reason
    assert reason.startswith(f"openai-chat:first failed with {output.model_calls[-2].error_type}: ")
    steps = nb.metrics.steps(output.run_id)
    assert steps["fallback_reason"].iloc[-1] == reason
    assert any(
        "openai-chat:first did not answer" in one and "openai-chat:second is asked" in one
        for one in run.record.notices
    )


STAYS = {
    "a bad request": error(400, "temperature is too hot"),
    "a wrong key": error(401, "wrong key"),
    "no such model": error(404, "model first does not exist"),
    "not allowed": error(403, "not yours"),
    "too long": error(
        400, "This model's maximum context length is 10 tokens", code="context_length_exceeded"
    ),
    "filtered": error(400, "filtered", code="content_filter"),
    "a web page": answer(200, "<html><title>Log in</title></html>"),
}


@pytest.mark.parametrize("script", STAYS.values(), ids=STAYS)
def test_what_is_the_requests_own_fault_is_said(provider, second, script):
    """A request, key or model that is wrong would be hidden by another model: the run fails with it."""
    provider.otherwise(script)
    output = Agent(model=models(provider, second), limits=ONCE).run("Hi")
    assert output.status == "error"
    assert second.requests == []


@pytest.mark.parametrize("text", ["R", "Rom", "Rome is"])
def test_no_answer_is_begun_twice(provider, second, text):
    """Once text was shown the run ends as before: what a person reads is of one model."""
    provider.otherwise((*chat_wire.begun(), *chat_wire.text(text), Drop()))
    output = Agent(model=models(provider, second), limits=ONCE).run("Hi")
    assert output.status == "error"
    assert second.requests == []


def test_text_of_an_earlier_try_counts(provider, second):
    """Text that a first try showed was shown, though its second try shows none."""
    provider.reply((*chat_wire.begun(), *chat_wire.text("Ro"), Drop()))
    provider.otherwise(error(503, "busy", headers={"retry-after": "0"}))
    output = Agent(model=models(provider, second), limits=Limits(model_retries=1)).run("Hi")
    assert output.status == "error"
    assert (len(provider.requests), second.requests) == (2, [])


def test_a_silent_model_gives_way(provider, second):
    """Nothing came for the idle time: the next is asked, though the same one would not be again."""
    provider.otherwise((*chat_wire.begun(), Silence()))
    second.reply(chat_wire.text_reply("Rome"))
    limits = Limits(model_retries=2, idle_timeout_s=1.0)  # the first has to have heard of it
    output = Agent(model=models(provider, second), limits=limits).run("Hi")
    assert (output.content, len(provider.requests)) == ("Rome", 1)


def test_reasoning_is_no_answer(provider, second):
    """Thoughts are not the answer: a model that was cut off in thought gives way."""
    provider.otherwise((*chat_wire.begun(), chat_wire.chunk({"reasoning_content": "Well"}), Drop()))
    second.reply(chat_wire.text_reply("Rome"))
    assert Agent(model=models(provider, second), limits=ONCE).run("Hi").content == "Rome"


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_each_has_its_retries(provider, second, retries):
    """The first is tried again as often as the limits say, then the next as often; tries are numbered through."""
    provider.otherwise(error(503, "busy", headers={"retry-after": "0"}))
    second.otherwise(error(500, "worse", headers={"retry-after": "0"}))
    output = Agent(model=models(provider, second), limits=Limits(model_retries=retries)).run("Hi")
    assert (len(provider.requests), len(second.requests)) == (retries + 1, retries + 1)
    assert [call.attempt for call in output.model_calls] == list(range(1, 2 * retries + 3))
    assert output.status == "error"
    assert "worse" in output.error


def test_the_next_step_begins_with_the_first(provider, second):
    """Each call begins at the head of the list; the history goes to whoever is asked, tool calls with it."""
    provider.reply(error(503), chat_wire.text_reply("3"))
    second.reply(chat_wire.tool_reply(("add", {"a": 1, "b": 2})))

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    output = Agent(model=models(provider, second), limits=ONCE, tools=[add]).run("1 + 2?")
    assert (output.content, asked(output)) == (
        "3",
        [("first", "error", 1), ("second", "completed", 2), ("first", "completed", 1)],
    )
    assert [call.fallback_reason is None for call in output.model_calls] == [True, False, True]
    assert provider.bodies[-1]["messages"][-1]["content"] == "3"


@pytest.mark.parametrize("wires", [(OpenAIChat, OpenAIResponses), (OpenAIResponses, OpenAIChat)])
def test_wires_may_differ(provider, second, wires):
    """Each is asked in its own format, with the same history."""
    words = {OpenAIChat: chat_wire, OpenAIResponses: responses_wire}
    agent = Agent(model=models(provider, second, wires), limits=ONCE, instructions="Be brief.")
    provider.reply(words[wires[0]].text_reply("Hello"), error(503))
    second.reply(words[wires[1]].text_reply("Rome"))
    session = nb.Session()
    assert agent.run("Hi", session=session).content == "Hello"
    assert agent.run("The capital of Italy?", session=session).content == "Rome"
    sent = second.requests[-1].raw_body.decode()
    assert all(word in sent for word in ("Be brief.", "Hi", "Hello", "The capital of Italy?"))


def test_each_has_its_own_ladder_settings_names_and_price(provider, second):
    """What one server refused says nothing of the next; each call costs what its own model costs."""
    register_provider(
        Provider(
            name="dear",
            base_url=provider.base_url,
            schema_rungs=("json_object", "prompt"),
            key_required=False,
        )
    )
    register_provider(
        Provider(
            name="cheap", base_url=second.base_url, setting_names={"seed": "random_seed"}, key_required=False
        )
    )
    settings.configure(
        "prices", {"dear:a": {"input": 1e6, "output": 1e6}, "cheap:b": {"input": 1.0, "output": 1.0}}
    )
    try:
        provider.otherwise(error(503))
        second.otherwise(chat_wire.text_reply('{"name": "Rome"}'))
        city = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        agent = Agent(
            model=["dear:a", "cheap:b"], limits=ONCE, output_schema=city, settings=ModelSettings(seed=7)
        )
        output = agent.run("A city")
    finally:
        settings.configure("prices", None)
    assert output.content == {"name": "Rome"}
    assert provider.bodies[0]["response_format"]["type"] == "json_object"
    assert second.bodies[0]["response_format"]["type"] == "json_schema"
    assert ("seed" in provider.bodies[0], second.bodies[0]["random_seed"]) == (True, 7)
    assert output.metrics.cost_usd == pytest.approx(18 / 1e6)


# --------------------------------------------------------------------------------------- cancel, batches, teams


@pytest.mark.parametrize("when", ["the first works", "between tries", "the next works"])
def test_cancel_reaches_whoever_is_asked(provider, second, when):
    """A cancel ends the run at once, in every phase, and nobody is asked after it."""
    gate = Gate()
    pausing = error(503, "busy", headers={"retry-after": "30"})
    provider.otherwise(
        (Wait(gate),) if when == "the first works" else pausing if when == "between tries" else error(503)
    )
    second.otherwise((Wait(gate),))
    run = Agent(
        model=models(provider, second), limits=Limits(model_retries=1 if when == "between tries" else 0)
    ).start("Hi")
    busy = second if when == "the next works" else provider
    busy.wait_for_requests(1)
    if when == "between tries":
        busy.requests[0].answered.wait(60)
    else:
        gate.reached.wait(60)
    run.cancel()
    assert run.wait(timeout=60).status == "cancelled"
    assert len(second.requests) == (1 if when == "the next works" else 0)
    if when != "between tries":
        assert busy.requests[0].disconnected.wait(60)


def test_rows_of_a_batch_fall_back_each_for_itself(provider, second):
    """Rows that the first cannot answer are the next one's; the others are asked of the first alone."""
    lock = threading.Lock()

    def choose(request):
        with lock:
            said = request.body["messages"][-1]["content"]
        return error(500, "oops") if "odd" in said else chat_wire.text_reply("first")

    provider.otherwise(choose)
    second.otherwise(chat_wire.text_reply("second"))
    rows = ["even", "odd", "even too", "odd too"]
    frame = Agent(model=models(provider, second), limits=ONCE).map(rows, "{{ row }}").result(60)
    assert list(frame["content"]) == ["first", "second", "first", "second"]


def test_a_provider_batch_is_of_one_model(provider, second):
    """A batch file goes to one provider: a list is refused in two lines before anything is sent."""
    with pytest.raises(ConfigurationError) as raised:
        Agent(model=models(provider, second)).map(["a"], "{{ row }}", mode="provider-batch")
    assert "openai-chat:first, openai-chat:second" in raised.value.what
    assert len(str(raised.value).splitlines()) == 2


def test_a_team_and_its_members_fall_back(provider, second):
    """A member without a model has its leader's list."""
    provider.otherwise(error(503))
    second.reply(
        chat_wire.tool_reply(("delegate_to_helper", {"task": "Say hi"})),
        chat_wire.text_reply("hi"),
        chat_wire.text_reply("It said hi"),
    )
    helper = Agent(name="helper", limits=ONCE)
    output = Team(members=[helper], model=models(provider, second), limits=ONCE).run("Have it say hi")
    assert output.error is None
    assert len(second.requests) >= 2


def test_compare_takes_a_list_as_one(provider, second):
    """A list among the contenders is one contender, named by all of its models."""
    provider.otherwise(error(503))
    second.otherwise(chat_wire.text_reply("hi"))
    one, other = models(provider, second)
    agent = Agent(model=[one, other], limits=ONCE, name="both")
    frame = nb.compare([agent, other], "Hi")
    assert list(frame["answer"]) == ["hi", "hi"]
    frame = nb.compare([["demo:assistant", "demo:slow"]], "What is the capital of Italy?")
    assert list(frame["contender"]) == ["demo:assistant, demo:slow"]


# ------------------------------------------------------------------------------------------- names and the record


@pytest.mark.parametrize(
    "given",
    [
        "demo:assistant, demo:slow",
        "demo:assistant,demo:slow",
        ["demo:assistant", "demo:slow"],
        ("demo:assistant", "demo:slow"),
        ["demo:assistant,demo:slow"],
    ],
)
def test_a_list_is_written_in_many_ways(given):
    """A list, a tuple, or names with commas in one text, as `-m` and the settings take it."""
    model = resolve_model(given)
    assert model_name(model) == "demo:assistant, demo:slow"
    assert (model.provider, model.id) == ("demo", "assistant")


def test_a_list_of_one_is_that_one():
    """It is the model itself, and counts as the same model for answers that are kept."""
    assert model_identity(resolve_model(["demo:assistant"])) == model_identity(
        resolve_model("demo:assistant")
    )


BAD = {
    "empty": ([], "is empty"),
    "an empty tuple": ((), "is empty"),
    "an empty name": (["demo:assistant", ""], "holds an empty name"),
    "a comma too many": ("demo:assistant,", "holds an empty name"),
    "nothing but a comma": (",", "holds an empty name"),
    "none": (["demo:assistant", None], "holds None"),
    "a number": ([7], "holds 7"),
    "a list in a list": (["demo:assistant", ["demo:slow"]], "holds ['demo:slow']"),
    "twice": (["demo:assistant", "demo:assistant"], "holds 'demo:assistant' twice"),
    "no provider": (["demo:assistant", "gpt-5-mini"], "does not say which provider"),
    "an unknown provider": ("demo:assistant, opnai:x", "no provider 'opnai'"),
    "a set": ({"demo:assistant"}, "set is no model"),
    "bytes": (b"demo:assistant", "bytes is no model"),
}


@pytest.mark.parametrize(("given", "says"), BAD.values(), ids=BAD)
def test_a_bad_list_is_refused_in_two_lines(given, says):
    """What is wrong with it, and how it should be; at the launch, before anything is asked."""
    with pytest.raises(UnknownModelError) as raised:
        Agent(model=given).start("Hi")
    assert says in raised.value.what
    assert len(str(raised.value).splitlines()) == 2


def test_a_fallback_without_a_key_is_found_at_the_launch():
    """It would be no help later: the variable is named before the first is asked."""
    with pytest.raises(MissingKeyError, match="no API key for provider 'groq'"):
        Agent(model=["demo:assistant", "groq:llama"]).start("Hi")


def test_a_limit_in_dollars_needs_each_ones_price():
    """A model without a price in the list would not be bounded: it is named."""
    pytest.importorskip("genai_prices")
    agent = Agent(model=["demo:assistant", "ollama:llama3"], limits=Limits(max_cost_usd=1.0))
    with pytest.raises(ConfigurationError, match="the price of ollama:llama3 is not"):
        agent.start("Hi")


def test_a_forecast_is_of_the_dearest(monkeypatch):
    """The most that a run can cost is what its dearest model costs; the list stands in it."""
    settings.configure(
        "prices",
        {
            "demo:assistant": {"input": 1.0, "output": 1.0},
            "ollama:m": {"input": 100.0, "output": 100.0},
        },
    )
    try:
        limits = Limits(max_total_tokens=10_000)
        cheap = Agent(model="demo:assistant", limits=limits).forecast("Hi")
        both = Agent(model=["demo:assistant", "ollama:m"], limits=limits).forecast("Hi")
    finally:
        settings.configure("prices", None)
    assert both.ceiling_usd == pytest.approx(cheap.ceiling_usd * 100)
    assert "demo:assistant, ollama:m" in str(both)


def test_another_list_is_another_answer():
    """An answer is given again to the same list in the same order only."""
    lists = ["demo:assistant", ["demo:assistant", "demo:slow"], ["demo:slow", "demo:assistant"]]
    keys = {cache_key(Agent(model=one).resolved(), "Hi") for one in lists}
    assert len(keys) == 3
    same = "demo:assistant, demo:slow"
    assert cache_key(Agent(model=same).resolved(), "Hi") in keys


def test_a_run_goes_on_with_its_list_by_name(provider, second):
    """A stopped run of named models is resumed with all of them, by what the record says."""
    register_provider(Provider(name="here", base_url=provider.base_url, key_required=False))
    register_provider(Provider(name="there", base_url=second.base_url, key_required=False))
    provider.otherwise(error(503))
    second.reply(error(503))
    output = Agent(model=["here:a", "there:b"], limits=ONCE).run("Hi")
    assert output.status == "error"
    second.reply(chat_wire.text_reply("late"))
    again = nb.resume(output.run_id).result(60)
    assert again.content == "late"
    assert [call.request_model for call in again.model_calls] == ["a", "b", "a", "b"]


def test_an_agent_object_in_a_list_is_said_not_to_be_in_the_record(provider, second):
    """A list with an object in it cannot be made again from the record alone; with its agent it goes on."""
    provider.otherwise(error(503))
    second.reply(error(503))
    agent = Agent(model=models(provider, second), limits=ONCE)
    output = agent.run("Hi")
    second.reply(chat_wire.text_reply("late"))
    assert agent.resume(output.run_id).result(60).content == "late"
