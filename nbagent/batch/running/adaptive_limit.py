"""The slots of one batch: the kernel's own, behind the pace that the provider's refusals set and the batch's own rates.

One queue for each model: who waits for the pace holds no slot. On the background loop only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from nbagent.batch.running.adaptive_rate import AdaptiveRate
from nbagent.errors import ModelError
from nbagent.loop import Charge
from nbagent.models import Model, ModelRequest, estimated_tokens
from nbagent.runtime import ConcurrencyLimiter, FairYield, Place, RateWindow, Sample

TOO_MANY = frozenset({429, 529})  # the second is what one provider answers while all of it is overloaded
UNAVAILABLE = 503  # a limit only where it says when to come again
HOPELESS_S = 300.0  # refused for so long without one success: no limit of a rate


class _ModelRate:
    """The calls to one model: its pace, its rates, who waits."""

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.pace = AdaptiveRate()
        self.rates = RateWindow()
        self.requests, self.tokens = requests_per_minute, tokens_per_minute
        self.waiting: deque[tuple[int, asyncio.Future[Sample | None]]] = deque()
        self.timer: asyncio.TimerHandle | None = None
        self.succeeded_at_s: float | None = None

    @property
    def rated(self) -> bool:
        return self.requests is not None or self.tokens is not None

    @property
    def is_open(self) -> bool:
        """True where nothing is limited: then nobody waits and nothing is counted but times."""
        return self.pace.rate_per_s is None and not self.rated and not self.waiting

    def wait_s(self, tokens: int) -> float:
        wait_s = self.pace.wait_s(asyncio.get_running_loop().time())
        if self.rated:
            wait_s = max(wait_s, self.rates.pause_s(self.requests, self.tokens, tokens))
        return wait_s

    def go(self, tokens: int) -> Sample | None:
        self.pace.sent(asyncio.get_running_loop().time(), others_wait=bool(self.waiting))
        return self.rates.spend(tokens) if self.rated else None

    async def turn(self, tokens: int, *, first: bool = False) -> Sample | None:
        """Return once a request may go; `first`: before those that wait already."""
        if not self.waiting and self.wait_s(tokens) == 0:
            return self.go(tokens)
        turn: asyncio.Future[Sample | None] = asyncio.get_running_loop().create_future()
        if first:
            self.waiting.appendleft((tokens, turn))
        else:
            self.waiting.append((tokens, turn))
        self.hand_on()
        return await turn

    def hand_on(self) -> None:
        """Let through who may go now; look again when the next may."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.waiting:
            tokens, turn = self.waiting[0]
            if turn.done():  # its run was stopped
                self.waiting.popleft()
                continue
            if (wait_s := self.wait_s(tokens)) > 0:
                self.timer = asyncio.get_running_loop().call_later(wait_s, self.hand_on)
                return
            self.waiting.popleft()
            turn.set_result(self.go(tokens))


class AdaptiveLimiter:
    """See the module. `notify` hears, in a sentence, when a model's calls are slowed down and when they are not any more."""

    def __init__(
        self,
        slots: ConcurrencyLimiter,
        notify: Callable[[str], None],
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        self._slots = slots
        self._notify = notify
        self._rates = requests_per_minute, tokens_per_minute
        self._models: dict[tuple[str, str], _ModelRate] = {}
        self._slowed: set[tuple[str, str]] = set()

    def set_rates(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        """Keep to these rates from now on; on the background loop."""
        self._rates = requests_per_minute, tokens_per_minute
        for rate in self._models.values():
            rate.requests, rate.tokens = self._rates
            rate.hand_on()

    def open(self) -> None:
        """Let single runs beside the batch count in its rates from now on; on the background loop."""
        self._slots.pacers.append(self)

    def close(self) -> None:
        """Keep no rate any more: the batch has ended; who waits for one goes. On the background loop."""
        if self in self._slots.pacers:
            self._slots.pacers.remove(self)
        self.set_rates(None, None)

    async def turn_beside(self, model: Model, request: ModelRequest) -> Charge:
        """Return once a request may go that is none of the batch's; a person waits for it, so that it goes first."""
        rate = self._models.get((model.provider, model.id))
        if rate is None or not rate.rated:
            return _nothing
        spent = await rate.turn(estimated_tokens(request) if rate.tokens is not None else 0, first=True)

        def charged(tokens: int | None) -> None:
            if spent is not None and tokens is not None:
                spent.tokens = tokens

        return charged

    @property
    def fair_yield(self) -> FairYield:
        """The kernel's own."""
        return self._slots.fair_yield

    @property
    def rate_per_s(self) -> float | None:
        """The slowest of the present paces, in requests a second; None while nothing is limited."""
        rates = [rate.pace.rate_per_s for rate in self._models.values() if rate.pace.rate_per_s is not None]
        return min(rates, default=None)

    @property
    def refusals(self) -> int:
        """How many requests were refused because they were too many."""
        return sum(rate.pace.refusals for rate in self._models.values())

    def slot(
        self, model: Model, request: ModelRequest, place: Place | None = None
    ) -> AbstractAsyncContextManager[Charge]:
        """Hold a slot for one request, once its turn has come."""
        rate = self._rate_of(model)
        if rate.is_open:
            rate.pace.sent(asyncio.get_running_loop().time())
            if (model.provider, model.id) in self._slowed:
                self._slowed.discard((model.provider, model.id))
                self._notify(f"{model.provider}:{model.id} takes all requests again: full speed")
            return self._slots.unpaced(model, request, place)
        return self._paced(rate, model, request, place)

    @asynccontextmanager
    async def _paced(
        self, rate: _ModelRate, model: Model, request: ModelRequest, place: Place | None
    ) -> AsyncIterator[Charge]:
        spent = await rate.turn(estimated_tokens(request) if rate.tokens is not None else 0)
        async with self._slots.unpaced(model, request, place) as charge:

            def charged(tokens: int | None) -> None:
                charge(tokens)
                rate.succeeded_at_s = asyncio.get_running_loop().time()
                if spent is not None and tokens is not None:
                    spent.tokens = tokens

            yield charged

    def limited(self, model: Model, error: ModelError, lasted_s: float) -> float | None:
        """Slow all of a model's calls down where it says that they are too many; else as the kernel's own slots."""
        limit = error.status_code in TOO_MANY or (
            error.status_code == UNAVAILABLE and error.retry_after_s is not None
        )
        if not limit or not error.retryable:
            return self._slots.limited(model, error, lasted_s)
        rate, now_s = self._rate_of(model), asyncio.get_running_loop().time()
        if rate.succeeded_at_s is None:
            rate.succeeded_at_s = now_s
        if now_s - rate.succeeded_at_s > HOPELESS_S:
            return None
        rate.pace.refused(now_s, lasted_s, error.retry_after_s)
        if (model.provider, model.id) not in self._slowed:
            self._slowed.add((model.provider, model.id))
            self._notify(
                f"{model.provider}:{model.id} says {error.status_code}, too many requests: slowing down"
            )
        rate.hand_on()
        return 0.0

    def _rate_of(self, model: Model) -> _ModelRate:
        key = model.provider, model.id
        if key not in self._models:
            self._models[key] = _ModelRate(*self._rates)
        return self._models[key]


def _nothing(_tokens: int | None) -> None:
    """Count nothing: no rate is kept."""
