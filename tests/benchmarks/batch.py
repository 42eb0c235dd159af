"""A batch of rows: CPU of a row against the bare SDK (budget 0.6x), memory (+300 MB), and your own cell beside it (1.25x).

`python tests/benchmarks/batch.py [ROWS]` first lets `Agent.map` and the bare SDK loop take turns on the fast server of
this folder (50 chunks a reply, 64 at a time, each side a process of its own), then sends ROWS rows (10,000) of a real
classification to the demo server, 64 at a time: each row's answer is compared with the demo model's own, in order, and
with the store. A cell, `sum(range(10**7))`, is timed alone and beside it. Memory is the growth of the resident set.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from many_runs import Peak, resident

HERE = Path(__file__).parent
ROUNDS = 4
AT_A_TIME = 64
CPU_ROWS = 1_000
TEMPLATE = "Classify the review: {{ row.text }}"
SCHEMA = {
    "title": "Review",
    "type": "object",
    "properties": {"sentiment": {"enum": ["positive", "negative", "neutral"]}, "text": {"type": "string"}},
    "required": ["sentiment", "text"],
    "additionalProperties": False,
}


def cpu_of_a_row(base_url: str, rows: int = CPU_ROWS) -> float:
    """Return the CPU milliseconds of one row, stored and in the frame; after a warm-up."""
    from nbagent import Agent, OpenAIChat, settings, sql

    settings.configure("max_concurrency", AT_A_TIME)
    agent = Agent(model=OpenAIChat(id="bench-1", base_url=base_url, api_key="not-needed"))
    agent.map(
        [f"warm-up {n}" for n in range(AT_A_TIME)], "Say {{ row }}.", max_concurrency=AT_A_TIME
    ).result()
    began = time.process_time()
    frame = agent.map(list(range(rows)), "Say fifty words: {{ row }}.", max_concurrency=AT_A_TIME).result()
    spent = time.process_time() - began
    assert list(frame["content"]) == [" words" * 50] * rows
    (stored,) = sql("select count(*) n from runs where status = 'completed'")["n"]
    assert stored == rows + AT_A_TIME, stored
    return spent / rows * 1000


def compare() -> float:
    """Print the CPU of both sides and their ratio."""
    sides: dict[str, list[float]] = {"bare_sdk.py": [], "batch.py": []}
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        for _ in range(ROUNDS):
            for script, spent in sides.items():
                spent.append(_one_side(script, base_url))
        server.stdin.close()
    bare, ours = (min(spent) for spent in sides.values())
    print(f"CPU: bare SDK {bare:.2f} ms a row, a batch {ours:.2f} ms a row, ratio {ours / bare:.2f}")
    return ours / bare


def _one_side(script: str, base_url: str) -> float:
    words = (
        [base_url, "chat", str(CPU_ROWS), str(AT_A_TIME)] if script == "bare_sdk.py" else ["--cpu", base_url]
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb"}
        done = subprocess.run(
            [sys.executable, HERE / script, *words],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
    return float(done.stdout)


def a_cell() -> float:
    """Return the seconds that a cell takes."""
    began = time.perf_counter()
    assert sum(range(10**7)) == 49_999_995_000_000
    return time.perf_counter() - began


def measure(rows: int) -> dict[str, Any]:
    """Map a template over the rows against the demo server; check and return what was measured."""
    import pandas as pd

    from nbagent import Agent, OpenAIChat, settings, sql
    from nbagent.demo.process import DemoProcess

    settings.configure("max_concurrency", AT_A_TIME)
    model = OpenAIChat(id="assistant", base_url=DemoProcess(speed=1000).start(), api_key="not-needed")
    agent = Agent(model=model, output_schema=SCHEMA)
    words = ("wonderful", "terrible", "made of wood")
    table = pd.DataFrame(
        {"text": [f"It is {words[n % 3]}, number {n}." for n in range(rows)]},
        index=[f"r{n}" for n in range(rows)],
    )
    known = agent.map(table.head(AT_A_TIME), TEMPLATE, max_concurrency=AT_A_TIME, label="warm-up").result()
    alone = statistics.median(a_cell() for _ in range(5))
    gc.collect()
    base, peak = resident(), Peak()
    began, spent, own = time.perf_counter(), time.process_time(), time.thread_time()
    batch = agent.map(table, TEMPLATE, max_concurrency=AT_A_TIME, fresh=True)
    beside = []
    while not batch.done():
        beside.append(a_cell())
        time.sleep(0.2)
    took_s = time.perf_counter() - began
    spent = (time.process_time() - spent) - (time.thread_time() - own)  # without the cells, on this thread
    frame = batch.to_frame()
    most = peak.stop()
    checked(frame, known, table)
    (stored,) = sql(
        "select count(*) n from runs where batch_id = ? and status = 'completed'".replace(
            "?", f"'{batch.batch_id}'"
        )
    )["n"]
    assert stored == rows, stored
    del frame
    gc.collect()
    return {
        "rows": rows,
        "rows/s": rows / took_s,
        "CPU ms a row": spent / rows * 1000,
        "MB at the peak": (most - base) / 1e6,
        "MB after": (resident() - base) / 1e6,
        "cell beside / alone": statistics.median(beside) / alone,
    }


def checked(frame: Any, known: Any, table: Any) -> None:
    """Hold that every row has its own answer, in its place."""
    assert list(frame.index) == list(table.index)
    assert list(frame["text"]) == list(table["text"])
    assert set(frame["status"]) == {"completed"}, frame["error"].dropna().unique()
    assert frame["run_id"].is_unique
    of_word = {row["text"].split(",")[0]: row["sentiment"] for _, row in known.iterrows()}
    wrong = [
        text
        for text, found in zip(frame["text"], frame["sentiment"], strict=True)
        if found != of_word[text.split(",")[0]]
    ]
    assert not wrong, wrong[:5]


def main() -> None:
    """Measure all of it."""
    if sys.argv[1:2] == ["--cpu"]:
        print(f"{cpu_of_a_row(sys.argv[2]):.3f}")
        return
    compare()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        figures = measure(int(sys.argv[1]) if sys.argv[1:] else 10_000)
    print(
        "; ".join(
            f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
            for name, value in figures.items()
        )
    )


if __name__ == "__main__":
    main()
