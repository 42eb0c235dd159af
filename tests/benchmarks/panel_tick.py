"""What a tick of the panel costs: 10,000 runs of which 10 changed; budget 2 ms of kernel CPU and 8 KB sent.

`python tests/benchmarks/panel_tick.py` prints, for 10,000 runs of this kernel that all go on and for 10,000 ended
ones beside ten that go on: CPU of the tick with its message packed as the kernel's session packs it, bytes sent,
and the same for a tick in which nothing changed; the same for the card of a batch of 100,000 rows; then what the
whole states and a first read of the file cost.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyter_client.session import Session

from nbagent.events import RunFinished, RunStarted, TextAdded
from nbagent.panel.table.model import TableModel
from nbagent.run import RunLaunch, RunRecord
from nbagent.store import Store, newest_runs
from tests.panel.filled_store import fill

RUNS, CHANGED, TICKS, ROWS = 10_000, 10, 200, 100_000
WORDS = "Copper rose by two per cent on supply worries in Chile, then gave half of it back. "
_session = Session(key=b"benchmark")


def packed(message: dict[str, Any]) -> int:
    """Pack a widget's message as the kernel does, and return its bytes."""
    content = {"comm_id": "c" * 32, "data": {"method": "custom", "content": message}}
    parts = _session.serialize(_session.msg("comm_msg", content))
    return sum(map(len, parts))


def records(count: int, *, ended: bool, first: int = 0) -> list[RunRecord]:
    """Live records in mid-answer, or ended."""
    made = []
    for number in range(first, first + count):
        launch = RunLaunch(
            run_id=f"01a1fd95-50b1-7398-bdf1-{number:012}", session_id=f"s{number}", created_at=datetime.now(UTC),
            agent_name="writer", provider="openai", model="gpt-5-mini", prompt=WORDS * 3,
        )  # fmt: skip
        record = RunRecord(launch)
        record.apply(RunStarted(started_at=datetime.now(UTC)))
        for _ in range(20):
            record.apply(TextAdded(WORDS, step=1))
        if ended:
            record.apply(RunFinished(stop_reason="end", content=record.text, finished_at=datetime.now(UTC)))
        made.append(record)
    return made


def ticks(board: TableModel, change: Callable[[int], None]) -> tuple[list[float], list[int]]:
    """Tick with a change before each; return CPU seconds and bytes of each."""
    cpu, sent = [], []
    for number in range(TICKS):
        change(number)
        began = time.thread_time()
        message = board.tick(number * 0.1)
        size = packed({**message, "now_ms": 0}) if message else 0
        cpu.append(time.thread_time() - began)
        sent.append(size)
    return cpu, sent


def report(name: str, cpu: Sequence[float], sent: Sequence[int]) -> None:
    """Print medians and p95."""
    p95 = statistics.quantiles(cpu, n=20)[18]
    print(
        f"{name}: CPU median {statistics.median(cpu) * 1000:.2f} ms, p95 {p95 * 1000:.2f} ms; {max(sent)} bytes at most"
    )


def batch_of_100_000() -> None:
    """A batch's card near its end: ten rows end in each tick."""
    board, cpu, sent = TableModel("b"), [], []
    for first, count in [(n, 1000) for n in range(0, ROWS - 2000, 1000)] + [
        (n, CHANGED) for n in range(ROWS - 2000, ROWS, CHANGED)
    ]:
        for record in records(count, ended=True, first=first):
            object.__setattr__(record.launch, "batch_id", "b")
            board.watch(record)
        ended = [(n, n, outcome(n)) for n in range(first, first + count)]
        stands = {
            "total": ROWS,
            "done": first + count,
            "failed": 0,
            "not_asked": 0,
            "rate": 100.0,
            "finished": False,
        }
        stands |= {"tokens": first, "cost": None}
        began = time.thread_time()
        message = board.tick(first * 0.1, ended=(first + count, ended), batches={"b": stands})
        size = packed({**(message or {}), "now_ms": 0})
        if count == CHANGED:
            cpu.append(time.thread_time() - began)
            sent.append(size)
    report("a batch of 100,000 rows, 10 ended", cpu, sent)
    began = time.thread_time()
    size = packed({"state": board.state()})
    print(f"its whole state: {(time.thread_time() - began) * 1000:.0f} ms, {size / 1e6:.1f} MB")


def outcome(number: int) -> SimpleNamespace:
    """An ended row, as a batch tells it; one in fifty has failed."""
    failed = number % 50 == 0
    answer = None if failed else {"sentiment": ("good", "bad", "mixed")[number % 3], "stars": number % 5}
    return SimpleNamespace(
        has_failed=failed, answer=answer, status="error" if failed else "completed", run_id=f"r{number}",
        error="the wire is cut" if failed else None, reused=False,
    )  # fmt: skip


def main() -> None:
    """Measure."""
    for name, going, gone in (
        ("10,000 runs go on", RUNS, 0),
        ("10 of 10,000 go on", CHANGED, RUNS - CHANGED),
    ):
        live, board = records(going, ended=False), TableModel()
        for record in [*live, *records(gone, ended=True, first=going)]:
            board.watch(record)
        board.tick(0.0)

        def stream(number: int, live: list[RunRecord] = live) -> None:
            for at in range(CHANGED):
                live[(number * CHANGED + at) % len(live)].apply(TextAdded(f"{number} and so on. ", step=1))

        report(f"{name}, 10 changed", *ticks(board, stream))
        report(f"{name}, none changed", *ticks(board, lambda _: None))
    batch_of_100_000()
    began = time.thread_time()
    state = board.state()
    size = packed({"state": state})
    print(f"whole state: {(time.thread_time() - began) * 1000:.0f} ms, {size / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs.duckdb")
        fill(store, RUNS)
        began = time.perf_counter()
        found = newest_runs(store, RUNS)
        read_s = time.perf_counter() - began
        board = TableModel()
        board.tick(0.0, found.rows, total=found.total)
        print(
            f"first read of 10,000 runs: {read_s:.2f} s; with their lines {time.perf_counter() - began:.2f} s"
        )
        store.close()


if __name__ == "__main__":
    main()
