"""Recovery: what is finished is not repeated, what is not is asked again or reported, and every attempt counts."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, ConfigurationError, Limits, RunStatus
from nbagent.errors import ProviderUnreachableError, UnknownNameError
from nbagent.loop.resume_text import CONTINUE_PROMPT, OverlapTrimmer
from nbagent.models.protocol import (
    ModelEvent,
    ModelRequest,
    ReplyFinished,
    ReplyStarted,
    ResponseAttached,
    ResumePoint,
    TextDelta,
)
from nbagent.runtime import Runtime, current
from nbagent.store import Finish, Launch, NewAttempt, Store
from tests.harness.waiting import until
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Gate, Silence, Wait, error


@pytest.fixture
def elsewhere() -> Iterator[Runtime]:
    """A runtime that knows only what is in the store, as one in another kernel."""
    runtime = Runtime()
    yield runtime
    runtime.close(0.5)


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


def failed_after_a_tool(agent: Agent, provider: ScriptedProvider) -> nb.Run:
    """A run whose second model call fails."""
    agent.tools = [price]
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), error(400))
    run = agent.start("Price of AAPL?")
    assert run.wait(timeout=60).status is RunStatus.error
    return run


def test_a_failed_run_goes_on_from_its_last_finished_step(agent: Agent, provider: ScriptedProvider) -> None:
    """The tool is not called again, its result is sent again; all attempts' calls are there once, live and stored."""
    run = failed_after_a_tool(agent, provider)
    before = run.output
    provider.reply(text_reply("It is 190.5"))
    assert run.resume() is run
    output = run.result(timeout=60)
    assert (output.content, output.attempt, output.error) == ("It is 190.5", 2, None)
    assert provider.bodies[2]["messages"] == provider.bodies[1]["messages"]
    assert [call.status for call in output.model_calls] == ["completed", "error", "completed"]
    assert [call.step for call in output.model_calls] == [1, 2, 2]
    assert len(output.tool_calls) == 1
    assert (output.metrics.model_calls, output.metrics.input_tokens) == (3, 22)
    assert before.metrics.duration_s is not None
    assert output.metrics.duration_s is not None
    assert output.metrics.duration_s > before.metrics.duration_s
    assert [message.role for message in output.messages] == ["user", "assistant", "tool", "assistant"]
    assert current().stored(run.run_id) == output
    assert agent.get_session_metrics().model_calls == 3
    rows = current().store.read("select attempt, count(*) n from messages group by 1 order by 1")
    assert [tuple(row.values()) for row in rows] == [(1, 3), (2, 1)]


def test_every_handle_follows_the_new_attempt(agent: Agent, provider: ScriptedProvider) -> None:
    """A handle that was there before shows the last attempt, as do new ones."""
    run = failed_after_a_tool(agent, provider)
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("done")))
    resumed = nb.resume(run.run_id, agent=agent)
    assert resumed.status in {RunStatus.pending, RunStatus.running}
    assert run.status in {RunStatus.pending, RunStatus.running}
    assert not run.done()
    gate.open()
    assert run.result(timeout=60).content == "done"
    assert nb.get(run.run_id).content == "done"


def test_finished_steps_are_durable_before_the_run_ends(agent: Agent, provider: ScriptedProvider) -> None:
    """While the second step is asked, the first one's calls and messages are in the store already, once."""
    agent.tools = [price]
    gate = Gate()
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), (Wait(gate), *text_reply("190.5")))
    run = agent.start("Price of AAPL?")
    provider.wait_for_requests(2)
    stored = current().stored(run.run_id)
    assert [call.result for call in stored.tool_calls] == ["190.5"]
    assert [message.role for message in stored.messages][:2] == ["user", "assistant"]
    assert len(stored.model_calls) == 1
    gate.open()
    assert current().stored(run.result(timeout=60).run_id) == run.output


def test_a_tool_starts_only_when_its_request_is_durable(agent: Agent, provider: ScriptedProvider) -> None:
    """What a tool sees of its own run in the store is the request for it."""
    seen: list[Any] = []

    def look() -> str:
        """Look into the store."""
        seen.extend(
            current().store.read("select tool_requests from messages where role = 'assistant'", flush=False)
        )
        return "ok"

    provider.reply(tool_reply(("look", {})), text_reply("done"))
    Agent(model=agent.model, tools=[look]).start("Look").result(timeout=60)
    assert len(seen) == 1
    assert json.loads(seen[0]["tool_requests"])[0]["name"] == "look"


# ----------------------------------------------------------------- partial text


def test_a_cut_off_answer_goes_on_from_its_partial_text(agent: Agent, provider: ScriptedProvider) -> None:
    """The partial text is sent as the answer's beginning; what the model repeats of it is there once."""
    provider.reply((*text("The capital of", " France"), Drop()))
    run = agent.start("Capital of France?")
    assert run.wait(timeout=60).content == "The capital of France"
    gate = Gate()
    provider.reply((*text("capital", " of France is"), Wait(gate), *text_reply(" Paris.")))
    run.resume(from_partial=True)
    provider.wait_for_requests(2)
    assert run.text.startswith("The capital of France")
    gate.open()
    output = run.result(timeout=60)
    assert output.content == "The capital of France is Paris."
    assert provider.bodies[1]["messages"] == [
        {"role": "user", "content": "Capital of France?"},
        {"role": "assistant", "content": "The capital of France"},
        {"role": "user", "content": CONTINUE_PROMPT},
    ]
    assert [message.content for message in output.messages] == ["Capital of France?", output.content]
    assert current().stored(run.run_id) == output


def test_a_continuation_that_is_cut_off_can_go_on_too(agent: Agent, provider: ScriptedProvider) -> None:
    """Partial text of two attempts is one partial text."""
    provider.reply((*text("One, two"), Drop()), (*text(", three"), Drop()), text_reply(", four."))
    run = agent.start("Count")
    run.wait(timeout=60)
    run.resume(from_partial=True).wait(timeout=60)
    output = run.resume(from_partial=True).result(timeout=60)
    assert (output.content, output.attempt) == ("One, two, three, four.", 3)
    assert current().stored(run.run_id) == output


def test_a_resume_asks_again_by_default(agent: Agent, provider: ScriptedProvider) -> None:
    """Without from_partial the partial text stays on its attempt and the step is asked anew."""
    provider.reply((*text("Well, "), Drop()), text_reply("Paris."))
    run = agent.start("Capital of France?")
    run.wait(timeout=60)
    assert run.resume().result(timeout=60).content == "Paris."
    (row,) = current().store.read("select partial_text from attempts where attempt = 1")
    assert row["partial_text"] == "Well, "


def test_the_demo_model_goes_on_from_partial_text() -> None:
    """Partial text and continuation are the answer that an undisturbed run gives."""
    prompt = "What is the capital of France? Answer in one sentence."
    whole = Agent(model="demo:assistant").start(prompt).result(timeout=60).content
    run = Agent(model="demo:slow").start(prompt, timeout=0.75)
    partial = run.wait(timeout=60).content
    assert run.status is RunStatus.timeout
    assert partial
    assert partial != whole
    assert run.resume(from_partial=True, timeout=60).result(timeout=60).content == whole


@pytest.mark.parametrize(
    ("partial", "pieces", "whole"),
    [
        ("Once upon", [" a", " time"], "Once upon a time"),
        ("Once upon a", ["Once ", "upon a", " time"], "Once upon a time"),
        ("Once upon a time", ["upon a ", "time, ", "long ago"], "Once upon a time, long ago"),
        ("ha ha ", ["ha ", "ha"], "ha ha ha ha"),
        ("Once upon a time", ["upon a time"], "Once upon a time"),
        ("", ["Once"], "Once"),
    ],
)
def test_what_a_continuation_repeats_is_left_out(partial: str, pieces: list[str], whole: str) -> None:
    """The streamed pieces and the whole reply come to the same text."""
    joint = OverlapTrimmer(partial)
    streamed = partial + "".join(map(joint.feed, pieces)) + joint.rest()
    assert streamed == joint.whole("".join(pieces)) == whole


# ------------------------------------------------------------- a call that lives at the provider


class AtTheProvider:
    """A model in the provider's background mode whose connection is lost once."""

    provider = "scripted"
    id = "background"
    background = True

    def __init__(self, *, stuck: bool = False) -> None:
        self.requests: list[ModelRequest] = []
        self.stuck = stuck

    def check(self) -> None:
        """Nothing is needed."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Begin and lose the connection, or go on from where it was lost."""
        self.requests.append(request)
        yield ReplyStarted()
        if request.resume is None:
            yield TextDelta("Par")
            yield ResponseAttached(response_id="resp_1", sequence_number=4)
            raise ProviderUnreachableError("the connection was lost", "resume the run", retry_after_s=1e6)
        if self.stuck:
            await asyncio.Event().wait()
        yield TextDelta("is.")
        yield ReplyFinished(text="Paris.", finish_reason="stop", response_id="resp_1")


def test_a_call_at_the_provider_is_taken_up_again() -> None:
    """Its id, sequence number and text so far go to the model instead of a new question; once read it is done."""
    model = AtTheProvider()
    run = Agent(model=model, limits=Limits(model_retries=0)).start("Capital of France?")
    assert run.wait(timeout=60).status is RunStatus.error
    assert run.resume().result(timeout=60).content == "Paris."
    assert run.text == "Paris."
    assert [request.resume for request in model.requests] == [
        None,
        ResumePoint(response_id="resp_1", sequence_number=4, text="Par"),
    ]
    (row,) = current().store.read("select mode_requested, mode_effective, response_id from runs")
    assert tuple(row.values()) == ("provider", "provider", "resp_1")


def test_a_call_at_the_provider_is_not_lost_by_a_resume_that_dies_at_once() -> None:
    """What the new attempt begins with is in the store with its claim: the next resume finds it there."""
    model = AtTheProvider(stuck=True)
    run = Agent(model=model, limits=Limits(model_retries=0)).start("Capital of France?")
    run.wait(timeout=60)
    run.resume()
    (row,) = current().store.read(
        "select response_id, last_sequence_number, partial_text from attempt_progress where attempt = 2"
    )
    assert tuple(row.values()) == ("resp_1", 4, "Par")
    run.cancel()


# ----------------------------------------------------------------------- limits


def test_a_run_stopped_by_a_limit_goes_on_with_a_higher_one(agent: Agent, provider: ScriptedProvider) -> None:
    """Limits count from the resumed attempt; the metrics count both."""
    agent.tools, agent.limits = [price], Limits(max_steps=1)
    provider.reply(
        tool_reply(("price", {"symbol": "AAPL"})), tool_reply(("price", {"symbol": "MSFT"})), text_reply("ok")
    )
    run = agent.start("Prices?")
    assert run.wait(timeout=60).stop_reason == "max_steps"
    output = run.resume(limits=Limits(max_steps=2)).result(timeout=60)
    assert (output.content, output.metrics.model_calls, output.metrics.tool_calls) == ("ok", 3, 2)
    assert [call.step for call in output.tool_calls] == [1, 2]
    assert current().stored(run.run_id) == output


def test_an_invalid_answer_is_repaired_after_a_resume(agent: Agent, provider: ScriptedProvider) -> None:
    """A run that ended with an invalid answer sends it back once more."""
    provider.reply(text_reply("no number"), text_reply("none"), text_reply('{"value": 7}'))
    run = agent.start("How many?", output_schema=int)
    assert run.wait(timeout=60).stop_reason == "invalid_output"
    assert run.resume().result(timeout=60).content == 7
    assert "does not fit" in provider.bodies[2]["messages"][-1]["content"]


# -------------------------------------------------------------- what cannot be resumed


def test_what_is_over_or_at_work_cannot_be_resumed(agent: Agent, provider: ScriptedProvider) -> None:
    """Completed, cancelled and running runs and unknown ids say in two lines what to do instead."""
    provider.reply(text_reply("yes"), (*text("Once"), Silence()))
    completed = agent.start("Well?")
    completed.result(timeout=60)
    with pytest.raises(ConfigurationError, match=r"is complete.*\n.*retry"):
        completed.resume()
    running = agent.start("Write")
    provider.wait_for_requests(2)
    with pytest.raises(ConfigurationError, match=r"in this kernel\n.*nb\.cancel_run"):
        running.resume()
    running.cancel()
    running.wait(timeout=60)
    with pytest.raises(ConfigurationError, match=r"cancelled, which is final.*\n.*retry"):
        running.resume()
    with pytest.raises(UnknownNameError, match="no run 'nobody'"):
        nb.resume("nobody")


def test_one_of_two_that_resume_at_once_wins(
    agent: Agent, provider: ScriptedProvider, elsewhere: Runtime
) -> None:
    """The claim is the attempt's primary key: the other one gets two lines, and the run is asked once."""
    run = failed_after_a_tool(agent, provider)
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("once")))
    barrier, said = threading.Barrier(2), []

    def resume(runtime: Runtime) -> None:
        barrier.wait()
        try:
            runtime.resume(run.run_id, agent=agent)
        except ConfigurationError as error:
            said.append(str(error))

    threads = [threading.Thread(target=resume, args=(runtime,)) for runtime in (current(), elsewhere)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 1, said
    assert len(said[0].splitlines()) == 2
    gate.open()
    assert run.wait(timeout=60).content == "once"
    assert len(provider.requests) == 3


def test_a_handle_follows_a_run_that_was_resumed_elsewhere(
    agent: Agent, provider: ScriptedProvider, elsewhere: Runtime
) -> None:
    """Once this kernel learns that another one went on, its handle shows what the store says, not its own old end."""
    run = failed_after_a_tool(agent, provider)
    assert run.output.attempt == 1
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("there")))
    elsewhere.resume(run.run_id, agent=agent)
    with pytest.raises(ConfigurationError):
        run.resume(agent=agent)
    assert not run.done()
    gate.open()
    assert run.wait(timeout=60).content == "there"
    assert nb.get(run.run_id).output.attempt == 2


def changed_price() -> Callable[[str], float]:
    """A tool of the same name and signature, with another body."""

    def changed(symbol: str) -> float:
        """Price of a ticker symbol."""
        return 0.0

    changed.__name__ = "price"
    return changed


@pytest.mark.parametrize("where", ["this kernel", "another kernel"])
def test_an_agent_that_is_given_is_used_as_it_is(
    agent: Agent, provider: ScriptedProvider, elsewhere: Runtime, where: str
) -> None:
    """Its tools, changed ones too, its instructions, settings and model go on with the run, in every kernel."""
    run = failed_after_a_tool(agent, provider)
    model = nb.OpenAIChat(id="scripted-2", base_url=provider.base_url, api_key="not-needed")
    other = Agent(
        model=model,
        tools=[changed_price()],
        instructions=["Be brief.", "Be right."],
        settings=nb.ModelSettings(temperature=0.5),
    )
    provider.reply(tool_reply(("price", {"symbol": "MSFT"})), text_reply("0.0"))
    runtime = current() if where == "this kernel" else elsewhere
    output = runtime.resume(run.run_id, agent=other).result(timeout=60)
    assert (output.content, output.tool_calls[-1].result) == ("0.0", "0.0")
    body = provider.bodies[-1]
    assert (body["model"], body["temperature"]) == ("scripted-2", 0.5)
    assert body["messages"][0] == {"role": "system", "content": "Be brief.\nBe right."}
    assert [call.request_model for call in output.model_calls] == ["scripted-1"] * 2 + ["scripted-2"] * 2


def test_an_agent_that_is_given_leaves_what_it_does_not_say(agent: Agent, provider: ScriptedProvider) -> None:
    """Without a model, limits or a schema of its own it takes the run's."""
    agent.tools = [price]
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), error(400), text_reply("[190.5]"))
    run = agent.start("Price of AAPL?", output_schema=list[float])
    run.wait(timeout=60)
    output = run.resume(agent=Agent(tools=[price])).result(timeout=60)
    assert output.content == [190.5]
    assert provider.bodies[-1]["model"] == "scripted-1"
    assert "response_format" in provider.bodies[-1]


def test_a_team_does_not_go_on_with_an_agents_run(agent: Agent, provider: ScriptedProvider) -> None:
    """What a run has said so far fits its own kind only: two lines say which is which."""
    run = failed_after_a_tool(agent, provider)
    with pytest.raises(ConfigurationError, match=r"one of an agent, 'agent', and 'team' is a team\n"):
        run.resume(agent=nb.Team(model=agent.model, members=[Agent(name="one", model=agent.model)]))


def test_missing_and_changed_tools_are_named(
    agent: Agent, provider: ScriptedProvider, elsewhere: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tools or the model's address are not at hand, all of them are named before anything is sent."""
    run = failed_after_a_tool(agent, provider)
    with pytest.raises(
        ConfigurationError, match="tool 'price' is not defined; model 'openai-chat:scripted-1' was given"
    ):
        elsewhere.resume(run.run_id)
    monkeypatch.setattr(sys.modules["__main__"], "price", changed_price(), raising=False)
    with pytest.raises(ConfigurationError, match="tool 'price' has changed"):
        elsewhere.resume(run.run_id)
    assert len(provider.requests) == 2
    assert elsewhere.stored(run.run_id).attempt == 1
    provider.reply(text_reply("190.5"))
    assert elsewhere.resume(run.run_id, agent=agent).result(timeout=60).content == "190.5"


def test_a_schema_defined_in_a_cell_is_found_or_named(
    agent: Agent, provider: ScriptedProvider, elsewhere: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output schema's class is looked up by its name in the notebook; where it is missing, it is named."""
    from pydantic import create_model

    city = create_model("City", __module__="__main__", name=(str, ...))
    provider.reply(error(400), text_reply('{"name": "Paris"}'))
    run = agent.start("A city?", output_schema=city)
    run.wait(timeout=60)
    with pytest.raises(ConfigurationError, match=r"output schema '__main__\.City' is not defined"):
        elsewhere.resume(run.run_id, agent=agent)
    monkeypatch.setattr(sys.modules["__main__"], "City", city, raising=False)
    assert elsewhere.resume(run.run_id, agent=agent).result(timeout=60).content == city(name="Paris")


def test_an_agent_of_the_notebook_is_found_by_its_name(
    agent: Agent, provider: ScriptedProvider, elsewhere: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools and model object come from the notebook's agent of the run's name."""
    agent.name = "desk"
    run = failed_after_a_tool(agent, provider)
    monkeypatch.setattr(sys.modules["__main__"], "my_desk", agent, raising=False)
    provider.reply(text_reply("190.5"))
    assert elsewhere.resume(run.run_id).result(timeout=60).content == "190.5"


def test_a_run_in_a_session_is_resumed_with_its_history(agent: Agent, provider: ScriptedProvider) -> None:
    """The turns before it are sent, those after it are not."""
    provider.reply(text_reply("one"), error(400), text_reply("three"), text_reply("two"))
    agent.start("1", session_id="s").result(timeout=60)
    run = agent.start("2", session_id="s")
    run.wait(timeout=60)
    agent.start("3", session_id="s").result(timeout=60)
    run.resume().result(timeout=60)
    assert [message["content"] for message in provider.bodies[3]["messages"]] == ["1", "one", "2"]


# ------------------------------------------------------------------------ retry


def test_retry_starts_anew(agent: Agent, provider: ScriptedProvider) -> None:
    """A new run with the same prompt, tools and label; the first one stays as it is."""
    agent.tools = [price]
    provider.reply(error(400), text_reply("190.5"))
    first = agent.start("Price?", label="mine")
    first.wait(timeout=60)
    second = first.retry()
    assert second.result(timeout=60).content == "190.5"
    assert (second.run_id != first.run_id, first.status) == (True, RunStatus.error)
    assert nb.get("mine").run_id == second.run_id
    assert provider.bodies[1]["messages"] == provider.bodies[0]["messages"]
    assert second.session_id != first.session_id


# ---------------------------------------------------------------------- fencing


def taken_over(run_id: str) -> Store:
    """Another process that gave the run up for dead and claimed its next attempt."""
    other = Store(current().store.path)
    died = {"status": "interrupted", "stop_reason": "kernel_died"}
    assert other.submit(Finish(run_id=run_id, attempt=1, end=died)).result(60)
    assert other.submit(NewAttempt(run_id=run_id, attempt=2)).result(60)
    return other


def test_an_owner_that_wakes_up_too_late_writes_nothing(agent: Agent, provider: ScriptedProvider) -> None:
    """Its end is refused; the handle then shows what the store says, and waits for the one who took over."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("late")))
    run = agent.start("Well?")
    (request,) = provider.wait_for_requests(1)
    other = taken_over(run.run_id)
    waited = run.future()
    gate.open()
    request.answered.wait(60)
    until(lambda: run._live is None)
    assert run.output.attempt == 2
    assert not waited.done()
    end = {"status": "completed", "stop_reason": "end", "content": "from the other"}
    other.submit(Finish(run_id=run.run_id, attempt=2, session_id=run.session_id, turn=1, end=end)).result(60)
    other.close()
    assert waited.result(60).content == "from the other"
    assert run.result(timeout=60).content == "from the other"
    assert current().store.read("select count(*) n from model_calls") == [{"n": 0}]


def test_an_owner_that_wakes_up_too_late_starts_no_tool(agent: Agent, provider: ScriptedProvider) -> None:
    """The request for the tool cannot be made durable any more: the run stops before it."""
    called: list[str] = []

    def buy() -> str:
        """Buy it."""
        called.append("buy")
        return "bought"

    gate = Gate()
    provider.reply((Wait(gate), *tool_reply(("buy", {}))))
    run = Agent(model=agent.model, tools=[buy]).start("Buy")
    taken_over(run.run_id).close()
    live = current().live(run.run_id)
    assert live is not None
    gate.open()
    live.done.result(60)
    assert (called, run.output.attempt) == ([], 2)


def test_a_quiet_run_has_a_heartbeat(agent: Agent, provider: ScriptedProvider) -> None:
    """A run to which nothing happens is written now and then all the same, so that other hosts see it lives."""
    provider.reply((*text("Once"), Silence()))
    run = agent.start("Write")
    live = current().live(run.run_id)
    assert live is not None
    until(lambda: run.text == "Once")
    current().thread.submit(_call(live.persister.progress)).result(60)
    assert not live.persister.progress_due()
    live.persister._written_at -= 61
    assert live.persister.progress_due()
    run.cancel()


async def _call(function: Any) -> None:
    function()


# ------------------------------------------------------------------------ telling


def test_the_end_nobody_saw_is_dated_when_the_process_was_last_heard_of() -> None:
    """Dead time is no work: an interrupted attempt ends with its last heartbeat."""
    store = current().store
    began = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"run_id": "old", "session_id": "s", "owner": "nowhere", "created_at": began}
    store.submit(Launch(row)).result(60)
    output = current().stored("old")
    assert (output.status, output.finished_at) == (RunStatus.interrupted, began)


def test_what_the_store_has_to_say_is_said_once(agent: Agent, provider: ScriptedProvider) -> None:
    """A damaged file that was set aside is a warning of two lines at the next launch, once."""
    path = current().store.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database" * 1000)
    provider.otherwise(text_reply("yes"))
    with pytest.warns(UserWarning, match="is damaged.*\n.*kept in") as told:
        agent.start("Well?").result(timeout=60)
    assert len([one for one in told if "is damaged" in str(one.message)]) == 1
    agent.start("Again?").result(timeout=60)
