"""`Session`: a conversation by its id, and as data that goes on in another record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, ConfigurationError, Limits, OpenAIChat, RunStatus, Session
from nbagent.events import Message
from nbagent.runtime import current
from nbagent.store import ForgetRuns
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, error


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent with a tool, on the scripted provider; it makes no second try."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0), tools=[price])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Go to another store, by name, as on another machine."""

    def go(name: str) -> None:
        monkeypatch.setenv("NBAGENT_STORE", str(tmp_path / name / "runs.duckdb"))

    return go


def said(body: Mapping[str, Any]) -> list[str]:
    """The contents of a request's messages."""
    return [message.get("content") or "" for message in body["messages"]]


def ask(agent: Agent, provider: ScriptedProvider, session: Any, question: str, answer: str) -> nb.Run:
    """Run one question in a session to its end."""
    provider.reply(text_reply(answer))
    run = agent.start(question, session=session)
    assert run.result(timeout=60).content == answer
    return run


@pytest.mark.parametrize("by", ["session", "session_id"])
def test_a_session_is_taken_wherever_its_id_is(agent: Agent, provider: ScriptedProvider, by: str) -> None:
    """`session=`, `session_id=`, an object or its id: all name the same history."""
    session = Session()
    provider.otherwise(text_reply("yes"))
    for value in (session, session.session_id):
        agent.start("Well?", **{by: value}).result(timeout=60)
        agent.run("Well?", **{by: value})
    assert len(provider.bodies[-1]["messages"]) == 7
    assert agent.get_session_metrics(session).model_calls == 4
    assert set(nb.runs()["session_id"]) == {session.session_id}


def test_two_sessions_cannot_be_named(agent: Agent) -> None:
    """Two that differ are refused in two lines, as is what is no id."""
    with pytest.raises(ConfigurationError, match="two sessions are named"):
        agent.start("Well?", session=Session("a"), session_id="b")
    with pytest.raises(ConfigurationError, match="7 is no session id") as caught:
        agent.start("Well?", session_id=7)  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 2


def test_a_session_shows_its_runs_and_messages(agent: Agent, provider: ScriptedProvider) -> None:
    """Runs in turn order, messages as the next run would see them; a new session has none."""
    session = Session("trip")
    assert (session.messages(), session.run_ids, session.runs()) == ([], [], [])
    first = ask(agent, provider, session, "Capital of France?", "Paris.")
    second = ask(agent, provider, session, "And of Japan?", "Tokyo.")
    assert session.run_ids == [first.run_id, second.run_id]
    assert [run.content for run in session.runs()] == ["Paris.", "Tokyo."]
    assert [(m.role, m.content) for m in session.messages()] == [
        ("user", "Capital of France?"),
        ("assistant", "Paris."),
        ("user", "And of Japan?"),
        ("assistant", "Tokyo."),
    ]
    assert (session, hash(session), repr(session)) == (
        Session("trip"),
        hash(Session("trip")),
        "Session('trip')",
    )


def test_a_conversation_moves_to_another_store(
    agent: Agent, provider: ScriptedProvider, elsewhere: Any
) -> None:
    """Tools and cut-off answers included, as JSON text; a run there sees what a run here would have seen."""
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), text_reply("190.5"))
    agent.start("Price?", session_id="s").result(timeout=60)
    provider.reply((*text("Once"), Drop()))
    agent.start("Tell", session_id="s").wait(timeout=60)
    data = json.loads(json.dumps(Session("s").to_dict()))
    ask(agent, provider, "s", "Next", "here")
    elsewhere("there")
    session = Session.from_dict(data)
    assert session == Session("s")
    ask(agent, provider, session, "Next", "there")
    assert provider.bodies[-1]["messages"] == provider.bodies[-2]["messages"]
    assert [message.content for message in session.messages()][-3:] == ["Once", "Next", "there"]
    assert len(session.run_ids) == 1
    assert agent.get_session_metrics("s").model_calls == 1


def test_what_came_back_is_not_there_twice(agent: Agent, provider: ScriptedProvider, elsewhere: Any) -> None:
    """Each run's messages are taken over once: to another store, on there, and back again."""
    elsewhere("home")
    ask(agent, provider, "s", "One", "1")
    away = Session("s").to_dict()
    assert Session.from_dict(away).to_dict() == away
    elsewhere("office")
    Session.from_dict(away)
    Session.from_dict(away)
    ask(agent, provider, "s", "Two", "2")
    back = Session("s").to_dict()
    elsewhere("home")
    session = Session.from_dict(back)
    assert session.to_dict() == back
    ask(agent, provider, session, "Three", "3")
    assert said(provider.bodies[-1]) == ["One", "1", "Two", "2", "Three"]
    again = session.to_dict()
    elsewhere("office")
    assert Session.from_dict(again).to_dict() == again
    ask(agent, provider, "s", "Four", "4")
    assert said(provider.bodies[-1]) == ["One", "1", "Two", "2", "Three", "3", "Four"]


def test_a_conversation_goes_on_in_two_ways(agent: Agent, provider: ScriptedProvider) -> None:
    """With another `session_id` the data begins a session of its own, in the same store too."""
    ask(agent, provider, "s", "One", "1")
    fork = Session.from_dict(Session("s").to_dict(), session_id="fork")
    ask(agent, provider, fork, "Two", "2")
    ask(agent, provider, "s", "Other", "3")
    assert [said(body) for body in provider.bodies[1:]] == [["One", "1", "Two"], ["One", "1", "Other"]]


def test_carried_runs_count_in_the_histories_length(
    agent: Agent, provider: ScriptedProvider, elsewhere: Any
) -> None:
    """`history_runs` counts them as the runs that they were."""
    for number in range(3):
        ask(agent, provider, "s", f"Question {number}", f"Answer {number}")
    data = Session("s").to_dict()
    elsewhere("there")
    agent.history_runs = 2
    ask(agent, provider, Session.from_dict(data), "Next", "yes")
    assert said(provider.bodies[-1]) == ["Question 1", "Answer 1", "Question 2", "Answer 2", "Next"]


def test_carried_messages_are_there_for_a_resumed_run(
    agent: Agent, provider: ScriptedProvider, elsewhere: Any
) -> None:
    """The first run in a session that came from elsewhere is resumed with what it saw before."""
    ask(agent, provider, "s", "One", "1")
    data = Session("s").to_dict()
    elsewhere("there")
    provider.reply(error(400), text_reply("2"))
    run = agent.start("Two", session=Session.from_dict(data))
    assert run.wait(timeout=60).status is RunStatus.error
    assert run.resume().result(timeout=60).content == "2"
    assert said(provider.bodies[-1]) == said(provider.bodies[-2]) == ["One", "1", "Two"]


def test_a_conversation_written_by_hand(agent: Agent, provider: ScriptedProvider) -> None:
    """Messages need neither run ids nor a session id; they are seen as they are."""
    messages = [{"role": "user", "content": "I am Ada."}, {"role": "assistant", "content": "Hello Ada."}]
    session = Session.from_dict({"messages": messages})
    ask(agent, provider, session, "Who am I?", "Ada.")
    assert said(provider.bodies[0]) == ["I am Ada.", "Hello Ada.", "Who am I?"]
    assert Session.from_dict({"session_id": session.session_id, "messages": messages}) == session
    assert len(session.messages()) == 4


def test_a_run_of_the_same_id_as_a_carried_one_keeps_its_own_messages(
    agent: Agent, provider: ScriptedProvider, elsewhere: Any
) -> None:
    """Run ids are unique in one store only; what was carried over is no part of a run's own output."""
    provider.otherwise(text_reply("yes"))
    agent.start("One", session_id="s", run_id="mine").result(timeout=60)
    data = Session("s").to_dict()
    elsewhere("there")
    Session.from_dict(data)
    run = agent.start("Two", session_id="t", run_id="mine")
    run.result(timeout=60)
    nb.runtime.current().registry.forget(["mine"])
    assert [message.content for message in nb.get("mine").output.messages] == ["Two", "yes"]
    assert [message.content for message in Session("s").messages()] == ["One", "yes"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ([], "no session's data"),
        ({}, "no session's data"),
        ({"messages": "hello"}, "no session's data"),
        ({"messages": ["hello"]}, "message 0 .* role"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "message 0 .* role"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "user", "text": "x"}]},
            "message 1 .*'text'",
        ),
        ({"messages": [{"role": "system", "content": "x"}]}, "message 0 .* system"),
        ({"session_id": 7, "messages": []}, "7 is no session id"),
    ],
)
def test_data_of_another_form_is_refused(data: Any, what: str) -> None:
    """In two lines that name the message and what is wrong with it; nothing is written."""
    with pytest.raises(ConfigurationError, match=what) as caught:
        Session.from_dict(data)
    assert len(str(caught.value).splitlines()) == 2
    assert nb.sql("select * from messages").empty


def test_a_message_with_everything_survives() -> None:
    """Files, reasoning, tool requests and a provider's own items come back equal."""
    everything = {
        "role": "assistant",
        "content": "text",
        "tool_requests": [{"tool_call_id": "1", "name": "price", "arguments": "{}"}],
        "reasoning": "because",
        "name": "analyst",
        "files": [{"media_type": "image/png", "data": "AAAA", "name": "dot.png"}],
        "provider_items": [{"type": "reasoning", "id": "rs_1", "summary": []}],
    }
    answer = {"role": "tool", "content": "190", "tool_call_id": "1", "name": "price"}
    session = Session.from_dict({"messages": [everything, answer]})
    message, told = session.messages()
    assert isinstance(message, Message)
    assert (message.files[0].name, message.provider_items[0]["id"]) == ("dot.png", "rs_1")
    assert told.content == "190"
    carried = [{k: v for k, v in one.items() if k != "run_id"} for one in session.to_dict()["messages"]]
    assert carried == [everything, answer]


def test_what_is_deleted_elsewhere_takes_nothing_from_a_conversation(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """After a delete sessions are read anew: a run sees all that was said, and no turn is given twice."""
    provider.otherwise(text_reply("yes"))
    for prompt in ("One", "Two"):
        agent.run(prompt, session="kept")
    other = agent.start("Other")
    other.result(timeout=60)
    current().store.write(ForgetRuns((other.run_id,)), "deleting", timeout_s=60)
    agent.run("Three", session="kept")
    assert said(provider.bodies[-1]) == ["One", "yes", "Two", "yes", "Three"]
    assert sorted(nb.runs(session="kept", columns="all")["turn"]) == [1, 2, 3]
