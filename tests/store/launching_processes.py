"""Many notebooks at once for the store's tests: processes that launch runs into one file, and one that reads it.

`python -m tests.store.launching_processes launch URL NAME COUNT` and `... read`: each prints `ready`, begins at a line of input,
and tells what it does in lines of JSON. A launcher pauses 0 to 0.2 s after each launch and ends when its runs have;
every third run calls a tool, so that it asks its model twice, and every second one is in a session, with one other.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import Request
from tests.provider.steps import Script

ROOT = Path(__file__).resolve().parents[2]
PAUSE_S = 0.2
READ_EVERY_S = 0.05
TOKENS = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def answer(request: Request) -> Script:
    """The provider's side: a tool's result or a plain question is answered, any other asks for the tool."""
    messages = request.body["messages"]
    if messages[-1]["role"] == "tool" or "look" not in messages[-1]["content"]:
        return text_reply("It ", "is ", "done.", usage=TOKENS)
    return tool_reply(("look", {}), usage=TOKENS)


def calls_of(count: int) -> int:
    """How many model calls that many runs of one launcher make."""
    return count + len(range(0, count, 3))


class Member:
    """One process of the fleet. `told` holds what it has said so far."""

    def __init__(self, path: Path, *given: str) -> None:
        self.told: list[Any] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.launching_processes", *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NBAGENT_STORE": str(path)},
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def ready(self) -> None:
        """Wait until it could begin."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        self._listener.start()

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # a killed process may leave half a line
                self.told.append(json.loads(line))

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and all that it said."""
        code = self.process.wait(timeout_s)
        self._listener.join(60)
        return code

    def of(self, kind: str) -> list[Any]:
        """What it has said of one kind."""
        return [one[kind] for one in list(self.told) if kind in one]

    def end(self) -> None:
        """Be sure that it is gone."""
        self.process.kill()
        self.process.wait()
        if self._listener.ident is not None:
            self._listener.join(60)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


@contextlib.contextmanager
def members(path: Path, givens: Sequence[Sequence[str]]) -> Iterator[list[Member]]:
    """Processes that are ready to begin, gone after the block."""
    fleet = [Member(path, *given) for given in givens]
    try:
        for one in fleet:
            one.ready()
        yield fleet
    finally:
        for one in fleet:
            one.end()


def launchers(url: str, processes: int, count: int) -> list[list[str]]:
    """What `members` is given for so many launchers of so many runs each."""
    return [["launch", url, f"p{number}", str(count)] for number in range(processes)]


# in the child ---------------------------------------------------------------------------------------------


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _launch(url: str, name: str, count: int) -> None:
    import nbagent as nb
    from nbagent import Agent, Limits, OpenAIChat

    def look() -> str:
        """Look."""
        return "seen"

    def ended(run: Any) -> None:
        output = run.wait(timeout=60)
        _say(ended=[run.run_id, output.status.value])

    model = OpenAIChat(id="scripted-1", base_url=url, api_key="not-needed")
    agent = Agent(model=model, tools=[look], limits=Limits(model_retries=0), name=name)
    chance = random.Random(name)  # noqa: S311 - no secret
    _warm_up(agent)
    _begin()
    waiting = []
    for number in range(count):
        began = time.monotonic()
        session_id = f"{name}-{number // 4}" if number % 2 else None
        run = agent.start("Please look." if number % 3 == 0 else "Say it.", session_id=session_id)
        _say(launched=run.run_id, took_s=time.monotonic() - began, durable=run.durable)
        waiting.append(threading.Thread(target=ended, args=(run,)))
        waiting[-1].start()
        time.sleep(chance.uniform(0.0, PAUSE_S))  # a person's pace, as the promise says it
    for one in waiting:
        one.join()
    _say(trouble=nb.runtime.current().store.trouble, notices=nb.runtime.current().store.take_notices())


def _warm_up(agent: Any) -> None:
    """Load what a notebook has loaded by its second run, in a record of its own."""
    path = os.environ["NBAGENT_STORE"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBAGENT_STORE"] = str(Path(folder) / "runs.duckdb")
        assert agent.run("Say it.").status == "completed"
        os.environ["NBAGENT_STORE"] = path


def _read() -> None:
    from nbagent.store import Store

    with tempfile.TemporaryDirectory() as folder:
        Store(Path(folder) / "runs.duckdb").read("select 1")
    store = Store(os.environ["NBAGENT_STORE"])
    _begin()
    while True:
        (row,) = store.read("select count(*) as n from runs", timeout_s=60)
        _say(read=time.monotonic(), n=row["n"])
        time.sleep(READ_EVERY_S)


def _begin() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "launch":
        _launch(given[0], given[1], int(given[2]))
    else:
        _read()
