"""The key of an answer: each part that decides the answer changes it, nothing else does."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypedDict

import pytest

from nbagent import Agent, Limits, ModelSettings, OpenAIChat, OpenAIResponses, Team
from nbagent.events import FilePart, Message, ToolRequest
from nbagent.runtime.launch.cache_key import cache_key, key_parts


class City(TypedDict):
    """What an answer may be."""

    name: str


class Town(TypedDict):
    """Another one."""

    name: str
    people: int


def chat(name: str = "m-1", **options: Any) -> OpenAIChat:
    """A model that is never asked."""
    return OpenAIChat(id=name, **{"base_url": "http://127.0.0.1:9/v1", "api_key": "not-needed"} | options)


def bodied(body: str, *, name: str = "price", about: str = "Say what a share costs.") -> Callable[..., Any]:
    """A function made of source text, as a notebook's cell makes one."""
    source = f"def {name}(symbol: str) -> float:\n    {about!r}\n    {body}\n"
    file = f"<cell {abs(hash(source))}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names: dict[str, Any] = {}
    exec(compile(source, file, "exec"), names)  # noqa: S102 - a cell is executed text
    function: Callable[..., Any] = names[name]
    return function


BASE = Agent(
    model=chat(), name="desk", instructions="Be exact.", tools=[bodied("return 1.0")], output_schema=City
)
HISTORY = (
    Message(role="user", content="Hello"),
    Message(role="assistant", tool_requests=(ToolRequest(tool_call_id="c1", name="price", arguments="{}"),)),
    Message(role="tool", content="1.0", tool_call_id="c1", name="price"),
    Message(role="assistant", content="Hi", reasoning="Greet."),
)
FILE = FilePart(media_type="image/png", data="aGk=", name="plot")


def key(agent: Agent = BASE, prompt: str = "Well?", **given: Any) -> str:
    """The key of one launch of an agent."""
    asked = {"files": (FILE,), "history": HISTORY} | given
    return cache_key(agent.resolved(), prompt, **asked)


def with_said(number: int, **changes: Any) -> tuple[Message, ...]:
    """The history with one message changed."""
    return (*HISTORY[:number], replace(HISTORY[number], **changes), *HISTORY[number + 1 :])


def of(**changes: Any) -> Callable[[], str]:
    """The key of the agent with some of its fields changed."""
    return lambda: key(replace(BASE, **changes))


DECIDES: dict[str, Callable[[], str]] = {
    "the agent's name": of(name="other"),
    "instructions": of(instructions="Be brief."),
    "the model": of(model=chat("m-2")),
    "the provider": of(model=chat(provider="ollama")),
    "the wire format": of(model=OpenAIResponses(id="m-1", provider="openai-chat", api_key="not-needed")),
    "the temperature": of(settings=ModelSettings(temperature=0.5)),
    "a provider's own setting": of(settings=ModelSettings(extra_body={"top_k": 3})),
    "the longest output": of(limits=Limits(max_output_tokens=10)),
    "the output schema": of(output_schema=Town),
    "no output schema": of(output_schema=None),
    "a tool's body": of(tools=[bodied("return 2.0")]),
    "a tool's name": of(tools=[bodied("return 1.0", name="cost")]),
    "a tool's description": of(tools=[bodied("return 1.0", about="Say a price.")]),
    "another tool": of(tools=[bodied("return 1.0"), bodied("return 0.0", name="n")]),
    "no tool": of(tools=[]),
    "where the model is": of(model=chat(base_url="http://127.0.0.1:10/v1")),
    "the prompt": lambda: key(prompt="Well!"),
    "a space in the prompt": lambda: key(prompt="Well? "),
    "a file's content": lambda: key(files=(replace(FILE, data="aGkh"),)),
    "a file's name": lambda: key(files=(replace(FILE, name="other"),)),
    "no file": lambda: key(files=()),
    "what a person said before": lambda: key(history=with_said(0, content="Good day")),
    "what the model said before": lambda: key(history=with_said(3, content="Ho")),
    "what a tool was asked": lambda: key(
        history=with_said(1, tool_requests=(ToolRequest(tool_call_id="c1", name="price", arguments="[]"),))
    ),
    "what a tool said": lambda: key(history=with_said(2, content="2.0")),
    "no history": lambda: key(history=()),
}  # fmt: skip


@pytest.mark.parametrize("part", DECIDES)
def test_what_decides_the_answer_changes_the_key(part: str) -> None:
    """Each part alone makes another key, and no two of them the same."""
    assert DECIDES[part]() != key()
    assert len({make() for make in DECIDES.values()}) == len(DECIDES)


IRRELEVANT: dict[str, Callable[[], str]] = {
    "the same again": key,
    "time limits": of(limits=Limits(timeout_s=1.0, idle_timeout_s=1.0, queue_timeout_s=1.0)),
    "bounds and retries": of(limits=Limits(max_steps=3, max_total_tokens=9, model_retries=0, output_retries=0)),
    "the key, and who asks": of(model=chat(base_url="http://ann:pw@127.0.0.1:9/v1", api_key="another")),
    "turns": of(on_busy="parallel"),
    "the mode of the cache": of(cache="use"),
    "ids that a provider made up": lambda: key(
        history=(
            HISTORY[0],
            replace(HISTORY[1], tool_requests=(ToolRequest(tool_call_id="x", name="price", arguments="{}"),)),
            replace(HISTORY[2], tool_call_id="x"),
            replace(HISTORY[3], reasoning="Be kind.", provider_items=({"id": "r"},)),
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("part", IRRELEVANT)
def test_what_does_not_decide_it_leaves_the_key(part: str) -> None:
    """Times, bounds, keys and made-up ids are no part of the key."""
    assert IRRELEVANT[part]() == key()


def test_a_team_counts_with_its_members() -> None:
    """A member's tool, model or instructions, their order and the mode change a team's key; deeper ones too."""
    ann, bob = Agent(name="ann", model=chat()), Agent(name="bob", model=chat(), tools=[bodied("return 1.0")])
    team = Team(model=chat(), members=[ann, bob])
    keys = {
        key(team),
        key(replace(team, members=[bob, ann])),
        key(replace(team, mode="route")),
        key(replace(team, members=[ann, replace(bob, tools=[bodied("return 3.0")])])),
        key(replace(team, members=[ann, replace(bob, model=chat("m-9"))])),
        key(Team(model=chat(), members=[team])),
        key(Team(model=chat(), members=[replace(team, members=[ann, replace(bob, instructions="Be kind.")])])),
    }  # fmt: skip
    assert len(keys) == 7
    assert key(replace(team, store_member_responses=False)) in keys


def test_the_key_is_the_same_in_every_process() -> None:
    """Nothing of a process, a hash seed or an address is in it; text that is no valid Unicode has one too."""
    code = (
        "import sys; sys.path.insert(0, '.')\nfrom tests.runtime.test_cache_key import key\n"
        "print(key(), key(prompt='\\ud800'))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{key()} {key(prompt=chr(0xD800))}\n"}


def test_the_parts_say_what_is_in_the_key_and_hold_no_secret() -> None:
    """`key_parts` is plain data for a person to compare; keys and passwords are not in it."""
    model = chat(api_key="sk-secret", base_url="http://ann:pw-secret@127.0.0.1:9/v1")
    parts = str(key_parts(replace(BASE, model=model).resolved(), "Well?"))
    assert "Well?" in parts
    assert "http://127.0.0.1:9/v1" in parts
    assert "secret" not in parts
