"""What goes out to a provider: headers, keys, addresses, proxies, redirects, connections."""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from nbagent.errors import ConfigurationError, ModelError, ProviderRefusedError, ProviderUnreachableError
from nbagent.events import Message
from nbagent.models import (
    OpenAIChat,
    OpenAIResponses,
    Provider,
    ReplyFinished,
    batch_client,
    close_connections,
)
from nbagent.models.transport.client import proxy_for, send
from nbagent.models.transport.errors import RequestTarget
from tests.models.single_call import chat, request, stream
from tests.provider import responses_wire
from tests.provider.chat_wire import text_reply
from tests.provider.steps import Drop, Head, answer, error

LATER = (Message(role="user", content="And of Österreich? " + "x" * 500),)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def ask_in_turn(*questions):
    """Ask each (model, request) after the other in one event loop; return the replies, or the errors' classes."""

    async def run():
        replies = []
        for model, asked in questions:
            try:
                replies += [event async for event in model.stream(asked) if isinstance(event, ReplyFinished)]
            except ModelError as fault:
                replies.append(type(fault))
        await close_connections()
        return replies

    return asyncio.run(run())


def headers_of(sent):
    """All headers that do not depend on the body."""
    return {name: value for name, value in sent.headers.items() if name != "content-length"}


def test_requests_are_alike(provider, monkeypatch):
    """The same path and headers, those of the environment included; each its own body; one connection."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: data\nno header\nx-empty:")
    provider.otherwise(text_reply("Paris"))
    model = chat(provider, api_key="test-key")
    replies = ask_in_turn((model, request()), (model, request(messages=LATER)), (model, request()))
    assert [reply.text for reply in replies] == ["Paris"] * 3
    first, second, third = provider.requests
    assert first.headers["authorization"] == "Bearer test-key"
    assert first.headers["openai-organization"] == "org-1"
    assert first.headers["openai-project"] == "proj-1"
    assert first.headers["x-team"] == "data"
    assert "x-empty" not in first.headers
    assert {sent.path for sent in provider.requests} == {"/v1/chat/completions"}
    assert headers_of(first) == headers_of(second) == headers_of(third)
    assert second.body["messages"][-1]["content"] == LATER[0].content
    assert (third.raw_body, third.headers) == (first.raw_body, first.headers)
    assert provider.connections_opened == 1


def test_models_share_a_connection(provider):
    """Both wire formats, different keys and idle times: one session, so one connection where they take turns."""
    provider.reply(*[text_reply("Paris"), responses_wire.text_reply("Wien")] * 2)
    models = [
        chat(provider, api_key="one-key"),
        OpenAIResponses(id="scripted", base_url=provider.base_url),
    ] * 2
    replies = ask_in_turn(*[(model, request(idle_timeout_s=5.0 + at)) for at, model in enumerate(models)])
    assert [reply.text for reply in replies] == ["Paris", "Wien"] * 2
    assert [sent.path for sent in provider.requests] == ["/v1/chat/completions", "/v1/responses"] * 2
    assert provider.connections_opened == 1


def test_each_key_has_its_own(provider, monkeypatch):
    """A key that was changed in a later cell is the one that is sent."""
    provider.otherwise(text_reply("Paris"))
    sent = []
    for key in ("one", "two", "one"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        stream(chat(provider), again=True)
        sent += [asked.headers["authorization"] for asked in provider.requests[-2:]]
    assert sent == ["Bearer one"] * 2 + ["Bearer two"] * 2 + ["Bearer one"] * 2


async def fetched(key):
    """Make headers with a token that has to be fetched."""
    await asyncio.sleep(0)
    return {"Authorization": f"Bearer token-for-{key}"}


AUTH = {
    "a header of its own": (lambda key: {"X-API-Key": key}, {"x-api-key": "house-key"}, {"authorization"}),
    "two headers": (lambda key: {"api-key": key, "x-version": "3"}, {"api-key": "house-key", "x-version": "3"}, {"authorization"}),
    "a token that is fetched": (fetched, {"authorization": "Bearer token-for-house-key"}, set()),
    "none at all": (lambda _: {}, {}, {"authorization"}),
}  # fmt: skip


@pytest.mark.parametrize(("make", "sent", "absent"), AUTH.values(), ids=AUTH)
def test_a_rows_own_auth_headers(provider, make, sent, absent):
    """The row says which headers carry the key; nothing else does."""
    provider.otherwise(text_reply("Paris"))
    row = Provider(name="house", base_url=provider.base_url, auth_headers=make)
    stream(OpenAIChat(id="m", provider=row, api_key="house-key"))
    (asked,) = provider.requests
    assert sent.items() <= asked.headers.items()
    assert not absent & asked.headers.keys()


@pytest.mark.parametrize("value", ["clé", "two\nlines", "”"])
def test_a_header_that_is_none_is_never_sent(provider, value):
    """What no header can hold is named as the key's trouble, and not shown."""
    row = Provider(
        name="house", base_url=provider.base_url, auth_headers=lambda key: {"x-api-key": key + value}
    )
    with pytest.raises(ProviderRefusedError, match="the key in api_key holds characters that no key has"):
        stream(OpenAIChat(id="m", provider=row, api_key="house-key"))
    assert provider.requests == []


def test_an_address_with_a_name_and_a_query(provider):
    """Name and password are basic authorization instead of the key's, the query goes with each request."""
    provider.otherwise(text_reply("Paris"))
    at = provider.base_url.replace("http://", "http://me:p%40ss@") + "?api-version=2026-01-01"
    stream(OpenAIChat(id="m", base_url=at, api_key="unused"))
    (asked,) = provider.requests
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert asked.path == "/v1/chat/completions?api-version=2026-01-01"


def test_the_query_of_a_path_is_kept(provider):
    """A path with a query of its own gets the base URL's beside it."""
    provider.reply(answer(200, {}))
    target = RequestTarget(provider="p", model="m", base_url=provider.base_url + "?api-version=1")

    async def run():
        response = await send(target, "/responses/a%2Fb?stream=true", None, 5.0)
        response.release()
        await close_connections()

    asyncio.run(run())
    (asked,) = provider.requests
    assert (asked.method, asked.path) == ("GET", "/v1/responses/a%2Fb?stream=true&api-version=1")


def test_a_redirect_is_followed_each_time(provider):
    """To the same server, with method and body; the next request asks where the base URL says."""
    moved = answer(307, "", headers={"location": "/elsewhere"})
    provider.reply(moved, text_reply("Paris"), moved, text_reply("Wien"))
    model = chat(provider)
    replies = ask_in_turn((model, request()), (model, request()))
    assert [reply.text for reply in replies] == ["Paris", "Wien"]
    assert [sent.path for sent in provider.requests] == ["/v1/chat/completions", "/elsewhere"] * 2
    assert {sent.method for sent in provider.requests} == {"POST"}
    assert len({sent.raw_body for sent in provider.requests}) == 1


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])  # fmt: skip
def test_what_a_redirect_makes_of_a_post(provider, status, method):
    """As browsers and HTTP libraries do: 301, 302 and 303 are asked for with GET, 307 and 308 are posted again."""
    provider.reply(answer(status, "", headers={"location": "there"}), text_reply("Paris"))
    ask_in_turn((chat(provider), request()))
    _, second = provider.requests
    assert (second.method, second.path) == (method, "/v1/chat/there")
    assert bool(second.raw_body) == (method == "POST")


def test_redirects_in_a_circle_end(provider):
    """After twenty the answer is an error, not another request."""
    provider.otherwise(answer(307, "round", headers={"location": "/again"}))
    with pytest.raises(ModelError, match="answered 307 to a request"):
        stream(chat(provider))
    assert len(provider.requests) == 21


def test_cookies_are_not_kept(provider):
    """What a server sets for one request goes to no other: its key may be another."""
    cookie = Head(200, {"content-type": "text/event-stream", "set-cookie": "at=1; Path=/"})
    provider.reply((cookie, *text_reply("Paris")), text_reply("Wien"), text_reply("Rom"))
    ask_in_turn(*[(chat(provider), request())] * 3)
    assert not any("cookie" in sent.headers for sent in provider.requests)


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_refusal_leaves_the_connection(provider, status):
    """An error's body is read to its end, so that the connection serves the next request."""
    provider.reply(text_reply("Paris"), error(status, "no"), text_reply("Wien"))
    first, refused, last = ask_in_turn(*[(chat(provider), request())] * 3)
    assert (first.text, last.text) == ("Paris", "Wien")
    assert issubclass(refused, ModelError)
    assert provider.connections_opened == 1


@pytest.fixture
def _no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize(
    ("env", "url", "proxy"),
    [
        ({}, "http://api.example/v1", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://api.example/v1", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://api.example/v1", None),
        ({"HTTPS_PROXY": "p:2"}, "https://api.example/v1", "http://p:2"),
        ({"ALL_PROXY": "http://p:3"}, "https://api.example/v1", "http://p:3"),
        ({"HTTPS_PROXY": "http://p:2", "NO_PROXY": "other,api.example"}, "https://api.example/v1", None),
        ({"HTTPS_PROXY": "http://p:2", "NO_PROXY": ".example"}, "https://api.example:8443/v1", None),
        ({"HTTPS_PROXY": "http://p:2", "NO_PROXY": "api.example:8443"}, "https://api.example:8443/v1", None),
        ({"HTTPS_PROXY": "http://p:2", "NO_PROXY": "*"}, "https://api.example/v1", None),
        ({"HTTPS_PROXY": "http://p:2", "NO_PROXY": "example.org"}, "https://api.example/v1", "http://p:2"),
        ({"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:3"}, "http://127.0.0.1:8000/v1", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://localhost/v1", None),
    ],
)
def test_which_proxy(monkeypatch, env, url, proxy):
    """The environment's, by scheme, but for what NO_PROXY names and this machine's own servers."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(urlsplit(url))
    assert (found.geturl() if found else None) == proxy


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize("credentials", ["", "me:p%40ss@"])
def test_a_request_through_a_proxy(provider, monkeypatch, credentials):
    """A proxy gets the whole address, its own authorization where it has one, and the provider's key as it is."""
    monkeypatch.setenv("HTTP_PROXY", f"http://{credentials}127.0.0.1:{provider.port}")
    provider.otherwise(text_reply("Paris"))
    stream(OpenAIChat(id="m", base_url="http://api.invalid/v1", api_key="the-key"))
    (asked,) = provider.requests
    assert asked.headers["host"] == "api.invalid"
    assert asked.headers["authorization"] == "Bearer the-key"
    expected = "Basic " + base64.b64encode(b"me:p@ss").decode() if credentials else None
    assert asked.headers.get("proxy-authorization") == expected


@pytest.mark.usefixtures("_no_proxies")
def test_a_tunnel_through_a_proxy(provider, monkeypatch):
    """For https the proxy is asked for a tunnel, with its own authorization and without the provider's key."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret-pass@127.0.0.1:{provider.port}")
    provider.otherwise(error(407, "no"))
    with pytest.raises(ModelError) as caught:
        stream(OpenAIChat(id="m", base_url="https://api.invalid/v1", api_key="the-key"))
    (asked,) = provider.requests
    assert (asked.method, asked.path) == ("CONNECT", "api.invalid:443")
    assert asked.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:secret-pass").decode()
    assert "authorization" not in asked.headers
    assert not re.search(r"secret-pass|the-key", str(caught.value))


@pytest.mark.parametrize(
    "content", [None, b"", b"no certificate"], ids=["missing", "empty", "something else"]
)
def test_a_file_of_certificates_that_is_none(provider, monkeypatch, tmp_path, content):
    """What SSL_CERT_FILE names is what counts; where it cannot be read, it is named."""
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    model = OpenAIChat(id="m", base_url=provider.base_url.replace("http:", "https:"))
    with pytest.raises(ProviderUnreachableError, match="no secure connection") as caught:
        stream(model)
    assert f"{path} cannot be read" in caught.value.what
    assert provider.connections_opened == 0


def test_a_first_answer_needs_no_sdk(provider):
    """A plain provider is asked without loading OpenAI's SDK."""
    provider.otherwise(text_reply("Paris"))
    code = (
        "import sys, nbagent as nb\n"
        f"model = nb.OpenAIChat(id='m', base_url={provider.base_url!r}, api_key='k')\n"
        "print(nb.Agent(model=model).run('Well?').content)\n"
        "print('openai' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["Paris", "False"]


@pytest.mark.parametrize("answers", [None, 7, ["x-api-key"]])
def test_auth_headers_that_are_none(provider, answers):
    """A function that returns no headers is named, in two lines."""
    row = Provider(name="house", base_url=provider.base_url, auth_headers=lambda _: answers)
    with pytest.raises(ConfigurationError, match="auth_headers of provider 'house'") as caught:
        stream(OpenAIChat(id="m", provider=row, api_key="house-key"))
    assert len(str(caught.value).splitlines()) == 2


BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "in_progress",
    "created_at": 1,
    "endpoint": "/v1/responses",
    "input_file_id": "file_1",
    "completion_window": "24h",
}


def looked(provider, **row):
    """Look at a batch of a provider with this row."""
    house = Provider(name="house", base_url=provider.base_url, **row)
    return asyncio.run(batch_client(OpenAIChat(id="m", provider=house, api_key="house-key")).look("batch_1"))


@pytest.mark.parametrize(("make", "sent", "absent"), AUTH.values(), ids=AUTH)
def test_batches_carry_the_same_key(provider, make, sent, absent):
    """Files and batches, asked for through the SDK, have the row's headers and no others for the key."""
    provider.reply(answer(200, BATCH))
    assert looked(provider, auth_headers=make).status == "in_progress"
    (asked,) = provider.requests
    assert (asked.method, asked.path) == ("GET", "/v1/batches/batch_1")
    assert sent.items() <= asked.headers.items()
    assert not absent & asked.headers.keys()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (error(404, "No batch found with id 'batch_1'."), "(404): No batch found"),
        (error(429, "slow down"), "limits how much model 'm' may be asked (429)"),
        (
            answer(307, "", headers={"location": "http://elsewhere.invalid/v1"}),
            "another server: it was not asked",
        ),
        ((Drop(),), "dropped the connection"),
    ],
    ids=["missing", "limited", "sent elsewhere", "dropped"],
)
def test_faults_of_batches(provider, script, says):
    """What goes wrong there is the same two lines as for a model call, without the key."""
    provider.otherwise(script)
    with pytest.raises(ModelError) as caught:
        looked(provider)
    assert says in caught.value.what
    assert "house-key" not in str(caught.value)
