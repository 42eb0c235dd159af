"""Faults of a provider through the whole runtime, on each wire format: how a run ends, what it says, and when."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from nbagent import Agent
from nbagent.models import OpenAIChat, OpenAIResponses
from nbagent.models import capabilities as concessions_module
from nbagent.models.anthropic import AnthropicMessages
from nbagent.run import RunStatus
from nbagent.spec import Limits
from tests.provider import chat_wire, messages_wire, responses_wire
from tests.provider.steps import Drop, DropAt, Head, Raw, Script, Silence, answer, error

HTML = "<!DOCTYPE html><html><head><title>Welcome to the portal</title></head><body>Log in</body></html>"
CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
JSON = Head(200, {"content-type": "application/json"})
WIRES = {
    "chat": (chat_wire, OpenAIChat),
    "responses": (responses_wire, OpenAIResponses),
    "messages": (messages_wire, AnthropicMessages),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a provider answers, in order, in the words of a wire format, and how the run must end.

    `says` is part of the error, `content` the answer (or the text that was kept), `requests` how many were made,
    `after_s` is how long its pauses are.
    """

    id: str
    answers: Callable[[Any], Sequence[Script]]
    status: str = "completed"
    stop: str = "end"
    says: str = ""
    content: Any = None
    requests: int = 1
    retries: int = 0
    schema: Any = None
    tools: bool = False
    tokens: int | None = None
    idle_s: float = 5.0
    after_s: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)


def failing(id: str, *scripts: Script, says: str, **fields: Any) -> Row:  # noqa: A002
    """Return a row that ends as an error, the same on each wire format."""
    return Row(
        **(
            {"id": id, "answers": lambda _: scripts, "status": "error", "stop": "error", "says": says}
            | fields
        )
    )


def begun(wire: Any, *steps: Any) -> Sequence[Script]:
    """Return one answer that begins with text."""
    return [(*wire.begun(), *wire.text("Par"), *steps)]


PARIS = "Paris"
REPAIRED = {"schema": CITY, "content": {"name": "Paris"}}

TABLE = [
    # HTTP statuses
    failing("400", error(400, "temperature too high", param="temperature"), says="(400): temperature too high", retries=2),
    failing("401", error(401, "bad key"), says="refused the key in OPENAI_API_KEY (401)", retries=2),
    failing("402", error(402, "Insufficient Balance"), says="wants to be paid first"),
    failing("403", error(403, "no access"), says="does not let this key use model 'scripted'", retries=2),
    failing("404 model", error(404, "The model `scripted` does not exist", code="model_not_found"), says="has no model 'scripted'", retries=2),
    failing("404 path", answer(404, {"detail": "Not Found"}), says="requests at http://127.0.0.1:"),
    failing("405", answer(405, ""), says="requests (405)"),
    failing("408", error(408, "slow"), says="gave up waiting (408)"),
    failing("408 retry-after", *[error(408, "slow", headers={"retry-after": "0.3"})] * 2, says="gave up waiting (408)", retries=1, requests=2, after_s=0.3),
    failing("409", error(409, "busy"), says="has a conflict (409)"),
    Row(id="409 retry-after", answers=lambda w: [error(409, "busy", headers={"retry-after": "0.2"}), w.text_reply("Paris")], content=PARIS, retries=1, requests=2, after_s=0.2),
    failing("413", error(413, "too big"), says="too large"),
    failing("422", answer(422, {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}), says="cannot read the request", retries=2),
    failing("429", error(429, "slow down"), says="limits how much model 'scripted' may be asked (429): slow down"),
    Row(id="429 retry-after", answers=lambda w: [error(429, "x", headers={"retry-after": "0.4"}), w.text_reply("Paris")], content=PARIS, retries=1, requests=2, after_s=0.4),
    Row(id="429 retry-after-ms", answers=lambda w: [error(429, "x", headers={"retry-after-ms": "150", "retry-after": "9"}), w.text_reply("Paris")], content=PARIS, retries=1, requests=2, after_s=0.15),
    failing("429 retry-after too long", error(429, "x", headers={"retry-after": "3600"}), says="(429)", retries=3),
    failing("429 quota", error(429, "no quota", code="insufficient_quota"), says="has no quota left", retries=2),
    Row(id="429 twice, then an answer", answers=lambda w: [*[error(429, "x")] * 2, w.text_reply("Paris")], content=PARIS, retries=2, requests=3, after_s=1.0),
    failing("500", error(500, "boom"), says="failed (500): boom"),
    Row(id="500, then an answer", answers=lambda w: [error(500, "x"), w.text_reply("Paris")], content=PARIS, retries=1, requests=2, after_s=0.3),
    failing("502 web page", answer(502, HTML), says="a web page ('Welcome to the portal')"),
    failing("503", error(503, "loading"), says="is overloaded (503)"),
    Row(id="503 retry-after", answers=lambda w: [error(503, "x", headers={"retry-after": "0.2"}), w.text_reply("Paris")], content=PARIS, retries=1, requests=2, after_s=0.2),
    failing("529", error(529, "Overloaded"), says="is overloaded (529)"),
    # replies that are none
    failing("web page", answer(200, HTML), says="answered with a web page instead of a model's reply", retries=2),
    failing("web page called a stream", (Raw(HTML.encode()),), says="did"),
    failing("plain text", answer(200, "It works!"), says="ended before the"),
    failing("JSON cut short", (JSON, Raw(b'{"choices": [')), says="its JSON is cut short"),
    failing("JSON list", (JSON, Raw(b"[]")), says="no model's reply"),
    failing("JSON error with 200", answer(200, {"error": {"message": "no such model", "code": 404}}), says="no such model"),
    failing("empty body", (Head(200, {}),), says="an empty reply"),
    # streams that break
    Row(id="early clean end", answers=begun, status="error", stop="error", says="ended before the", content="Par"),
    Row(id="early clean end, then an answer", answers=lambda w: [*begun(w), w.text_reply("Paris")], content=PARIS, retries=1, requests=2),
    Row(id="early clean end twice alike", answers=lambda w: [*begun(w)] * 2, content="Par", retries=3, requests=2),
    Row(id="early clean end in other words each time", answers=lambda w: [*begun(w), *begun(w, *w.text("is"))], status="error", stop="error", says="ended before the", content="Paris", retries=1, requests=2),
    Row(id="early clean end before any text", answers=lambda w: [w.begun()] * 2, status="error", stop="error", says="ended before the", retries=1, requests=2),
    Row(id="cut chunk", answers=lambda w: begun(w, Raw(b'data: {"choices": [{"del')), status="error", stop="error", says="a chunk of it is no JSON", content="Par"),
    Row(id="error object", answers=lambda w: begun(w, *w.error_in_reply("upstream")), status="error", stop="error", says="failed in its reply: upstream", content="Par"),
    failing("dropped before the head", (Drop(),), says="dropped the connection"),
    failing("closed before the head", (Drop(reset=False),), says="dropped the connection"),
    Row(id="dropped in mid-chunk", answers=lambda w: [(DropAt(150), *w.text_reply("Paris"))], status="error", stop="error", says="dropped the connection"),
    Row(id="dropped in mid-text", answers=lambda w: begun(w, Drop(reset=False)), status="error", stop="error", says="dropped the connection"),
    Row(id="dropped, then an answer", answers=lambda w: [*begun(w, Drop(reset=False)), w.text_reply("Paris")], content=PARIS, retries=1, requests=2),
    Row(id="dropped for good", answers=lambda _: [(Drop(),)] * 2, status="error", stop="error", says="dropped the connection", retries=1, requests=2),
    # silence
    failing("silence before the head", (Silence(),), says="sent nothing for 1 s", status="timeout", stop="idle_timeout", idle_s=1.0, retries=2, after_s=1.0),
    failing("silence after the head", (Head(), Raw(b": hi\n\n"), Silence()), says="sent nothing for 1 s", status="timeout", stop="idle_timeout", idle_s=1.0),
    Row(id="silence in mid-text", answers=lambda w: begun(w, Silence()), status="timeout", stop="idle_timeout", says="sent nothing for 1 s", content="Par", idle_s=1.0),
    # replies with something odd or missing
    Row(id="unknown events", answers=lambda w: [w.strange_reply("Par", "is")], content=PARIS, tokens=18),
    Row(id="missing usage", answers=lambda w: [w.text_reply("Paris", usage=None)], content=PARIS, tokens=None),
    Row(id="cumulative usage", answers=lambda w: [w.cumulative_usage_reply("Par", "is")], content=PARIS, tokens=18),
    Row(id="tool arguments null", answers=lambda w: [w.tool_arguments(None), w.text_reply("Paris")], tools=True, content=PARIS, requests=2),
    Row(id="tool arguments split", answers=lambda w: [w.tool_arguments('{"sym', 'bol": "A', 'B"}'), w.text_reply("Paris")], tools=True, content=PARIS, requests=2),
    Row(id="tool arguments without an index", answers=lambda w: [w.tool_arguments('{"symbol": ', '"AB"}', index=None), w.text_reply("Paris")], tools=True, content=PARIS, requests=2),
    Row(id="tool arguments as an object", answers=lambda w: [w.tool_arguments({"symbol": "AB"}), w.text_reply("Paris")], tools=True, content=PARIS, requests=2),
    Row(id="tool arguments invalid", answers=lambda w: [w.tool_arguments('{"symbol": '), w.text_reply("Paris")], tools=True, content=PARIS, requests=2),
    # structured output
    Row(id="JSON", answers=lambda w: [w.json_reply({"name": "Paris"})], **REPAIRED),
    Row(id="JSON in a fence", answers=lambda w: [w.text_reply('```json\n{"name": "Paris"}\n```')], **REPAIRED),
    Row(id="JSON invalid, then repaired", answers=lambda w: [w.text_reply('{"name": 7}'), w.json_reply({"name": "Paris"})], requests=2, **REPAIRED),
    Row(id="JSON cut, then repaired", answers=lambda w: [w.text_reply('{"name": "Par'), w.json_reply({"name": "Paris"})], requests=2, **REPAIRED),
    Row(id="JSON invalid for good", answers=lambda w: [w.text_reply('{"name": 7}')] * 2, schema=CITY, status="error", stop="invalid_output", says="does not fit", content='{"name": 7}', requests=2),
    Row(id="JSON cut at the limit", answers=lambda w: [w.stopped_reply("max_output_tokens", '{"name": "Par')], schema=CITY, status="error", stop="max_output_tokens", says="cut off at the model's own output limit", content='{"name": "Par'),
    Row(id="schema refused", answers=lambda w: [error(400, "json_schema is not supported", param="response_format"), w.json_reply({"name": "Paris"})], requests=2, **REPAIRED),
    # ends that are no answers
    Row(id="refusal", answers=lambda w: [w.refusal_reply("I cannot.")], status="error", stop="refusal", says="the model refused: I cannot."),
    Row(id="length stop", answers=lambda w: [w.stopped_reply("max_output_tokens", "Par")], stop="max_output_tokens", content="Par"),
    Row(id="content filter", answers=lambda w: [w.stopped_reply("content_filter", "Par")], status="error", stop="content_filter", says="content filter", content="Par"),
    Row(id="401 in the middle of a run", answers=lambda w: [w.tool_reply(("price", {"symbol": "AB"})), error(401, "revoked")], tools=True, status="error", stop="error", says="refused the key", requests=2),
    # nobody there
    failing("DNS failure", says="the host of http://nowhere.invalid/v1 is not known", requests=0, options={"base_url": "http://nowhere.invalid/v1"}),
    failing("no server", says="no server answers at http://127.0.0.1:9/v1", requests=0, options={"base_url": "http://127.0.0.1:9/v1"}),
    failing("no address", says="is no address that can be asked", requests=0, options={"base_url": "localhost/v1"}),
]  # fmt: skip
BACKGROUND = [
    Row(id="background ignored", answers=lambda w: [w.text_reply("Paris")], content=PARIS, tokens=18),
    Row(id="background refused", answers=lambda w: [error(400, "no background here", param="background"), w.text_reply("Paris")], content=PARIS, requests=2),
    failing("background: create dropped", (Drop(),), says="whether provider 'openai' created the background response is not known", retries=3),
    failing("background: create unanswered", error(504, "x"), says="created the background response is not known", retries=3),
    Row(id="background: create refused for now", answers=lambda w: [error(429, "x", headers={"retry-after": "0.1"}), w.text_reply("Paris")], content=PARIS, retries=1, requests=2, after_s=0.1),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """What a first run loads takes most of a second: it is no part of the times that the table states."""
    for name in ("aiohttp", "jsonschema_rs", "nbagent.agent"):
        importlib.import_module(name)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    """A key in the provider's variable, and nothing conceded to another test's server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-AbCdEf0123456789AbCdEf")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-AbCdEf0123456789AbCdEf")
    monkeypatch.setattr(concessions_module, "_memories", {})


def price(symbol: str = "none") -> str:
    """Return the price of a share."""
    return f"{symbol}: 12"


def run_row(provider: Any, row: Row, wire: ModuleType, model: Any) -> None:
    """Run an agent against the row's answers and hold the row against how it ended."""
    provider.reply(*row.answers(wire))
    provider.otherwise(error(418, "one request too many"))
    limits = Limits(idle_timeout_s=row.idle_s, model_retries=row.retries, timeout_s=20.0)
    agent = Agent(model=model, tools=[price] if row.tools else (), limits=limits)
    began = time.monotonic()
    output = agent.start("Where?", output_schema=row.schema).wait(60)
    took_s = time.monotonic() - began
    assert (output.status, output.stop_reason) == (RunStatus(row.status), row.stop), output.error
    assert row.says.replace("OPENAI_API_KEY", model.row.key_variable) in (output.error or "")
    assert bool(output.error) == (row.status != "completed")
    if row.content is not None:
        assert output.content == row.content
    if row.tokens is not None or row.id == "missing usage":
        assert output.metrics.total_tokens == row.tokens
    assert len(provider.requests) == row.requests
    assert not {"sk-proj", "sk-ant"} & set(re.findall(r"sk-\w+", output.error or ""))
    assert took_s >= row.after_s


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
@pytest.mark.parametrize("wire", WIRES)
def test_fault_of_a_run(provider, wire, row):
    """Each fault ends in its row's status, stop reason and message, after its pauses and its number of requests."""
    words, kind = WIRES[wire]
    options = {"id": "scripted", "base_url": provider.base_url} | row.options
    run_row(provider, row, words, kind(**options))


@pytest.mark.parametrize("row", BACKGROUND, ids=lambda row: row.id)
def test_fault_of_a_background_run(provider, row):
    """A provider that cannot, or may have, run a response on its own side: said, and never paid twice."""
    model = OpenAIResponses(id="scripted", base_url=provider.base_url, background=True)
    run_row(provider, row, responses_wire, model)


def test_the_table_is_long_enough():
    """At least forty faults on each wire format."""
    assert len({row.id for row in TABLE}) == len(TABLE) >= 40
