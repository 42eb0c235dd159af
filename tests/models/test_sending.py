"""Requests to one place: the SDK prepares the first, the next go out as it did, with another body."""

from __future__ import annotations

import asyncio

import pytest

from nbagent.errors import ModelError
from nbagent.events import Message
from nbagent.models import OpenAIResponses, ReplyFinished, close_connections
from tests.models.single_call import chat, request, stream
from tests.provider import responses_wire
from tests.provider.chat_wire import text_reply
from tests.provider.steps import Head, answer, error

LATER = (Message(role="user", content="And of Österreich? " + "x" * 500),)


def ask_in_turn(*questions):
    """Ask each (model, request) after the other in one event loop; return the replies."""

    async def run():
        replies = []
        for model, asked in questions:
            replies += [event async for event in model.stream(asked) if isinstance(event, ReplyFinished)]
        await close_connections()
        return replies

    return asyncio.run(run())


def headers_of(sent):
    """All headers that do not depend on the body."""
    return {name: value for name, value in sent.headers.items() if name != "content-length"}


@pytest.fixture(params=["with aiohttp", "without aiohttp"])
def transport(request, monkeypatch):
    """The SDK's two HTTP clients: without aiohttp installed it says so with a RuntimeError."""
    if request.param == "without aiohttp":
        monkeypatch.setattr("openai.DefaultAioHttpClient", _missing)
    return request.param


def _missing(**_options):
    raise RuntimeError


def test_the_next_request_is_as_the_first(provider, monkeypatch, transport):
    """The same path and headers, those of the environment included; each its own body and its length."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    provider.otherwise(text_reply("Paris"))
    model = chat(provider, api_key="test-key")
    replies = ask_in_turn((model, request()), (model, request(messages=LATER)), (model, request()))
    assert [reply.text for reply in replies] == ["Paris"] * 3
    first, second, third = provider.requests
    assert first.headers["authorization"] == "Bearer test-key"
    assert first.headers["openai-organization"] == "org-1"
    assert {sent.path for sent in provider.requests} == {"/v1/chat/completions"}
    assert headers_of(first) == headers_of(second) == headers_of(third)
    assert second.body["messages"][-1]["content"] == LATER[0].content
    assert (third.raw_body, third.headers) == (first.raw_body, first.headers)
    assert provider.connections_opened == 1


def test_both_wire_formats(provider):
    """Each path is prepared by itself."""
    provider.reply(*[text_reply("Paris"), responses_wire.text_reply("Wien")] * 2)
    models = [chat(provider), OpenAIResponses(id="scripted", base_url=provider.base_url)] * 2
    replies = ask_in_turn(*[(model, request()) for model in models])
    assert [reply.text for reply in replies] == ["Paris", "Wien"] * 2
    paths = [sent.path for sent in provider.requests]
    assert paths == ["/v1/chat/completions", "/v1/responses"] * 2


def test_each_key_has_its_own(provider, monkeypatch):
    """A key that was changed in a later cell is the one that is sent."""
    provider.otherwise(text_reply("Paris"))
    sent = []
    for key in ("one", "two", "one"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        stream(chat(provider), again=True)
        sent += [asked.headers["authorization"] for asked in provider.requests[-2:]]
    assert sent == ["Bearer one"] * 2 + ["Bearer two"] * 2 + ["Bearer one"] * 2


def test_each_idle_time_has_its_own(provider):
    """The time limits that the SDK derives from a request's idle time are not another request's."""
    provider.otherwise(text_reply("Paris"))
    model = chat(provider)
    ask_in_turn(*[(model, request(idle_timeout_s=seconds)) for seconds in (5.0, 7.0, 5.0, 7.0)])
    limits = [sent.headers.get("x-stainless-read-timeout") for sent in provider.requests]
    assert limits[0] != limits[1]
    assert limits[:2] == limits[2:]


def test_a_redirected_request_is_no_pattern(provider):
    """What a redirect made of a request is not sent again: the next one asks where the base URL says."""
    moved = answer(307, "", headers={"location": "/elsewhere"})
    provider.reply(moved, text_reply("Paris"), moved, text_reply("Wien"))
    model = chat(provider)
    replies = ask_in_turn((model, request()), (model, request()))
    assert [reply.text for reply in replies] == ["Paris", "Wien"]
    assert [sent.path for sent in provider.requests] == ["/v1/chat/completions", "/elsewhere"] * 2


def test_a_cookie_is_not_repeated_for_ever(provider, transport):
    """The cookie that came with the pattern is not sent again: a server may have set another one since."""
    cookie = Head(200, {"content-type": "text/event-stream", "set-cookie": "at=1; Path=/"})
    typed = responses_wire.text_reply("Wien")
    provider.reply((cookie, *text_reply("Paris")), typed, typed)
    answers = OpenAIResponses(id="scripted", base_url=provider.base_url)
    ask_in_turn((chat(provider), request()), (answers, request()), (answers, request()))
    assert "cookie" not in provider.requests[2].headers


def test_a_refusal_leaves_the_connection(provider):
    """An error's body is read to its end, so that the connection serves the next request."""
    provider.reply(text_reply("Paris"), error(400, "temperature too high"), text_reply("Wien"))

    async def run():
        texts = []
        for _ in range(3):
            try:
                texts += [
                    e.text async for e in chat(provider).stream(request()) if isinstance(e, ReplyFinished)
                ]
            except ModelError as fault:
                texts.append(type(fault).__name__)
        await close_connections()
        return texts

    assert asyncio.run(run()) == ["Paris", "ProviderRefusedError", "Wien"]
    assert provider.connections_opened == 1
