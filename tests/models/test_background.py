"""Responses that live at the provider: created once, followed, taken up again, polled, cancelled there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

import pytest

from nbagent.demo.process import DemoProcess
from nbagent.errors import (
    ModelError,
    OutOfReachError,
    ProviderOverloadedError,
    ProviderRefusedError,
    ProviderUnreachableError,
    QueueTimeoutError,
)
from nbagent.models import (
    Notice,
    OpenAIResponses,
    Provider,
    ReplyFinished,
    ReplyStarted,
    ResponseAttached,
    ResumePoint,
    TextDelta,
    close_connections,
)
from nbagent.models import capabilities as concessions_module
from nbagent.models.openai import background as background_module
from nbagent.models.transport.background_tasks import _running
from tests.models.single_call import request, responses, stream
from tests.provider import responses_wire as wire
from tests.provider.steps import Drop, Gate, Silence, Wait, answer, error

PATH = "/v1/responses/resp_test"
NOTICE = "provider 'openai' has no background mode for this model: the run is in the notebook, and ends with its kernel"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Pauses that are short, and no concession remembered from another test's server."""
    monkeypatch.setattr(background_module, "_PAUSES_S", (0.01,))
    monkeypatch.setattr(background_module, "_POLLS_S", (0.01,))
    monkeypatch.setattr(concessions_module, "_memories", {})


def remote(*pieces: str, first: int = 0, status: str = "completed", usage=wire.USAGE):
    """Return the events of a background response, numbered, from number `first` on."""
    whole = wire.message("".join(pieces))
    steps = (
        wire.created("queued", background=True),
        wire.event("response.queued", response=wire.response("queued", background=True)),
        *wire.begun(background=True)[1:],
        *wire.text(*pieces),
        wire.end(status, whole, usage=usage, background=True),
    )
    return wire.numbered(steps)[first:]


def model(provider, **options) -> OpenAIResponses:
    """Return a model that asks for the background mode."""
    return responses(provider, background=True, **options)


def text_of(events) -> str:
    """Return the text that was yielded."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def asked(provider) -> list[str]:
    """Return what the provider was asked, in order."""
    return [f"{sent.method} {sent.path}" for sent in provider.requests]


def test_one_request(provider):
    """A response that streams to its end is one create, stored and streamed; where it stands is said at each read."""
    provider.reply(remote("Par", "is"))
    events = stream(model(provider))
    assert (text_of(events), events[-1].text, events[-1].usage.total_tokens) == ("Paris", "Paris", 18)
    assert isinstance(events[0], ResponseAttached)
    attached = [event for event in events if isinstance(event, ResponseAttached)]
    assert attached[-1] == ResponseAttached(response_id="resp_test", sequence_number=7)
    assert asked(provider) == ["POST /v1/responses"]
    (body,) = provider.bodies
    assert (body["background"], body["store"], body["stream"]) == (True, True, True)


@pytest.mark.parametrize("kept", range(1, 8))
def test_a_dropped_connection_is_taken_up_again(provider, kept):
    """Wherever the connection drops after the first event, the stream goes on after the last one that came."""
    provider.reply((*remote("Par", "is")[:kept], Drop(reset=False)))

    def choose(sent):
        first = int(sent.path.partition("starting_after=")[2] or -1) + 1
        return remote("Par", "is", first=first)

    provider.otherwise(choose)
    events = stream(model(provider))
    assert (text_of(events), events[-1].text) == ("Paris", "Paris")
    assert asked(provider)[0] == "POST /v1/responses"
    assert all(f"GET {PATH}?stream=true" in line for line in asked(provider)[1:])
    assert [type(event) for event in events].count(ReplyStarted) == 1


def test_a_server_that_ignores_the_cursor(provider):
    """A stream that begins anew, cursor or not, repeats no text."""
    provider.reply((*remote("Par", "is")[:5], Drop(reset=False)), remote("Par", "is"))
    assert text_of(stream(model(provider))) == "Paris"


def test_many_drops(provider):
    """A stream that drops after each event is still followed to its end."""
    script = remote(*"Paris!")

    def choose(sent):
        first = int(sent.path.partition("starting_after=")[2] or -1) + 1
        return (*script[first : first + 1], Drop(reset=False)) if first < len(script) - 1 else script[-1:]

    provider.otherwise(choose)
    assert text_of(stream(model(provider))) == "Paris!"
    assert asked(provider).count("POST /v1/responses") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "This response can no longer be streamed"),
        error(404, "no such stream"),
        answer(501, ""),
        answer(200, wire.response("in_progress", background=True)),
        (Silence(),),
    ],
    ids=["400", "404", "501", "an object instead", "silence"],
)
def test_polled_once_the_stream_cannot_be_taken_up(provider, refusal):
    """A stream that is refused is followed by looks at the response; the text that was missed comes once."""
    provider.reply(
        (*remote("Par", "is")[:6], Drop(reset=False)),
        refusal,
        wire.retrieved("in_progress"),
        wire.retrieved("in_progress"),
        wire.retrieved("completed", wire.message("Paris, yes.")),
    )
    events = stream(model(provider), request(idle_timeout_s=1.0))
    assert text_of(events) == "Paris, yes."
    assert events[-1].usage.total_tokens == 18
    assert asked(provider)[2:] == [f"GET {PATH}"] * 3


def test_early_ends_are_not_asked_for_ever(provider):
    """A stream that ends early and cleanly is taken up once more; if nothing new comes, the response is polled."""
    provider.reply(
        remote("Par", "is")[:6], (), wire.retrieved("completed", wire.message("Paris")),
    )  # fmt: skip
    assert text_of(stream(model(provider))) == "Paris"
    assert asked(provider)[1:] == [f"GET {PATH}?stream=true&starting_after=5", f"GET {PATH}"]


def test_a_stream_that_breaks_the_format(provider):
    """Garbage in the stream is no verdict on the response, which is asked itself."""
    garbage = wire.Raw(b"data: {oops\n\n")
    provider.reply((*remote("Par")[:6], garbage), wire.retrieved("completed", wire.message("Paris")))
    assert text_of(stream(model(provider))) == "Paris"


def test_failures_of_the_provider_are_waited_out(provider):
    """5xx and 429 on the way back are tried again, as long as the silence limit allows."""
    cut = (*remote("Par", "is")[:6], Drop(reset=False))
    provider.reply(cut, error(503, "x"), error(429, "y"), error(500, "z"), remote("Par", "is", first=6))
    assert text_of(stream(model(provider))) == "Paris"


def test_out_of_reach(provider):
    """A response that cannot be reached for too long is left alone, said so, and not asked anew."""
    provider.reply((*remote("Par", "is")[:6], Drop(reset=False)))
    provider.otherwise(error(503, "down"))
    with pytest.raises(OutOfReachError) as raised:
        stream(model(provider), request(idle_timeout_s=1.0))
    assert "response 'resp_test' at provider 'openai' was out of reach for 1 s" in raised.value.what
    assert raised.value.todo == "it may go on there: resume the run to attach to it again"
    assert not raised.value.retryable
    assert asked(provider).count("POST /v1/responses") == 1


def test_expired(provider):
    """A response that the provider has forgotten says so."""
    provider.otherwise(error(404, "Response with id 'resp_test' not found."))
    resume = ResumePoint(response_id="resp_test", sequence_number=3, text="Par")
    with pytest.raises(ProviderRefusedError) as raised:
        stream(model(provider), request(resume=resume))
    assert (
        raised.value.what
        == "provider 'openai' no longer has response 'resp_test' (404): it has expired or was deleted"
    )
    assert "launch the run again" in raised.value.todo


def test_key_refused_on_the_way_back(provider):
    """A key that is refused in mid-run ends the call at once."""
    provider.reply((*remote("Par", "is")[:6], Drop(reset=False)))
    provider.otherwise(error(401, "bad key"))
    with pytest.raises(ProviderRefusedError, match="refused the key"):
        stream(model(provider))


@pytest.mark.parametrize(
    "script",
    [(Drop(),), (Drop(reset=False),), (Silence(),), error(502, "x"), error(504, "x"), (wire.Raw(b": hi\n\n"), Drop(reset=False)), ()],
    ids=["reset", "closed", "silence", "502", "504", "after the head", "empty"],
)  # fmt: skip
def test_never_created_twice(provider, script):
    """A create without an answer may have worked: that is an error that is not tried again, and says why."""
    provider.otherwise(script)
    with pytest.raises(OutOfReachError) as raised:
        stream(model(provider), request(idle_timeout_s=1.0))
    assert raised.value.what.startswith(
        "whether provider 'openai' created the background response is not known; "
    )
    assert "before you launch it again" in raised.value.todo
    assert not raised.value.retryable
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    "script", [error(429, "x", headers={"retry-after": "2"}), error(503, "x"), error(500, "x")]
)
def test_a_refused_create_may_be_tried_again(provider, script):
    """A create that the provider refused for now was none: the loop may try again."""
    provider.reply(script)
    with pytest.raises(ProviderOverloadedError) as raised:
        stream(model(provider))
    assert raised.value.retryable


def test_no_server():
    """Where no server answers nothing was created: the loop may try again."""
    with pytest.raises(ProviderUnreachableError) as raised:
        stream(OpenAIResponses(id="m", base_url="http://127.0.0.1:9/v1", background=True))
    assert raised.value.retryable


def test_a_provider_that_ignores_background(provider):
    """A reply that does not say it lives there is the reply of this very call: said once, nothing is paid twice."""
    provider.reply(wire.text_reply("Par", "is"))
    events = stream(model(provider))
    assert [event.text for event in events if isinstance(event, Notice)] == [NOTICE]
    assert (text_of(events), events[-1].text) == ("Paris", "Paris")
    assert not any(isinstance(event, ResponseAttached) for event in events)
    assert len(provider.requests) == 1


def test_a_provider_that_answers_whole(provider):
    """The same where it answers with a response object instead of a stream."""
    provider.reply(answer(200, wire.response("completed", wire.message("Paris"))))
    events = stream(model(provider))
    assert [type(event) for event in events] == [Notice, ReplyStarted, TextDelta, ReplyFinished]


def test_a_background_response_that_is_not_streamed(provider):
    """A provider that runs it but does not stream it is polled."""
    provider.reply(
        answer(200, wire.response("queued", background=True)), (),
        wire.retrieved("completed", wire.message("Paris")),
    )  # fmt: skip
    provider.otherwise(wire.retrieved("completed", wire.message("Paris")))
    events = stream(model(provider))
    assert text_of(events) == "Paris"
    assert asked(provider)[0] == "POST /v1/responses"


def test_a_provider_that_refuses_background(provider):
    """A 400 that names background is answered by the request without it, said once a run, and remembered."""
    provider.reply(
        error(400, "background mode is not supported", param="background"),
        wire.text_reply("a"),
        wire.text_reply("b"),
    )
    asking = model(provider)
    first, second = stream(asking), stream(asking)
    assert [event.text for event in first if isinstance(event, Notice)] == [NOTICE]
    assert [event.text for event in second if isinstance(event, Notice)] == [NOTICE]
    assert ["background" in body for body in provider.bodies] == [True, False, False]
    assert not any(isinstance(event, ResponseAttached) for event in [*first, *second])


def test_a_provider_whose_row_has_no_background(provider):
    """A row without native background is not even asked."""
    row = Provider(name="plain", base_url=provider.base_url, key_required=False, wires=("responses",))
    provider.reply(wire.text_reply("a"))
    events = stream(OpenAIResponses(id="m", provider=row, background=True))
    assert isinstance(events[0], Notice)
    assert "provider 'plain' has no background mode" in events[0].text
    assert "background" not in provider.bodies[0]


def test_dropped_where_background_was_ignored(provider):
    """A call that turned out to live here fails like one: the loop may try it again."""
    provider.reply((*wire.text_reply("Par", "is")[:6], Drop(reset=False)))
    with pytest.raises(ProviderUnreachableError) as raised:
        stream(model(provider))
    assert raised.value.retryable


@pytest.mark.parametrize("after", [6, None])
def test_resumed_in_another_kernel(provider, after):
    """With a resume point nothing is created: the stream goes on after it, and the known text is not repeated."""
    provider.reply(remote("Par", "is", first=0 if after is None else after))
    resume = ResumePoint(response_id="resp_test", sequence_number=None if after is None else 5, text="Par")
    events = stream(model(provider), request(resume=resume))
    assert (text_of(events), events[-1].text) == ("is", "Paris")
    wanted = f"GET {PATH}?stream=true" + ("" if after is None else "&starting_after=5")
    assert asked(provider) == [wanted]


def test_resumed_when_only_the_end_is_left(provider):
    """Once the resume window has passed, the rest of the text comes from a look at the response."""
    provider.reply(error(400, "too old"), wire.retrieved("completed", wire.message("Paris!")))
    resume = ResumePoint(response_id="resp_test", sequence_number=5, text="Par")
    events = stream(responses(provider), request(resume=resume))
    assert (text_of(events), events[-1].text) == ("is!", "Paris!")


def test_queue_deadline(provider):
    """A response that waits in the queue for too long ends as queue_timeout and is cancelled at the provider."""
    provider.reply((*remote("x")[:2], Silence()))
    provider.otherwise(wire.retrieved("cancelled"))
    with pytest.raises(QueueTimeoutError) as raised:
        asyncio.run(_finish(model(provider, queued_timeout_s=0.2)))
    assert raised.value.stop_reason == "queue_timeout"
    assert "waited for longer than 0.2 s in the queue of provider 'openai'" in raised.value.what
    assert asked(provider)[-1] == f"POST {PATH}/cancel"


def test_the_queue_deadline_ends_with_the_queue(provider):
    """Once the response is at work the deadline is over."""
    gate = Gate()
    script = remote("Par", "is")
    provider.reply((*script[:3], Wait(gate), *script[3:]))

    async def run():
        consuming = asyncio.ensure_future(_finish(model(provider, queued_timeout_s=0.15)))
        await asyncio.to_thread(gate.reached.wait, 5)
        done, _ = await asyncio.wait({consuming}, timeout=0.3)
        assert not done
        gate.open()
        return await consuming

    assert text_of(asyncio.run(run())) == "Paris"


async def _finish(asking, sent=None):
    """Consume a stream and wait for what it left to do."""
    try:
        async with aclosing(asking.stream(sent or request())) as events:
            return [event async for event in events]
    finally:
        await asyncio.gather(*_running, return_exceptions=True)
        await close_connections()


def _cancelled(provider, asking, phase: Callable[[], None], message: str | None = None):
    """Cancel a call once `phase` has returned, and wait until all is over."""

    async def run():
        consuming = asyncio.ensure_future(_consume())
        await asyncio.to_thread(phase)
        consuming.cancel(message)
        with pytest.raises(asyncio.CancelledError):
            await consuming
        await asyncio.gather(*_running, return_exceptions=True)
        await close_connections()

    async def _consume():
        async with aclosing(asking.stream(request())) as events:
            async for _ in events:
                pass

    asyncio.run(run())


PHASES = {
    "queued": ((*remote("x")[:2], Silence()), 1),
    "streaming": ((*remote("Par", "is")[:6], Silence()), 1),
    "taking it up": ((*remote("Par", "is")[:6], Drop(reset=False)), 2),
}


@pytest.mark.parametrize("phase", PHASES)
def test_cancel_reaches_the_provider(provider, phase):
    """Cancelling the task ends it at once and the response at the provider soon after, with one request."""
    script, requests = PHASES[phase]
    provider.reply(script, *([(Silence(),)] * (requests - 1)))
    provider.otherwise(wire.retrieved("cancelled"))
    _cancelled(provider, model(provider), lambda: _in_phase(provider, requests))
    assert asked(provider)[requests:] == [f"POST {PATH}/cancel"]


def _in_phase(provider, requests: int) -> None:
    provider.wait_for_requests(requests)
    time.sleep(0.05)  # the client has read what came: nobody but it could tell


def test_cancel_while_polling(provider):
    """The same between two looks at a response."""
    provider.reply((*remote("Par", "is")[:6], Drop(reset=False)), error(400, "too old"))
    provider.otherwise(lambda sent: wire.retrieved("in_progress" if sent.method == "GET" else "cancelled"))
    _cancelled(provider, model(provider), lambda: provider.wait_for_requests(5))
    assert asked(provider)[-1] == f"POST {PATH}/cancel"
    assert asked(provider).count(f"POST {PATH}/cancel") == 1


def test_cancel_before_the_response_has_a_name(provider):
    """A create that was on its way when the run was cancelled is cancelled as soon as its id is known."""
    gate = Gate()
    provider.reply((Wait(gate), *remote("x")[:2], Silence()))
    provider.otherwise(wire.retrieved("cancelled"))

    async def run():
        consuming = asyncio.ensure_future(_consume())
        await asyncio.to_thread(gate.reached.wait, 5)
        consuming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consuming
        gate.open()
        await asyncio.gather(*_running, return_exceptions=True)
        await close_connections()

    async def _consume():
        async for _ in model(provider).stream(request()):
            pass

    asyncio.run(run())
    assert asked(provider) == ["POST /v1/responses", f"POST {PATH}/cancel"]


@pytest.mark.parametrize("phase", PHASES)
def test_the_kernels_end_leaves_it_running(provider, phase):
    """A cancellation that says kernel_died leaves the response at the provider, to be resumed."""
    script, requests = PHASES[phase]
    provider.reply(script, *([(Silence(),)] * (requests - 1)))
    _cancelled(provider, model(provider), lambda: _in_phase(provider, requests), "kernel_died")
    assert len(provider.requests) == requests


def test_leaving_early_cancels_there(provider):
    """Whoever stops reading has no use for the response: it is cancelled at the provider."""
    provider.reply((*remote("Par", "is")[:6], Silence()))
    provider.otherwise(wire.retrieved("cancelled"))

    async def run():
        async with aclosing(model(provider).stream(request())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        await asyncio.gather(*_running, return_exceptions=True)
        await close_connections()

    asyncio.run(run())
    assert asked(provider)[1:] == [f"POST {PATH}/cancel"]


def test_nothing_is_cancelled_that_has_ended(provider):
    """A response that has ended, or does not live there, is not cancelled."""
    provider.reply(remote("Paris"), remote("Paris", status="failed"))
    asyncio.run(_finish(model(provider)))
    with pytest.raises(ModelError):
        asyncio.run(_finish(model(provider)))
    assert asked(provider) == ["POST /v1/responses"] * 2


@pytest.fixture(scope="module")
def demo():
    """A demo server whose streams can be taken up for half a second, after a moment in the queue."""
    server = DemoProcess(speed=2, resume_s=0.5)
    yield server.start()
    server.stop()


def test_the_demo_server_in_the_background(demo):
    """The demo model runs in its background too: streamed, left, resumed by id, and polled when it is too late."""
    asking = OpenAIResponses(id="assistant", provider="demo", base_url=demo, background=True)

    async def run():
        seen = []
        async with aclosing(asking.stream(request())) as events:
            task = asyncio.current_task()
            try:
                async for event in events:
                    seen.append(event)
                    if text_of(seen):
                        task.cancel("kernel_died")
            except asyncio.CancelledError:
                task.uncancel()
        attached = next(event for event in reversed(seen) if isinstance(event, ResponseAttached))
        resume = ResumePoint(
            response_id=attached.response_id,
            sequence_number=attached.sequence_number,
            text=text_of(seen),
        )
        rest = [event async for event in asking.stream(request(resume=resume))]
        await asyncio.sleep(0.6)
        late = [event async for event in asking.stream(request(resume=resume))]
        await close_connections()
        return text_of(seen), rest, late

    begun, rest, late = asyncio.run(run())
    assert begun + text_of(rest) == rest[-1].text == "The capital of France is Paris."
    assert begun + text_of(late) == late[-1].text == rest[-1].text
    assert late[-1].usage.total_tokens == rest[-1].usage.total_tokens


def test_connections_are_closed_after_the_cancel(provider):
    """Closing the connections waits for a cancel that is on its way to the provider."""
    provider.reply((*remote("Par", "is")[:6], Silence()))
    provider.otherwise(wire.retrieved("cancelled"))

    async def run():
        async with aclosing(model(provider).stream(request())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        await close_connections()

    asyncio.run(run())
    assert asked(provider)[1:] == [f"POST {PATH}/cancel"]
