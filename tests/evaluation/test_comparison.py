"""`nb.compare`: a grid of runs in the background, one tidy row each."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat
from nbagent.errors import PromptError, UnknownModelError, UnknownOptionError
from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait, error


class City(BaseModel):
    """A city."""

    name: str
    people: int


def model(provider: ScriptedProvider, name: str) -> OpenAIChat:
    """A model of that name at the scripted provider."""
    return OpenAIChat(id=name, base_url=provider.base_url, api_key="not-needed")


def test_the_grid_is_one_row_a_run(provider: ScriptedProvider) -> None:
    """Every contender gets every prompt, `repeat` times; rows stand in that order, with tokens and times."""
    provider.otherwise(text_reply("yes"))
    agent = Agent(model=model(provider, "m-1"), name="careful")
    frame = nb.compare([agent, model(provider, "m-2")], ["One?", "Two?"], repeat=2)
    assert len(frame) == len(provider.requests) == 8
    assert list(frame["prompt"]) == ["One?"] * 4 + ["Two?"] * 4
    assert list(frame["contender"])[:4] == ["careful", "careful", "openai-chat:m-2", "openai-chat:m-2"]
    assert list(frame["repeat"]) == [1, 2] * 4
    assert set(frame["status"]) == {"completed"}
    assert set(frame["answer"]) == {"yes"}
    assert (frame["total_tokens"] > 0).all()
    assert (frame["duration_s"] > 0).all()
    assert frame["cost_usd"].isna().all()
    assert frame.groupby("contender", observed=True)["duration_s"].mean().size == 2
    assert set(nb.runs(tags={"compare": "careful"})["run_id"]) < set(frame["run_id"])


def test_runs_work_at_the_same_time(provider: ScriptedProvider) -> None:
    """No run waits for another: all requests are there before the first one is answered."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("yes")))
    opener = threading.Thread(target=lambda: (provider.wait_for_requests(4), gate.open()))
    opener.start()
    frame = nb.compare(model(provider, "m"), ["One?", "Two?"], repeat=2)
    opener.join()
    assert len(frame) == 4


def test_typed_answers_have_columns_of_their_own(provider: ScriptedProvider) -> None:
    """The fields of a schema stand beside the typed answer; a failed run has NA there and its error."""
    provider.reply(json_reply({"name": "Paris", "people": 2}))
    provider.reply(error(400, "no"))
    agent = Agent(model=model(provider, "m"), limits=Limits(model_retries=0, output_retries=0))
    first = nb.compare({"mine": agent}, "Largest?", output_schema=City)
    assert first["answer"][0] == City(name="Paris", people=2)
    assert (first["answer.name"][0], first["answer.people"][0]) == ("Paris", 2)
    second = nb.compare({"mine": agent}, "Largest?", output_schema=City)
    assert list(second["status"]) == ["error"]
    assert second["error"][0]
    assert "answer.name" not in second


def test_equal_names_are_told_apart(provider: ScriptedProvider) -> None:
    """Two agents of one name get a number each."""
    provider.otherwise(text_reply("yes"))
    one = Agent(model=model(provider, "m"))
    frame = nb.compare([one, one, one], "Well?")
    assert list(frame["contender"]) == ["agent", "agent#2", "agent#3"]


@pytest.mark.parametrize(
    ("given", "prompts", "repeat", "raised"),
    [
        ([], "Well?", 1, UnknownModelError),
        ([3], "Well?", 1, UnknownModelError),
        (["demo:assistant"], [], 1, PromptError),
        (["demo:assistant"], "Well?", 0, UnknownOptionError),
        (["demo:assistant"], ["Well?", " "], 1, PromptError),
    ],
)
def test_what_cannot_be_compared_is_refused(
    given: list[Any], prompts: Any, repeat: int, raised: type
) -> None:
    """No contender, no prompt, no repeat: an error, and nothing goes on in the background."""
    with pytest.raises(raised):
        nb.compare(given, prompts, repeat=repeat)
    assert not set(nb.runs()["status"]) & {"pending", "running"}


def test_a_timeout_leaves_unfinished_rows(provider: ScriptedProvider) -> None:
    """Whoever has not ended in time is a row as it stands: NA where nothing is known yet."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("yes")))
    frame = nb.compare(model(provider, "m"), "Well?", timeout=0.05)
    assert set(frame["status"]) <= {"pending", "running"}
    assert pd.isna(frame["total_tokens"][0])
    gate.open()
    nb.get(frame["run_id"][0]).wait(60)
