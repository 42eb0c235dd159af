"""CPU of runs that each begin a session of their own, against the same without a session and a bare SDK loop.

`python tests/benchmarks/sessions.py [--wire chat|responses] [--rounds N] [--tool] [--one-by-one]` prints the three and their
ratios: 200 runs of 50 chunks, 50 at a time, each with a fresh `session_id`, its metrics read, and the frame of all
sessions' metrics, so that every row has come into the database, inside the clock. `--tool`: each run calls one tool,
so that it asks its model twice. `--one-by-one`: 60 runs, each after the last has ended, and as a third side all of
them in one session, with what turns 6 to 15 and 146 to 155 of a session cost, the request's own bytes included.
`--launches`: six processes on one record launch runs with sessions of their own, 25 each, a moment apart; prints
the percentiles of the launches and those of each process's first one.

Each side runs in a process of its own, the sides take turns, and the least of each side's rounds counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
AT_A_TIME = 50
PROMPT = "Say fifty words."
PROCESSES = 6
LAUNCHES = 25


def look(place: str) -> str:
    """Look at a place."""
    return f"it rains in {place}"


def _agent(base_url: str, wire: str, *, tool: bool) -> Any:
    from nbagent import Agent, settings
    from nbagent.models import OpenAIChat, OpenAIResponses

    settings.configure("max_concurrency", AT_A_TIME)
    kind = {"chat": OpenAIChat, "responses": OpenAIResponses}[wire]
    model = kind(id="bench-1", base_url=base_url, api_key="not-needed")
    return Agent(model=model, tools=[look] if tool else [])


def _sessions(side: str) -> Callable[[], str | None]:
    """What each run of a side is given as its session."""
    if side == "without":
        return lambda: None
    one = str(uuid.uuid4())
    return (lambda: one) if side == "one" else (lambda: str(uuid.uuid4()))


def crowd(base_url: str, wire: str, side: str, *, tool: bool, runs: int = 200) -> dict[str, float]:
    """Return the CPU milliseconds of one run among fifty at a time."""
    from nbagent import gather, metrics

    agent, session = _agent(base_url, wire, tool=tool), _sessions(side)
    gather(*(agent.start(PROMPT, session_id=session()) for _ in range(AT_A_TIME)))
    metrics.by_session()
    began = time.process_time()
    outputs = gather(*[agent.start(PROMPT, session_id=session()) for _ in range(runs)])
    tokens = sum(output.metrics.total_tokens for output in outputs)
    frame = metrics.by_session()
    spent = time.process_time() - began
    assert tokens == runs * 62 * (1 + tool), tokens
    assert frame["runs"].sum() == runs + AT_A_TIME, frame
    return {"ms": spent / runs * 1000}


def one_by_one(base_url: str, wire: str, side: str, *, tool: bool, runs: int = 60) -> dict[str, float]:
    """Return the CPU milliseconds of one run where each waits for the last; in one session those of late turns too."""
    from nbagent import metrics

    agent, session = _agent(base_url, wire, tool=tool), _sessions(side)
    for _ in range(5):
        agent.start(PROMPT, session_id=session()).result()
    metrics.by_session()
    spent: list[float] = []
    for _ in range(runs if side != "one" else 150):
        began = time.process_time()
        output = agent.start(PROMPT, session_id=session()).result()
        assert output.metrics.total_tokens is not None
        spent.append(time.process_time() - began)
    began = time.process_time()
    metrics.by_session()
    fold = (time.process_time() - began) / len(spent)
    found = {"ms": (sum(spent[:runs]) / runs + fold) * 1000}
    if side == "one":
        found |= {"early": sum(spent[:10]) / 10 * 1000, "late": sum(spent[-10:]) / 10 * 1000}
    return found


def launching(base_url: str, name: str) -> None:
    """Launch runs with sessions in one of several processes; print what each launch took."""
    from nbagent import gather

    record, chance = os.environ["NBAGENT_STORE"], random.Random(name)  # noqa: S311 - no secret
    agent = _agent(base_url, "chat", tool=False)
    with tempfile.TemporaryDirectory() as folder:  # what a notebook has loaded by its second run
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        agent.run(PROMPT)
        os.environ["NBAGENT_STORE"] = record
    print("ready", flush=True)
    sys.stdin.readline()
    took, runs = [], []
    for _ in range(LAUNCHES):
        time.sleep(chance.uniform(0.0, 0.4))
        began = time.perf_counter()
        runs.append(agent.start(PROMPT, session_id=str(uuid.uuid4())))
        took.append(time.perf_counter() - began)
    gather(*runs)
    print(json.dumps(took))


# the parent -----------------------------------------------------------------------------------------------


def _served(given: argparse.Namespace, work: Callable[[str], None]) -> None:
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        work(server.stdout.readline().strip())
        server.stdin.close()


def compare(base_url: str, given: argparse.Namespace) -> None:
    """Print each side and its ratios."""
    ours = ["without", "fresh", *(["one"] if given.one_by_one else [])]
    found: dict[str, list[dict[str, float]]] = {side: [] for side in ["bare", *ours]}
    for _ in range(given.rounds):
        for side, rounds in found.items():
            rounds.append(_one_side(base_url, side, given))
    least = {side: min(rounds, key=lambda one: one["ms"]) for side, rounds in found.items()}
    bare, without = least["bare"]["ms"], least["without"]["ms"]
    what = f"{given.wire}{', a tool round' if given.tool else ''}{', one by one' if given.one_by_one else ''}"
    print(f"{what}: bare SDK {bare:.2f} ms a run")
    for side in ours:
        ms = least[side]["ms"]
        print(f"  {side:<8} {ms:.2f} ms, {ms / bare:.2f}x of the bare SDK, {ms / without:.2f}x of without")
    if "one" in least:
        early, late = least["one"]["early"], least["one"]["late"]
        print(f"  one session: turns 6 to 15 {early:.2f} ms, 146 to 155 {late:.2f} ms, {late / early:.2f}x")


def _one_side(base_url: str, side: str, given: argparse.Namespace) -> dict[str, float]:
    flags = [*(["--tool"] if given.tool else []), *(["--one-by-one"] if given.one_by_one else [])]
    runs = ["60", "1"] if given.one_by_one else ["200", str(AT_A_TIME)]
    command: list[str | Path] = (
        [HERE / "bare_sdk.py", base_url, given.wire, *runs, *(["tool"] if given.tool else [])]
        if side == "bare"
        else [__file__, "--side", side, "--url", base_url, "--wire", given.wire, *flags]
    )
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(
            [sys.executable, *command],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb"},
        ).stdout
    return {"ms": float(printed)} if side == "bare" else dict(json.loads(printed))


def several(base_url: str) -> None:
    """Print the percentiles of launches of several processes on one record."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = [
            subprocess.Popen(
                [sys.executable, __file__, "--side", f"p{number}", "--url", base_url, "--launches"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb"},
            )
            for number in range(PROCESSES)
        ]
        for one in fleet:
            assert one.stdout is not None
            one.stdout.readline()
        for one in fleet:
            _go(one)
        took = [json.loads(one.communicate()[0]) for one in fleet]
    first = sorted(one[0] for one in took)
    rest = sorted(each for one in took for each in one[1:])
    print(
        f"{PROCESSES} processes, {len(rest)} launches with sessions: p50 {_ms(rest, 0.5)}, p95 {_ms(rest, 0.95)}, "
        f"longest {_ms(rest, 1)} ms; the first of each: {', '.join(f'{one * 1e3:.0f}' for one in first)} ms"
    )


def _go(one: subprocess.Popen[str]) -> None:
    assert one.stdin is not None
    one.stdin.write("go\n")
    one.stdin.flush()


def _ms(took: list[float], share: float) -> str:
    return f"{took[min(len(took) - 1, int(share * len(took)))] * 1e3:.1f}"


def main() -> None:
    """Run one side, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wire", default="chat", choices=["chat", "responses"])
    parser.add_argument("--rounds", type=int, default=4)
    for flag in ("--tool", "--one-by-one", "--launches"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--side")
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.side and given.launches:
        launching(given.url, given.side)
    elif given.side:
        measure = one_by_one if given.one_by_one else crowd
        print(json.dumps(measure(given.url, given.wire, given.side, tool=given.tool)))
    else:
        _served(given, several if given.launches else lambda url: compare(url, given))


if __name__ == "__main__":
    main()
