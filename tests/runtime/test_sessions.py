"""Runs of one session share its history and take turns, unless they say otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

import nbagent as nb
from nbagent import Agent, RunStatus, Session
from nbagent.errors import SessionBusyError
from nbagent.events import Message, ToolCallStarted, ToolRequest
from nbagent.runtime import current
from nbagent.runtime.execution.history import NO_ANSWER, OUTCOME_UNKNOWN, whole
from nbagent.store import StoredTurn, load_turns
from nbagent.store.duckdb.lock_file import LockFile
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Gate, Silence, Wait, error


def said(body: dict[str, list[dict[str, str]]]) -> list[str]:
    """The contents of a request's messages."""
    return [message["content"] for message in body["messages"]]


def test_history_goes_with_the_next_run_of_a_session(agent: Agent, provider: ScriptedProvider) -> None:
    """The second run sees the first one's question and answer; another session does not."""
    provider.reply(text_reply("Paris."), text_reply("Lyon."), text_reply("What?"))
    agent.start("Capital of France?", session_id="s").result(timeout=60)
    agent.start("And the second city?", session_id="s").result(timeout=60)
    agent.start("And the third?", session_id="other").result(timeout=60)
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
    assert [output.content for output in nb.gather(*runs, timeout=60)] == ["one", "two", "three"]
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
    nb.gather(*runs, timeout=60)
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
    first.result(timeout=60)
    assert agent.start("Again?", session_id="s").result(timeout=60).content == "again"


def test_a_busy_session_can_be_taken_over(agent: Agent, provider: ScriptedProvider) -> None:
    """on_busy="cancel" ends the unfinished run; the new one has a history that a provider takes."""
    provider.reply((*text("Once"), Silence()), text_reply("yes"))
    first = agent.start("Write a story", session_id="s")
    provider.wait_for_requests(1)
    agent.on_busy = "cancel"
    second = agent.start("Well?", session_id="s")
    assert second.result(timeout=60).content == "yes"
    assert first.status is RunStatus.cancelled


def test_a_run_cancelled_in_the_queue_lets_nobody_pass(agent: Agent, provider: ScriptedProvider) -> None:
    """Who waited behind it, and who comes later, waits for the run that it waited for."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")), text_reply("three"), text_reply("four"))
    first, second, third = (agent.start(f"Question {n}", session_id="s") for n in (1, 2, 3))
    provider.wait_for_requests(1)
    assert second.cancel()
    second.wait(timeout=60)
    third.cancel()
    third.wait(timeout=60)
    fourth, fifth = (agent.start(f"Question {n}", session_id="s") for n in (4, 5))
    assert [fourth.status, fifth.status, first.status] == [*[RunStatus.pending] * 2, RunStatus.running]
    assert len(provider.requests) == 1
    gate.open()
    assert [out.content for out in nb.gather(fourth, fifth, timeout=60)] == ["three", "four"]
    assert said(provider.bodies[1]) == ["Question 1", "one", "Question 4"]


def test_cancel_takes_over_from_all_of_them(agent: Agent, provider: ScriptedProvider) -> None:
    """on_busy="cancel" ends the run at work, the one that waits behind it and one beside them, none elsewhere."""
    provider.reply(*[(*text("Once"), Silence())] * 3, text_reply("yes"))
    runs = [agent.start("Write", session_id="s"), agent.start("Other", session_id="t")]
    runs.append(replace(agent, on_busy="parallel").start("Write beside", session_id="s"))
    provider.wait_for_requests(3)
    runs.append(agent.start("Write behind", session_id="s"))
    agent.on_busy = "cancel"
    assert agent.start("Well?", session_id="s").result(timeout=60).content == "yes"
    assert [run.status.value for run in runs] == ["cancelled", "running", "cancelled", "cancelled"]
    runs[1].cancel()


def test_a_session_is_busy_with_a_run_beside_the_queue_too(agent: Agent, provider: ScriptedProvider) -> None:
    """on_busy="reject" looks at every unfinished run of the session, however that was launched."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("yes")))
    beside = replace(agent, on_busy="parallel").start("Well?", session_id="s")
    agent.on_busy = "reject"
    with pytest.raises(SessionBusyError, match="'s' has an unfinished run"):
        agent.start("Again?", session_id="s")
    gate.open()
    beside.result(timeout=60)


# ---------------------------------------------------------------------- history


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


def next_history(agent: Agent, provider: ScriptedProvider) -> list[tuple[str, str]]:
    """What the next run of session "s" is sent before its own prompt."""
    provider.reply(text_reply("fine"))
    agent.start("Next", session_id="s").result(timeout=60)
    *before, own = provider.bodies[-1]["messages"]
    assert own == {"role": "user", "content": "Next"}
    assert Session("s").messages()[len(before)].content == "Next"
    return [(message["role"], message.get("content") or "") for message in before]


@pytest.mark.parametrize("ending", ["cancelled", "error", "timeout"])
def test_a_cut_off_answer_is_the_histories_word(
    agent: Agent, provider: ScriptedProvider, until: Callable[[Callable[[], bool]], None], ending: str
) -> None:
    """A cancelled, failed or timed-out run leaves its prompt and the text that had come, as the model's answer."""
    provider.reply((*text("Once upon"), Drop() if ending == "error" else Silence()))
    run = agent.start("Tell", session_id="s", timeout=1.0 if ending == "timeout" else None)
    if ending == "cancelled":
        until(lambda: run.text == "Once upon")
        run.cancel()
    assert run.wait(timeout=60).status.value == ending
    assert next_history(agent, provider) == [("user", "Tell"), ("assistant", "Once upon")]


def test_a_run_that_got_no_word_leaves_nothing(agent: Agent, provider: ScriptedProvider) -> None:
    """Its prompt is not sent beside the next one: two turns of the user in a row are refused by some providers."""
    provider.reply(error(401), text_reply("a"))
    assert agent.start("Lost", session_id="s").wait(timeout=60).status is RunStatus.error
    agent.start("First", session_id="s").result(timeout=60)
    assert next_history(agent, provider) == [("user", "First"), ("assistant", "a")]


def test_a_run_cut_off_in_a_tool_leaves_an_answered_call(agent: Agent, provider: ScriptedProvider) -> None:
    """The call has an answer that says what is known of it, and the run a last word of its own."""
    began = threading.Event()

    async def buy() -> str:
        """Buy it."""
        began.set()
        await asyncio.Event().wait()
        return "never"

    provider.reply(tool_reply(("buy", {}), before=text("I will buy.")))
    run = replace(agent, tools=[buy]).start("Buy", session_id="s")
    assert began.wait(60)
    run.cancel()
    run.wait(timeout=60)
    history = next_history(agent, provider)
    assert [role for role, _ in history] == ["user", "assistant", "tool", "assistant"]
    assert history[1][1] == "I will buy."
    assert "outcome is unknown" in history[2][1]
    assert "cancelled" in history[3][1]


def test_a_run_that_failed_after_a_tool_leaves_its_result(agent: Agent, provider: ScriptedProvider) -> None:
    """What the tool said is kept, and the next turn of the user follows a word of the model."""
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), error(400))
    replace(agent, tools=[price]).start("Price?", session_id="s").wait(timeout=60)
    history = next_history(agent, provider)
    assert [role for role, _ in history] == ["user", "assistant", "tool", "assistant"]
    assert history[2] == ("tool", "190.5")


def test_a_run_that_goes_on_is_no_history_yet(agent: Agent, provider: ScriptedProvider) -> None:
    """Beside a run that is in its tools, a parallel one sees neither its prompt nor its calls."""
    gate = threading.Event()

    def slow() -> str:
        """Wait."""
        gate.wait(60)
        return "done"

    provider.reply(tool_reply(("slow", {})), text_reply("beside"), text_reply("ok"))
    first = replace(agent, tools=[slow]).start("Slow", session_id="s")
    assert next(event for event in first.events() if isinstance(event, ToolCallStarted))
    replace(agent, on_busy="parallel").start("Quick", session_id="s").result(timeout=60)
    assert said(provider.bodies[1]) == ["Quick"]
    gate.set()
    first.result(timeout=60)


@pytest.mark.parametrize(
    ("last", "shown"), [(None, [0, 1, 2]), (2, [1, 2]), (1, [2]), (0, []), (9, [0, 1, 2])]
)
def test_history_is_as_long_as_is_said(
    agent: Agent, provider: ScriptedProvider, last: int | None, shown: list[int]
) -> None:
    """`history_runs` is how many runs are shown, each whole, with its tools; the instructions stay."""
    agent.tools, agent.instructions = [price], "Be brief."
    for number in range(3):
        provider.reply(tool_reply(("price", {"symbol": "AAPL"})), text_reply(f"Answer {number}"))
        agent.start(f"Question {number}", session_id="s").result(timeout=60)
    provider.reply(text_reply("fine"))
    replace(agent, history_runs=last).start("Next", session_id="s").result(timeout=60)
    expected = [one for n in shown for one in (f"Question {n}", None, "190.5", f"Answer {n}")]
    sent = provider.bodies[-1]["messages"]
    assert [message.get("content") or None for message in sent] == ["Be brief.", *expected, "Next"]
    asked = [call["id"] for message in sent for call in message.get("tool_calls", ())]
    assert asked == [message["tool_call_id"] for message in sent if message["role"] == "tool"]


def test_the_histories_length_is_an_option_and_survives_a_resume(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`%config NBAgent.history_runs` (here the environment) is the default; a resumed run sees what it saw before."""
    provider.otherwise(text_reply("yes"))
    for number in range(3):
        agent.start(f"Question {number}", session_id="s").result(timeout=60)
    monkeypatch.setenv("NBAGENT_HISTORY_RUNS", "1")
    provider.reply(error(400))
    run = agent.start("Next", session_id="s")
    assert run.wait(timeout=60).status is RunStatus.error
    monkeypatch.delenv("NBAGENT_HISTORY_RUNS")
    run.resume().result(timeout=60)
    assert said(provider.bodies[-2]) == said(provider.bodies[-1]) == ["Question 2", "yes", "Next"]


CALL = ToolRequest(tool_call_id="1", name="price", arguments="{}")
ASKING = Message(role="assistant", tool_requests=(CALL,))
TALKING = Message(role="assistant", content="I will look.", tool_requests=(CALL,))
ANSWER = Message(role="tool", content="190", tool_call_id="1")
USER = Message(role="user", content="Price?")
DONE = Message(role="assistant", content="190.")
UNKNOWN = Message(role="tool", content=OUTCOME_UNKNOWN.format(name="price"), tool_call_id="1", name="price")
CUT = Message(role="assistant", content=NO_ANSWER.format(status="cancelled"))
PART = Message(role="assistant", content="Half")


@pytest.mark.parametrize(
    ("messages", "partial", "kept"),
    [
        ([USER, ASKING, ANSWER, DONE], None, [USER, ASKING, ANSWER, DONE]),
        ([USER, ASKING, ANSWER, ASKING, ANSWER], None, [USER, ASKING, ANSWER, ASKING, ANSWER, CUT]),
        ([USER, ASKING, ANSWER, ASKING], None, [USER, ASKING, ANSWER, ASKING, UNKNOWN, CUT]),
        ([USER, TALKING], "I will look.", [USER, TALKING, UNKNOWN, CUT]),
        ([USER, ASKING, ANSWER], "Half", [USER, ASKING, ANSWER, PART]),
        ([USER], "Half", [USER, PART]),
        ([USER, ANSWER], None, []),
        ([USER, Message(role="assistant")], None, []),
        ([USER, DONE, USER], None, [USER, DONE]),
        ([], "Half", []),
    ],
)  # fmt: skip
def test_each_run_leaves_a_whole_turn(
    messages: list[Message], partial: str | None, kept: list[Message]
) -> None:
    """It begins with the prompt, each tool call has its answer, and the last word is the model's."""
    turn = StoredTurn(run_id="r", status=RunStatus.cancelled, partial_text=partial, messages=tuple(messages))
    assert whole(turn) == kept


def test_a_carried_turn_stays_as_it_is() -> None:
    """Messages that came as data are a person's own; only a tool call without an answer is given one."""
    turn = StoredTurn(run_id="r", status=None, partial_text=None, messages=(USER, ASKING, USER))
    assert whole(turn) == [USER, ASKING, UNKNOWN, USER]


@pytest.mark.parametrize("name", ["fresh", "日本語 / ../x", "a" * 3000])
def test_the_first_run_of_a_new_session_waits_for_no_file(
    agent: Agent, provider: ScriptedProvider, name: str
) -> None:
    """Nothing was said before it, which is known without the database: it asks while another process has that."""
    provider.otherwise(text_reply("yes"))
    agent.start("Warm up", session_id="known").result(timeout=60)
    store = current().store
    assert store.flush(10)
    lock = LockFile(store.path)
    lock.acquire()
    try:
        run = agent.start("First", session_id=name)
        assert run.durable
        provider.wait_for_requests(2)
    finally:
        lock.release()
        lock.close()
    run.result(timeout=60)
    agent.start("Second", session_id=name).result(timeout=60)
    assert [said(body) for body in provider.bodies[1:]] == [["First"], ["First", "yes", "Second"]]
    assert list(nb.sql("select turn from runs where session_id = ? order by 1", [name])["turn"]) == [1, 2]


@pytest.mark.parametrize("change", ["deleted", "resumed", "parallel"])
def test_a_session_in_memory_is_the_one_in_the_record(
    agent: Agent, provider: ScriptedProvider, change: str
) -> None:
    """What a run is shown of a session that only this kernel uses is what a kernel would read that knows nothing."""
    provider.otherwise(text_reply("yes"))
    provider.reply(text_reply("warm"), *([error(500)] if change == "resumed" else []))
    agent.start("Warm up", session_id="known").result(timeout=60)
    first = agent.start("One", session_id="s", label="one")
    first.wait(timeout=60)
    agent.start("Two", session_id="s").result(timeout=60)
    if change == "deleted":
        assert nb.clear_runs(label="one") == 1
    elif change == "resumed":
        assert first.status is RunStatus.error
        first.resume().result(timeout=60)
    else:
        agent.on_busy = "parallel"
        agent.start("Beside", session_id="s").result(timeout=60)
    agent.start("Three", session_id="s").result(timeout=60)
    shown = [message.content for turn in load_turns(current().store, "s")[:-1] for message in turn.messages]
    assert said(provider.bodies[-1])[:-1] == shown
    assert len(shown) == {"deleted": 2, "resumed": 4, "parallel": 6}[change]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_first_session_of_a_kernel_is_in_memory_too(
    agent: Agent, provider: ScriptedProvider, count: int
) -> None:
    """A kernel's very first launches, made before it knows its record: numbered in order, and then read no more."""
    provider.otherwise(text_reply("yes"))
    nb.gather(*[agent.start(f"Question {n}", session_id="s") for n in range(count)], timeout=60)
    nb.gather(*[agent.start(f"Question {n}", session_id="s") for n in range(count, count + 3)], timeout=60)
    rows = nb.sql("select prompt, turn from runs order by turn")
    assert list(rows["prompt"]) == [f"Question {n}" for n in range(count + 3)]
    assert list(rows["turn"]) == list(range(1, count + 4))
    expected = [one for n in range(count + 2) for one in (f"Question {n}", "yes")]
    assert said(provider.bodies[-1])[:-1] == expected
    if count == 1:
        assert current().session_memory.turns((current().store, "s"), 9) is not None
