"""What a user holds says in short what it is: as text, and as HTML in which everything is escaped."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from nbagent import Agent, Limits, RunMetrics, RunOutput, RunStatus, Session, Team, tool
from nbagent.models import OpenAIChat

HOSTILE = "<img src=x onerror=alert(1)>\u202e\n" + "w" * 400


class City(BaseModel):
    name: str


class Odd:
    """Compares and shows itself as badly as can be."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        raise RuntimeError("no")


@tool
def price(symbol: str) -> float:
    """Last price of a stock."""
    return 1.0


def lookup(name: str) -> str:
    """Look a name up."""
    return name


def held() -> dict[str, Any]:
    agent = Agent(name="analyst", model="demo:assistant", tools=[price, lookup], output_schema=list[City])
    odd = Agent()
    odd.tools, odd.output_schema = [Odd()], np.array([1, 2])
    return {
        "Agent()": Agent(),
        "an agent": agent,
        "hostile": Agent(name=HOSTILE, instructions=HOSTILE, model=HOSTILE),
        "odd": odd,
        "a team": Team(members=[agent, Agent(name="writer")], limits=Limits(max_steps=3)),
        "many members": Team(members=[Agent(name=f"m{n}") for n in range(50)]),
        "metrics": agent.run("Facts about Tokyo.").metrics,
        "no metrics": RunMetrics(),
        "a session": Session("trip"),
        "a hostile session": Session(HOSTILE),
    }


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.found.add(tag)


NAMES = (
    "Agent()", "an agent", "hostile", "odd", "a team", "many members", "metrics", "no metrics", "a session",
    "a hostile session",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_escaped(name: str) -> None:
    """One line of text, at most a few hundred characters, and an HTML table whose only tags are its own."""
    value = held()[name]
    html = value._repr_html_()
    assert len(repr(value)) < 700 if name == "a hostile session" else len(repr(value)) < 400
    assert "\n" not in repr(value)
    assert Tags(html).found <= {"div", "strong", "table", "tbody", "tr", "th", "td"}
    assert type(value).__name__ in repr(value)
    assert type(value).__name__ in html


def test_only_what_was_said_is_told() -> None:
    """Fields as they are by default are left out; functions, classes and members are their names."""
    values = held()
    assert repr(values["Agent()"]) == "Agent(name='agent')"
    assert repr(values["an agent"]) == (
        "Agent(name='analyst', model='demo:assistant', tools=[price, lookup], output_schema=list[City])"
    )
    assert repr(values["a team"]) == (
        "Team(name='team', limits=Limits(max_steps=3), members=[analyst, writer])"
    )
    assert "m5, and 44 more]" in repr(values["many members"])


def test_a_key_shows_nowhere() -> None:
    """A model object that was given a key is told without it."""
    agent = Agent(model=OpenAIChat(id="m", base_url="http://127.0.0.1:1/v1", api_key="sk-very-secret-0123"))
    assert "sk-very" not in repr(agent) + agent._repr_html_()


def test_metrics_say_what_is_known() -> None:
    """Unknown counts are not told as text, and said to be unknown where a person reads the table."""
    assert repr(RunMetrics()) == "RunMetrics()"
    assert (
        repr(RunMetrics(input_tokens=12, duration_s=0.1234567891))
        == "RunMetrics(input_tokens=12, duration_s=0.123457)"
    )
    assert "unknown" in RunMetrics()._repr_html_()


def test_a_long_answer_is_cut() -> None:
    """The text of an output is a beginning of its answer; `content` has all of it."""
    output = RunOutput(run_id="r", session_id="s", status=RunStatus.completed, content="w" * 5_000)
    assert len(repr(output)) < 400
    assert len(output.content) == 5_000


def test_a_session_tells_its_first_prompt() -> None:
    """Its HTML names the conversation by what it began with, and counts its runs."""
    agent = Agent(model="demo:assistant")
    for prompt in ("What is the capital of <b>Peru</b>?", "And of Chile?"):
        agent.run(prompt, session="trip")
    html = Session("trip")._repr_html_()
    assert "What is the capital of &lt;b&gt;Peru" in html
    assert ">2</td>" in html
