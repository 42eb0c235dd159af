"""What the frames cost on a record of 1,000,000 model calls: wall time and CPU of each, and the memory it took.

Run by hand: `python tests/benchmarks/frames_at_scale.py [--calls N] [--own-sessions]`. With `--own-sessions` each
run has a session of its own, as runs launched without a session id have: the most groups there can be.
The budget is 0.5 s for by_model, by_member and by_session, for opening the record and for listing its newest 100
runs; and 60 ms at p95 for launches while by_model and by_session are asked for again and again.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb

CALLS_A_RUN = 4
BUDGET_S = 0.5
BUDGETED = ("opening", "runs(limit=100)", "list_runs(100)", "by_model", "by_member", "by_session")
HERE = Path(__file__).parent

_LAUNCHES = """
insert into launches by name
select 'run-' || lpad(i::varchar, 32, '0') as run_id,
       'session-' || lpad(({session})::varchar, 28, '0') as session_id,
       1 as turn,
       timestamp '2026-01-01' + to_seconds(i) as created_at,
       'host:boot:1:1' as owner,
       case when i % 5 = 4 then 'member-' || (i % 3) else 'agent-' || (i // 5 % 20) end as agent_name,
       case when i % 5 = 4 then 'run-' || lpad((i - 1)::varchar, 32, '0') end as parent_run_id,
       case when i % 5 = 3 then 'team' else 'agent' end as kind,
       json_object('provider', 'openai', 'model', 'm-1',
                   'prompt', repeat('Give me facts about Tokyo. ', 5),
                   'tags', json_object('group', (i % 7)::varchar),
                   'spec', json_object('name', 'a', 'instructions', repeat('Be brief. ', 50))) as details
from range({runs}) r(i)
"""
_ENDS = """
insert into attempt_ends by name
select run_id, 1 as attempt, case when i % 50 = 0 then 'error' when i % 50 = 1 then 'cancelled' else 'completed' end
       as status, case when i % 50 = 0 then 'error' when i % 50 = 1 then 'cancelled' else 'end' end as stop_reason,
       repeat('Tokyo is large. ', 10) as content, 'text' as content_type,
       created_at + interval 10 milliseconds as started_at,
       created_at + to_milliseconds(500 + i * 7919 % 9000) as finished_at
from (select *, row_number() over () - 1 as i from launches)
"""
_CALLS = """
insert into model_calls by name
select 'run-' || lpad((i // {per})::varchar, 32, '0') as run_id, 1 as attempt, (i % {per} + 1)::integer as step,
       1 as try_no, ['openai', 'deepseek', 'demo'][1 + i % 3] as provider,
       ['m-1', 'm-2', 'm-3', 'm-4', 'm-5'][1 + i % 5] as request_model,
       case when i % 40 = 0 then 'error' else 'completed' end as status,
       timestamp '2026-01-01' + to_seconds(i // {per}) as started_at,
       (i * 104729 % 1000) / 2000.0 as ttft_s, (i * 7919 % 9000) / 1000.0 as duration_s,
       case when i % 40 > 0 then i % 3000 end as input_tokens, case when i % 40 > 0 then i % 500 end as output_tokens,
       case when i % 40 > 0 then i % 3000 + i % 500 end as total_tokens,
       case when i % 40 > 1 then i % 1000 end as cache_read_tokens,
       'reported' as usage_source, case when i % 3 < 2 then (i % 100) / 1e5 end as cost_usd
from range({calls}) r(i)
"""
_TOOLS = """
insert into tool_calls by name
select run_id, attempt, step, 'call-' || step as tool_call_id, ['price', 'search', 'sql'][1 + step % 3] as name,
       '{{}}' as arguments, 'ok' as result, 'completed' as status, started_at, duration_s / 10 as duration_s
from model_calls where step < {per}
"""


def fill(path: Path, calls: int, *, own_sessions: bool) -> None:
    """Write a record of that many model calls; the schema is the store's own."""
    from nbagent.store import Store

    store = Store(path)
    store.read("select 1")
    assert store.close(10)
    runs = calls // CALLS_A_RUN
    with duckdb.connect(path) as con:
        con.execute(_LAUNCHES.format(runs=runs, session="i" if own_sessions else "i // 50"))
        con.execute(_ENDS)
        con.execute(_CALLS.format(calls=calls, per=CALLS_A_RUN))
        con.execute(_TOOLS.format(per=CALLS_A_RUN))


def measure() -> dict[str, float]:
    """Print what each frame costs, the best of five, and return the seconds by name."""
    import pandas as pd  # noqa: F401 - a notebook that asks for frames has it

    from nbagent import frames, get, runtime
    from nbagent.store import list_runs

    stored = (f"run-{number:032d}" for number in range(0, 10**9, 5))
    asked = {
        **{
            f"by_{name}": getattr(frames.metrics, f"by_{name}")
            for name in ("model", "member", "session", "agent", "tool")
        },
        "get(id)": lambda: get(next(stored)).output.model_calls,
        "get of 100 ids": lambda: [run.output for run in get([next(stored) for _ in range(100)])],
        "runs(limit=100)": lambda: frames.runs(limit=100),
        "list_runs(100)": lambda: list_runs(runtime.current().store),
        "runs(limit=1000)": lambda: frames.runs(limit=1000),
        "runs()": frames.runs,
    }
    begin = time.perf_counter()
    runtime.current().store.read("select count(*) from launches")
    found = {"opening": time.perf_counter() - begin}
    print(f"opening, DuckDB's import included {found['opening'] * 1e3:.0f} ms")
    for name, ask in asked.items():
        times, cpu = [], []
        for _ in range(5):
            gc.collect()
            begin, begin_cpu = time.perf_counter(), time.process_time()
            rows = len(ask())
            times.append(time.perf_counter() - begin)
            cpu.append(time.process_time() - begin_cpu)
        found[name] = min(times)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:<18} {min(times) * 1e3:7.0f} ms {min(cpu) * 1e3:7.0f} ms CPU {rows:9,} rows    "
            f"peak memory so far {peak:6.0f} MB"
        )
    return found


def launches_meanwhile(base_url: str, count: int = 200) -> None:
    """Print how long launches take, one each 50 ms, while another thread asks for frames without a pause."""
    from nbagent import Agent, OpenAIChat, frames, gather

    agent = Agent(model=OpenAIChat(id="bench-1", base_url=base_url, api_key="not-needed"))
    agent.run("Warm up.")
    over, asked = threading.Event(), [0]

    def ask() -> None:
        while not over.is_set():
            frames.metrics.by_model()
            frames.metrics.by_session()
            asked[0] += 2

    asking = threading.Thread(target=ask)
    asking.start()
    runs, times = [], []
    for _ in range(count):
        begin = time.perf_counter()
        runs.append(agent.start("Say fifty words."))
        times.append(time.perf_counter() - begin)
        time.sleep(0.05)
    over.set()
    asking.join()
    gather(*runs)
    assert all(run.durable for run in runs)
    cuts = statistics.quantiles(times, n=20)
    print(
        f"launches while {asked[0]} frames were made: p50 {cuts[9] * 1e3:.1f} ms, p95 {cuts[18] * 1e3:.1f} ms, "
        f"max {max(times) * 1e3:.1f} ms"
    )


def main() -> None:
    """Fill a record in a temporary folder and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--own-sessions", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.duckdb"
        fill(path, given.calls, own_sessions=given.own_sessions)
        os.environ["NBAGENT_STORE"] = str(path)
        print(f"{given.calls:,} model calls, {path.stat().st_size / 1e6:.0f} MB")
        found = measure()
        command = [sys.executable, HERE / "server.py"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            launches_meanwhile(server.stdout.readline().strip())
            server.stdin.close()
    late = [name for name in BUDGETED if found[name] > BUDGET_S]
    print(
        f"over {BUDGET_S} s: {', '.join(late)}"
        if late
        else f"all of {', '.join(BUDGETED)} within {BUDGET_S} s"
    )


if __name__ == "__main__":
    main()
