"""Limit model calls: in all, for each model, server and batch at a time, in a minute, and as the provider refuses.

One `ConcurrencyLimiter` for a kernel, on its background loop; single runs and batches go through it. What is
decided is decided in `budgets.py` and `pace.py`; here are the futures and timers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from nbagent import settings
from nbagent.errors import EarlyEndError, ModelError
from nbagent.loop import Charge
from nbagent.models import Model, ModelRequest, estimated_tokens
from nbagent.runtime.limits.allowance import Allowance
from nbagent.runtime.limits.budgets import BatchSlots, Call, CallLimits, CallQueue
from nbagent.runtime.limits.pace import LONGEST_HOLD_S
from nbagent.runtime.limits.rate_window import MINUTE_S
from nbagent.runtime.scheduling.fair_yield import FairYield

MOVE_S = 0.1  # how often those who wait are told their place: each telling costs a step for each of them
UNAVAILABLE = 503  # a limit where it says when to come again, or while others are let through
TOO_MANY = frozenset(
    {429, UNAVAILABLE, 529}
)  # the last is what one provider answers while all of it is overloaded
FIRST_REST_S, LONGEST_REST_S = 0.25, 0.5  # of a row that was not told when to come again
FREE_TRIES, SHORTEST_REST_S = 2, 0.05  # of a row that was told to come at once, and was refused again

Place = Callable[[int | None], None]
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


class ConcurrencyLimiter:
    """Lets model calls through in order of arrival, as far as all budgets allow.

    A slot is held for one request, so that nobody holds one while waiting for a run or for the next try.
    """

    def __init__(self, limits: CallLimits | None = None, *, window_s: float = MINUTE_S) -> None:
        self._queue = CallQueue(limits or CallLimits(), window_s)
        self.fair_yield = FairYield()
        self._telling: asyncio.TimerHandle | None = None
        self._waking: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return self._queue.waiting

    @property
    def held(self) -> int:
        """How many slots are taken."""
        return self._queue.held

    @property
    def limits(self) -> CallLimits:
        """What bounds model calls now."""
        return self._queue.limits

    def limit(self, limits: CallLimits) -> None:
        """Change the limits; who may go now goes."""
        if limits != self._queue.limits:
            self._queue.limits = limits
            self.hand_on()

    def open(self, batch: BatchSlots) -> None:
        """Let single runs beside a batch count in its rates from now on."""
        self._queue.batches.append(batch)

    def close(self, batch: BatchSlots) -> None:
        """Keep a batch's rates no more: who waits for one goes."""
        self._queue.close(batch)
        self.hand_on()

    def ended(self, batch: BatchSlots, run_id: str) -> None:
        """Count a batch's row as under way no longer."""
        batch.rows.discard(run_id)
        batch.resting.discard(run_id)
        self.hand_on()

    def slot(
        self, model: Model, request: ModelRequest, place: Place | None = None
    ) -> AbstractAsyncContextManager[Charge]:
        """Hold a slot for one request; `place` is called with its place in the queue, None once it goes."""
        return self.hold(self.call(model, request), place)

    def call(
        self,
        model: Model,
        request: ModelRequest,
        *,
        number: int | None = None,
        batch: BatchSlots | None = None,
        run_id: str = "",
    ) -> Call:
        """Return the request as one that wants to go; with `number`, at an earlier one's place in the order."""
        queue = self._queue
        server = getattr(model, "server", None) or model.provider
        return Call(
            model=queue.model(model.provider, model.id, server, getattr(model, "requests_at_once", None)),
            number=queue.number() if number is None else number,
            tokens=estimated_tokens(request) if queue.counts_tokens else 0,
            batch=batch,
            run_id=run_id,
        )

    @asynccontextmanager
    async def hold(self, call: Call, place: Place | None = None) -> AsyncIterator[Charge]:
        """Hold a slot for a call; what is yielded hears that it was answered, and the tokens that it used."""
        if not self._queue.enter(call, _now_s()):
            await self._wait(call, place or _nobody)
        try:
            yield partial(_charged, call)
        finally:
            self._queue.give_back(call)
            self.hand_on()

    def refused(self, call: Call, error: ModelError, *, tries: int, since_s: float) -> float | None:
        """Take in a failed try, of a call that was refused `tries` times since `since_s`; return a row's pause.

        None leaves it to the run's own retries: what is no limit, and what a single run is told.
        """
        now_s, pace, batch = _now_s(), call.model.pace, call.batch
        if batch is not None:  # it holds nothing until it is sent again
            batch.rest(call.run_id)
        if isinstance(error, EarlyEndError):
            return call.model.server.interrupted(call.begun)
        if error.status_code not in TOO_MANY or not error.retryable or call.sent is None:
            return None
        told_s = error.retry_after_s
        if error.status_code == UNAVAILABLE and told_s is None and not pace.admitted_since(since_s):
            return None
        pace.refused(call.sent, now_s, told_s)
        if batch is None or pace.is_hopeless(now_s):
            return None
        batch.slow_down(call.model, f"says {error.status_code}, too many requests: slowing down")
        return _rest_s(told_s, tries)

    # ---------------------------------------------------------- waiting

    async def _wait(self, call: Call, place: Place) -> None:
        turn = call.turn = asyncio.get_running_loop().create_future()
        call.place = place
        place(next(at for one, at in self._queue.places() if one is call))
        self.hand_on()  # the clock has gone on: who is before it may go by now
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # the slot came in the very moment of the cancel: give it on
                self._queue.give_back(call, unsent=True)
            else:
                self._queue.leave(call)
            self.hand_on()
            raise
        finally:
            place(None)

    def hand_on(self) -> None:
        """Let through who may go; see to it that the others are woken and told."""
        if not self._queue.waiting:
            return
        now_s = _now_s()
        for call in self._queue.ready(now_s):
            call.turn.set_result(None)
        if self._queue.waiting:
            self._wake_later(now_s)
            if self._telling is None:
                self._telling = asyncio.get_running_loop().call_later(MOVE_S, self._tell)

    def _wake_later(self, now_s: float) -> None:
        """Look again when the first of those who wait is within its rates; none was at `now_s`."""
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        if (pause_s := self._queue.wake_in_s(now_s)) is not None:
            self._waking = asyncio.get_running_loop().call_later(pause_s, self.hand_on)

    def _tell(self) -> None:
        self._telling = None
        for call, place in self._queue.places():
            call.place(place)


@dataclass(slots=True)
class RunGate:
    """The limiter as one run's loop sees it: `place` hears where that run stands, `batch` is whose row it is.

    `allowance` is what may be spent of the record's budgets.
    """

    limiter: ConcurrencyLimiter
    place: Place
    run_id: str = ""
    batch: BatchSlots | None = None
    allowance: Allowance | None = None
    _call: Call | None = None
    _tries: int = 0  # of this model call that failed, since `_since_s`
    _since_s: float = 0.0

    def slot(self, model: Model, request: ModelRequest) -> AbstractAsyncContextManager[Charge]:
        """Hold a slot for one request; a run keeps its place in the order, so that what has begun gets done."""
        number = None if self._call is None else self._call.number
        if self._call is not None and self._call.answered:
            self._tries = 0
        self._call = self.limiter.call(model, request, number=number, batch=self.batch, run_id=self.run_id)
        slot = self.limiter.hold(self._call, self.place)
        if self.allowance is None or not self.allowance.is_on:
            return slot
        return _paid(slot, self.allowance, model)

    def limited(self, error: ModelError) -> float | None:
        """Called after a failed try; return a delay in seconds, None for the run's own retry policy."""
        assert self._call is not None, "a slot was held"
        if not self._tries:
            self._since_s = _now_s()
        self._tries += 1
        return self.limiter.refused(self._call, error, tries=self._tries, since_s=self._since_s)

    async def yield_fairly(self) -> None:
        """Let the other runs go first where many go on in the same moment."""
        await self.limiter.fair_yield.wait_turn()


@asynccontextmanager
async def _paid(
    slot: AbstractAsyncContextManager[Charge], allowance: Allowance, model: Model
) -> AsyncIterator[Charge]:
    """Hold a slot, and no request goes on through it that the budgets do not allow."""
    async with slot as charge, allowance.call(model):
        yield charge


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _charged(call: Call, tokens: int | None) -> None:
    now_s = _now_s()
    call.answered = True
    if call.sent is not None:
        call.model.pace.admitted(call.sent, now_s)
    call.model.server.answered(call.begun, now_s)
    if tokens is not None:
        for _, sample in call.spent:
            sample.tokens = tokens


def _rest_s(told_s: float | None, tries: int) -> float:
    """Return how long a row waits: as it was told, and longer where that did not help."""
    if told_s is None:
        rest_s = min(FIRST_REST_S * 2.0 ** min(tries - 1, 8), LONGEST_REST_S)
        return rest_s * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret
    rest_s = 0.0 if tries <= FREE_TRIES else SHORTEST_REST_S * 2.0 ** min(tries - FREE_TRIES - 1, 8)
    return max(min(told_s, LONGEST_HOLD_S), min(rest_s, LONGEST_REST_S))


def _nobody(_place: int | None) -> None:
    """Ignore the place."""
