"""A model server that counts what it was asked and what it gave out, in tokens and dollars; what a job is held against.

A token is a word, a number or a mark. `PRICES` is its price list; a request that it refuses costs nothing.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

import nbagent as nb
from nbagent import settings
from tests.provider import chat_wire
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Wait, error

PRICES = {
    "openai-chat:small": {"input": 150.0, "output": 600.0},
    "openai-chat:large": {"input": 2500.0, "output": 10000.0},
}
COUNTED = ("model_calls", "input_tokens", "output_tokens", "total_tokens", "cost_usd")
IN_SQL = """
select count(*) as model_calls, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
       sum(total_tokens) as total_tokens, sum(cost_usd) as cost_usd from model_calls"""


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """A reply that asks for tools: `(name, arguments)` each."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is an error."""

    status: int
    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A reply that waits at a gate; it is counted only if the one who asked is still there when it opens."""

    gate: Gate
    reply: Any


@dataclass(frozen=True, slots=True)
class Question:
    """A request as the model sees it."""

    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.body["model"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, without instructions."""
        return [one for one in self.body["messages"] if one["role"] != "system"]

    @property
    def prompt(self) -> str:
        """The first thing that the person said last: corrections and tools' results come after it."""
        asked = [one["content"] for one in self.messages if one["role"] == "user"]
        return str(asked[-1])

    @property
    def told(self) -> list[str]:
        """The results of tools at the conversation's end, in the order in which they were asked for."""
        results: list[str] = []
        for message in reversed(self.messages):
            if message["role"] != "tool":
                break
            results.insert(0, str(message["content"]))
        return results


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the server counts it."""

    question: Question
    request: Request
    reply: Any

    @property
    def is_paid(self) -> bool:
        """Whether it was given out: a refusal is not, nor what nobody was left to hear."""
        lost = isinstance(self.reply, Held) and not self.request.answered.is_set()
        return not lost and not isinstance(self.reply, Refused)

    @property
    def input_tokens(self) -> int:
        """The tokens of all messages."""
        return sum(map(tokens, _texts(self.question.body["messages"]))) if self.is_paid else 0

    @property
    def output_tokens(self) -> int:
        """The tokens of the reply."""
        reply = self.reply.reply if isinstance(self.reply, Held) else self.reply
        return tokens(_text(reply)) if self.is_paid else 0

    @property
    def cost_usd(self) -> float:
        """What it costs at the prices of this file."""
        price = PRICES[f"openai-chat:{self.question.model}"]
        return (self.input_tokens * price["input"] + self.output_tokens * price["output"]) / 1_000_000


class CountingServer:
    """See the module. `answers` says what the model replies: text, a value for its JSON, or one of the classes above."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.url = provider.base_url
        self.answers: Callable[[Question], Any] = lambda question: f"You said: {question.prompt}"
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        provider.otherwise(self._answer)

    @property
    def calls(self) -> list[Call]:
        """All requests so far, in order."""
        with self._lock:
            return list(self._calls)

    def count(self, calls: Iterable[Call] | None = None, *, model: str | None = None) -> dict[str, float]:
        """Return requests, tokens and dollars of all calls, of these, or of those of one model."""
        chosen = [
            one for one in (self.calls if calls is None else calls) if model in (None, one.question.model)
        ]
        tokens_in, tokens_out = (sum(getattr(one, name) for one in chosen) for name in COUNTED[1:3])
        cost_usd = sum(one.cost_usd for one in chosen)
        return dict(
            zip(COUNTED, (len(chosen), tokens_in, tokens_out, tokens_in + tokens_out, cost_usd), strict=True)
        )

    def costs(self, key: Callable[[Question], str]) -> Mapping[str, float]:
        """Return the dollars of what was asked about each thing."""
        costs: Counter[str] = Counter()
        for one in self.calls:
            costs[key(one.question)] += one.cost_usd  # type: ignore[assignment]
        return costs

    def agent(self, model: str = "small", **fields: Any) -> nb.Agent:
        """Return an agent whose model is here; a failed request is not sent again."""
        given = {"limits": nb.Limits(model_retries=0)} | fields
        return nb.Agent(model=model_at(self.url, model), **given)

    def _answer(self, request: Request) -> Script:
        question = Question(request.body)
        reply = self.answers(question)
        call = Call(question, request, reply)
        with self._lock:
            self._calls.append(call)
        return _script(call, reply)


def model_at(url: str, name: str) -> nb.OpenAIChat:
    """Return a model of the server at this address."""
    return nb.OpenAIChat(id=name, base_url=url, api_key="not-needed")


def with_prices() -> None:
    """Set the server's prices as a person would, in this process."""
    settings.configure("prices", PRICES)


def tokens(text: str) -> int:
    """Return how many tokens a text has."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def _texts(messages: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for message in messages:
        yield str(message.get("content") or "")
        for call in message.get("tool_calls", ()):
            yield call["function"]["name"]
            yield call["function"]["arguments"]


def _text(reply: Any) -> str:
    if isinstance(reply, ToolCalls):
        return " ".join(f"{name} {arguments}" for name, arguments in reply.calls)
    return reply if isinstance(reply, str) else chat_wire.json.dumps(reply)


def _script(call: Call, reply: Any) -> Script:
    if isinstance(reply, Held):
        return (Wait(reply.gate), *_script(call, reply.reply))
    if isinstance(reply, Refused):
        return error(reply.status, reply.message, code=reply.code)
    price = Call(call.question, call.request, reply)
    usage = {"prompt_tokens": price.input_tokens, "completion_tokens": price.output_tokens}
    usage["total_tokens"] = sum(usage.values())
    if isinstance(reply, ToolCalls):
        return chat_wire.tool_reply(*reply.calls, usage=usage)
    words = re.findall(r"\S+\s*", _text(reply))
    half = len(words) // 2
    return chat_wire.text_reply("".join(words[:half]), "".join(words[half:]), usage=usage)


def assert_record_agrees(server: CountingServer, **filters: Any) -> None:
    """Every frame over these runs, and the record in SQL, has the server's count: of all, and of each model."""
    frames = {
        "by_model": nb.metrics.by_model(**filters),
        "by_agent": nb.metrics.by_agent(**filters),
        "by_session": nb.metrics.by_session(**filters),
        "runs": nb.runs(**filters),
    }
    expected = server.count()
    assert {name: sums(frame) for name, frame in frames.items()} == {
        name: pytest.approx(expected, rel=1e-12) for name in frames
    }
    by_model = frames["by_model"]
    assert set(by_model["model"]) == {call.question.model for call in server.calls}
    for model in by_model["model"]:
        found = sums(by_model[by_model["model"] == model])
        assert found == pytest.approx(server.count(model=model), rel=1e-12), model
    if not filters:
        assert sums(nb.sql(IN_SQL)) == pytest.approx(expected, rel=1e-12)


def assert_batch_agrees(server: CountingServer, batch: nb.Batch, calls: Iterable[Call] | None = None) -> None:
    """A batch's metrics, progress and frame have the server's count of all calls, or of these; so have its runs."""
    expected = server.count(calls)
    metrics, progress = batch.metrics, batch.progress
    assert {name: getattr(metrics, name) or 0 for name in COUNTED} == pytest.approx(expected, rel=1e-12)
    assert progress.tokens == expected["total_tokens"]
    assert [progress.cost_usd or 0, batch.to_frame()["cost_usd"].sum()] == pytest.approx(
        [expected["cost_usd"]] * 2, rel=1e-12
    )
    assert sums(nb.metrics.by_model(batch=batch)) == pytest.approx(expected, rel=1e-12)
    assert sums(nb.runs(batch=batch)) == pytest.approx(expected, rel=1e-12)


def sums(frame: pd.DataFrame) -> dict[str, float]:
    """The sums of a frame's columns that the server counts too."""
    return {name: frame[name].sum() for name in COUNTED}
