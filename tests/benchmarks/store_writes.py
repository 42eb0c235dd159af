"""What the store costs: CPU of a launch, of a finish in batches of several sizes, of a turn, of big files.

Run by hand: `python tests/benchmarks/store_writes.py [--layouts] [--big]`. Prints a table; milliseconds of CPU
of the whole process (writer thread included) and of wall time, each per item.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from nbagent.events import Message, ModelCall, Usage
from nbagent.store import Finish, Launch, Progress, Store, list_runs, load_run


def measure(name: str, count: int, work: Callable[[], Any]) -> None:
    """Run `work`, which does `count` items, and print what one cost."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:<46} {cpu / count * 1e3:8.3f} ms CPU {wall / count * 1e3:8.3f} ms wall")


def launch(run_id: str) -> Launch:
    """A launch row of the usual size."""
    return Launch(
        {
            "run_id": run_id,
            "session_id": run_id,
            "turn": 1,
            "created_at": datetime.now(UTC),
            "agent_name": "assistant",
            "kind": "agent",
            "provider": "demo",
            "model": "assistant",
            "prompt": "Give me facts about Tokyo, Paris and New York." * 2,
            "model_settings": {"temperature": 0.2},
            "mode_requested": "notebook",
            "spec": {
                "name": "assistant",
                "model": "demo:assistant",
                "instructions": "Be brief. " * 20,
                "tools": [],
            },
        }
    )


def finish(run_id: str) -> Finish:
    """An end with one model call and two messages."""
    now = datetime.now(UTC)
    call = ModelCall(
        step=1,
        attempt=1,
        provider="demo",
        request_model="assistant",
        response_model="assistant-1",
        status="completed",
        started_at=now,
        duration_s=1.0,
        ttft_s=0.1,
        usage=Usage(input_tokens=20, output_tokens=50, total_tokens=70),
        usage_source="reported",
    )
    text = "Tokyo is large, and so on. " * 20
    return Finish(
        run_id=run_id,
        session_id=run_id,
        turn=1,
        end={
            "status": "completed",
            "stop_reason": "end",
            "content": text,
            "started_at": now,
            "finished_at": now,
        },
        model_calls=(call,),
        messages=(
            (0, Message(role="user", content="Give me facts.")),
            (1, Message(role="assistant", content=text)),
        ),
    )


def writes(folder: Path, count: int) -> None:
    """Launches one by one, finishes in batches, and both as fifty runs in flight make them."""
    store = Store(folder / "runs.duckdb")
    measure("first launch (imports and starts DuckDB)", 1, lambda: store.submit(launch("first")).result())
    store.flush()
    ids = [str(uuid.uuid4()) for _ in range(count)]
    measure(
        "launch, one by one, each waited for",
        count,
        lambda: [store.submit(launch(one)).result() for one in ids],
    )
    wait([store.submit(finish(one)) for one in ["first", *ids]])
    ids = [str(uuid.uuid4()) for _ in range(count)]
    measure(
        "launch with an id made for it, into the log",
        count,
        lambda: [store.launch(replace(launch(one), minted=True)).result() for one in ids],
    )
    wait([store.submit(finish(one)) for one in ids])
    for size in (1, 10, 50):

        def end(size: int = size) -> None:
            for _ in range(20):
                wait([store.submit(finish(str(uuid.uuid4()))) for _ in range(size)])

        measure(f"finish, {size} at a time", 20 * size, end)
    measure("200 runs, 50 in flight, launch + finish", 200, lambda: _in_flight(store, 200, 50))
    keys = [str(uuid.uuid4()) for _ in range(50)]

    def progress() -> None:
        for _ in range(5):
            for key in keys:
                store.submit(Progress(run_id=key, partial_text="so far " * 200))
            store.flush()

    measure("progress of 50 runs, a row each", 250, progress)
    measure("read of one row", 50, lambda: [store.read("select 1") for _ in range(50)])
    measure("load_run", 20, lambda: [load_run(store, "first") for _ in range(20)])

    def turns() -> None:
        for _ in range(20):
            store._writer.file.open()
            store._writer.file.close()

    store.close()
    measure("empty turn (lock, attach, detach, unlock)", 20, turns)


def _in_flight(store: Store, count: int, width: int) -> None:
    running: list[str] = []
    pending = []
    for _ in range(count):
        run_id = str(uuid.uuid4())
        store.launch(replace(launch(run_id), minted=True)).result()
        running.append(run_id)
        if len(running) == width:
            pending.append(store.submit(finish(running.pop(0))))
    pending += [store.submit(finish(one)) for one in running]
    wait(pending)


def layouts(folder: Path) -> None:
    """Other ways of writing one launch row or fifty rows of 25 columns, with DuckDB alone."""
    con = duckdb.connect(str(folder / "layouts.duckdb"), config={"threads": 1})
    for columns in (5, 10, 27):
        for key in ("", " primary key"):
            table = f"t{columns}{'k' if key else ''}"
            con.execute(
                f"create table {table} (a varchar{key}, {', '.join(f'c{i} varchar' for i in range(columns - 1))})"
            )
            sql = f"insert into {table} values ({', '.join('?' * columns)})"  # noqa: S608 - a script's own names
            rows = [[str(uuid.uuid4()), *["abc"] * (columns - 1)] for _ in range(100)]
            measure(
                f"one row of {columns} columns{key}",
                100,
                lambda sql=sql, rows=rows: [con.execute(sql, r) for r in rows],
            )
    con.execute("create table wide (" + ", ".join(f"c{i} varchar" for i in range(25)) + ")")
    values = ["abc"] * 25
    many = f"insert into wide values {', '.join(['(' + ', '.join('?' * 25) + ')'] * 50)}"  # noqa: S608
    lists = f"insert into wide select {', '.join(['unnest(?)'] * 25)}"
    single = f"insert into wide values ({', '.join('?' * 25)})"  # noqa: S608
    measure(
        "50 rows of 25 columns, one statement of values",
        20,
        lambda: [con.execute(many, values * 50) for _ in range(20)],
    )
    measure(
        "50 rows of 25 columns, lists and unnest",
        20,
        lambda: [con.execute(lists, [["abc"] * 50] * 25) for _ in range(20)],
    )
    measure(
        "50 rows of 25 columns, executemany",
        4,
        lambda: [con.executemany(single, [values] * 50) for _ in range(4)],
    )
    con.close()

    def connects() -> None:
        for _ in range(20):
            duckdb.connect(str(folder / "layouts.duckdb"), config={"threads": 1}).close()

    measure("turn as duckdb.connect and close", 20, connects)


def big(folder: Path, runs: int = 250_000) -> None:
    """A file of a million model calls: what a launch, a list and the metrics' queries take."""
    path = folder / "big.duckdb"
    store = Store(path)
    store.read("select 1")
    store.close()
    con = duckdb.connect(str(path))
    con.execute("set preserve_insertion_order = false")
    con.execute(
        "insert into launches select lpad(i::varchar, 12, '0'), 'session ' || i % 1000, i // 1000 + 1,"
        " timestamp '2026-01-01' + i * interval 1 second, 'vm - 1 1', 'agent ' || i % 7, null, null, null,"
        ' \'{"prompt": "hello there", "model": "m", "provider": "p"}\' from range(?) r(i)',
        [runs],
    )
    con.execute(
        "insert into attempt_ends select run_id, 1, 'completed', 'end', repeat('text ', 40), 'text', null, null, null,"
        " null, created_at, created_at + interval 3 second, null, null, null, null from launches"
    )
    con.execute(
        "insert into model_calls select run_id, 1, s.i, 1, null, 'p', 'model ' || s.i, null, null, 'completed', 'stop',"
        " created_at, 0.1, 1.0, 10, 10, 20, null, null, null, 'reported', 0.01, null, null, null"
        " from launches, range(4) s(i) order by run_id"
    )
    con.close()
    store = Store(path)
    measure("big: first launch", 1, lambda: store.submit(launch("first")).result())
    measure("big: sweep of dead owners", 1, lambda: store.flush(60))
    numbered = [Launch({"run_id": str(uuid.uuid4()), "session_id": f"session {i}"}) for i in range(50)]
    measure("big: launch into an old session", 50, lambda: [store.submit(one).result() for one in numbered])
    measure(
        "big: launch into a new one",
        50,
        lambda: [store.submit(launch(str(uuid.uuid4()))).result() for _ in range(50)],
    )
    measure("big: the last 100 runs", 1, lambda: list_runs(store))
    measure("big: load_run", 1, lambda: load_run(store, "000000100000"))
    by_model = (
        "select provider, request_model, sum(total_tokens), sum(cost_usd) from model_calls group by all"
    )
    measure("big: by model", 1, lambda: store.read(by_model))
    by_session = "select session_id, count(distinct run_id), sum(total_tokens) from model_calls join launches using (run_id) group by 1"
    measure("big: by session", 1, lambda: store.read(by_session))
    measure(
        "big: by session, through the view", 1, lambda: store.read(by_session.replace("launches", "runs"))
    )
    store.close()
    measure(
        "big: a turn with one launch",
        1,
        lambda: (store.submit(launch(str(uuid.uuid4()))).result(), store.close()),
    )


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layouts", action="store_true", help="also the ways not taken")
    parser.add_argument("--big", action="store_true", help="also a file of a million model calls")
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        writes(Path(name), options.count)
        if options.layouts:
            layouts(Path(name))
        if options.big:
            big(Path(name))


if __name__ == "__main__":
    main()
