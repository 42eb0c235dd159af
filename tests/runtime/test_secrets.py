"""Keys and passwords, wherever they were given: used, and neither shown nor kept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, ModelSettings, OpenAIChat, OpenAIResponses, tool
from nbagent.core import redaction
from nbagent.runtime import current
from tests.provider import chat_wire
from tests.provider.server import ScriptedProvider
from tests.provider.steps import error

SECRET = "TOPSECRET99887766"  # noqa: S105 - what must not be found


def kept() -> bytes:
    """All bytes of the record's folder."""
    store = current().store
    store.flush()
    return b"".join(path.read_bytes() for path in Path(store.path).parent.iterdir() if path.is_file())


def at(provider: ScriptedProvider, how: str) -> str:
    """The provider's address with a secret in it."""
    return {
        "query": f"{provider.base_url}?api-version=1&code={SECRET}",
        "password": provider.base_url.replace("://", f"://user:{SECRET}@"),
        "user": provider.base_url.replace("://", f"://{SECRET}@"),
        "escaped": provider.base_url.replace("://", f"://us%40er:{SECRET}%2F@"),
    }[how]


@pytest.mark.parametrize("how", ["query", "password", "user", "escaped"])
@pytest.mark.parametrize("kind", [OpenAIChat, OpenAIResponses])
@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_secret_of_an_address_is_in_no_error_row_or_repr(
    provider: ScriptedProvider, how: str, kind: type, status: int
) -> None:
    """Repr, error, rows and the record's files do not hold it, even where the server says it back."""
    url = at(provider, how)
    model = kind(id="m", base_url=url)
    agent = Agent(model=model, limits=Limits(model_retries=0))
    provider.otherwise(error(status, f"no, {url} with {SECRET}"))
    output = agent.start("hi").wait(timeout=60)
    assert output.status == "error"
    shown = [repr(model), repr(agent), str(output), str(output.error), nb.runs().to_csv(), str(nb.doctor())]
    assert not [text for text in shown if SECRET in text]
    assert SECRET.encode() not in kept()


@pytest.mark.parametrize(
    ("how", "pair"),
    [("password", f"user:{SECRET}"), ("user", f"{SECRET}:"), ("escaped", f"us@er:{SECRET}/")],
)
def test_user_and_password_are_sent_as_basic_authorization(
    provider: ScriptedProvider, how: str, pair: str
) -> None:
    """As HTTP clients do, in the first request and the next ones; the address that is asked is without them."""
    agent = Agent(model=OpenAIChat(id="m", base_url=at(provider, how), api_key="sk-not-this-one"))
    for _ in range(2):
        provider.reply(chat_wire.text_reply("hi"))
        assert agent.start("hi").result(timeout=60).content == "hi"
    sent = [request.headers["authorization"] for request in provider.requests]
    assert sent == ["Basic " + base64.b64encode(pair.encode()).decode()] * 2


def test_the_query_of_an_address_goes_with_each_request(provider: ScriptedProvider) -> None:
    """It stands behind the path, as gateways want it."""
    agent = Agent(model=OpenAIChat(id="m", base_url=at(provider, "query"), api_key="not-needed"))
    for _ in range(2):
        provider.reply(chat_wire.text_reply("hi"))
        assert agent.start("hi").result(timeout=60).content == "hi"
    assert {request.path for request in provider.requests} == {
        f"/v1/chat/completions?api-version=1&code={SECRET}"
    }


EXTRA: list[dict[str, Any]] = [
    {"api_key": SECRET},
    {"auth": {"bearer_token": SECRET}},
    {"plugins": [{"id": "web", "authorization": f"Bearer {SECRET}"}]},
]


@pytest.mark.parametrize("extra", EXTRA)
def test_a_secret_of_extra_body_is_sent_and_not_kept(
    provider: ScriptedProvider, extra: dict[str, Any]
) -> None:
    """The server gets it; settings, rows and files show where it stood."""
    settings = ModelSettings(extra_body={**extra, "top_k": 5})
    agent = Agent(model=OpenAIChat(id="m", base_url=provider.base_url, api_key="x"), settings=settings)
    provider.reply(chat_wire.text_reply("hi"))
    output = agent.start("hi").result(timeout=60)
    assert output.content == "hi"
    assert extra.items() <= provider.bodies[0].items()
    assert SECRET not in repr(settings) + repr(agent) + repr(output)
    assert "'top_k': 5" in repr(settings)
    assert SECRET.encode() not in kept()


@pytest.mark.parametrize("given", ["environment", "literal", "address"])
def test_a_tools_error_with_a_secret_is_masked(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Neither the model nor the record reads a key that an exception quotes."""
    key = SECRET + given
    if given == "environment":
        monkeypatch.setenv("HOUSE_API_KEY", key)
    url = f"{provider.base_url}?key={key}" if given == "address" else provider.base_url

    @tool
    def fetch() -> str:
        """Fetch a page."""
        raise ConnectionError(f"401 for https://house.example/data?q=1&token={key} with header {key!r}")

    model = OpenAIChat(id="m", base_url=url, api_key=key if given == "literal" else "not-needed")
    provider.reply(chat_wire.tool_reply(("fetch", {})), chat_wire.text_reply("it failed"))
    output = Agent(model=model, tools=[fetch]).start("go").result(timeout=60)
    (told,) = [message["content"] for message in provider.bodies[1]["messages"] if message["role"] == "tool"]
    assert told == "Error: ConnectionError: 401 for https://house.example/data with header '[secret]'"
    assert key not in str(output)
    assert key.encode() not in kept()


@pytest.mark.parametrize(
    ("name", "secret"),
    [("OPENAI_API_KEY", True), ("dbPassword", True), ("x-auth", True), ("accessToken", True), ("client_secret", True),
     ("max_tokens", False), ("keyboard", False), ("author", False), ("PATH", False), ("tokenizer", False)],
)  # fmt: skip
def test_names_of_secrets(name: str, secret: bool) -> None:  # noqa: FBT001
    """Words count, not letters within a word."""
    assert redaction.is_secret_name(name) is secret


def test_words_are_not_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short value and a path under such a name leave texts as they are."""
    monkeypatch.setenv("DEBUG_TOKEN", "on")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent.sock")
    assert redaction.mask("it goes on at /run/agent.sock") == "it goes on at /run/agent.sock"
