"""OpenAIChat against a server that somebody else wrote: llama.cpp's Python server on a model of random weights.

Needs NBAGENT_LLAMA_PYTHON, a Python with `llama-cpp-python[server]` and `gguf`; the build takes minutes, so this
is a soak. Each difference found here is a scripted test in tests/models/test_llama_cpp_quirks.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from nbagent.errors import ModelError
from nbagent.events import Message, ToolRequest
from nbagent.models import (
    ModelRequest,
    Notice,
    OpenAIChat,
    ReplyFinished,
    ReplyStarted,
    SchemaDefinition,
    TextDelta,
    ToolDefinition,
    close_connections,
)
from nbagent.spec import ModelSettings

PYTHON = os.environ.get("NBAGENT_LLAMA_PYTHON", "")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PYTHON, reason="NBAGENT_LLAMA_PYTHON names no Python"),
]
SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}, "size": {"enum": ["small", "large"]}},
    "required": ["yes", "size"],
    "additionalProperties": False,
}
ASK = (Message(role="user", content="hi"),)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(model: Path, *options: str) -> Iterator[str]:
    port = _free_port()
    log = model.with_suffix(f".{port}.log")
    command = [
        PYTHON,
        "-m",
        "llama_cpp.server",
        "--model",
        str(model),
        "--port",
        str(port),
        "--n_ctx",
        "2048",
    ]
    with (
        log.open("w") as out,
        subprocess.Popen([*command, "--n_threads", "1", *options], stdout=out, stderr=out) as server,
    ):
        url = f"http://127.0.0.1:{port}/v1"
        deadline = time.monotonic() + 60
        while not _answers(f"{url}/models"):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
        yield url
        server.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 - loopback
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Path:
    """A model file."""
    path = tmp_path_factory.mktemp("llama") / "noise.gguf"
    subprocess.run([PYTHON, Path(__file__).parent / "llama" / "make_model.py", path], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def plain(noise) -> Iterator[str]:
    """A server as it comes."""
    yield from _serve(noise)


@pytest.fixture(scope="module")
def calling(noise) -> Iterator[str]:
    """A server whose chat format knows tools."""
    yield from _serve(noise, "--chat_format", "chatml-function-calling")


def ask(url: str, *, provider: str = "openai-chat", limit: int | None = 40, **request):
    """Return the events of one request, with settings that keep noise short."""
    settings = ModelSettings(max_output_tokens=limit, seed=1, extra_body=request.pop("extra_body", {}))

    async def collect():
        model = OpenAIChat(id="noise", base_url=url, provider=provider)
        try:
            asked = ModelRequest(**{"messages": ASK, "settings": settings, "idle_timeout_s": 120.0} | request)
            return [event async for event in model.stream(asked)]
        finally:
            await close_connections()

    return asyncio.run(collect())


def test_streaming(plain):
    """Text streams in pieces, the length limit is kept and reported, and usage is missing, not zero."""
    events = ask(plain, limit=12)
    finished = events[-1]
    assert isinstance(events[0], ReplyStarted)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == finished.text != ""
    assert finished.finish_reason == "length"
    assert (finished.usage.total_tokens, finished.usage_source) == (None, "missing")
    assert finished.response_model == "noise"


def test_schema_steps_down(plain):
    """The server knows no json_schema; the step down is said once, and a reply comes."""
    request = {"schema": SchemaDefinition(name="Answer", json_schema=SCHEMA)}
    first, second = ask(plain, **request), ask(plain, **request)
    assert [type(event) for event in first].count(Notice) == 1
    assert [type(event) for event in second].count(Notice) == 0
    json.loads(first[-1].text or "{}") if first[-1].finish_reason == "stop" else None


def test_schema_is_enforced_in_its_own_dialect(plain):
    """With the row that knows its form, the answer of a model of noise is valid against the schema."""
    events = ask(
        plain,
        provider="llama-cpp-python",
        limit=200,
        schema=SchemaDefinition(name="Answer", json_schema=SCHEMA),
    )
    answer = json.loads(events[-1].text)
    assert set(answer) == {"yes", "size"}
    assert isinstance(answer["yes"], bool)
    assert answer["size"] in {"small", "large"}


def test_tool_call(calling):
    """A forced tool call comes whole: one request with its name once and arguments that are JSON."""
    tool = ToolDefinition(name="price", description="The price.", parameters=SCHEMA)
    choice = {"tool_choice": {"type": "function", "function": {"name": "price"}}}
    events = ask(calling, limit=200, tools=(tool,), extra_body=choice)
    finished = events[-1]
    (call,) = finished.tool_requests
    assert (call.name, set(json.loads(call.arguments))) == ("price", {"yes", "size"})
    assert call.tool_call_id
    assert finished.finish_reason == "tool_calls"


def test_tool_result_is_taken_back(calling):
    """The history of a tool call, its result included, is a request that the server takes."""
    tool = ToolDefinition(name="price", description="The price.", parameters=SCHEMA)
    call = ToolRequest(tool_call_id="call_1", name="price", arguments='{"yes": true, "size": "small"}')
    history = (
        *ASK,
        Message(role="assistant", tool_requests=(call,)),
        Message(role="tool", tool_call_id="call_1", name="price", content="12"),
    )
    assert isinstance(ask(calling, tools=(tool,), messages=history)[-1], ReplyFinished)


def test_offered_tool(calling):
    """A tool that is only offered does no harm, whatever the noise says."""
    tool = ToolDefinition(name="price", description="The price.", parameters=SCHEMA)
    finished = ask(calling, tools=(tool,))[-1]
    assert isinstance(finished, ReplyFinished)


def test_refused_request(plain):
    """What the server will not take is one readable line, without its own traceback."""
    with pytest.raises(ModelError) as raised:
        ask(plain, extra_body={"messages": "nothing"})
    assert len(str(raised.value).splitlines()) == 2
    assert not raised.value.retryable


def test_leaving_early(plain):
    """After a stream is left early, the server answers the next request."""

    async def leave():
        model = OpenAIChat(id="noise", base_url=plain)
        async with aclosing(model.stream(ModelRequest(messages=ASK, idle_timeout_s=60.0))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        await close_connections()

    asyncio.run(leave())
    assert ask(plain, limit=4)[-1].finish_reason == "length"
