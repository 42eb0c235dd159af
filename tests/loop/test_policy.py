"""What comes next is a pure function of the state; this is its table."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from nbagent.events import ToolRequest, TypedAnswer
from nbagent.loop import AskModel, CallTools, Check, Finish, LoopState, next_action
from nbagent.models.protocol import ReplyFinished
from nbagent.schemas import InvalidOutputError, OutputSchema
from nbagent.spec import AgentSpec, Limits


class City(BaseModel):
    name: str
    people: int


PLAIN = AgentSpec(name="a", model="demo:assistant")
TYPED = AgentSpec(name="a", model="demo:assistant", output_schema=OutputSchema.of(City))
TEXT = AgentSpec(name="a", model="demo:assistant", output_schema=OutputSchema.of(str))
TIGHT = AgentSpec(
    name="a",
    model="demo:assistant",
    limits=Limits(max_steps=2, max_total_tokens=100, max_cost_usd=0.5),
)
TOOL = ToolRequest(tool_call_id="1", name="price", arguments="{}")
GOOD = '{"name": "Tokyo", "people": 37}'
CHECKED = TypedAnswer(GOOD, City(name="Tokyo", people=37))


def reply(text: str = "", finish_reason: str = "stop", **fields: object) -> ReplyFinished:
    return ReplyFinished(text=text, finish_reason=finish_reason, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "state", "expected"),
    [
        (PLAIN, LoopState(), AskModel()),
        (PLAIN, LoopState(reply=reply("yes")), Finish(stop_reason="end", content="yes")),
        (PLAIN, LoopState(reply=reply("ye", "length")), Finish(stop_reason="max_output_tokens", content="ye")),
        (PLAIN, LoopState(reply=reply(tool_requests=(TOOL,))), CallTools(requests=(TOOL,))),
        (PLAIN, LoopState(reply=reply(finish_reason="tool_calls", tool_requests=(TOOL,))), CallTools(requests=(TOOL,))),
        (PLAIN, LoopState(reply=reply("", "length", tool_requests=(TOOL,))), CallTools(requests=(TOOL,))),
        (TIGHT, LoopState(step=1, total_tokens=99), AskModel()),
        (TYPED, LoopState(reply=reply(GOOD)), Check(text=GOOD)),
        (TYPED, LoopState(reply=reply(GOOD), checked=CHECKED), Finish(stop_reason="end", content={"name": "Tokyo", "people": 37}, output_valid=True, typed=CHECKED)),
        (TYPED, LoopState(reply=reply(GOOD, "length"), checked=CHECKED), Finish(stop_reason="end", content={"name": "Tokyo", "people": 37}, output_valid=True, typed=CHECKED)),
        (TEXT, LoopState(reply=reply(GOOD)), Finish(stop_reason="end", content=GOOD)),
        (TEXT, LoopState(reply=reply('"so', "length")), Finish(stop_reason="max_output_tokens", content='"so')),
    ],
)  # fmt: skip
def test_next_action(spec: AgentSpec, state: LoopState, expected: object) -> None:
    """Each state has one next action."""
    assert next_action(spec, state) == expected


@pytest.mark.parametrize(
    ("state", "stop_reason"),
    [
        (LoopState(step=2), "max_steps"),
        (LoopState(step=1, total_tokens=100), "max_total_tokens"),
        (LoopState(step=1, cost_usd=0.5), "max_cost"),
    ],
)
def test_a_limit_ends_the_run_before_the_next_call(state: LoopState, stop_reason: str) -> None:
    """A limit that is reached ends the run with its own stop_reason; it says the figure and what to do."""
    action = next_action(TIGHT, state)
    assert isinstance(action, Finish)
    assert action.stop_reason == stop_reason
    what, todo = (action.error or "").splitlines()
    assert any(figure in what for figure in ("2", "100", "0.5"))
    assert f"run.resume(limits=Limits({stop_reason}" in todo


@pytest.mark.parametrize("finished", [reply("no", refusal="I will not"), reply("no", "refusal")])
def test_a_refusal_is_no_answer(finished: ReplyFinished) -> None:
    """A refusal ends the run as an error that quotes the model, also where a schema was asked for."""
    action = next_action(TYPED, LoopState(reply=finished))
    assert isinstance(action, Finish)
    assert action.stop_reason == "refusal"


def test_an_invalid_answer_is_sent_back_once_then_kept() -> None:
    """An invalid answer goes back with its problems; still invalid, the run ends with the raw text kept."""
    wrong = InvalidOutputError(["people: Field required"])
    first = next_action(TYPED, LoopState(step=1, reply=reply('{"name": "Tokyo"}'), checked=wrong))
    assert isinstance(first, AskModel)
    assert first.repair is not None
    assert "people" in first.repair
    second = next_action(TYPED, LoopState(step=2, repairs=1, reply=reply('{"name": "Tokyo"}'), checked=wrong))
    assert isinstance(second, Finish)
    assert (second.stop_reason, second.output_valid, second.content) == (
        "invalid_output",
        False,
        '{"name": "Tokyo"}',
    )


def test_an_answer_cut_off_is_not_sent_back() -> None:
    """A structured answer cut at the token limit would be cut again: it ends the run and says so."""
    wrong = InvalidOutputError(["the answer is not valid JSON"])
    action = next_action(TYPED, LoopState(step=1, reply=reply('{"name": "Tok', "length"), checked=wrong))
    assert isinstance(action, Finish)
    assert action.stop_reason == "max_output_tokens"
    assert "cut off" in (action.error or "")


def test_a_check_that_did_not_end_is_not_sent_back() -> None:
    """Where the user's validator hangs, another answer would hang it again: the run ends and says so."""
    hung = InvalidOutputError(["the validators of City had not ended after 10 s"], repairable=False)
    action = next_action(TYPED, LoopState(step=1, reply=reply(GOOD), checked=hung))
    assert isinstance(action, Finish)
    assert (action.stop_reason, action.content, action.output_valid) == ("invalid_output", GOOD, False)
    assert "had not ended" in (action.error or "")
