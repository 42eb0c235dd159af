"""Runs of one session share its history and take turns, unless they say otherwise."""

from __future__ import annotations

import pytest

import nbagent as nb
from nbagent import Agent, RunStatus
from nbagent.errors import SessionBusyError
from nbagent.events import Message, ToolRequest
from nbagent.runtime.history import usable
from tests.provider.chat_wire import text, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait


def said(body: dict[str, list[dict[str, str]]]) -> list[str]:
    """The contents of a request's messages."""
    return [message["content"] for message in body["messages"]]


def test_history_goes_with_the_next_run_of_a_session(agent: Agent, provider: ScriptedProvider) -> None:
    """The second run sees the first one's question and answer; another session does not."""
    provider.reply(text_reply("Paris."), text_reply("Lyon."), text_reply("What?"))
    agent.start("Capital of France?", session_id="s").result(timeout=5)
    agent.start("And the second city?", session_id="s").result(timeout=5)
    agent.start("And the third?", session_id="other").result(timeout=5)
    assert [said(body) for body in provider.bodies] == [
        ["Capital of France?"],
        ["Capital of France?", "Paris.", "And the second city?"],
        ["And the third?"],
    ]


def test_runs_of_a_session_take_turns(agent: Agent, provider: ScriptedProvider) -> None:
    """The second waits until the first has ended, in launch order, and then has its history."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")), text_reply("two"), text_reply("three"))
    runs = [agent.start(f"Question {n}", session_id="s") for n in range(3)]
    provider.wait_for_requests(1)
    assert [run.status for run in runs[1:]] == [RunStatus.pending] * 2
    gate.open()
    assert [output.content for output in nb.gather(*runs, timeout=5)] == ["one", "two", "three"]
    assert said(provider.bodies[2]) == ["Question 0", "one", "Question 1", "two", "Question 2"]
    assert list(nb.sql("select turn from runs order by created_at")["turn"]) == [1, 2, 3]


def test_parallel_runs_of_a_session_do_not_wait(agent: Agent, provider: ScriptedProvider) -> None:
    """on_busy="parallel": both are at the model at once, and the session's metrics count both."""
    agent.on_busy = "parallel"
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("yes")))
    runs = [agent.start("Well?", session_id="s") for _ in range(2)]
    provider.wait_for_requests(2)
    gate.open()
    nb.gather(*runs, timeout=5)
    assert agent.get_session_metrics("s").input_tokens == 22


def test_a_busy_session_can_be_refused(agent: Agent, provider: ScriptedProvider) -> None:
    """on_busy="reject" raises while a run of the session is unfinished, and launches nothing."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("yes")), text_reply("again"))
    first = agent.start("Well?", session_id="s")
    agent.on_busy = "reject"
    with pytest.raises(SessionBusyError):
        agent.start("Again?", session_id="s")
    gate.open()
    first.result(timeout=5)
    assert agent.start("Again?", session_id="s").result(timeout=5).content == "again"


def test_a_busy_session_can_be_taken_over(agent: Agent, provider: ScriptedProvider) -> None:
    """on_busy="cancel" ends the unfinished run; the new one has a history that a provider takes."""
    provider.reply((*text("Once"), Silence()), text_reply("yes"))
    first = agent.start("Write a story", session_id="s")
    provider.wait_for_requests(1)
    agent.on_busy = "cancel"
    second = agent.start("Well?", session_id="s")
    assert second.result(timeout=5).content == "yes"
    assert first.status is RunStatus.cancelled


CALL = ToolRequest(tool_call_id="1", name="price", arguments="{}")
ASKING = Message(role="assistant", tool_requests=(CALL,))
TALKING = Message(role="assistant", content="I will look.", tool_requests=(CALL,))
ANSWER = Message(role="tool", content="190", tool_call_id="1")
USER = Message(role="user", content="Price?")


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        ([USER, ASKING, ANSWER], [USER, ASKING, ANSWER]),
        ([USER, ASKING], [USER]),
        ([USER, TALKING], [USER, Message(role="assistant", content="I will look.")]),
        ([USER, ANSWER], [USER]),
        ([], []),
    ],
)
def test_what_a_cut_off_run_left_open_is_dropped(history: list[Message], kept: list[Message]) -> None:
    """Every tool call that is sent has its answer, and every answer its call."""
    assert usable(history) == kept
