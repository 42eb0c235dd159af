"""One model call with its retries and fallbacks: each try is a `ModelCall` of its own, the run is never repeated."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from nbagent import models
from nbagent.core import utc_now
from nbagent.errors import EarlyEndError, ModelError, ProviderProtocolError
from nbagent.events import (
    CallAttached,
    CallStatus,
    Event,
    ModelCall,
    ModelCallFinished,
    ModelCallStarted,
    NoticeGiven,
    ReasoningAdded,
    TextAdded,
    TextReclassified,
)
from nbagent.loop.gate import Charge
from nbagent.loop.reply_ends import INTERRUPTED, end_notice, is_same_reply
from nbagent.loop.resume_text import OverlapTrimmer
from nbagent.models import (
    Model,
    ModelRequest,
    Notice,
    ReasoningDelta,
    ReplyFinished,
    ReplyStarted,
    ResponseAttached,
    TextDelta,
    alternatives,
    estimate_of,
    model_name,
    price_usd,
)

Emit = Callable[[Event], None]
Enter = Callable[[Model, ModelRequest], AbstractAsyncContextManager[Charge]]
Limited = Callable[[ModelError], float | None]

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class _CallTry:
    """One request on its way: what a row needs to be written however it ends."""

    model: Model
    step: int
    number: int
    emit: Emit
    started_at: datetime
    clock: float
    request: ModelRequest
    fallback_reason: str | None = None
    ttft_s: float | None = None

    def finished(
        self, status: CallStatus, reply: ReplyFinished | None = None, error: BaseException | None = None
    ) -> ModelCall:
        call = ModelCall(
            step=self.step,
            attempt=self.number,
            provider=self.model.provider,
            request_model=self.model.id,
            status=status,
            started_at=self.started_at,
            duration_s=time.perf_counter() - self.clock,
            ttft_s=self.ttft_s,
            error_type=type(error).__name__ if error is not None else None,
            error=str(error) if error is not None else None,
            fallback_reason=self.fallback_reason,
        )
        return call if reply is None else answered(call, reply, self.request)


def answered(call: ModelCall, reply: ReplyFinished, request: ModelRequest | None = None) -> ModelCall:
    """Return the call with what its reply says, and an estimate from its `request` where that has no usage.

    It costs what the model that answered costs, else the one that was asked: an alias is not on every list.
    """
    by, asked = reply.response_model, call.request_model
    cost = price_usd(call.provider, by or asked, reply.usage)
    if cost is None and by not in {None, asked}:
        cost = price_usd(call.provider, asked, reply.usage)
    guess = None if request is None else estimate_of(request, reply, call.provider, by, asked)
    source = reply.usage_source
    return replace(
        call,
        estimated_input_tokens=None if guess is None else guess.input_tokens,
        estimated_output_tokens=None if guess is None else guess.output_tokens,
        estimated_cost_usd=guess.cost_usd if guess is not None and cost is None else None,
        response_model=by,
        response_id=reply.response_id,
        finish_reason=reply.finish_reason,
        server_finish_reason=reply.server_finish_reason,
        usage=reply.usage,
        usage_source="estimated" if guess is not None and source == "missing" else source,
        cost_usd=cost,
    )


async def call_model(
    model: Model,
    request: ModelRequest,
    *,
    step: int,
    retries: int,
    emit: Emit,
    enter: Enter,
    limited: Limited = lambda _error: None,
    current: Callable[[], ModelRequest] | None = None,
    partial: str = "",
) -> tuple[ReplyFinished, ModelCall]:
    """Ask until a reply is whole; raise the last ModelError once `retries` more tries have failed as well.

    Of several models the next is asked, with retries of its own, once one has failed for a reason that is not
    the request's (`gives_way`) and has shown no text: a person who has begun to read an answer reads on in the
    same one. Each try goes through `enter`, the gate, and lets go of it before the pause. A try of which the
    gate says with `limited` when the next may come is not counted as one. `current` gives the request as it is once
    the gate is open: something may have been added to it while it waited there. The reply to a request that goes on
    from `partial` text is that text and its continuation. A reply that ended early in the same words twice is
    not paid for a third time: it is what the server has to say.
    """
    chain = _asked_in_turn(model, request)
    asking = _Asking(step, retries, emit, enter, limited, partial, has_text=bool(partial), current=current)
    if len(chain) > 1:  # each piece of text goes through here: nobody else pays for the look at it
        asking.emit = asking.told_by(emit)
    for one, following in itertools.pairwise(chain):
        try:
            return await asking.ask(one, request)
        except ModelError as error:
            if not error.gives_way or asking.has_text:
                raise
            name = model_name(one)
            asking.fallback_reason = f"{name} failed with {type(error).__name__}: {error.what}"
            emit(NoticeGiven(text=f"{name} did not answer ({error.what}): {model_name(following)} is asked"))
    return await asking.ask(chain[-1], request)


def _asked_in_turn(model: Model, request: ModelRequest) -> tuple[Model, ...]:
    """Return who is asked, in order; a call that lives at a provider is taken up there and nowhere else."""
    chain = alternatives(model)
    if request.resume is None:
        return chain
    return tuple(one for one in chain if getattr(one, "background", False))[:1] or chain[:1]


@dataclass(slots=True)
class _Asking:
    """The tries of one step: they are numbered through, whichever model they ask."""

    step: int
    retries: int
    emit: Emit
    enter: Enter
    limited: Limited
    partial: str
    has_text: bool  # some text of the step has been shown
    current: Callable[[], ModelRequest] | None = None
    number: int = 0
    fallback_reason: str | None = None

    async def ask(self, model: Model, request: ModelRequest) -> tuple[ReplyFinished, ModelCall]:
        """Ask one model, with its retries."""
        faults = 0
        ended_early: ReplyFinished | None = None
        while True:
            self.number += 1
            async with self.enter(model, request) as charge:
                request = request if self.current is None else self.current()
                attempt = _CallTry(
                    model, self.step, self.number, self.emit, utc_now(), time.perf_counter(), request,
                    self.fallback_reason,
                )  # fmt: skip
                try:
                    reply = await _one_try(attempt, request, self.partial)
                except asyncio.CancelledError:
                    self.emit(ModelCallFinished(call=attempt.finished("cancelled")))
                    raise
                except ModelError as error:
                    # a call taken up again is not repeated: another one would be paid for
                    pause = None
                    if request.resume is None:
                        pause = self.limited(error)
                        if pause is not None and isinstance(error, EarlyEndError):
                            self.emit(NoticeGiven(text=INTERRUPTED.format(provider=model.provider)))
                        elif isinstance(error, EarlyEndError):
                            so_far: ReplyFinished | None = error.so_far
                            if is_same_reply(so_far, ended_early):
                                return _kept(attempt, so_far, charge)
                            ended_early = so_far
                        if pause is None:
                            faults += 1
                            pause = _pause_before_retry(error, faults, self.retries)
                    failed = attempt.finished("error", error.so_far, error)
                    self.emit(ModelCallFinished(call=failed, retry_in_s=pause))
                    if pause is None:
                        raise
                except Exception as error:
                    self.emit(ModelCallFinished(call=attempt.finished("error", error=error)))
                    raise
                else:
                    return _kept(attempt, reply, charge)
            await asyncio.sleep(pause)

    def told_by(self, emit: Emit) -> Emit:
        """Return `emit` with an eye on whether text was shown."""

        def told(event: Event) -> None:
            self.has_text = self.has_text or type(event) is TextAdded
            emit(event)

        return told


def _kept(attempt: _CallTry, reply: ReplyFinished, charge: Charge) -> tuple[ReplyFinished, ModelCall]:
    """End a try with the reply that the run goes on with."""
    call = attempt.finished("completed", reply)
    charge(call.bounded_tokens)
    if (notice := end_notice(attempt.model.provider, reply)) is not None:
        attempt.emit(NoticeGiven(text=notice))
    attempt.emit(ModelCallFinished(call=call))
    return reply, call


async def _one_try(attempt: _CallTry, request: ModelRequest, partial: str) -> ReplyFinished:
    emit, step = attempt.emit, attempt.step
    joint = OverlapTrimmer(partial)
    emit(
        ModelCallStarted(
            step=step,
            attempt=attempt.number,
            provider=attempt.model.provider,
            request_model=attempt.model.id,
            started_at=attempt.started_at,
        )
    )
    for fact in _opening(request, partial, step):
        emit(fact)
    reply: ReplyFinished | None = None
    # an exception on our side must close the connection too, not leave it to the garbage collector
    async with aclosing(attempt.model.stream(request)) as events:
        async for event in events:
            if type(event) is TextDelta:
                if text := joint.feed(event.text):
                    emit(TextAdded(text, step))
            elif isinstance(event, ReplyStarted):
                attempt.ttft_s = time.perf_counter() - attempt.clock
            elif isinstance(event, ReplyFinished):
                reply = event
            elif not isinstance(event, TextDelta):
                emit(_fact_of(event, step))
    if reply is None:
        raise ProviderProtocolError(
            f"model {attempt.model.id!r} ended its stream without a whole reply",
            "report this to the model's author",
        )
    if not partial:
        return reply
    if rest := joint.rest():
        emit(TextAdded(rest, step))
    return replace(reply, text=joint.whole(reply.text))


def _opening(request: ModelRequest, partial: str, step: int) -> list[Event]:
    """What is known of a call that was begun by an earlier attempt: its text so far, and where it lives."""
    point = request.resume
    text = partial or (point.text if point is not None else "")
    facts: list[Event] = [TextAdded(text, step)] if text else []
    if point is not None:
        facts.append(
            CallAttached(step=step, response_id=point.response_id, sequence_number=point.sequence_number)
        )
    return facts


def _fact_of(event: ReasoningDelta | models.TextReclassified | ResponseAttached | Notice, step: int) -> Event:
    match event:
        case models.TextReclassified():
            return TextReclassified(step)
        case ReasoningDelta():
            return ReasoningAdded(event.text, step)
        case ResponseAttached():
            return CallAttached(
                step=step, response_id=event.response_id, sequence_number=event.sequence_number
            )
        case Notice():
            return NoticeGiven(text=event.text)
        case unknown:
            assert_never(unknown)


def _pause_before_retry(error: ModelError, number: int, retries: int) -> float | None:
    """Return the seconds to wait before the next try, or None where there is none.

    A provider's Retry-After is obeyed when it is bearable; else the pause doubles, with jitter, so that many
    runs that failed together do not come back together.
    """
    most = retries if error.most_retries is None else min(retries, error.most_retries)
    if not error.retryable or number > most:
        return None
    if error.retry_after_s is not None:
        return error.retry_after_s if error.retry_after_s <= LONGEST_PAUSE_S * 2 else None
    pause = min(FIRST_PAUSE_S * 2.0 ** (number - 1), LONGEST_PAUSE_S)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret
