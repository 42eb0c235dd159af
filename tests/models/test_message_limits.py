"""How much one message of a provider may be: read no further, named, and nobody else held up."""

from __future__ import annotations

import asyncio
import errno
import gzip
import itertools
import zlib
from collections.abc import Iterator

import pytest

from nbagent import settings
from nbagent.core.message_limits import ERROR_BODY, MessageTooLargeError, check_message
from nbagent.errors import ModelError, ProviderProtocolError, ProviderRefusedError, ProviderUnreachableError
from nbagent.models import OpenAIChat, OpenAIResponses, TextDelta
from nbagent.models.transport.errors import RequestTarget, error_from_exception
from nbagent.models.transport.sse import SSEDecoder
from tests.models.single_call import stream
from tests.provider import chat_wire, responses_wire
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Head, Raw, Script, answer

LIMIT = 200_000
BLOCK = b"x" * 50_000
JSON = Head(200, {"content-type": "application/json"})
WIRES = {"chat": (OpenAIChat, chat_wire), "responses": (OpenAIResponses, responses_wire)}


@pytest.fixture(params=sorted(WIRES))
def wire(request: pytest.FixtureRequest, provider: ScriptedProvider):
    """A model on the scripted provider in one wire format, and its words."""
    kind, words = WIRES[request.param]
    return kind(id="m", base_url=provider.base_url, api_key="not-needed"), words


@pytest.fixture(autouse=True)
def _small_limit() -> Iterator[None]:
    settings.configure("max_message_bytes", LIMIT)
    yield
    settings.configure("max_message_bytes", None)


def many(start: bytes, count: int = 40) -> Script:
    """Return a body of ten times the limit; whoever reads all of it reads too much."""
    return (Raw(start), *(Raw(BLOCK) for _ in range(count)))


def packed(data: bytes, how: str) -> bytes:
    """Return data compressed as a server would."""
    if how == "gzip":
        return gzip.compress(data)
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return zlib.compress(data) if how == "deflate" else raw.compress(data) + raw.flush()


ENDLESS = {
    "an event's line": many(b"data: "),
    "an event of many lines": tuple(Raw(b"data: " + BLOCK[:9_000] + b"\n") for _ in range(100)),
    "a comment": many(b": "),
    "an event name": many(b"event: "),
    "a body": (JSON, *many(b'{"a": "')),
    "white space": (JSON, *(Raw(b" " * 50_000) for _ in range(40))),
    "an announced body": (Head(200, {"content-type": "application/json", "x-size": "1"}), *many(b"{")),
    "a packed body": (
        Head(200, {"content-type": "application/json", "content-encoding": "gzip"}),
        Raw(packed(b'{"a": "' + b"x" * 50_000_000 + b'"}', "gzip")),
    ),
    "a packed stream": (
        Head(200, {"content-type": "text/event-stream", "content-encoding": "deflate"}),
        Raw(packed(b"data: " + b"x" * 50_000_000, "deflate")),
    ),
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_what_is_too_large_is_named_and_not_read(wire, provider: ScriptedProvider, script: Script) -> None:
    """The call ends with the limit in two lines and is not tried again, whichever way the message goes on."""
    model, _ = wire
    provider.reply(script)
    with pytest.raises(ProviderProtocolError, match="more than 200,000 bytes") as caught:
        stream(model)
    assert caught.value.retryable is False
    assert "max_message_bytes is 200,000" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_what_came_before_is_kept(wire, provider: ScriptedProvider) -> None:
    """Text that came before the message that is too large is there."""
    model, words = wire
    provider.reply((*words.begun(), *words.text("first"), *many(b"data: ")))
    seen: list = []
    with pytest.raises(ProviderProtocolError, match="max_message_bytes"):
        stream(model, seen=seen)
    assert TextDelta("first") in seen


@pytest.mark.parametrize("how", ["gzip", "deflate", "raw deflate"])
def test_compressed_answers_are_read(wire, provider: ScriptedProvider, how: str) -> None:
    """A server that packs its stream, with or without a header of its own, is read as any other."""
    model, words = wire
    body = b"".join(step.data for step in words.text_reply("Paris") if isinstance(step, Raw))
    head = Head(200, {"content-type": "text/event-stream", "content-encoding": how.rsplit(maxsplit=1)[-1]})
    data = packed(body, how)
    provider.reply((head, Raw(data[:20]), Raw(data[20:])))
    assert TextDelta("Paris") in stream(model)


def test_no_limit_is_one_too(wire, provider: ScriptedProvider) -> None:
    """With none configured a message of any size is read."""
    model, words = wire
    settings.configure("max_message_bytes", "none")
    long = "x" * (LIMIT * 2)
    provider.reply(words.text_reply(long))
    assert TextDelta(long) in stream(model)


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize("again", [False, True], ids=["first request", "second request"])
def test_an_errors_body_is_read_in_part(provider: ScriptedProvider, status: int, *, again: bool) -> None:
    """An error with an endless body is that error, by its beginning, on a new connection and on one that was used."""
    model = OpenAIChat(id="m", base_url=provider.base_url, api_key="not-needed")
    begun = b'{"error": {"message": "no such thing, ' + b"x" * ERROR_BODY
    if again:
        provider.reply(chat_wire.text_reply("hi"))
    provider.reply((Head(status, {"content-type": "application/json"}), *many(begun, 400)))
    with pytest.raises(ModelError, match="no such thing") as caught:
        stream(model, again=again)
    assert caught.value.status_code == status
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "message",
    [
        b"[" + b",".join([b'{"a":1}'] * 400_000) + b"]",
        b"[" + b",".join([b"1"] * 4_000_000) + b"]",
        b"[" + b",".join([b"[[[[[]]]]]"] * 100_000) + b"]",
        b"{" + b",".join(b'"%d":{"b":[]}' % n for n in range(300_000)) + b"}",
        b"[" + b",".join([b'"\\""'] * 1_000_000) + b"]",
    ],
    ids=["objects", "numbers", "lists", "keys", "texts"],
)
def test_a_message_of_too_many_values_is_not_parsed(message: bytes) -> None:
    """A message within its bytes that a parser would work on for seconds is refused."""
    assert len(message) < 16_000_000
    with pytest.raises(MessageTooLargeError, match="too many values"):
        check_message(message, 16_000_000)


@pytest.mark.parametrize(
    "message",
    [
        b'{"a": "' + b"x" * 15_000_000 + b'"}',
        b'{"a": "' + b'{\\"b\\": [1, 2]}, ' * 800_000 + b'"}',
        b"[" + b",".join([b"0.12345678901"] * 500_000) + b"]",
        b'{"a": "' + b"{[," * 3_000_000 + b'"}',
    ],
    ids=["text", "JSON in a text", "an embedding", "code"],
)
def test_a_large_message_of_few_values_is_parsed(message: bytes) -> None:
    """What stands in strings does not count as values."""
    assert check_message(message, 16_000_000) is message


@pytest.mark.parametrize("cut", [1, 7, 999, 10_000])
def test_the_decoder_counts_each_event_by_itself(cut: int) -> None:
    """Events below the limit pass in any number, however they are cut; one above it does not."""
    event = b"data: " + b"y" * 5_000 + b"\r\n\r\n"
    decoder = SSEDecoder(6_000)
    whole = event * 20
    found = [one for at in range(0, len(whole), cut) for one in decoder.feed(whole[at : at + cut])]
    assert found + decoder.close() == [b"y" * 5_000] * 20
    blocks = itertools.chain([b"data: "], itertools.repeat(b"y" * cut))
    with pytest.raises(MessageTooLargeError):
        any(decoder.feed(block) for block in blocks)


TARGET = RequestTarget(provider="openai", model="m", base_url="http://127.0.0.1:1/v1")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("outer", [asyncio.TimeoutError, ConnectionRefusedError, OSError, RuntimeError])
def test_no_file_descriptors_is_what_is_said(number: int, outer: type[Exception]) -> None:
    """Whatever a transport makes of it, a process without file descriptors is named, with what helps."""
    error = outer("no connection")
    error.__cause__ = OSError(number, "Too many open files")
    fault = error_from_exception(error, TARGET, 120.0)
    assert isinstance(fault, ProviderUnreachableError)
    assert fault.retryable
    assert fault.stop_reason == "error"
    assert "no file descriptors left" in fault.what
    assert "ulimit -n" in fault.todo


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("again", [False, True], ids=["first request", "second request"])
def test_no_redirect_to_another_server_is_followed(
    provider: ScriptedProvider, status: int, *, again: bool
) -> None:
    """The other server hears nothing, least of all the key; two lines name it."""
    other = ScriptedProvider()
    try:
        model = OpenAIChat(id="m", base_url=provider.base_url, api_key="sk-secret-of-mine")
        if again:
            provider.reply(chat_wire.text_reply("hi"))
        provider.reply(answer(status, "", {"location": f"{other.base_url}/chat/completions"}))
        with pytest.raises(ProviderRefusedError, match="another server") as caught:
            stream(model, again=again)
        assert f"http://127.0.0.1:{other.port}" in caught.value.what
        assert other.connections_opened == 0
    finally:
        other.close()


@pytest.mark.parametrize(
    "there", ["//localhost:{port}/v1/x", "https://127.0.0.1:{port}/v1/x", "http://u@127.0.0.2/"]
)
def test_another_host_or_scheme_is_another_server(provider: ScriptedProvider, there: str) -> None:
    """Scheme, host and port make a server; a name for the same machine is another."""
    provider.reply(answer(307, "", {"location": there.format(port=provider.port)}))
    with pytest.raises(ProviderRefusedError, match="another server"):
        stream(OpenAIChat(id="m", base_url=provider.base_url, api_key="not-needed"))
    assert len(provider.requests) == 1


def test_a_redirect_on_the_same_server_is_followed(provider: ScriptedProvider) -> None:
    """A server may move its own pages."""
    provider.reply(answer(307, "", {"location": "/elsewhere"}), chat_wire.text_reply("Paris"))
    events = stream(OpenAIChat(id="m", base_url=provider.base_url, api_key="not-needed"))
    assert TextDelta("Paris") in events
    assert provider.requests[1].path == "/elsewhere"
