"""Many that go on in the same moment pass a few at a time, in order, and the loop turns between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from nbagent.runtime.scheduling.fair_yield import FEWEST, MOST, PARTS, SLICE_S, FairYield, in_chunks


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a scenario within ten seconds."""
    asyncio.run(asyncio.wait_for(work, 60))


class Turns:
    """Counts the turns of the loop while callers pass; `passed` holds each caller with the turn in which it went."""

    def __init__(self) -> None:
        self.number = 0
        self.passed: list[tuple[int, int]] = []

    async def count(self) -> None:
        """Count, until cancelled."""
        while True:
            self.number += 1
            await asyncio.sleep(0)

    async def caller(self, name: int, fair_yield: FairYield, busy_s: float = 0.0) -> None:
        """Pass and work."""
        await fair_yield.wait_turn()
        self.passed.append((name, self.number))
        time.sleep(busy_s)  # noqa: ASYNC251 - work that holds the loop up is what this is about


def test_a_thousand_callers_pass_in_order_a_few_in_each_turn() -> None:
    """None is lost or overtaken, and no turn of the loop has many more than it may."""

    async def scenario() -> None:
        turns, fair_yield = Turns(), FairYield()
        counting = asyncio.create_task(turns.count())
        await asyncio.gather(*[turns.caller(name, fair_yield) for name in range(1000)])
        counting.cancel()
        assert [name for name, _ in turns.passed] == list(range(1000))
        of_turn = [turn for _, turn in turns.passed]
        assert max(map(of_turn.count, set(of_turn))) <= 2 * MOST

    run(scenario())


def test_fewer_pass_where_each_takes_long() -> None:
    """A turn that took too long lets fewer into the next one."""

    async def scenario() -> None:
        turns, fair_yield = Turns(), FairYield()
        counting = asyncio.create_task(turns.count())
        await asyncio.gather(*[turns.caller(name, fair_yield, SLICE_S) for name in range(70)])
        counting.cancel()
        of_turn = [turn for _, turn in turns.passed]
        assert of_turn.count(of_turn[-1]) <= FEWEST + 1
        assert max(map(of_turn.count, set(of_turn))) <= MOST

    run(scenario())


def test_few_callers_do_not_wait() -> None:
    """A caller alone passes without a turn of the loop."""

    async def scenario() -> None:
        turns, fair_yield = Turns(), FairYield()
        for name in range(3):
            await turns.caller(name, fair_yield)
        assert turns.passed == [(0, 0), (1, 0), (2, 0)]

    run(scenario())


def test_a_cancelled_caller_holds_nobody_up() -> None:
    """Those who wait behind a cancelled one pass."""

    async def scenario() -> None:
        turns, fair_yield = Turns(), FairYield()
        tasks = [asyncio.create_task(turns.caller(name, fair_yield)) for name in range(3 * MOST)]
        await asyncio.sleep(0)
        for task in tasks[MOST : 2 * MOST]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [name for name, _ in turns.passed] == [*range(MOST), *range(2 * MOST, 3 * MOST)]

    run(scenario())


def test_a_round_over_many_is_spread() -> None:
    """Each item gets its turn once, in order, in parts; nothing is done for none."""

    async def scenario() -> None:
        done: list[tuple[int, float]] = []
        over = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work(item: int) -> None:
            done.append((item, loop.time()))
            if len(done) == 3 * PARTS:
                over.set()

        in_chunks(work, [], 0.1)
        in_chunks(work, range(3 * PARTS), 0.1)
        await over.wait()
        assert [item for item, _ in done] == list(range(3 * PARTS))
        assert done[-1][1] - done[0][1] > 0.05

    run(scenario())
