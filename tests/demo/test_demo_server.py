"""The demo server as clients see it: the real child process, the openai SDK and raw sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import orjson
import pytest
from openai import AsyncOpenAI

from nbagent.demo import DemoProcess, DemoProcessError
from nbagent.demo import process as process_module

ROOT = Path(__file__).resolve().parents[2]
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
LONG = [{"role": "user", "content": "Write 5,000 words about the sea."}]
PRICE_TOOL = {
    "type": "function",
    "function": {
        "name": "price",
        "description": "Latest price of a stock",
        "parameters": {
            "type": "object",
            "properties": {"ticker": {"type": "string"}},
            "required": ["ticker"],
        },
    },
}
CITY_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["city", "population"],
    "additionalProperties": False,
}
JSON_FORMAT = {"type": "json_schema", "json_schema": {"name": "City", "schema": CITY_SCHEMA, "strict": True}}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The base URL of a demo server of this module's own."""
    server = DemoProcess(speed=2)
    yield server.start()
    server.stop()


@asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    """Open the official client without retries."""
    async with AsyncOpenAI(base_url=url, api_key="any", **({"max_retries": 0} | options)) as client:
        yield client


def ask(url: str, **body: Any) -> tuple[int, Any]:
    """Post a chat request without any SDK: the status and the JSON."""
    return fetch(
        url, "POST", "/v1/chat/completions", orjson.dumps({"model": "assistant", "messages": CAPITAL} | body)
    )


def stats(url: str) -> dict[str, int]:
    """Read the server's counts."""
    counts: dict[str, int] = fetch(url, "GET", "/demo/stats")[1]
    return counts


def fetch(url: str, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Make one request on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body)
        with connection.getresponse() as response:
            return response.status, json.load(response)
    finally:
        connection.close()


def until(condition: Callable[[], bool], what: str, timeout_s: float = 10) -> None:
    """Poll another process's state until a condition holds, with a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_reply_fits_the_sdks_types(url: str) -> None:
    """A whole reply has the answer, an id, the demo's label and a token count."""

    async def scenario() -> None:
        async with client_of(url) as client:
            reply = await client.chat.completions.create(model="assistant", messages=CAPITAL)
        assert reply.choices[0].message.content == "The capital of France is Paris."
        assert reply.choices[0].finish_reason == "stop"
        assert reply.id.startswith("chatcmpl-")
        assert reply.model == "demo-assistant"
        assert reply.usage is not None
        assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
        assert reply.usage.prompt_tokens_details is not None
        assert reply.usage.prompt_tokens_details.cached_tokens == 0

    asyncio.run(scenario())


def test_a_stream_has_the_order_of_the_real_one(url: str) -> None:
    """Role first, then text, then the finish reason, then usage without choices; one id throughout."""

    async def scenario() -> None:
        async with client_of(url) as client:
            stream = await client.chat.completions.create(
                model="demo:assistant", messages=CAPITAL, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
        assert chunks[0].choices[0].delta.role == "assistant"
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == "The capital of France is Paris."
        assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
            "stop"
        ]
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert all(c.usage is None for c in chunks[:-1])
        assert len({c.id for c in chunks}) == 1

    asyncio.run(scenario())


def test_streamed_and_whole_replies_are_the_same(url: str) -> None:
    """Tool calls streamed in parts are the calls of the whole reply, ids included."""

    async def scenario() -> None:
        messages = [{"role": "user", "content": "Compare AAPL and MSFT"}]
        async with client_of(url) as client:
            whole = await client.chat.completions.create(
                model="assistant", messages=messages, tools=[PRICE_TOOL]
            )
            stream = await client.chat.completions.create(
                model="assistant", messages=messages, tools=[PRICE_TOOL], stream=True
            )
            calls: dict[int, list[str]] = {}
            async for chunk in stream:
                for delta in chunk.choices[0].delta.tool_calls or ():
                    call = calls.setdefault(delta.index, ["", "", ""])
                    assert delta.function is not None
                    call[0] += delta.id or ""
                    call[1] += delta.function.name or ""
                    call[2] += delta.function.arguments or ""
        expected = whole.choices[0].message.tool_calls or []
        assert [(c.id, c.function.name, c.function.arguments) for c in expected] == [
            tuple(c) for c in calls.values()
        ]
        assert [c[2] for c in calls.values()] == ['{"ticker":"AAPL"}', '{"ticker":"MSFT"}']
        assert whole.choices[0].finish_reason == "tool_calls"

    asyncio.run(scenario())


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_reply(url: str, limit: str) -> None:
    """A limited reply ends with `length` and has no more tokens than allowed."""
    _, reply = ask(url, **{limit: 3})
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["choices"][0]["message"]["content"] == "The capital"
    assert reply["usage"]["completion_tokens"] <= 3


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found", "model"),
        ({"model": None}, 400, None, "model"),
        ({"messages": []}, 400, None, "messages"),
        ({"messages": [{"role": "king", "content": ""}]}, 400, None, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, 400, None, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, None, "messages[0].tool_call_id"),
        ({"n": 2}, 400, None, "n"),
        ({"max_tokens": 0}, 400, None, "max_tokens"),
        ({"tools": [{"type": "function"}]}, 400, None, "tools[0].function"),
        ({"tool_choice": {"type": "function", "function": {"name": "nope"}}}, 400, None, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, 400, None, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, 400, None, "response_format.json_schema"),
    ],
)
def test_bad_requests_get_openais_error_form(
    url: str, body: dict[str, Any], status: int, code: str | None, param: str
) -> None:
    """A refused request says what is wrong, in OpenAI's form, naming the parameter."""
    got, reply = ask(url, **body)
    assert (got, reply["error"]["code"], reply["error"]["param"]) == (status, code, param)
    assert reply["error"]["message"]
    assert reply["error"]["type"] == "invalid_request_error"


def raw(url: str, data: bytes) -> socket.socket:
    """Open a socket and send bytes."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=60)
    connection.sendall(data)
    return connection


def post(body: bytes) -> bytes:
    """Write a POST request to the chat endpoint."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe"])
def test_malformed_bodies_get_a_400(url: str, body: bytes) -> None:
    """A body that is no JSON object is refused, and the connection stays usable."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(f"{address.hostname}:{address.port}", timeout=60)
    for sent, said in ((body, "JSON"), (b"{}", "is a required property")):
        connection.request("POST", "/v1/chat/completions", sent)
        with connection.getresponse() as response:
            assert response.status == 400
            assert said in json.load(response)["error"]["message"]
    connection.close()


def test_unknown_addresses_get_a_404(url: str) -> None:
    """Also an unknown address is refused in OpenAI's form."""

    async def scenario() -> None:
        async with client_of(url) as client:
            with pytest.raises(openai.NotFoundError, match="/v1/files"):
                await client.files.list()
            with pytest.raises(openai.NotFoundError, match="/v1/models"):
                await client.models.retrieve("gpt-9")

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [True, False])
def test_flaky_fails_twice_then_answers_then_starts_afresh(url: str, *, stream: bool) -> None:
    """First a 429 that says when to retry, then a dropped connection, then the answer; and again."""

    async def attempt(client: AsyncOpenAI, messages: list[Any]) -> str:
        if not stream:
            reply = await client.chat.completions.create(model="flaky", messages=messages)
            return reply.choices[0].message.content or ""
        chunks = await client.chat.completions.create(model="flaky", messages=messages, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in chunks])

    async def scenario() -> None:
        messages: list[Any] = [{"role": "user", "content": f"What is the capital of Peru? {stream}"}]
        async with client_of(url) as client:
            for _ in range(2):
                with pytest.raises(openai.RateLimitError) as limited:
                    await attempt(client, messages)
                assert limited.value.response.headers["retry-after"] == "0.2"
                assert limited.value.response.headers["retry-after-ms"] == "200"
                with pytest.raises(openai.APIConnectionError):
                    await attempt(client, messages)
                assert "Lima" in await attempt(client, messages)

    asyncio.run(scenario())


def test_a_disconnect_ends_the_work(url: str) -> None:
    """When the client goes away, the server stops generating at once."""
    before = stats(url)
    body = orjson.dumps({"model": "slow", "messages": LONG, "stream": True})
    with raw(url, post(body)) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        until(lambda: stats(url)["active"] == before["active"] + 1, "the request")
    until(lambda: stats(url)["active"] == before["active"], "the end of the work", timeout_s=60)
    assert stats(url)["disconnected"] == before["disconnected"] + 1


def test_text_comes_at_a_believable_pace(url: str) -> None:
    """`assistant` has its first piece soon and streams on; `slow` takes many times as long."""
    pieces_per_s = {}

    async def scenario(model: str) -> None:
        async with client_of(url) as client:
            stream = await client.chat.completions.create(model=model, messages=LONG, stream=True)
            times = []
            async for _ in stream:
                times.append(time.monotonic())
                if len(times) == 12:
                    break
            pieces_per_s[model] = (len(times) - 1) / (times[-1] - times[0])

    asyncio.run(scenario("assistant"))
    asyncio.run(scenario("slow"))
    assert 8 < pieces_per_s["slow"] < 24  # twice its pace, see `url`
    assert pieces_per_s["assistant"] > 2 * pieces_per_s["slow"]


def test_200_concurrent_streams_complete(url: str) -> None:
    """Many streams at once all end with their whole text."""

    async def one(client: AsyncOpenAI, index: int) -> str:
        messages: list[Any] = [{"role": "user", "content": f"What is {index} + 1?"}]
        stream = await client.chat.completions.create(model="assistant", messages=messages, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    async def scenario() -> list[str]:
        async with client_of(url) as client:
            return await asyncio.gather(*(one(client, i) for i in range(200)))

    texts = asyncio.run(scenario())
    assert texts == [f"{i} + 1 = {i + 1}." for i in range(200)]


def test_start_is_idempotent_and_a_dead_server_is_replaced() -> None:
    """Starting twice gives one server; one that died is started again; stop ends it."""
    server = DemoProcess()
    first = server.start()
    pid = server.pid
    assert pid is not None
    assert (server.start(), server.pid) == (first, pid)
    assert os.getpgid(pid) == pid  # Stop in a notebook goes to the kernel's process group
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.pid is None, "the server's death")
    again = server.start()
    assert server.pid not in (None, pid)
    assert ask(again)[0] == 200
    server.stop()
    assert server.pid is None
    with pytest.raises(OSError, match=r".+"):
        raw(again, b"")


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed or hanging start is bounded, and its message holds what the server said."""
    server = DemoProcess(nonsense=1)
    with pytest.raises(DemoProcessError, match="unrecognized arguments: --nonsense"):
        server.start()
    with pytest.raises(DemoProcessError, match="did not come up within"):
        DemoProcess(start_timeout_s=0.001).start()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(DemoProcessError, match="could not be started"):
        DemoProcess().start()


def test_files_beside_the_notebook_do_not_shadow_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own aiohttp.py or json.py in the working directory does no harm."""
    for name in ("aiohttp.py", "json.py", "nbagent.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong module')")
    monkeypatch.chdir(tmp_path)
    server = DemoProcess()
    assert ask(server.start())[0] == 200
    server.stop()


PARENT = """
import os, subprocess, sys
from nbagent.demo import process
url = process.demo_base_url()
assert process.demo_base_url() == url
bystander = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False)
print(process._shared.pid, bystander.pid, flush=True)
{then}
"""


@pytest.mark.parametrize(
    ("then", "signal_number"),
    [
        ("sys.stdin.read()", signal.SIGKILL),
        ("sys.stdin.read()", signal.SIGTERM),
        ("if os.fork() == 0: sys.stdin.read()\nsys.stdin.read()", signal.SIGKILL),
        ("", 0),
        ("os._exit(3)", 0),
    ],
)
def test_the_server_ends_with_its_parent(then: str, signal_number: int) -> None:
    """However the parent ends, and whatever else it started or forked, the server ends too."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as parent:
        assert parent.stdout is not None
        server, bystander = map(int, parent.stdout.readline().split())
        if signal_number:
            assert is_alive(server)
            parent.send_signal(signal_number)
        until(lambda: not is_alive(server), "the server's end", timeout_s=60)
        os.kill(bystander, signal.SIGKILL)


def in_fork(url: str, results: Any) -> None:
    """Start a server in a forked child: it must be one of its own."""
    results.put((process_module._shared.pid, process_module.demo_base_url() != url))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_a_server_of_its_own() -> None:
    """After a fork the child does not think that it owns the parent's server, nor ends it."""
    url = process_module.demo_base_url()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=in_fork, args=(url, results))
    child.start()
    assert results.get(timeout=60) == (None, True)
    child.join(60)
    assert child.exitcode == 0
    assert ask(url)[0] == 401  # it answers still, those who have its key


def test_importing_the_demo_loads_no_server() -> None:
    """`import nbagent.demo` starts nothing and does not load its server."""
    code = "import sys, nbagent.demo; print([m for m in sys.modules if m in ('aiohttp', 'jsonschema_rs', 'nbagent.demo.server')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_by_hand_it_prints_its_address_and_takes_a_token() -> None:
    """`python -m nbagent.demo` prints a URL that answers, to the holder of the token."""
    command = [sys.executable, "-m", "nbagent.demo", "--token", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=ROOT) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[4].decode()

        async def scenario() -> None:
            async with AsyncOpenAI(base_url=url, api_key="secret") as client:
                assert (await client.chat.completions.create(model="assistant", messages=CAPITAL)).choices
            async with client_of(url) as client:
                with pytest.raises(openai.AuthenticationError):
                    await client.chat.completions.create(model="assistant", messages=CAPITAL)

        asyncio.run(scenario())
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0


ENVIRONMENT = """
import sys
from nbagent.demo import process
process.demo_base_url()
print(open(f"/proc/{process._shared.pid}/environ", "rb").read().decode())
print(open(f"/proc/{process._shared.pid}/cmdline", "rb").read().decode())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_the_server_gets_no_keys() -> None:
    """Whatever is named like a secret stays out of its environment; its own token is on no command line."""
    names = ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "SOME_CREDENTIALS")
    done = subprocess.run(
        [sys.executable, "-c", ENVIRONMENT],
        env={**os.environ, **dict.fromkeys(names, "of-the-user"), "HARMLESS": "yes"},
        capture_output=True, text=True, check=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    environment, _, command = done.stdout.partition("\n")
    assert "of-the-user" not in done.stdout
    assert "HARMLESS=yes" in environment
    (token,) = [one for one in environment.split("\0") if one.startswith("NBAGENT_DEMO_TOKEN=")]
    assert token.partition("=")[2] not in command


def asked(url: str, host: str, token: str) -> bytes:
    """The status line for a request that names this host and this token."""
    head = f"GET /demo/stats HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    with raw(url, head.encode()) as connection:
        return connection.recv(100).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("host", "token", "status"),
    [
        ("127.0.0.1:{port}", "of-this-one", b"200"),
        ("localhost", "of-this-one", b"200"),
        ("evil.example", "of-this-one", b"421"),
        ("127.0.0.1.evil.example:{port}", "of-this-one", b"421"),
        ("", "of-this-one", b"421"),
        ("127.0.0.1:{port}", "of-another", b"401"),
        ("127.0.0.1:{port}", "", b"401"),
    ],
)
def test_the_server_answers_to_its_own_token_and_host_alone(host: str, token: str, status: bytes) -> None:
    """A page whose name was made to lead here gets nothing, and nobody does without the key."""
    server = DemoProcess(token="of-this-one")  # noqa: S106 - a stand-in
    url = server.start()
    try:
        assert status in asked(url, host.format(port=url.rpartition(":")[2].partition("/")[0]), token)
    finally:
        server.stop()


def test_a_demo_model_knows_its_servers_key() -> None:
    """A run on `demo:` is answered; whoever has the address alone is not."""
    from nbagent import Agent
    from nbagent.demo import demo_base_url

    assert Agent(model="demo:assistant").run("What is the capital of France?").content
    assert ask(demo_base_url())[0] == 401
