"""Replies that the output limit cut: tool calls, typed answers and empty ones end the run at once, with the limit's number."""

from __future__ import annotations

from typing import Literal

import pytest

from nbagent import Agent
from nbagent.spec import Limits
from tests.models.single_call import chat, responses
from tests.provider import chat_wire, responses_wire

CUT = ['{"text": "Once upon a ti', '{"text": ', "{", ""]


def cut_call(wire: str, arguments: str):
    """Return a reply whose only call was cut, in that wire format."""
    if wire == "chat":
        function = {"name": "save", "arguments": arguments}
        part = chat_wire.tool_part(index=0, id="a", type="function", function=function)
        return (part, *chat_wire.end("length"))
    item = responses_wire.call("save", arguments) | {"status": "incomplete"}
    details = {"reason": "max_output_tokens"}
    return responses_wire.numbered(
        (responses_wire.created(), responses_wire.end("incomplete", item, incomplete_details=details))
    )


WIRES = {"chat": (chat_wire, chat), "responses": (responses_wire, responses)}


def save(text: str) -> str:
    """Save a text."""
    return f"saved {text}"


@pytest.fixture(params=WIRES)
def wire(request) -> str:
    """Each wire format."""
    return request.param


@pytest.mark.parametrize("arguments", CUT)
def test_a_cut_call_ends_the_run(provider, wire, arguments):
    """A tool call that was cut is no call: one request, an error that names the tool and the limit, and its row."""
    provider.otherwise(cut_call(wire, arguments))
    output = Agent(model=WIRES[wire][1](provider), tools=[save]).start("Go.").wait(60)
    assert (output.status.value, output.stop_reason) == ("error", "max_output_tokens")
    assert len(provider.requests) == 1
    what, todo = output.error.splitlines()
    assert "'save'" in what
    assert "after 7 tokens" in what
    assert "max_output_tokens" in todo
    (row,) = output.tool_calls
    assert (row.name, row.arguments, row.status, row.result) == ("save", arguments, "error", None)


def test_the_limit_that_was_set_is_named(provider, wire):
    """The number is that of the run's own limit, where it has one."""
    provider.otherwise(cut_call(wire, CUT[0]))
    agent = Agent(model=WIRES[wire][1](provider), tools=[save], limits=Limits(max_output_tokens=50))
    assert "max_output_tokens of 50" in agent.start("Go.").wait(60).error


def test_whole_calls_are_called(provider, wire):
    """Calls that came whole before the limit are what the model wanted."""
    provider.reply(cut_call(wire, '{"text": "x"}'), WIRES[wire][0].text_reply("Saved."))
    output = Agent(model=WIRES[wire][1](provider), tools=[save]).start("Go.").wait(60)
    assert (output.content, output.tool_calls[0].result) == ("Saved.", "saved x")


def test_a_later_run_of_the_session_is_not_sent_it(provider, wire):
    """A call that never was has no answer: no later run of the session is sent it."""
    provider.reply(cut_call(wire, CUT[0]), WIRES[wire][0].text_reply("Here."))
    agent = Agent(model=WIRES[wire][1](provider), tools=[save])
    agent.start("Go.", session_id="s").wait(60)
    assert agent.start("And now?", session_id="s").wait(60).content == "Here."
    assert "Once upon" not in provider.requests[1].raw_body.decode()


def test_it_goes_on_with_more(provider, wire):
    """Resumed with a higher limit, the step is asked again, and the limit is sent."""
    words, model = WIRES[wire]
    provider.reply(
        cut_call(wire, CUT[0]), words.tool_reply(("save", {"text": "x"})), words.text_reply("Saved.")
    )
    run = Agent(model=model(provider), tools=[save]).start("Go.")
    run.wait(60)
    output = run.resume(limits=Limits(max_output_tokens=9000)).wait(60)
    assert (output.status.value, output.content) == ("completed", "Saved.")
    assert 9000 in provider.bodies[1].values()


@pytest.mark.parametrize(
    ("schema", "text", "stop_reason", "content"),
    [
        (dict[str, int], '{"a": 1, "b": 2', "max_output_tokens", '{"a": 1, "b": 2'),
        (int, "12", "max_output_tokens", "12"),
        (Literal["yes", "yesterday"], "yes", "max_output_tokens", "yes"),
        (list[int], "[1, 2]", "end", [1, 2]),
        (dict[str, int], '{"a": 1}', "end", {"a": 1}),
    ],
)
def test_a_typed_answer_that_was_cut(provider, wire, schema, text, stop_reason, content):
    """A typed answer that was cut is an error with the limit, also where its half would fit; a whole one is an answer."""
    provider.otherwise(WIRES[wire][0].stopped_reply("max_output_tokens", text))
    output = Agent(model=WIRES[wire][1](provider)).start("Go.", output_schema=schema).wait(60)
    assert (output.stop_reason, output.content) == (stop_reason, content)
    assert output.status.value == ("completed" if stop_reason == "end" else "error")
    assert len(provider.requests) == 1


def test_an_empty_answer_that_was_cut(provider, wire):
    """Where reasoning used the limit up there is no answer, and that is said; text that was cut is still one."""
    words, model = WIRES[wire]
    provider.reply(words.stopped_reply("max_output_tokens"), words.stopped_reply("max_output_tokens", "Par"))
    empty = Agent(model=model(provider)).start("Go.").wait(60)
    assert (empty.status.value, empty.stop_reason) == ("error", "max_output_tokens")
    assert "no answer" in empty.error
    text = Agent(model=model(provider)).start("Go.").wait(60)
    assert (text.status.value, text.stop_reason, text.content) == ("completed", "max_output_tokens", "Par")
