"""`instructions=`: a text, a list of texts, or a function of no argument; anything else is refused at once."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from nbagent import Agent, ConfigurationError, OpenAIChat, Team
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider


def told(provider: ScriptedProvider, instructions: Any) -> str | None:
    """What the model gets as its system message."""
    provider.reply(text_reply("Yes."))
    model = OpenAIChat(id="m", base_url=provider.base_url, api_key="not-needed")
    Agent(model=model, instructions=instructions).run("Well?")
    first = provider.bodies[-1]["messages"][0]
    return str(first["content"]) if first["role"] == "system" else None


class Desk:
    """Instructions may come from an object's method."""

    def lines(self, place: str = "Rome") -> list[str]:
        """Say where it is."""
        return ["Be brief.", place]

    def __call__(self) -> str:
        """Say so."""
        return "Be right."


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("Be brief.", "Be brief."),
        ("", None),
        ([], None),
        (["Be brief.", "Be right."], "Be brief.\nBe right."),
        (("Be brief.",), "Be brief."),
        (lambda: "Be brief.", "Be brief."),
        (lambda: ["Be brief.", "Be right."], "Be brief.\nBe right."),
        (functools.partial(str.upper, "be brief."), "BE BRIEF."),
        (Desk().lines, "Be brief.\nRome"),
        (Desk(), "Be right."),
    ],
)
def test_texts_lists_and_functions_are_sent(
    provider: ScriptedProvider, instructions: Any, expected: str | None
) -> None:
    """The model gets one system message, or none where there is nothing to say."""
    assert told(provider, instructions) == expected


def test_a_function_is_called_at_each_launch(provider: ScriptedProvider) -> None:
    """What it returns may change between two runs of one agent."""
    count = iter("ab")
    agent = Agent(
        model=OpenAIChat(id="m", base_url=provider.base_url, api_key="x"), instructions=lambda: next(count)
    )
    for expected in "ab":
        provider.reply(text_reply("Yes."))
        agent.run("Well?")
        assert provider.bodies[-1]["messages"][0]["content"] == expected


async def later() -> str:
    """Not a function that can be called at a launch."""
    return "Be brief."


@pytest.mark.parametrize(
    "instructions", [None, 5, b"Be brief.", {"be": "brief"}, ["Be brief.", 5], str.upper, later, str]
)
@pytest.mark.parametrize("make", [Agent, lambda **given: Team(members=[Agent(name="one")], **given)])
def test_anything_else_is_refused_where_the_agent_is_made(make: Any, instructions: Any) -> None:
    """Two lines say what was given and what can be."""
    with pytest.raises(ConfigurationError, match=r"^instructions=.*\n.*a list of texts") as caught:
        make(instructions=instructions)
    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize(
    ("instructions", "said"),
    [(lambda: 1 / 0, "raised ZeroDivisionError"), (lambda: None, "returned None"), (lambda: 5, "returned 5")],
)
def test_a_function_that_gives_no_text_is_refused_at_the_launch(instructions: Any, said: str) -> None:
    """It is named, with what it did; no run is launched."""
    with pytest.raises(ConfigurationError, match=rf"the function '<lambda>' given as instructions {said}"):
        Agent(model="demo:assistant", instructions=instructions).start("Well?")
