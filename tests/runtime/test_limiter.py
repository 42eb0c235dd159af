"""Slots let model calls through in order of arrival, within limits at a time and in any minute."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from nbagent.events import Message
from nbagent.models.protocol import ModelRequest
from nbagent.runtime.limits.budgets import CallLimits
from nbagent.runtime.limits.limiter import MOVE_S, ConcurrencyLimiter
from tests.loop.scripted_model import ScriptedModel

WINDOW_S = 0.2  # a minute, for tests
FOUR_LETTERS = "word"


class Named(ScriptedModel):
    """A model by another name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.id = name


A, B = Named("a"), Named("b")


def request(tokens: int = 1) -> ModelRequest:
    """A request of so many tokens, as estimated."""
    return ModelRequest(messages=(Message(role="user", content=FOUR_LETTERS * tokens),))


class Calls:
    """Calls that hold their slot until they are told to end; `went` is the order in which they got one."""

    def __init__(self, slots: ConcurrencyLimiter) -> None:
        self.slots = slots
        self.went: list[str] = []
        self.places: dict[str, list[int | None]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def start(
        self, name: str, model: ScriptedModel = A, tokens: int = 1, used: int | None = None
    ) -> None:
        """Begin a call, as far as it goes."""
        self._ends[name] = asyncio.Event()
        self.places[name] = []
        self.tasks[name] = asyncio.create_task(self._call(name, model, tokens, used))
        await settle()

    async def _call(self, name: str, model: ScriptedModel, tokens: int, used: int | None) -> None:
        async with self.slots.slot(model, request(tokens), self.places[name].append) as charge:
            self.went.append(name)
            await self._ends[name].wait()
            charge(used)

    async def end(self, *names: str) -> None:
        """End these calls."""
        for name in names:
            self._ends[name].set()
        await settle()


async def settle() -> None:
    """Let every task go as far as it goes without time."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a scenario within five seconds."""
    asyncio.run(asyncio.wait_for(work, 60))


def test_first_come_first_served() -> None:
    """With one slot the calls go one by one, in order of arrival."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(at_a_time=1)))
        for name in "xyz":
            await calls.start(name)
        assert (calls.went, calls.slots.waiting) == (["x"], 2)
        await calls.end("x", "y", "z")
        assert (calls.went, calls.slots.waiting) == (["x", "y", "z"], 0)

    run(scenario())


def test_a_saturated_model_does_not_block_another() -> None:
    """A call that waits for its own model lets calls of other models pass; between those that may go, the first."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(at_a_time=3, at_a_time_per_model=1)))
        await calls.start("a1", A)
        await calls.start("a2", A)
        await calls.start("b1", B)
        await calls.start("b2", B)
        assert calls.went == ["a1", "b1"]
        await calls.end("b1")
        await calls.end("a1")
        assert calls.went == ["a1", "b1", "b2", "a2"]
        await calls.end("a2", "b2")

    run(scenario())


def test_those_who_wait_hear_how_they_move() -> None:
    """A call that waits knows its place from 1, over all models where all slots are taken, and moves up as others end."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(at_a_time=1)))
        await calls.start("a1", A)
        await calls.start("a2", A)
        await calls.start("b1", B)
        await calls.start("a3", A)
        assert [calls.places[name] for name in ("a1", "a2", "b1", "a3")] == [[], [1], [2], [3]]
        await calls.end("a1")
        await asyncio.sleep(MOVE_S)
        while calls.places["a3"][-1] != 2:  # noqa: ASYNC110 - one step of the loop
            await asyncio.sleep(0)
        assert [calls.places[name] for name in ("a2", "b1", "a3")] == [[1, None], [2, 1], [3, 2]]
        await calls.end("a2", "b1", "a3")

    run(scenario())


def test_a_cancelled_wait_gives_its_place_on() -> None:
    """Whether it is cancelled in the queue or in the very moment of its turn, the slot goes to the next."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(at_a_time=1)))
        for name in "wxyz":
            await calls.start(name)
        calls.tasks["x"].cancel()
        await settle()
        calls._ends["w"].set()
        await asyncio.sleep(0)
        calls.tasks["y"].cancel()  # it has its turn, and does not know it yet
        await settle()
        assert (calls.went, calls.slots.waiting) == (["w", "z"], 0)
        await calls.end("z")

    run(scenario())


def test_a_raised_limit_lets_the_waiting_go() -> None:
    """The limits may change while calls wait."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(at_a_time=1)))
        for name in "xyz":
            await calls.start(name)
        calls.slots.limit(CallLimits(at_a_time=2))
        await settle()
        assert calls.went == ["x", "y"]
        await calls.end("x", "y", "z")

    run(scenario())


def test_requests_per_minute() -> None:
    """No more requests than allowed in any minute, for each model; the next goes when the first is a minute old."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        calls = Calls(ConcurrencyLimiter(CallLimits(requests_per_minute=2), window_s=WINDOW_S))
        began = loop.time()
        for name in ("a1", "a2", "a3"):
            await calls.start(name, A)
        await calls.start("b1", B)
        assert calls.went == ["a1", "a2", "b1"]
        assert calls.places["a3"] == [1]
        await calls.end("a1", "a2", "a3", "b1")
        await asyncio.wait({calls.tasks["a3"]})
        assert loop.time() - began >= WINDOW_S

    run(scenario())


@pytest.mark.parametrize(("used", "waits"), [(None, True), (90, True), (2, False)])
def test_tokens_per_minute(used: int | None, *, waits: bool) -> None:
    """Tokens are estimated before a call and corrected after it: what was not used is free for the next."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(tokens_per_minute=100), window_s=WINDOW_S))
        await calls.start("big", tokens=60, used=used)
        await calls.start("next", tokens=60)
        assert calls.went == ["big"]
        await calls.end("big")
        assert (calls.went == ["big"]) == waits
        await calls.end("next")
        await asyncio.wait({calls.tasks["next"]})

    run(scenario())


def test_a_call_larger_than_the_rate_goes_alone() -> None:
    """It would wait for ever; it goes when nothing else was sent for a minute."""

    async def scenario() -> None:
        calls = Calls(ConcurrencyLimiter(CallLimits(tokens_per_minute=10), window_s=WINDOW_S))
        await calls.start("huge", tokens=50)
        assert calls.went == ["huge"]
        await calls.start("small")
        assert calls.went == ["huge"]
        await calls.end("huge", "small")
        await asyncio.wait({calls.tasks["small"]})

    run(scenario())


def test_a_cancelled_call_was_not_sent() -> None:
    """A call that is cancelled in the moment of its turn counts for no rate."""

    async def scenario() -> None:
        calls = Calls(
            ConcurrencyLimiter(CallLimits(at_a_time=1, requests_per_minute=2), window_s=WINDOW_S * 100)
        )
        for name in "xyz":
            await calls.start(name)
        calls._ends["x"].set()
        await asyncio.sleep(0)
        calls.tasks["y"].cancel()
        await settle()
        assert calls.went == ["x", "z"]
        await calls.end("z")

    run(scenario())
