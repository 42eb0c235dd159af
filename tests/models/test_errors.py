"""Everything that can go wrong between us and a provider, as one table: the script, the error, what it says.

A row's script holds no wire format where it can be helped, so that the same rows serve the other wire format.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from nbagent.errors import (
    EarlyEndError,
    ModelError,
    OutOfQuotaError,
    ProviderOverloadedError,
    ProviderProtocolError,
    ProviderRefusedError,
    ProviderUnreachableError,
)
from nbagent.models import OpenAIChat, TextDelta
from nbagent.models.transport.error_body import redact, retry_after_s
from nbagent.models.transport.error_table import ProviderSilentError
from nbagent.models.transport.errors import RequestTarget, error_from_exception
from tests.models.single_call import chat, request, stream
from tests.provider.chat_wire import chunk, data, end, text, text_reply
from tests.provider.steps import Drop, DropAt, Gate, Head, Raw, Script, Silence, Wait, answer, error

KEY = "sk-proj-AbCdEf0123456789AbCdEf"
HTML = "<!DOCTYPE html><html><head><title>Welcome to the portal</title></head><body>Log in</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a provider does, and the error that it must become."""

    id: str
    script: Script
    kind: type[ModelError]
    says: str
    todo: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    idle_timeout_s: float = 5.0
    text_before: str | None = ""  # None: the transport may lose what came right before a drop
    never_says: tuple[str, ...] = field(default=(KEY, KEY[:12], "Traceback"))


REFUSED, OVERLOADED = ProviderRefusedError, ProviderOverloadedError
PROTOCOL, UNREACHABLE, EARLY = ProviderProtocolError, ProviderUnreachableError, EarlyEndError
BEGUN = (chunk({"role": "assistant", "content": ""}), *text("Par"))

NDJSON = Head(200, {"content-type": "application/x-ndjson"})
OLLAMA_CHAT = b'{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Par"},"done":false}\n'

TABLE = [
    # HTTP statuses
    Row(id="400", script=error(400, "temperature too high", param="temperature"), kind=REFUSED, status=400, says="refused the request for model 'scripted' (400): temperature too high"),
    Row(id="401", script=error(401, f"Incorrect API key provided: {KEY}. See the docs."), kind=REFUSED, status=401, says="refused the key in OPENAI_API_KEY (401): Incorrect API key provided: [key]. See the docs.", todo="set OPENAI_API_KEY to a valid key"),
    Row(id="401 with a masked key", script=error(401, f"Incorrect API key provided: {KEY[:8]}****************{KEY[-4:]}."), kind=REFUSED, status=401, says="(401): Incorrect API key provided: [key]", never_says=(KEY[-4:], KEY[:8])),
    Row(id="402", script=error(402, "Insufficient Balance"), kind=OutOfQuotaError, status=402, says="wants to be paid first (402)", todo="top up"),
    Row(id="403", script=error(403, "no access"), kind=REFUSED, status=403, says="does not let this key use model 'scripted' (403): no access"),
    Row(id="404 model", script=error(404, "The model `scripted` does not exist", code="model_not_found"), kind=REFUSED, status=404, says="has no model 'scripted' at http://127.0.0.1:", todo="check the model's name"),
    Row(id="404 path", script=answer(404, {"detail": "Not Found"}), kind=REFUSED, status=404, says="nothing answers Chat Completions requests at http://127.0.0.1:", todo="check base_url (most end in /v1)"),
    Row(id="404 web page", script=answer(404, HTML), kind=REFUSED, status=404, says="a web page ('Welcome to the portal')"),
    Row(id="405", script=answer(405, "Method Not Allowed"), kind=REFUSED, status=405, says="takes no Chat Completions requests (405)"),
    Row(id="408", script=error(408, "slow"), kind=OVERLOADED, status=408, says="gave up waiting (408)"),
    Row(id="409", script=error(409, "busy"), kind=OVERLOADED, status=409, says="has a conflict (409)"),
    Row(id="413", script=error(413, "too big"), kind=REFUSED, status=413, says="too large", todo="send less"),
    Row(id="418", script=error(418, "teapot"), kind=REFUSED, status=418, says="(418): teapot"),
    Row(id="422 with a list", script=answer(422, {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}), kind=REFUSED, status=422, says="cannot read the request"),
    Row(id="429", script=error(429, "slow down"), kind=OVERLOADED, status=429, says="limits how much model 'scripted' may be asked (429): slow down"),
    Row(id="429 retry-after", script=error(429, "slow down", headers={"retry-after": "7"}), kind=OVERLOADED, status=429, retry_after_s=7.0, says="(429)"),
    Row(id="429 retry-after-ms", script=error(429, "slow down", headers={"retry-after-ms": "250", "retry-after": "7"}), kind=OVERLOADED, status=429, retry_after_s=0.25, says="(429)"),
    Row(id="429 quota", script=error(429, "You exceeded your current quota", code="insufficient_quota"), kind=OutOfQuotaError, status=429, says="has no quota left", todo="billing"),
    Row(id="500", script=error(500, "boom"), kind=OVERLOADED, status=500, says="failed (500): boom", todo="try again"),
    Row(id="500 without a body", script=answer(500, ""), kind=OVERLOADED, status=500, says="failed (500): no details given"),
    Row(id="502 web page", script=answer(502, HTML), kind=OVERLOADED, status=502, says="failed (502): a web page ('Welcome to the portal')"),
    Row(id="503 retry-after", script=error(503, "loading", headers={"retry-after": "2.5"}), kind=OVERLOADED, status=503, retry_after_s=2.5, says="is overloaded (503)"),
    Row(id="529", script=error(529, "Overloaded"), kind=OVERLOADED, status=529, says="is overloaded (529)"),
    # replies that are none
    Row(id="web page", script=answer(200, HTML), kind=PROTOCOL, says="answered with a web page instead of a model's reply ('Welcome to the portal')", todo="check base_url"),
    Row(id="web page called a stream", script=(Raw(HTML.encode()),), kind=PROTOCOL, says="ended before the model did"),
    Row(id="plain text", script=answer(200, "It works!"), kind=PROTOCOL, says="ended before the model did"),
    Row(id="JSON list", script=(Head(200, {"content-type": "application/json"}), Raw(b"[]")), kind=PROTOCOL, says="that is no model's reply: '[]'"),
    Row(id="JSON cut short", script=(Head(200, {"content-type": "application/json"}), Raw(b'{"choices": [')), kind=PROTOCOL, says="its JSON is cut short"),
    Row(id="Ollama's own chat", script=(NDJSON, Raw(OLLAMA_CHAT), Silence()), kind=PROTOCOL, says="answers in Ollama's own protocol, not in the Chat Completions API", todo="it ends in /v1"),
    Row(id="Ollama's own generate", script=(NDJSON, Raw(b'{"model":"m","created_at":"2026-01-01T00:00:00Z","response":"Par","done":false}\n{"model":"m","response":"","done":true}\n')), kind=PROTOCOL, says="answers in Ollama's own protocol", todo="it ends in /v1"),
    Row(id="Ollama's own, whole", script=answer(200, {"model": "m", "message": {"role": "assistant", "content": "Paris"}, "done": True, "done_reason": "stop"}), kind=PROTOCOL, says="answers in Ollama's own protocol", todo="it ends in /v1"),
    Row(id="Ollama's own, of no type", script=(Head(200, {}), Raw(OLLAMA_CHAT)), kind=PROTOCOL, says="answers in Ollama's own protocol", todo="it ends in /v1"),
    Row(id="JSON lines", script=(NDJSON, Raw(b'{"a": 1}\n{"b": 2}\n')), kind=PROTOCOL, says="that is no model's reply: '{\"a\": 1}", todo="check base_url"),
    Row(id="JSON error with 200", script=answer(200, {"error": {"message": "no such model", "code": 404}}), kind=REFUSED, status=404, says="no such model"),
    Row(id="empty body", script=(Head(200, {}),), kind=PROTOCOL, says="answered with an empty reply"),
    # streams that break
    Row(id="early clean end", script=BEGUN, kind=EARLY, says="ended before the model did", text_before="Par"),
    Row(id="early mark", script=(*BEGUN, data("[DONE]")), kind=EARLY, says="ended before the model did", text_before="Par"),
    Row(id="cut chunk", script=(*BEGUN, Raw(b'data: {"choices": [{"del')), kind=PROTOCOL, says="a chunk of it is no JSON", text_before="Par"),
    Row(id="error object", script=(*BEGUN, data({"error": {"message": "upstream", "code": 503}})), kind=OVERLOADED, status=503, says="upstream", text_before="Par"),
    Row(id="dropped before the head", script=(Drop(),), kind=UNREACHABLE, says="dropped the connection"),
    Row(id="closed before the head", script=(Drop(reset=False),), kind=UNREACHABLE, says="dropped the connection"),
    Row(id="dropped in mid-chunk", script=(DropAt(300), *BEGUN, *text("is")), kind=UNREACHABLE, says="dropped the connection"),
    Row(id="dropped in mid-text", script=(*BEGUN, Drop(reset=False)), kind=UNREACHABLE, says="dropped the connection", text_before=None),
    # silence
    Row(id="silence before the head", script=(Silence(),), kind=ProviderSilentError, says="sent nothing for 1 s", todo="idle_timeout_s", idle_timeout_s=1.0),
    Row(id="silence after the head", script=(Head(), Raw(b": hi\n\n"), Silence()), kind=ProviderSilentError, says="sent nothing for 1 s", idle_timeout_s=1.0),
    Row(id="silence in mid-text", script=(*BEGUN, Silence()), kind=ProviderSilentError, says="sent nothing for 1 s", idle_timeout_s=1.0, text_before="Par"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _aiohttp_is_loaded():
    """aiohttp's import takes a while: it is no part of the times that the table states."""
    importlib.import_module("aiohttp")


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    """A key in the provider's variable, so that a message could leak it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_fault(provider, row, again):
    """Each fault is the error of its row, with its values, without the key, and after one request.

    It makes no difference whether the connection is new or has served a request before.
    """
    if again:
        provider.reply(text_reply("Paris"))
    provider.reply(row.script)
    seen = []
    with pytest.raises(ModelError) as raised:
        stream(chat(provider), request(idle_timeout_s=row.idle_timeout_s), seen=seen, again=again)
    fault = raised.value
    assert type(fault) is row.kind
    assert row.says in fault.what
    assert row.todo in fault.todo
    assert fault.todo
    assert "\n" not in fault.what + fault.todo
    assert (fault.status_code, fault.retry_after_s) == (row.status, row.retry_after_s)
    shown = "".join(event.text for event in seen if isinstance(event, TextDelta))
    assert row.text_before in (None, shown)
    assert len(provider.requests) == 1 + again
    assert fault.__cause__ is None
    for secret in row.never_says:
        assert secret not in str(fault)


UNREACHED = [
    (
        "http://127.0.0.1:9/v1",
        UNREACHABLE,
        "no server answers at http://127.0.0.1:9/v1",
        "start it, or check base_url",
    ),
    (
        "http://nowhere.invalid/v1",
        UNREACHABLE,
        "the host of http://nowhere.invalid/v1 is not known",
        "online",
    ),
    (
        "localhost:11434/v1",
        REFUSED,
        "'localhost:11434/v1' is no address that can be asked",
        "http:// or https://",
    ),
    (
        "ftp://127.0.0.1/v1",
        REFUSED,
        "'ftp://127.0.0.1/v1' is no address that can be asked",
        "http:// or https://",
    ),
]


@pytest.mark.parametrize(("url", "kind", "what", "todo"), UNREACHED)
def test_no_server(url, kind, what, todo):
    """An address without a server behind it says so, and what to check, at once."""
    with pytest.raises(ModelError) as raised:
        stream(OpenAIChat(id="m", base_url=url))
    assert type(raised.value) is kind
    assert what in raised.value.what
    assert todo in raised.value.todo


def test_variables_are_named_only_where_they_were_used(monkeypatch):
    """The message names OPENAI_BASE_URL where the address came from it, and api_key where the key was given."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelError) as raised:
        stream(OpenAIChat(id="m"))
    assert raised.value.todo == "start it, or check base_url / OPENAI_BASE_URL"


def test_a_given_key_is_not_shown_either(provider):
    """A key that was given literally is cut out of what the provider echoes, and called api_key."""
    provider.reply(error(401, "bad key: hunter2-hunter2"))
    with pytest.raises(ModelError) as raised:
        stream(chat(provider, api_key="hunter2-hunter2"))
    assert "refused the key in api_key (401): bad key: [key]" in raised.value.what


def test_a_key_with_a_stray_character(provider, monkeypatch):
    """A key that was pasted with a typographer's quotation mark is named as the trouble, and not shown."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\u201d")
    with pytest.raises(ProviderRefusedError) as raised:
        stream(chat(provider))
    assert raised.value.what == "the key in OPENAI_API_KEY holds characters that no key has"
    assert provider.requests == []


def test_what_nobody_expected():
    """An exception that no row knows is not called the provider's: it names itself, without the key."""
    target = RequestTarget(provider="p", model="m", base_url="http://x/v1", key="secret-word")
    fault = error_from_exception(KeyError("secret-word"), target, None)
    assert type(fault) is ProviderProtocolError
    assert fault.what == "asking provider 'p' failed in an unexpected way: KeyError: '[key]'"


def test_encrypted_and_plain(provider):
    """A plain server asked for https is no secure connection, not a riddle."""
    provider.reply(answer(400, "plain"))
    with pytest.raises(ProviderUnreachableError):
        stream(
            OpenAIChat(id="m", base_url=provider.base_url.replace("http:", "https:")),
            request(idle_timeout_s=0.5),
        )


def test_usage_that_never_comes_does_not_fail_the_reply(provider, monkeypatch):
    """After the model's last word a lost connection costs the usage, not the answer."""
    provider.reply((*BEGUN, *end(usage=None)[:1], Drop(reset=False)))
    finished = stream(chat(provider))[-1]
    assert (finished.text, finished.usage_source) == ("Par", "missing")
    monkeypatch.setattr("nbagent.models.wire.streamed_model._TAIL_S", 0.05)
    provider.reply((*BEGUN, *end(usage=None)[:1], Silence()))
    finished = stream(chat(provider))[-1]
    assert (finished.text, finished.usage_source) == ("Par", "missing")


def test_a_comment_keeps_a_slow_reply_alive(provider):
    """Keep-alive comments are bytes: the idle time starts again with each."""
    gate = Gate()
    provider.reply((Raw(b": wait\n\n"), Wait(gate), *text_reply("Paris")))
    provider.otherwise(error(500, "asked again"))
    gate.open()
    assert stream(chat(provider))[-1].text == "Paris"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers, seconds):
    """Retry-After is read as seconds, milliseconds or a date, and never negative."""
    assert retry_after_s(headers) == seconds


def test_retry_after_a_date_to_come():
    """A date is the seconds until then."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 55 < retry_after_s({"retry-after": at}) <= 60


@pytest.mark.parametrize(
    ("text_", "key", "shown"),
    [
        ("key abc-123-def!", "abc-123-def", "key [key]!"),
        ("sk-ant-api03-abcdefgh", None, "[key]"),
        ("gsk_abcdefghijkl and hf_abcdefghijkl", None, "[key] and [key]"),
        ("Authorization: Bearer abc.def", None, "Authorization: Bearer [key]"),
        ("abcd********wxyz", None, "[key]"),
        ("nothing to hide in a task-based desk-top", "x", "nothing to hide in a task-based desk-top"),
    ],
)
def test_redaction(text_, key, shown):
    """Keys, and what looks like one, are cut out; ordinary words are left."""
    assert redact(text_, key) == shown
