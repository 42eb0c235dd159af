"""A response that lives at its provider: created once, followed to its end, cancelled there on cancel.

Used by `responses.py` on the background thread, one `BackgroundResponse` for one model call. A connection
that drops is taken up again after the last event; where that is no longer possible the response is polled. It
is never created twice: a create whose outcome is unknown is an error that says so, and the loop tries none of
this file's errors again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable
from typing import TypeVar
from urllib.parse import quote

from nbagent.errors import (
    ModelError,
    OutOfReachError,
    ProviderOverloadedError,
    ProviderProtocolError,
    ProviderRefusedError,
    ProviderSilentError,
    ProviderUnreachableError,
    QueueTimeoutError,
)
from nbagent.models.endpoint import Endpoint
from nbagent.models.openai.base import OpenAICompatibleModel
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.protocol import ModelEvent, ModelRequest, Notice, ResponseAttached
from nbagent.models.transport.background_tasks import spawn
from nbagent.models.transport.errors import NOTHING_SENT, RequestTarget
from nbagent.models.transport.stream import ResponseStream, fetch_json, open_stream
from nbagent.models.wire.streamed_model import OpenedStream, ResponseReader

KERNEL_DIED = "kernel_died"  # the cancellation's message when the kernel ends: the response is left to go on
_PATIENCE_S = 120.0  # how long a response may be out of reach, where the request sets no idle time
_PAUSES_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)  # between tries to reach it
_POLLS_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # between looks at it
_CANCEL_S = 5.0

# answers to a wish for the stream that mean: look at the response itself
_NO_STREAM = frozenset({400, 404, 405, 406, 409, 410, 422, 501})
_PERHAPS_CREATED = frozenset({408, 502, 504})  # a gateway gave up on a server that may have got it

T = TypeVar("T")


def not_in_background(request: ModelRequest, provider: str) -> tuple[Notice, ...]:
    """Return the notice for a run's first step where the provider has no background mode."""
    if not request.messages or request.messages[-1].role != "user":
        return ()
    return (
        Notice(
            f"provider {provider!r} has no background mode for this model: the run is in the notebook, "
            "and ends with its kernel"
        ),
    )


class BackgroundResponse:
    """See the module. `_lives` is True once the provider has shown that the response lives on its side."""

    def __init__(
        self,
        model: OpenAICompatibleModel,
        endpoint: Endpoint,
        request: ModelRequest,
        queued_timeout_s: float | None,
    ) -> None:
        self._model = model
        self._endpoint = endpoint
        self._request = request
        self._queued_timeout_s = queued_timeout_s
        self._queued_until: float | None = None
        self._patience_s = request.idle_timeout_s or _PATIENCE_S
        self._target: RequestTarget
        self._reply: ResponsesStreamParser
        self._reading: ResponseReader | None = None
        self._lives = False
        self._polling = False
        self._polls = 0
        self._failures = 0
        self._lost_at: float | None = None
        self._tried_after: int | None = None  # the last event when the stream was taken up last
        self._said: ResponseAttached | None = None

    async def stream(self) -> AsyncGenerator[ModelEvent, None]:
        """Yield what comes, `ResponseAttached` after each read, `ReplyFinished` last."""
        self._target = await self._endpoint.target()
        try:
            for event in await self._begin():
                yield event
            while not self._reply.done or self._is_unsettled():
                if self._reply.done:
                    await self._look_closer()
                for event in await self._in_time(self._more()):
                    yield event
                if self._lives and (attached := self._attached()) is not None:
                    yield attached
            finished = self._reply.finished()
            self._lives = False
            if self._reading is not None:
                await self._reading.exchange.drain()
            yield finished
        except (asyncio.CancelledError, GeneratorExit) as stop:
            if self._lives and KERNEL_DIED not in stop.args:
                self._cancel_there()
            raise
        finally:
            await self._close()

    # ----------------------------------------------------------------- begin

    async def _begin(self) -> list[ModelEvent]:
        """Create the response, or find the one to go on with."""
        resume = self._request.resume
        if resume is None:
            return await self._create()
        self._reply = ResponsesStreamParser(self._target, resume.text)
        self._reply.response_id = resume.response_id
        self._reply.sequence_number = resume.sequence_number
        self._lives = True
        return [event for event in (self._attached(),) if event is not None]

    async def _create(self) -> list[ModelEvent]:
        """Create it, in a task of its own: what is cancelled meanwhile may be there all the same."""
        self._reply = ResponsesStreamParser(self._target)
        creating = asyncio.ensure_future(self._open())
        try:
            opened, events = await asyncio.shield(creating)
        except asyncio.CancelledError as stop:
            if KERNEL_DIED in stop.args:
                creating.cancel()
            else:
                spawn(self._cancel_created(creating), _CANCEL_S)
            raise
        self._lives = opened.plan.background and _echoed(self._reply)
        if self._queued_timeout_s is not None:
            self._queued_until = asyncio.get_running_loop().time() + self._queued_timeout_s
        notices = list(opened.notices)
        if not self._lives:
            notices.extend(not_in_background(self._request, self._model.provider))
        attached = self._attached() if self._lives else None
        return [*notices, *([attached] if attached is not None else []), *events]

    async def _open(self) -> tuple[OpenedStream, list[ModelEvent]]:
        """Send the request and read until the response has a name."""
        reply, events = self._reply, list[ModelEvent]()
        asked_for_background = True
        try:
            opened = await self._model.open(self._request, self._target, background=True)
            asked_for_background = opened.plan.background
            self._reading = reading = ResponseReader(opened.exchange, reply, self._target)
            while reply.response_id is None and not reading.over:
                events.extend(await reading.more())
        except ModelError as error:
            if asked_for_background and _was_perhaps_created(error):
                raise _outcome_unknown(error, self._target) from None
            raise
        if asked_for_background and reply.response_id is None and not reply.done:
            raise _outcome_unknown(None, self._target)
        return opened, events

    # ---------------------------------------------------------------- follow

    async def _more(self) -> list[ModelEvent]:
        """Return the next events: of the stream, of the resumed stream, or of a poll."""
        if self._reading is None:
            return await (self._poll() if self._polling else self._take_up())
        try:
            events = await self._reading.more()
        except ModelError as error:
            if not self._lives:
                raise
            await self._close()
            if isinstance(error, ProviderSilentError):
                self._polling = True  # it may think for long: whether it lives is asked
            else:
                await self._pause(error)
            return []
        self._lost_at, self._failures = None, 0
        if self._reading.over and not self._reply.done:
            if not self._lives:
                self._reply.finished()  # raises: the stream ended before the response did
            self._polling |= self._reply.sequence_number == self._tried_after
            await self._close()
        return events

    def _is_unsettled(self) -> bool:
        """True where what was read ends the reply but not the response, which has not been asked itself."""
        return self._lives and not self._reply.is_final and not self._polling

    async def _look_closer(self) -> None:
        """Where the stream broke its format, ask the response itself: it may be well."""
        self._polling = True
        self._reply.again()
        await self._close()

    async def _take_up(self) -> list[ModelEvent]:
        """Ask for the stream again, after the last event that came."""
        reply = self._reply
        after = reply.sequence_number
        path = f"{self._path()}?stream=true" + ("" if after is None else f"&starting_after={after}")
        try:
            exchange = await open_stream(self._target, path, None, self._request.idle_timeout_s)
        except ModelError as error:
            if error.status_code in _NO_STREAM or isinstance(error, ProviderSilentError):
                self._polling = True
            else:
                await self._pause(error)
            return []
        reply.again()
        self._tried_after = after
        self._reading = ResponseReader(exchange, reply, self._target)
        return []

    async def _poll(self) -> list[ModelEvent]:
        """Look at the response; the pauses between looks grow."""
        if self._polls:
            await asyncio.sleep(_POLLS_S[min(self._polls, len(_POLLS_S)) - 1])
        self._polls += 1
        try:
            payload = await fetch_json(self._target, self._path(), None, self._request.idle_timeout_s)
        except ModelError as error:
            if error.status_code == 404:  # noqa: PLR2004 - HTTP's word for gone
                self._lives = False
                raise _expired(self._id, self._target) from None
            await self._pause(error)
            return []
        self._lost_at, self._failures = None, 0
        return self._reply.take([payload])

    async def _pause(self, error: ModelError) -> None:
        """Wait before the next try to reach the response; give up once it was out of reach for too long."""
        worth_it = error.retryable or isinstance(error, ProviderSilentError | ProviderProtocolError)
        if not worth_it:
            raise error
        now = time.monotonic()
        self._lost_at = self._lost_at if self._lost_at is not None else now
        pause = _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
        if isinstance(error, ProviderOverloadedError) and error.retry_after_s is not None:
            pause = max(pause, error.retry_after_s)
        if now + pause - self._lost_at > self._patience_s:
            raise _detached(self._id, error, self._patience_s, self._target)
        self._failures += 1
        await asyncio.sleep(pause)

    async def _in_time(self, work: Awaitable[T]) -> T:
        """Await `work`, but no longer than the response may wait in the provider's queue, while it does."""
        if self._reply.status != "queued" or self._queued_until is None or not self._lives:
            return await work
        try:
            async with asyncio.timeout_at(self._queued_until) as limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
        self._cancel_there()
        assert self._queued_timeout_s is not None
        raise _queue_timeout(self._id, self._queued_timeout_s, self._target)

    # ------------------------------------------------------------------- end

    def _attached(self) -> ResponseAttached | None:
        """Return where the response stands, if that has changed."""
        now = ResponseAttached(response_id=self._id, sequence_number=self._reply.sequence_number)
        if now == self._said:
            return None
        self._said = now
        return now

    def _cancel_there(self) -> None:
        self._lives = False
        spawn(self._cancel(), _CANCEL_S)

    async def _cancel(self) -> None:
        await fetch_json(self._target, f"{self._path()}/cancel", b"", _CANCEL_S)

    async def _cancel_created(self, creating: asyncio.Future[tuple[OpenedStream, list[ModelEvent]]]) -> None:
        """Wait for a create that nobody wants any more, and cancel what it made."""
        try:
            opened, _ = await creating
            if opened.plan.background and _echoed(self._reply) and not self._reply.done:
                await self._cancel()
        finally:
            await self._close()

    async def _close(self) -> None:
        reading, self._reading = self._reading, None
        exchange: ResponseStream | None = reading.exchange if reading is not None else None
        if exchange is not None:
            await exchange.close()

    @property
    def _id(self) -> str:
        return self._reply.response_id or ""

    def _path(self) -> str:
        return f"/responses/{quote(self._id, safe='')}"


def _echoed(reply: ResponsesStreamParser) -> bool:
    """True where the reply shows that the provider runs it on its own side; some ignore the request."""
    return reply.background is True or (reply.background is None and reply.status == "queued")


def _was_perhaps_created(error: ModelError) -> bool:
    """True where the provider may have created a response although the create failed."""
    if error.status_code is not None:
        return error.status_code in _PERHAPS_CREATED
    return isinstance(error, ProviderUnreachableError) and NOTHING_SENT not in getattr(error, "__notes__", ())


def _outcome_unknown(error: ModelError | None, target: RequestTarget) -> ModelError:
    """Return the error for a create without an answer."""
    why = f"; {error.what}" if error is not None else "; its stream ended before the response had an id"
    return OutOfReachError(
        f"whether provider {target.provider!r} created the background response is not known{why}",
        "look at the provider's own list before you launch it again: it may run there, and be paid for",
        status_code=error.status_code if error is not None else None,
    )


def _expired(response_id: str, target: RequestTarget) -> ModelError:
    """Return the error for a response that the provider no longer has."""
    return ProviderRefusedError(
        f"provider {target.provider!r} no longer has response {response_id!r} (404): it has expired or was deleted",
        "launch the run again; the text that had come is kept",
        status_code=404,
    )


def _detached(response_id: str, error: ModelError, seconds: float, target: RequestTarget) -> ModelError:
    """Return the error for a response that was out of reach for too long."""
    return OutOfReachError(
        f"response {response_id!r} at provider {target.provider!r} was out of reach for {seconds:g} s; {error.what}",
        "it may go on there: resume the run to attach to it again",
        status_code=error.status_code,
    )


def _queue_timeout(response_id: str, seconds: float, target: RequestTarget) -> ModelError:
    """Return the error for a response that waited too long."""
    return QueueTimeoutError(
        f"response {response_id!r} waited for longer than {seconds:g} s in the queue of provider {target.provider!r}",
        "try again later, or allow more with OpenAIResponses(queued_timeout_s=...)",
    )
