"""The look, once a second, at what other kernels ask for."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from nbagent.runtime.recovery.heartbeat import Heartbeat
from nbagent.store import Store
from tests.harness.waiting import until_async


class SlowStore(Store):
    """A record that answers when it is told to, as on a disk that hangs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked = 0
        self.answer = threading.Event()

    def cancel_requested(self, run_ids):
        """Wait for the disk."""
        self.asked += 1
        self.answer.wait(60)
        return super().cancel_requested(run_ids)


def test_a_record_that_does_not_answer_is_asked_by_one_thread(tmp_path: Path) -> None:
    """However many ticks go by; other records are looked at meanwhile, and it is asked again once it has answered."""
    slow, quick = SlowStore(tmp_path / "slow.duckdb"), SlowStore(tmp_path / "quick.duckdb")
    quick.answer.set()

    async def work() -> None:
        heartbeat = Heartbeat(list, {"a": (slow, int), "b": (quick, int)})
        for beat in range(1, 4):
            heartbeat._tick()
            await until_async(lambda beat=beat: quick.asked == beat and quick not in heartbeat._looking)
        assert slow.asked == 1
        slow.answer.set()
        await until_async(lambda: slow not in heartbeat._looking)
        heartbeat._tick()
        await until_async(lambda: slow.asked == 2)

    asyncio.run(work())
    for store in (slow, quick):
        store.close()
