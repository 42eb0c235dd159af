"""What every wire format shares: one request, put as the provider takes it, and its answer read as it comes.

`StreamedModel` is the body of all models that are asked over HTTP and answer as a stream of events; a
`WireFormat` is all in which they differ. Used on the background thread; `check` on any.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from nbagent.core import MessageTooLargeError
from nbagent.errors import ModelError, ProviderSilentError, ProviderUnreachableError
from nbagent.models.capabilities import Concession, RequestOptions, capabilities_of
from nbagent.models.endpoint import Endpoint
from nbagent.models.pricing import prepare_prices
from nbagent.models.protocol import ModelEvent, ModelRequest, Notice, ReplyFinished
from nbagent.models.providers import Provider
from nbagent.models.transport.client import connect
from nbagent.models.transport.errors import Api, RequestTarget, error_from_reply, error_from_size
from nbagent.models.transport.sse import SSEDecoder
from nbagent.models.transport.stream import ResponseStream, open_stream
from nbagent.models.transport.wire_json import encode

_EVENTS = re.compile(
    rb"\s*(?:$|:|data\b|event\b|id\b|retry\b)"
)  # how a stream of events begins; also one of none
_TAIL_S = 2.0  # how long the usage may come after the model's last word, where the connection is left open


class StreamedReply(Protocol):
    """Folds payloads into events. `ended`: the model has ended; `done`: nothing more is to come."""

    @property
    def done(self) -> bool:
        """True once nothing more counts."""
        ...

    @property
    def ended(self) -> bool:
        """True once the model has ended, though its usage may still come."""
        ...

    def take(self, payloads: list[bytes]) -> list[ModelEvent]:
        """Return what the payloads of one read hold."""
        ...

    @property
    def is_empty(self) -> bool:
        """True where nothing at all of a reply came."""
        ...

    def finished(self) -> ReplyFinished:
        """Return the whole reply, or raise the ModelError it ended with."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One wire format: where requests go, how they are written, how replies are read.

    `left_out` says what of a request it cannot carry; `headers` are those that a body asks for; `concessions`
    are the refusals that it answers by putting the request otherwise.
    """

    name: str
    api: Api
    path: str
    body: Callable[[ModelRequest, str, Provider, RequestOptions], dict[str, Any]]
    reply: Callable[[RequestTarget], StreamedReply]
    left_out: Callable[[ModelRequest], Sequence[str]] = lambda _: ()
    headers: Callable[[Mapping[str, Any]], Mapping[str, str]] = lambda _: {}
    concessions: tuple[Concession, ...] = ()


class ResponseReader:
    """A response on its way into a reply, block by block."""

    __slots__ = (
        "_decoder",
        "_flowing",
        "_pieces",
        "_target",
        "exchange",
        "has_begun",
        "is_stream",
        "over",
        "reply",
    )

    def __init__(self, exchange: ResponseStream, reply: StreamedReply, target: RequestTarget) -> None:
        self._target = target
        self.exchange = exchange
        self.reply = reply
        self.over = False
        self.has_begun = False  # something was read, or the end
        self.is_stream = True  # by its first bytes: a page that calls itself one is none
        self._flowing = False  # the first text is never kept waiting
        self._pieces = 0  # of the last read
        self._decoder = SSEDecoder(exchange.limit)

    async def more(self) -> list[ModelEvent]:
        """Return what the next block holds, which may be nothing; at the end `over` turns True.

        Raises:
            ModelError: the connection broke, or nothing came for the idle time.
        """
        exchange, reply = self.exchange, self.reply
        if self._flowing and not reply.ended:
            exchange.rest(self._pieces)
        block = await (exchange.read_within(_TAIL_S) if reply.ended else exchange.read())
        if not self.has_begun:
            self.has_begun = True
            self.is_stream = _EVENTS.match(block) is not None
            if not exchange.is_stream(block):
                self.over = True
                return reply.take([await exchange.whole(block)])
        if block:
            payloads = self._payloads(block)
            self._pieces = len(payloads)
            events = reply.take(payloads)
            self.over = reply.done
            self._flowing = self._flowing or bool(events)
            return events
        self.over = True
        return reply.take(self._payloads(b""))

    def _payloads(self, block: bytes) -> list[bytes]:
        """Return what a block, or the end, completes."""
        try:
            return self._decoder.feed(block) if block else self._decoder.close()
        except MessageTooLargeError as error:
            fault = error_from_size(error, self._target)
        raise fault


class StreamedModel:
    """A model behind an endpoint that speaks `wire`. Subclasses say how it is made and documented."""

    wire: ClassVar[WireFormat]

    def __init__(
        self, model_id: str, provider: str | Provider, base_url: str | None, api_key: str | None
    ) -> None:
        self._endpoint = Endpoint(
            model_id, provider, base_url, api_key, api=self.wire.api, headers=self.environment_headers
        )
        self.row = self._endpoint.row
        self.provider = self.row.name
        self.id = model_id
        self._ready = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint!r})"

    @property
    def has_given_key(self) -> bool:
        """Whether its key was given as `api_key=`, instead of being read from the environment."""
        return self._endpoint.has_given_key

    @staticmethod
    def environment_headers() -> Mapping[str, str]:
        """Return the headers that variables of the environment add to each request."""
        return {}

    @property
    def address(self) -> str | None:
        """The base URL without user and password; None where the server is started when asked."""
        return self._endpoint.address

    @property
    def server(self) -> str:
        """The server as calls that must not meet there are counted: the address, else the provider's name."""
        return self._endpoint.url_if_known() or self.provider

    @property
    def requests_at_once(self) -> int | None:
        """How many requests the server takes at a time, None any number."""
        return self.row.requests_at_once

    def check(self) -> None:
        """Raise if no call can even be tried; make no request and start nothing.

        Raises:
            MissingKeyError: the provider needs a key and none is set.
            ConfigurationError: nothing says where the provider is.
        """
        self._endpoint.check()

    async def target(self, headers: Mapping[str, str] | None = None) -> RequestTarget:
        """Return who is asked, with the key and more `headers`. Raises ConfigurationError as `check` does."""
        target = await self._endpoint.target()
        return replace(target, headers={**target.headers, **headers}) if headers else target

    async def prepare(self) -> None:
        """Import the client and the price list, start the provider's own server, before the first request."""
        if self._ready:
            return
        with contextlib.suppress(Exception):  # the request meets the same and says it
            target = await self._endpoint.target()
            await asyncio.gather(prepare_prices(target.provider), connect(target.base_url))
            self._ready = True

    def whole_body(self, request: ModelRequest, target: RequestTarget) -> dict[str, Any]:
        """Return the body of a request whose answer comes in one piece: a line of a provider's batch file."""
        limit = self._endpoint.limit_parameter(target.base_url)
        memory = capabilities_of(self.row, (self.wire.name, target.base_url, self.id), limit)
        body = self.wire.body(request, self.id, self.row, memory.plan(request))
        return without_stream(body)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request` and yield what comes; the last event is a `ReplyFinished`.

        A refusal that names what can be put otherwise (stream_options, response_format) is answered by one
        more request, said in a `Notice` the first time.

        Raises:
            ModelError: whatever goes wrong at the provider or on the way to it.
            ConfigurationError: as in `check`.
        """
        return self._stream(request)

    async def _stream(
        self, request: ModelRequest, notices: Sequence[Notice] = ()
    ) -> AsyncGenerator[ModelEvent, None]:
        target = await self._endpoint.target()
        opened = await self.open(request, target)
        try:
            for notice in (*notices, *opened.notices):
                yield notice
            reply = self.wire.reply(target)
            reading = ResponseReader(opened.exchange, reply, target)
            why: ModelError | None = None
            try:
                while not reading.over:
                    for event in await reading.more():
                        yield event
            except ProviderUnreachableError as dropped:
                if isinstance(dropped, ProviderSilentError) or reading.has_begun:
                    raise
                why = dropped
            if why is None and not (reply.is_empty and reading.is_stream):
                finished = reply.finished()
                await opened.exchange.drain()
                yield finished
                return
        finally:
            await opened.exchange.close()
        async for event in self._in_one_piece(request, target, opened.plan, why):
            yield event

    async def _in_one_piece(
        self, request: ModelRequest, target: RequestTarget, plan: RequestOptions, why: ModelError | None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Ask once more without a stream: some servers send errors such as a full context only then.

        Raises:
            ModelError: what the server says now; `why` the stream was empty where it says nothing at all.
        """
        yield Notice(
            f"provider {target.provider!r} sent an empty stream: asked once more without streaming to learn why"
        )
        body = without_stream(self.wire.body(request, self.id, self.row, plan))
        try:
            events, finished = await self._whole_reply(request, target, body)
        except ProviderUnreachableError as error:
            fault = why or error
        else:
            for event in events:
                yield event
            yield finished
            return
        raise fault

    async def _whole_reply(
        self, request: ModelRequest, target: RequestTarget, body: Mapping[str, Any]
    ) -> tuple[list[ModelEvent], ReplyFinished]:
        exchange = await self._post(body, target, request.idle_timeout_s)
        try:
            reply = self.wire.reply(target)
            reading = ResponseReader(exchange, reply, target)
            events: list[ModelEvent] = []
            while not reading.over:
                events += await reading.more()
            if reply.is_empty:
                raise error_from_reply("its stream was empty, and so was its answer without one", target)
            finished = reply.finished()
            await exchange.drain()
            return events, finished
        finally:
            await exchange.close()

    async def _post(
        self, body: Mapping[str, Any], target: RequestTarget, idle_timeout_s: float | None
    ) -> ResponseStream:
        if headers := self.wire.headers(body):
            target = replace(target, headers={**target.headers, **headers})
        return await open_stream(target, self.wire.path, encode(body), idle_timeout_s)

    async def open(
        self, request: ModelRequest, target: RequestTarget, *, background: bool = False
    ) -> OpenedStream:
        """Send the request, put otherwise for as long as the provider names something that can be.

        Raises:
            ModelError: it was refused, or did not get there.
        """
        wire = self.wire
        limit = self._endpoint.limit_parameter(target.base_url)
        memory = capabilities_of(self.row, (wire.name, target.base_url, self.id), limit)
        plan = memory.plan(request, background=background)
        notices = [Notice(said) for said in wire.left_out(request)]
        while True:
            body = wire.body(request, self.id, self.row, plan)
            try:
                exchange = await self._post(body, target, request.idle_timeout_s)
                return OpenedStream(exchange=exchange, plan=plan, notices=tuple(notices))
            except ModelError as error:
                conceded = memory.concede(plan, request, error, wire.concessions)
                if conceded is None:
                    raise
                plan, notice = conceded
                if notice:
                    notices.append(Notice(notice))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStream:
    """A request that the provider took: its answer, how it was put at last, and what to tell the person."""

    exchange: ResponseStream
    plan: RequestOptions
    notices: tuple[Notice, ...]


def without_stream(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a request whose answer comes in one piece."""
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
