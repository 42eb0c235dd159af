"""A message that a person sends to a run on the way reaches its model, in whatever phase the run is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, ConfigurationError, Limits, OpenAIChat, RunStatus, Team, tool
from nbagent.errors import PromptError
from nbagent.events import MessageSent
from nbagent.runtime import current
from nbagent.store import SendMessage
from tests.provider.chat_wire import begun, end, json_reply, text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Head, Wait

Until = Callable[[Callable[[], bool]], None]
SAID = "only 2024, please"


def asked(provider: ScriptedProvider, at: int = -1) -> list[tuple[str, str]]:
    """Role and text of each message of a request."""
    return [(one["role"], one["content"]) for one in provider.bodies[at]["messages"]]


def waiting(run: nb.Run) -> list[str]:
    """What the record holds of the messages that a run's model has not had."""
    rows = current().store.read(
        "select text from sent_messages where run_id = ? order by created_at, message_id", [run.run_id]
    )
    return [row["text"] for row in rows]


@pytest.mark.parametrize("said", [SAID, "nur 2024, bitte: größer als 3 €", "只要2024年\n" + "x" * 50_000])
def test_in_a_call_it_makes_one_step_more(agent: Agent, provider: ScriptedProvider, said: str) -> None:
    """What comes while the model answers follows its answer, which is no end then; the record and events have it."""
    gate, seen = Gate(), list[Any]()
    provider.reply((*begun(), *text("All years."), Wait(gate), *end()), text_reply("2024."))
    run = agent.start("Sales by year", on_event=seen.append)
    assert gate.reached.wait(60)
    run.send(said)
    assert run.record is not None
    assert list(run.record.sent.values()) == [said]
    gate.open()
    output = run.result(timeout=60)
    assert output.content == "2024."
    assert asked(provider)[-3:] == [("user", "Sales by year"), ("assistant", "All years."), ("user", said)]
    assert [message.content for message in output.messages] == ["Sales by year", "All years.", said, "2024."]
    assert current().stored(run.run_id) == output
    assert (waiting(run), run.record.sent, len(output.model_calls)) == ([], {}, 2)
    assert [event.text for event in seen if isinstance(event, MessageSent)] == [said]


def test_in_a_tool_it_follows_the_result(agent: Agent, provider: ScriptedProvider) -> None:
    """It stands after the tools' results, in order; the tool is not disturbed."""
    begun_, go = threading.Event(), threading.Event()

    def look() -> str:
        """Look."""
        begun_.set()
        go.wait(60)
        return "seen"

    agent.tools = [look]
    provider.reply(tool_reply(("look", {})), text_reply("Done."))
    run = agent.start("Look")
    assert begun_.wait(60)
    run.send("first")
    run.send("second")
    assert waiting(run) == ["first", "second"]  # durable while it waits
    go.set()
    assert run.result(timeout=60).content == "Done."
    assert asked(provider)[-3:] == [("tool", "seen"), ("user", "first"), ("user", "second")]
    assert waiting(run) == []


def test_a_queued_run_has_it_in_its_first_call(
    provider: ScriptedProvider, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that waits for a free slot, or for its turn in a session, is asked with it at once: no step more."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "1")
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    agent, gate = Agent(model=model), Gate()
    provider.reply(
        (*begun(), Wait(gate), *text("First."), *end()), text_reply("Second."), text_reply("Third.")
    )
    first = agent.start("One", session_id="s")
    assert gate.reached.wait(60)
    slot = agent.start("Two")
    until(lambda: slot.queue_position is not None)
    turn = agent.start("Three", session_id="s")
    slot.send(SAID)
    turn.send(SAID)
    gate.open()
    for run in (first, slot, turn):
        run.result(timeout=60)
    assert len(provider.requests) == 3
    assert asked(provider, 1)[-2:] == [("user", "Two"), ("user", SAID)]
    assert asked(provider, 2)[-2:] == [("user", "Three"), ("user", SAID)]


def test_a_try_again_has_it(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """What comes in the pause after a failed try goes with the next one."""
    agent.limits = Limits(model_retries=2)
    provider.reply((Head(503, {"retry-after": "3"}),), text_reply("2024."))
    run = agent.start("Sales")
    until(lambda: run.record is not None and run.record.retry_in_s is not None)
    run.send(SAID)
    assert run.result(timeout=60).content == "2024."
    assert asked(provider)[-1] == ("user", SAID)
    assert len(provider.requests) == 2


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@pytest.mark.parametrize("sender", ["here", "another kernel"])
def test_a_paused_run_has_it_once_it_goes_on(
    agent: Agent, provider: ScriptedProvider, until: Until, sender: str
) -> None:
    """It stays paused, and the model reads the message after the result; another kernel's comes through the record."""
    agent.tools = [pay]
    provider.reply(tool_reply(("pay", {"amount": 5})), text_reply("Done."))
    run = agent.start("Pay")
    until(lambda: run.status is RunStatus.paused)
    if sender != "here":
        current().store.submit(SendMessage(run.run_id, "m1", SAID)).result(60)
        until(lambda: run.record is not None and bool(run.record.sent))
    else:
        run.send(SAID)
    assert run.status is RunStatus.paused
    run.approve()
    assert run.result(timeout=60).content == "Done."
    assert asked(provider)[-2:] == [("tool", "paid 5"), ("user", SAID)]
    until(lambda: not waiting(run))


def test_a_run_that_ended_refuses_it(agent: Agent, provider: ScriptedProvider) -> None:
    """Just ended, cancelled, or read from the store: two lines that say what to do; nothing is kept."""
    provider.reply(text_reply("Done."))
    run = agent.start("Go")
    run.result(timeout=60)
    for handle in (run, nb.Run(run.run_id, run.session_id, runtime=current())):
        with pytest.raises(
            ConfigurationError, match=r"is completed: it takes no message any more\nstart a run"
        ):
            handle.send(SAID)
    assert waiting(run) == []
    with pytest.raises(PromptError, match=r"the message is ' '\nwrite what"):
        run.send(" ")


def test_other_runs_refuse_it(provider: ScriptedProvider, agent: Agent) -> None:
    """A guest's run and a row of a batch say why, in two lines."""
    hold = threading.Event()

    async def plain(prompt: str) -> str:
        await asyncio.to_thread(hold.wait, 60)
        return prompt

    guest = nb.guest(plain).start("Hello")
    with pytest.raises(ConfigurationError, match=r"is one of a guest: .*\ncancel it"):
        guest.send(SAID)
    hold.set()
    guest.result(timeout=60)
    gate = Gate()
    provider.otherwise((*begun(), Wait(gate), *text("x"), *end()))
    batch = agent.map(["a"], "Say {{ row }}")
    assert gate.reached.wait(60)
    (row,) = (one for one in current().registry.unfinished() if one.record.launch.batch_id)
    with pytest.raises(ConfigurationError, match=r"is a row of batch .*: rows are asked alike\nsay it in"):
        current().handle(row).send(SAID)
    gate.open()
    batch.result(timeout=60)


def test_no_limit_is_passed_for_it(agent: Agent, provider: ScriptedProvider) -> None:
    """A run that may take no further step ends with its answer, and says that the message reached nobody."""
    gate = Gate()
    agent.limits = Limits(max_steps=1)
    provider.reply((*begun(), *text("All."), Wait(gate), *end()))
    run = agent.start("Sales")
    assert gate.reached.wait(60)
    run.send(SAID)
    gate.open()
    assert run.result(timeout=60).content == "All."
    assert run.record is not None
    assert run.record.notices == [f"the run ended before its model was told {SAID!r}"]


def test_a_typed_answer_is_given_anew(agent: Agent, provider: ScriptedProvider) -> None:
    """After a valid answer one more step gives one that counts; it is checked as the first was."""
    gate = Gate()
    first = json_reply([2023, 2024])
    provider.reply((*first[:-2], Wait(gate), *first[-2:]), json_reply([2024]))
    run = agent.start("Which years?", output_schema=list[int])
    assert gate.reached.wait(60)
    run.send(SAID)
    gate.open()
    output = run.result(timeout=60)
    assert (output.content, output.output_valid) == ([2024], True)


@pytest.mark.parametrize("mode", ["coordinate", "route", "broadcast"])
def test_a_teams_leader_is_told(agent: Agent, provider: ScriptedProvider, mode: Any) -> None:
    """While a member works the leader's next call has it, also where the member's answer would have been the end."""
    gate = Gate()
    member = Agent(model=agent.model, name="ann", instructions="You are Ann.")
    team = Team(members=[member], model=agent.model, mode=mode, name="desk", instructions="You lead.")

    def answer(request: Any) -> Any:
        said = [one["content"] or "" for one in request.body["messages"]]
        if said[0] == "You are Ann.":
            return (*begun(), Wait(gate), *text("Ann says 7."), *end())
        if any(one == SAID for one in said) or mode == "broadcast":
            return text_reply("The leader says 8.")
        return tool_reply(("delegate_to_ann", {"task": "count"}))

    provider.otherwise(answer)
    run = team.start("Count")
    assert gate.reached.wait(60)
    run.send(SAID)
    gate.open()
    assert run.result(timeout=60).content == "The leader says 8."
    assert ("user", SAID) in asked(provider)
    assert not any(("user", SAID) in asked(provider, n) for n in range(len(provider.requests) - 1))


def test_a_cut_off_run_has_it_when_it_goes_on(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """A message without a step of its own waits in the record; the resumed attempt's first call has it, once."""
    provider.reply(tool_reply(("look", {})))
    begun_, go = threading.Event(), threading.Event()

    @tool(idempotent=True)
    def look() -> str:
        """Look."""
        begun_.set()
        go.wait(60)
        return "seen"

    agent.tools = [look]
    run = agent.start("Look", timeout=600)
    assert begun_.wait(60)
    run.send(SAID)
    live = current().live(run.run_id)
    assert live is not None
    current().thread.soon(live.stop, "kernel_died")
    assert run.wait(timeout=60).status is RunStatus.interrupted
    assert waiting(run) == [SAID]
    go.set()
    provider.reply(text_reply("2024."))
    assert run.resume().result(timeout=60).content == "2024."
    assert asked(provider)[-2:] == [("tool", "seen"), ("user", SAID)]
    until(lambda: not waiting(run))
    stored = current().stored(run.run_id)
    assert [one.content for one in stored.messages].count(SAID) == 1


def test_a_steered_answer_is_replayed_and_is_no_answer_to_the_prompt_alone(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """`replay` gives it again, with the same messages sent; `use` asks anew; another message to it is refused."""
    gate = Gate()
    provider.reply((*begun(), *text("All."), Wait(gate), *end()), text_reply("2024."))
    run = agent.start("Sales", cache="use")
    assert gate.reached.wait(60)
    run.send(SAID)
    gate.open()
    first = run.result(timeout=60)
    again = agent.start("Sales", cache="replay")
    again.send(SAID)
    assert (again.result(timeout=60).content, again.cached_from) == ("2024.", run.run_id)
    assert again.output.messages == first.messages
    with pytest.raises(ConfigurationError, match="is completed"):
        again.send("something else")
    provider.reply(text_reply("Every year."))
    assert agent.run("Sales", cache="use").content == "Every year."
    assert len(provider.requests) == 3


def test_a_later_run_of_the_session_has_it_as_history(agent: Agent, provider: ScriptedProvider) -> None:
    """What was sent is part of the session's history, where it was said."""
    gate = Gate()
    provider.reply((*begun(), *text("All."), Wait(gate), *end()), text_reply("2024."), text_reply("Yes."))
    run = agent.start("Sales", session_id="s")
    assert gate.reached.wait(60)
    run.send(SAID)
    gate.open()
    run.result(timeout=60)
    agent.run("Sure?", session_id="s")
    said = ["Sales", "All.", SAID, "2024.", "Sure?"]
    assert [content for _, content in asked(provider)] == said
