"""A long conversation: twelve questions to the small model, then the large one goes on where it stopped."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent import Session
from tests.reference.day.counting import (
    COUNTED,
    CountingServer,
    Question,
    Refused,
    assert_record_agrees,
    tokens,
)

CONTEXT = 300  # tokens that the small model takes
FULL = Refused(
    400,
    f"This model's maximum context length is {CONTEXT} tokens. Please reduce the length of the messages.",
    "context_length_exceeded",
)


def talk(question: Question) -> Any:
    """Answers with the number of the question; the small model can take so much and no more."""
    size = sum(tokens(str(one["content"])) for one in question.body["messages"])
    if question.model == "small" and size > CONTEXT:
        return FULL
    asked = sum(one["role"] == "user" for one in question.messages)
    return f"Answer {asked} of {question.model} to: {question.prompt}"


def question(number: int) -> str:
    """One of the person's questions."""
    return f"Question {number}: how do the prices of stock number {number} look?"


def test_the_large_model_goes_on(server: CountingServer) -> None:
    """Its request holds all that was said, by whichever model; each request is longer by what came in between."""
    server.answers = lambda asked: f"Answer to: {asked.prompt}"
    session = Session("review")
    small, large = server.agent(name="first"), server.agent("large", name="second")
    said: list[tuple[str, str]] = []
    for number in range(24):
        agent = small if number < 12 or number % 5 == 0 else large
        out = agent.run(question(number), session=session)
        said += [("user", question(number)), ("assistant", str(out.content))]
    calls = server.calls
    for number, call in enumerate(calls):
        seen = [(one["role"], one["content"]) for one in call.question.messages]
        assert seen == said[: 2 * number + 1]
    spoken = sum(tokens(text) for _, text in said[:-1])
    assert calls[-1].input_tokens == spoken
    assert [(one.role, one.content) for one in session.messages()] == said
    by_model = nb.metrics.by_model(session=session).set_index("model")
    assert by_model["model_calls"].to_dict() == {"small": 14, "large": 10}
    metrics = large.get_session_metrics(session)
    assert {name: getattr(metrics, name) for name in COUNTED} == pytest.approx(server.count(), rel=1e-12)
    assert list(nb.runs(session=session)["turn"]) == list(range(1, 25))
    assert_record_agrees(server, session=session)
    assert_record_agrees(server)


def test_a_full_context_leaves_the_conversation_whole(server: CountingServer) -> None:
    """The small model's server refuses; the large one is asked the same in the same session, and has all of it."""
    server.answers = talk
    session = Session("review")
    small, large = server.agent(name="first"), server.agent("large", name="second")
    outs = []
    for number in range(12):
        outs.append(small.run(question(number), session=session))
        if outs[-1].status != "completed":
            break
    assert outs[-1].status == "error"
    assert "maximum context length" in outs[-1].error
    answered = len(outs) - 1
    assert 2 < answered < 11
    out = large.run(question(answered), session=session)
    asked = [one["content"] for one in server.calls[-1].question.messages if one["role"] == "user"]
    assert asked[:answered] == [question(number) for number in range(answered)]
    assert asked[-1] == question(answered)
    assert out.content == f"Answer {len(asked)} of large to: {question(answered)}"
    row = nb.metrics.by_session(session=session).iloc[0]
    assert (row["runs"], row["errors"], row["model_calls"]) == (answered + 2, 1, answered + 2)
    assert row["cost_known"] == pytest.approx((answered + 1) / (answered + 2))
    assert_record_agrees(server, session=session)


@pytest.mark.parametrize("shown", [0, 1, 3])
def test_a_short_memory_holds_the_small_model_in_its_context(server: CountingServer, shown: int) -> None:
    """With `history_runs` twelve questions are answered, and no request is longer than the runs that are shown."""
    server.answers = talk
    session = Session("review")
    agent = server.agent(name="first", history_runs=shown)
    outs = [agent.run(question(number), session=session) for number in range(12)]
    assert {out.status.value for out in outs} == {"completed"}
    assert [len(call.question.messages) for call in server.calls] == [
        2 * min(number, shown) + 1 for number in range(12)
    ]
    assert len(session.messages()) == 24
    assert_record_agrees(server, session=session)
