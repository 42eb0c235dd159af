"""1,000 concurrent runs with a tool call each: memory of a run, budget 100 KB; lag of the background loop, p99 50 ms.

`python tests/benchmarks/many_runs.py [RUNS] [--sync]` launches them against the demo server, which runs in a process
of its own and streams as fast as it can. Each run's tool waits until all runs are in theirs, so that all are under
way at the same time; with `--sync` each waits in a thread. Memory is the growth of this process's resident set, at its
peak and when all is over, from where it stood after a warm-up. Lag is how late a ticker of 5 ms is on the loop, and
on the loop of an idle process beside it, which is what the machine alone does. Python's full garbage collections stop
every thread: they are counted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lag import Lag

WARM_UP = 100
PAGE = os.sysconf("SC_PAGE_SIZE")
PROMPT = "What is the price of AAPL?"


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Peak(threading.Thread):
    """Watches the resident set until it is told to stop; `most` is its peak in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._over = threading.Event()
        self.start()

    def stop(self) -> int:
        """Return the peak."""
        self._over.set()
        self.join()
        return self.most

    def run(self) -> None:
        """Look fifty times a second."""
        while not self._over.wait(0.02):
            self.most = max(self.most, resident())


class Collections:
    """Python's full garbage collections since it was made: how many, and the longest in seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_s = 0.0
        self._began_s = 0.0
        gc.callbacks.append(self._hear)

    def _hear(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = time.perf_counter()
        elif info["generation"] == 2:
            self.count += 1
            self.longest_s = max(self.longest_s, time.perf_counter() - self._began_s)


def meeting(parties: int, *, sync: bool) -> Callable[..., Any]:
    """Return a tool that answers when that many runs are in it."""
    if sync:
        barrier = threading.Barrier(parties)

        def price(symbol: str) -> float:
            """Price of a stock by its ticker symbol."""
            barrier.wait()
            return float(len(symbol))

        return price
    here: list[str] = []
    all_here = asyncio.Event()

    async def price_awaited(symbol: str) -> float:
        """Price of a stock by its ticker symbol."""
        here.append(symbol)
        if len(here) == parties:
            all_here.set()
        await all_here.wait()
        return float(len(symbol))

    price_awaited.__name__ = "price"
    return price_awaited


def checked(outputs: list[Any]) -> None:
    """Hold that every run called its tool, completed, and says the same."""
    assert {output.status.value for output in outputs} == {"completed"}, {output.error for output in outputs}
    assert {output.tool_calls[0].result for output in outputs} == {"4.0"}
    assert len({output.content for output in outputs}) == 1, {output.content for output in outputs}


def measure(runs: int, *, sync: bool) -> None:
    """Launch the runs, wait for all, check each, and print the figures."""
    from nbagent import Agent, OpenAIChat, gather, settings, sql
    from nbagent.demo.process import DemoProcess
    from nbagent.runtime import current

    settings.configure("max_concurrency", runs)
    model = OpenAIChat(id="assistant", base_url=DemoProcess(speed=1000).start(), api_key="not-needed")

    def launch(count: int) -> list[Any]:
        agent = Agent(model=model, tools=[meeting(count, sync=sync)])
        return [agent.start(PROMPT) for _ in range(count)]

    checked(gather(launch(WARM_UP)))
    gc.collect()
    base, peak, lag, collections = resident(), Peak(), Lag(), Collections()
    ticking = current().thread.submit(lag.tick())
    began, spent = time.perf_counter(), time.process_time()
    launched = launch(runs)
    launch_s = time.perf_counter() - began
    outputs = gather(launched)
    took_s, spent = time.perf_counter() - began, time.process_time() - spent
    ticking.cancel()
    gc.callbacks.clear()
    most = peak.stop()
    checked(outputs)
    del outputs
    gc.collect()
    after = resident()
    (stored,) = sql("select count(*) n from runs where status = 'completed'")["n"]
    assert stored == runs + WARM_UP, stored
    print(f"{runs} runs: completed in {took_s:.1f} s, {launch_s:.1f} s of it launching;", end=" ")
    print(f"{spent / runs * 1000:.1f} ms of CPU a run")
    print(f"memory a run: {(most - base) / runs / 1000:.0f} KB at the peak,", end=" ")
    print(f"{(after - base) / runs / 1000:.0f} KB after")
    print(f"lag of the background loop: {lag};", end=" ")
    print(f"{collections.count} full garbage collections, the longest {collections.longest_s * 1000:.0f} ms")


def main() -> None:
    """Measure, with an idle loop beside it."""
    sync = "--sync" in sys.argv
    runs = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1000)
    idle = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("lag.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        measure(runs, sync=sync)
    print(f"lag of an idle loop beside it: {idle.communicate()[0].strip()}")


if __name__ == "__main__":
    main()
