"""A batch against a refusing server on a virtual clock: the limiter, the gates and the retries are the real ones."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from nbagent.errors import ModelError, ProviderOverloadedError
from nbagent.events import Message
from nbagent.loop.model_call import call_model
from nbagent.models.protocol import ModelEvent, ModelRequest, ReplyFinished, ReplyStarted
from nbagent.runtime.limits.budgets import BatchSlots
from nbagent.runtime.limits.limiter import ConcurrencyLimiter, RunGate
from tests.harness.virtual_clock import run_virtually
from tests.runtime.refusing_servers import RefusingServer


class SimulatedModel:
    """A model behind a server; `travel_s` is the way there and back, `answer_s` what an answer takes besides."""

    provider, id = "simulated", "one"

    def __init__(self, server: RefusingServer, *, travel_s: float = 0.004, answer_s: float = 0.05) -> None:
        self.behind, self.travel_s, self.answer_s = server, travel_s, answer_s
        self._dice = random.Random(7)  # noqa: S311 - the same at each run

    def check(self) -> None:
        """Nothing is needed."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Travel, be admitted or refused, answer."""
        way_s = self.travel_s * self._dice.uniform(0.25, 0.75)
        await asyncio.sleep(way_s)
        content = request.messages[-1].content
        assert isinstance(content, str)
        refused = self.behind.ask(content, asyncio.get_running_loop().time())
        if refused is not None:
            await asyncio.sleep(way_s)
            raise ProviderOverloadedError(
                "no", "wait", status_code=refused.status, retry_after_s=refused.retry_after_s
            )
        try:
            await asyncio.sleep(way_s + self.answer_s * self._dice.uniform(0.5, 1.5))
        finally:
            self.behind.done()
        yield ReplyStarted()
        yield ReplyFinished(text="yes", finish_reason="stop")


@dataclass(frozen=True, slots=True)
class Played:
    """How a simulated batch went."""

    took_s: float
    answered: int
    failed: int
    most_at_a_time: int
    most_resting: int


def play(
    server: RefusingServer,
    rows: int,
    *,
    at_a_time: int = 16,
    retries: int = 3,
    travel_s: float = 0.004,
    answer_s: float = 0.05,
    within_s: float = 3_600.0,
) -> Played:
    """Ask `rows` prompts as a batch does; what has no answer `within_s` is left."""
    return run_virtually(
        _play(
            SimulatedModel(server, travel_s=travel_s, answer_s=answer_s), rows, at_a_time, retries, within_s
        )
    )


async def _play(model: SimulatedModel, rows: int, at_a_time: int, retries: int, within_s: float) -> Played:
    loop, limiter, woken = asyncio.get_running_loop(), ConcurrencyLimiter(), asyncio.Event()
    slots = BatchSlots(at_a_time=at_a_time, changed=woken.set)
    limiter.open(slots)
    unfinished: set[asyncio.Task[bool]] = set()
    ended: list[bool] = []
    most = [0, 0]

    async def row(number: int) -> bool:
        gate = RunGate(limiter, lambda _place: None, f"run {number}", slots)
        request = ModelRequest(messages=(Message(role="user", content=f"row {number}"),))
        try:
            await call_model(
                model, request, step=1, retries=retries, emit=lambda _event: None,
                enter=gate.slot, limited=gate.limited,
            )  # fmt: skip
        except ModelError:
            return False
        return True

    def end(task: asyncio.Task[bool], number: int) -> None:
        unfinished.discard(task)
        limiter.ended(slots, f"run {number}")
        if not task.cancelled():
            ended.append(task.result())
        woken.set()

    async def batch() -> None:
        number = 0
        while number < rows or unfinished:
            while number < rows and slots.may_launch(len(unfinished)):
                task = asyncio.create_task(row(number))
                unfinished.add(task)
                task.add_done_callback(lambda task, number=number: end(task, number))
                number += 1
            most[:] = [max(most[0], model.behind.under_way), max(most[1], len(slots.resting))]
            await woken.wait()
            woken.clear()

    try:
        await asyncio.wait_for(batch(), within_s)
    except TimeoutError:
        for task in list(unfinished):
            task.cancel()
    return Played(loop.time(), sum(ended), len(ended) - sum(ended), *most)
