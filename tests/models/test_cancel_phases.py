"""Cancel in every phase of a model call, through the whole runtime, on each wire format.

A cancel is final at once, the connection is closed, and the server's log shows no request after it, but the
one that cancels a response which lives at the provider.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
from collections.abc import Iterator

import pytest

from nbagent import Agent
from nbagent.models import OpenAIChat, OpenAIResponses
from nbagent.models.anthropic import AnthropicMessages
from nbagent.models.openai import background as background_module
from nbagent.run import RunStatus
from nbagent.spec import Limits
from tests.harness.waiting import until
from tests.provider import chat_wire, messages_wire, responses_wire
from tests.provider.steps import Drop, Gate, Head, Raw, Silence, Wait, error

WIRES = {
    "chat": (chat_wire, OpenAIChat),
    "responses": (responses_wire, OpenAIResponses),
    "messages": (messages_wire, AnthropicMessages),
}
REMOTE = responses_wire.numbered(
    (
        responses_wire.created("queued", background=True),
        *responses_wire.begun(background=True)[1:],
        *responses_wire.text("Par", "is"),
    )
)
CANCEL = "POST /v1/responses/resp_test/cancel"


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """aiohttp's import is no part of the times."""
    importlib.import_module("aiohttp")


def start(model, *, retries: int = 0):
    """Launch a run."""
    return Agent(model=model, limits=Limits(model_retries=retries, idle_timeout_s=20.0)).start("Where?")


def cancel(run) -> None:
    """Cancel the run; it is final when `cancel` returns."""
    assert run.cancel()
    assert run.status is RunStatus.cancelled
    assert run.wait(60).stop_reason == "cancelled"


def nothing_follows(provider, requests: int) -> None:
    """Hold that no more requests than these come, for a while."""
    with pytest.raises(AssertionError):
        provider.wait_for_requests(requests + 1, timeout=0.3)


def reached(run, text: str) -> None:
    """Wait until the run shows `text`."""
    until(lambda: run.text == text, lambda: run.output)


PHASES = ["before the head", "after the head", "in mid-text", "in mid-tool-call"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("wire", WIRES)
def test_cancel_in_a_call(provider, wire, phase):
    """While a reply is awaited or comes, cancel closes the connection and keeps the text that had come."""
    words, kind = WIRES[wire]
    script = {
        "before the head": (),
        "after the head": (Head(), Raw(b": hi\n\n")),
        "in mid-text": (*words.begun(), *words.text("Par")),
        "in mid-tool-call": words.tool_arguments('{"a": ')[:-1],
    }[phase]
    provider.reply((*script, Silence()))
    run = start(kind(id="scripted", base_url=provider.base_url))
    (sent,) = provider.wait_for_requests(1)
    if phase == "in mid-text":
        reached(run, "Par")
    cancel(run)
    assert sent.disconnected.wait(60)
    assert run.text == ("Par" if phase == "in mid-text" else "")
    nothing_follows(provider, 1)


@pytest.mark.parametrize("wire", WIRES)
def test_cancel_in_a_pause(provider, wire):
    """In the pause before another try, cancel ends the run and the try is never made."""
    provider.reply(error(429, "slow", headers={"retry-after": "20"}))
    run = start(WIRES[wire][1](id="scripted", base_url=provider.base_url), retries=3)
    (sent,) = provider.wait_for_requests(1)
    assert sent.answered.wait(60)
    cancel(run)
    nothing_follows(provider, 1)


@pytest.mark.parametrize("phase", ["before the head", "in mid-text"])
def test_cancel_after_a_pause_of_the_provider(provider, phase):
    """While a paused answer is gone on from, cancel closes that connection and keeps all text; nothing is asked again."""
    more = {"before the head": (), "in mid-text": (*messages_wire.begun(), *messages_wire.text("is"))}[phase]
    provider.reply(messages_wire.text_reply("Par", stop="pause_turn"), (*more, Silence()))
    run = start(AnthropicMessages(id="scripted", base_url=provider.base_url), retries=3)
    _, second = provider.wait_for_requests(2)
    reached(run, "Par" if phase == "before the head" else "Paris")
    cancel(run)
    assert second.disconnected.wait(60)
    nothing_follows(provider, 2)


@pytest.fixture
def full_server() -> Iterator[str]:
    """A server whose queue of connections is full: connecting takes for ever."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("wire", WIRES)
def test_cancel_while_connecting(full_server, wire, background):
    """Before there is a connection, cancel ends the run as promptly."""
    options = {"background": True} if background and wire == "responses" else {}
    run = start(WIRES[wire][1](id="scripted", base_url=full_server, **options))
    until(lambda: run.status is RunStatus.running)
    cancel(run)


REMOTE_PHASES = {
    "queued": [(*REMOTE[:1], Silence())],
    "streaming": [(*REMOTE, Silence())],
    "taking it up": [(*REMOTE, Drop(reset=False)), (Silence(),)],
    "polling": [
        (*REMOTE, Drop(reset=False)),
        error(400, "too late"),
        responses_wire.retrieved("in_progress"),
    ],
}


@pytest.mark.parametrize("phase", REMOTE_PHASES)
def test_cancel_of_a_response_at_the_provider(provider, phase, monkeypatch):
    """A response at the provider is cancelled there, with one request, and nothing else is asked."""
    monkeypatch.setattr(background_module, "_POLLS_S", (20.0,))
    scripts = REMOTE_PHASES[phase]
    provider.reply(*scripts)
    provider.otherwise(responses_wire.retrieved("cancelled"))
    run = start(OpenAIResponses(id="scripted", base_url=provider.base_url, background=True))
    provider.wait_for_requests(len(scripts))
    if phase == "queued":
        _attached(run)
    else:
        reached(run, "Paris")
    cancel(run)
    *_, last = provider.wait_for_requests(len(scripts) + 1)
    assert f"{last.method} {last.path}" == CANCEL
    assert run.text == ("" if phase == "queued" else "Paris")
    nothing_follows(provider, len(scripts) + 1)


def _attached(run) -> None:
    """Wait until the run knows its response at the provider."""
    until(lambda: run.record.response_id is not None)


def test_cancel_of_a_response_that_is_being_created(provider):
    """The run is final at once; what the create makes all the same is cancelled as soon as it has an id."""
    gate = Gate()
    provider.reply((Wait(gate), *REMOTE, Silence()))
    provider.otherwise(responses_wire.retrieved("cancelled"))
    run = start(OpenAIResponses(id="scripted", base_url=provider.base_url, background=True))
    assert gate.reached.wait(60)
    cancel(run)
    gate.open()
    *_, last = provider.wait_for_requests(2)
    assert f"{last.method} {last.path}" == CANCEL
    nothing_follows(provider, 2)


@pytest.mark.parametrize("phase", REMOTE_PHASES)
def test_the_kernels_end_leaves_a_response_at_the_provider(provider, phase, monkeypatch):
    """A run that ends with its kernel asks for nothing more: the response goes on and can be attached to again."""
    monkeypatch.setattr(background_module, "_POLLS_S", (20.0,))
    scripts = REMOTE_PHASES[phase]
    provider.reply(*scripts)
    run = start(OpenAIResponses(id="scripted", base_url=provider.base_url, background=True))
    provider.wait_for_requests(len(scripts))
    _attached(run)
    run._runtime.thread.soon(run._live.stop, "kernel_died")
    assert run.wait(60).stop_reason == "kernel_died"
    nothing_follows(provider, len(scripts))
