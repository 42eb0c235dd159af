"""OpenAIResponses against a server that somebody else wrote: aimock, from the npm registry.

Needs node and npm, and installs the package into a temporary folder, so this is a soak. How faithful it is, is
judged against the SDK's own types: FIDELITY holds what its events lack. Each difference that matters to us is a
scripted test in tests/models/test_aimock_quirks.py.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
import typing
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pydantic
import pytest

from nbagent import Agent, tool
from nbagent.errors import ModelError, ProviderOverloadedError, ProviderRefusedError
from nbagent.events import Message
from nbagent.models import (
    ModelRequest,
    Notice,
    OpenAIResponses,
    ReasoningDelta,
    ReplyStarted,
    SchemaDefinition,
    TextDelta,
    close_connections,
)

NODE, NPM = shutil.which("node"), shutil.which("npm")
PACKAGE = "@copilotkit/aimock@1.43.0"
FIXTURES = Path(__file__).parent / "aimock_fixtures.json"
MODEL = "gpt-5-mini"
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not (NODE and NPM), reason="node and npm are not on the path"),
]
# fields that the SDK's types require and aimock leaves out, by event: none of them is one that we need
_OF_RESPONSES = {"parallel_tool_calls", "sequence_number", "tool_choice", "tools"}
FIDELITY = {
    "response.created": _OF_RESPONSES,
    "response.in_progress": _OF_RESPONSES,
    "response.completed": {"input_tokens_details", "output_tokens_details", *_OF_RESPONSES},
    "response.output_text.delta": {"logprobs", "sequence_number"},
    "response.output_text.done": {"logprobs", "sequence_number"},
} | {
    f"response.{kind}": {"sequence_number"}
    for kind in (
        "content_part.added",
        "content_part.done",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.added",
        "output_item.done",
        "reasoning_summary_part.added",
        "reasoning_summary_part.done",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
    )
}


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """A running server; its base URL."""
    folder = tmp_path_factory.mktemp("aimock")
    subprocess.run(
        [NPM, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    command = [
        NODE,
        script,
        "--port",
        str(port),
        "--fixtures",
        FIXTURES,
        "--chunk-size",
        "6",
        "--latency",
        "5",
        "--validate-on-load",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        while not _answers(port):
            assert server.poll() is None
            assert time.monotonic() < deadline
        yield f"http://127.0.0.1:{port}/v1"
        server.kill()


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(url: str, question: str, *, background: bool = False, **request):
    """Return the events of one question."""

    async def collect():
        model = OpenAIResponses(id=MODEL, base_url=url, background=background)
        asked = ModelRequest(
            **{"messages": (Message(role="user", content=question),), "idle_timeout_s": 10.0} | request
        )
        try:
            return [event async for event in model.stream(asked)]
        finally:
            await close_connections()

    return asyncio.run(collect())


def shown(events) -> str:
    """Return the text that was yielded."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_text(url):
    """Text streams in pieces after one start; the end has it whole, with the counts and ids."""
    events = ask(url, "capital?")
    finished = events[-1]
    assert isinstance(events[0], ReplyStarted)
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert shown(events) == finished.text == "The capital of France is Paris, as it has been for a long time."
    assert (finished.usage.input_tokens, finished.usage.output_tokens) == (11, 7)
    assert finished.response_id.startswith("resp")


def test_usage_that_is_not_counted(url):
    """Its zeros are no counts."""
    finished = ask(url, "uncounted")[-1]
    assert (finished.usage.total_tokens, finished.usage_source) == (None, "missing")


def test_reasoning(url):
    """A reasoning summary is reasoning, and the answer is free of it; its item is kept for the next turn."""
    events = ask(url, "think")
    assert any(isinstance(event, ReasoningDelta) for event in events)
    assert (events[-1].text, events[-1].reasoning) == ("42.", "I have to think about this for a moment.")
    assert [kept["item"]["type"] for kept in events[-1].provider_items] == ["reasoning", "message"]


def test_length_stop(url):
    """Its response is incomplete though its last event says completed: the response is believed."""
    finished = ask(url, "long")[-1]
    assert (finished.text, finished.finish_reason) == ("It goes on and", "length")


def test_schema(url):
    """A request with a strict schema is taken."""
    schema = SchemaDefinition(
        name="City", json_schema={"type": "object", "properties": {"name": {"type": "string"}}}
    )
    assert json.loads(ask(url, "city", schema=schema)[-1].text)["name"] == "Paris"


def test_other_items(url):
    """An item of a tool that runs at the provider does no harm and is kept for the next turn."""
    finished = ask(url, "search")[-1]
    assert finished.text == "Found it."
    assert [kept["item"]["type"] for kept in finished.provider_items] == ["web_search_call", "message"]


def test_tool_loop(url):
    """A whole run: two calls at once, their results, the answer; the history with its items is taken."""
    asked = []

    @tool
    def price(symbol: str) -> float:
        """Return the price of a share."""
        asked.append(symbol)
        return 223.0

    agent = Agent(model=OpenAIResponses(id=MODEL, base_url=url), tools=[price])
    run = agent.start("price?", session_id="aimock").result(timeout=20)
    assert (run.content, sorted(asked)) == ("AAPL is at 223.0.", ["AAPL", "MSFT"])
    again = agent.start("capital?", session_id="aimock").result(timeout=20)
    assert again.content.startswith("The capital of France")


def test_text_and_a_call(url):
    """A reply of text and a call has both."""
    finished = ask(url, "both")[-1]
    assert (finished.text, finished.tool_requests[0].name) == ("I look it up.", "price")


@pytest.mark.parametrize(
    ("question", "kind", "status", "retry_after_s"),
    [
        ("limit", ProviderOverloadedError, 429, 7.0),
        ("refused", ProviderRefusedError, 400, None),
        ("nothing fits this", ProviderRefusedError, 404, None),
    ],
)
def test_errors(url, question, kind, status, retry_after_s):
    """Its errors are ours, Retry-After included."""
    with pytest.raises(ModelError) as raised:
        ask(url, question)
    assert type(raised.value) is kind
    assert (raised.value.status_code, raised.value.retry_after_s) == (status, retry_after_s)


def test_a_stream_that_breaks_off(url):
    """A connection that it destroys in mid-stream is a dropped connection."""
    with pytest.raises(ModelError) as raised:
        ask(url, "truncated")
    assert raised.value.retryable


def test_background_is_ignored(url):
    """It takes `background` and ignores it: said once, and the reply of that call is the answer."""
    events = ask(url, "capital?", background=True)
    assert [type(event) for event in events].count(Notice) == 1
    assert shown(events) == events[-1].text


def test_fidelity(url):
    """Judged against the SDK's types, its events lack what FIDELITY lists and nothing else."""
    kinds = _sdk_events()
    lacking: dict[str, set[str]] = {}
    for question in ("capital?", "think", "price?", "both"):
        for event in _raw_events(url, question):
            found = lacking.setdefault(event["type"], set())
            try:
                kinds[event["type"]].model_validate(event)
            except pydantic.ValidationError as error:
                found.update(str(one["loc"][-1]) for one in error.errors() if one["type"] == "missing")
    assert lacking == FIDELITY


def _raw_events(url: str, question: str) -> list[dict]:
    body = json.dumps({"model": MODEL, "stream": True, "input": [{"role": "user", "content": question}]})
    asked = urllib.request.Request(  # noqa: S310 - loopback
        f"{url}/responses", body.encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=10) as reply:  # noqa: S310 - loopback
        return [json.loads(line[6:]) for line in reply if line.startswith(b"data: {")]


def _sdk_events() -> dict[str, type[pydantic.BaseModel]]:
    """Return the SDK's class of each event of a stream, by the event's type."""
    from openai.types.responses import ResponseStreamEvent

    union = typing.get_args(ResponseStreamEvent)[0]
    return {typing.get_args(kind.model_fields["type"].annotation)[0]: kind for kind in typing.get_args(union)}
