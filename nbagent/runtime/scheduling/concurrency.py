"""Limit model calls at a time, in all, for each model and server, and in a minute. On the background loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from nbagent import settings
from nbagent.errors import EarlyEndError, ModelError
from nbagent.loop import Charge
from nbagent.models import Model, ModelRequest, estimated_tokens
from nbagent.runtime.scheduling.fair_yield import FairYield
from nbagent.runtime.scheduling.rate_window import MINUTE_S, RateWindow, Sample
from nbagent.runtime.scheduling.server_limits import Server

MOVE_S = 0.1  # how often those who wait are told their place: each telling costs a step for each of them

Place = Callable[[int | None], None]
_ModelName = tuple[str, str, Server]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Limits of model calls: at a time in all, for each model at a time and in a minute; None is none."""

    at_a_time: int = 64
    at_a_time_per_model: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def paced(self) -> bool:
        """True where a rate is set: only then is the past remembered."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None


_CALL_LIMITS = {
    "max_concurrency": "at_a_time",
    "max_concurrency_per_model": "at_a_time_per_model",
    "requests_per_minute": "requests_per_minute",
    "tokens_per_minute": "tokens_per_minute",
}  # the option of each


def call_limits() -> CallLimits:
    """Return what bounds model calls as the settings have it now. Raises UnknownOptionError."""
    values = settings.values(names=_CALL_LIMITS)
    return CallLimits(**{_CALL_LIMITS[name]: value for name, value in values.items()})


@dataclass(slots=True, eq=False)
class _Waiter:
    """One call that waits: `number` is its order of arrival, `place` is called with where it stands."""

    number: int
    tokens: int
    place: Place
    server: Server
    turn: asyncio.Future[Sample | None]


@dataclass(slots=True)
class _ModelQueue:
    """The calls of one model: how many are under way, who waits, what went through in the last minute."""

    rates: RateWindow
    held: int = 0
    waiting: deque[_Waiter] = field(default_factory=deque)


class ConcurrencyLimiter:
    """Lets model calls through in order of arrival, as far as `limits` allow.

    A call whose own model is saturated blocks no call of another model behind it. A slot is held for one
    request, so that nobody holds one while waiting for a run or for the next try.
    """

    def __init__(self, limits: CallLimits | None = None, *, window_s: float = MINUTE_S) -> None:
        self.limits = limits or CallLimits()
        self._window_s = window_s
        self._held = 0
        self._waiting = 0
        self._lines: dict[_ModelName, _ModelQueue] = {}
        self._servers: dict[str, Server] = {}
        self._numbers = itertools.count()
        self.fair_yield = FairYield()
        self.pacers: list[Pacer] = []  # batches at work that keep a rate: single runs count in it
        self._telling: asyncio.TimerHandle | None = None
        self._waking: asyncio.TimerHandle | None = None

    def limit(self, limits: CallLimits) -> None:
        """Change the limits; who may go now goes."""
        if limits != self.limits:
            self.limits = limits
            self._hand_on()

    def slot(
        self, model: Model, request: ModelRequest, place: Place | None = None
    ) -> AbstractAsyncContextManager[Charge]:
        """Hold a slot for one request; `place` is called with its place in the queue, None once it goes."""
        if self.pacers:
            return self._paced(model, request, place)
        return self.unpaced(model, request, place)

    @asynccontextmanager
    async def _paced(self, model: Model, request: ModelRequest, place: Place | None) -> AsyncIterator[Charge]:
        """As `unpaced`, once the batches beside it that keep a rate for this model let one more go."""
        charges = [await pacer.turn_beside(model, request) for pacer in tuple(self.pacers)]
        async with self.unpaced(model, request, place) as charge:

            def charged(tokens: int | None) -> None:
                charge(tokens)
                for one in charges:
                    one(tokens)

            yield charged

    @asynccontextmanager
    async def unpaced(
        self, model: Model, request: ModelRequest, place: Place | None = None
    ) -> AsyncIterator[Charge]:
        """Hold a slot, whatever rates batches keep: for a batch's own requests."""
        server = self._server(model)
        name = model.provider, model.id, server
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _ModelQueue(RateWindow(self._window_s))
        tokens = estimated_tokens(request) if self.limits.tokens_per_minute is not None else 0
        if line.waiting or not self._may_go(line, server, tokens):
            spent = await self._wait(line, server, tokens, place or _nobody)
        else:
            spent = self._take(line, server, tokens)
        began = server.begin()
        try:
            yield partial(_charged, server, began, spent)
        finally:
            self._give_back(line, server)

    def limited(self, model: Model, error: ModelError, lasted_s: float) -> float | None:
        """Return a pause for a server that ends one stream when another request comes, else None."""
        return self._server(model).interrupted(lasted_s) if isinstance(error, EarlyEndError) else None

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return self._waiting

    # ------------------------------------------------------------- who may go

    def _server(self, model: Model) -> Server:
        name = getattr(model, "server", None) or model.provider
        server = self._servers.get(name)
        if server is None:
            server = self._servers[name] = Server(getattr(model, "requests_at_once", None))
        return server

    def _may_go(self, line: _ModelQueue, server: Server, tokens: int) -> bool:
        limits = self.limits
        return (
            self._held < limits.at_a_time
            and server.takes_another
            and (limits.at_a_time_per_model is None or line.held < limits.at_a_time_per_model)
            and (not limits.paced or self._pause_s(line, tokens) == 0)
        )

    def _pause_s(self, line: _ModelQueue, tokens: int) -> float:
        """Return the seconds until the rates of a model let a call of `tokens` through."""
        return line.rates.pause_s(self.limits.requests_per_minute, self.limits.tokens_per_minute, tokens)

    def _take(self, line: _ModelQueue, server: Server, tokens: int) -> Sample | None:
        self._held += 1
        line.held += 1
        server.held += 1
        return line.rates.spend(tokens) if self.limits.paced else None

    def _give_back(self, line: _ModelQueue, server: Server) -> None:
        self._held -= 1
        line.held -= 1
        server.held -= 1
        if self._waiting:
            self._hand_on()

    async def _wait(self, line: _ModelQueue, server: Server, tokens: int, place: Place) -> Sample | None:
        call = _Waiter(next(self._numbers), tokens, place, server, asyncio.get_running_loop().create_future())
        line.waiting.append(call)
        self._waiting += 1
        place(self._waiting if self._held >= self.limits.at_a_time else len(line.waiting))
        if self.limits.paced:
            self._wake_later()
        try:
            return await call.turn
        except asyncio.CancelledError:
            if call.turn.done() and not call.turn.cancelled():
                # the slot came in the very moment of the cancel: give it on
                if (spent := call.turn.result()) is not None:
                    line.rates.take_back(spent)
                self._give_back(line, server)
            else:
                self._leave(line, call)
                self._hand_on()
            raise
        finally:
            place(None)

    def _hand_on(self) -> None:
        """Let through who may go, the longest waiting first; see to it that the others are woken and told."""
        while ready := [line for line in self._lines.values() if line.waiting and self._head_may_go(line)]:
            line = min(ready, key=lambda line: line.waiting[0].number)
            call = line.waiting[0]
            self._leave(line, call)
            if not call.turn.done():  # else it is cancelled, and its task has not heard of it yet
                call.turn.set_result(self._take(line, call.server, call.tokens))
        if self._waiting:
            self._tell_later()
            if self.limits.paced:
                self._wake_later()

    def _head_may_go(self, line: _ModelQueue) -> bool:
        call = line.waiting[0]
        return self._may_go(line, call.server, call.tokens)

    def _leave(self, line: _ModelQueue, call: _Waiter) -> None:
        """Take a call out of its queue; does nothing a second time."""
        with contextlib.suppress(ValueError):
            line.waiting.remove(call)
            self._waiting -= 1

    # ---------------------------------------------------------- waking, telling

    def _wake_later(self) -> None:
        """Look again when the first of the waiting models is within its rates."""
        pauses = [
            self._pause_s(line, line.waiting[0].tokens) for line in self._lines.values() if line.waiting
        ]
        pause_s = min((pause for pause in pauses if pause > 0), default=None)
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        if pause_s is not None:
            self._waking = asyncio.get_running_loop().call_later(pause_s, self._hand_on)

    def _tell_later(self) -> None:
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(MOVE_S, self._tell)

    def _tell(self) -> None:
        """Tell each call its place: among all that wait where all slots are taken, else among its model's."""
        self._telling = None
        lines = [line for line in self._lines.values() if line.waiting]
        if self._held >= self.limits.at_a_time:
            queues = [sorted((call for line in lines for call in line.waiting), key=lambda call: call.number)]
        else:
            queues = [list(line.waiting) for line in lines]
        for queue in queues:
            for place, call in enumerate(queue, start=1):
                call.place(place)


class Pacer(Protocol):
    """A batch's rates, as single runs beside it see them."""

    async def turn_beside(self, model: Model, request: ModelRequest) -> Charge:
        """Return once a request may go that is none of the batch's; what is returned hears its tokens."""
        ...


class CallSlots(Protocol):
    """What a run's gate needs of slots: `ConcurrencyLimiter`, or those of a batch that paces its calls."""

    @property
    def fair_yield(self) -> FairYield:
        """Where runs that go on in the same moment wait for each other."""
        ...

    def slot(
        self, model: Model, request: ModelRequest, place: Place | None = None
    ) -> AbstractAsyncContextManager[Charge]:
        """Hold a slot for one request."""
        ...

    def limited(self, model: Model, error: ModelError, lasted_s: float) -> float | None:
        """Called after a failed try; return a delay in seconds, None for the run's own retry policy."""
        ...


@dataclass(frozen=True, slots=True)
class RunGate:
    """The slots as one run's loop sees them: `place` hears where that run stands."""

    slots: CallSlots
    place: Place

    def slot(self, model: Model, request: ModelRequest) -> AbstractAsyncContextManager[Charge]:
        """Hold a slot for one request."""
        return self.slots.slot(model, request, self.place)

    def limited(self, model: Model, error: ModelError, lasted_s: float) -> float | None:
        """Called after a failed try; return a delay in seconds, None for the run's own retry policy."""
        return self.slots.limited(model, error, lasted_s)

    async def yield_fairly(self) -> None:
        """Let the other runs go first where many go on in the same moment."""
        await self.slots.fair_yield.wait_turn()


def _charged(server: Server, began: int, spent: Sample | None, tokens: int | None) -> None:
    server.answered(began)
    if spent is not None and tokens is not None:
        spent.tokens = tokens


def _nobody(_place: int | None) -> None:
    """Ignore the place."""
