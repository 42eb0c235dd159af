"""Other processes for the store's tests: started as scripts, told what to do line by line, ended with the test.

Each child prints `ready`, then obeys one line of JSON after another: `{"do": NAME, ...}`; it answers each with one
line of JSON. `python processes.py PATH [unguarded]`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


def logs_of(path: Path) -> list[Path]:
    """The launch logs of a database, those set aside left out."""
    return [one for one in path.parent.glob(f"{path.name}.launches*") if "damaged" not in one.name]


def logged(path: Path) -> bytes:
    """What the launch logs of a database hold."""
    return b"".join(one.read_bytes() for one in logs_of(path))


class Child:
    """A process that works on one store."""

    def __init__(self, path: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.processes", str(path), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.answer() == "ready"

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    def tell(self, do: str, **given: Any) -> None:
        """Send an order without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **given}).encode() + b"\n")
        self.process.stdin.flush()

    def answers_within(self, timeout_s: float) -> bool:
        """Whether an answer has come or comes in this time."""
        waiting = select.poll()  # unlike select() it takes any descriptor
        waiting.register(self.process.stdout or -1, select.POLLIN | select.POLLHUP)
        return bool(waiting.poll(timeout_s * 1000))

    def answer(self) -> Any:
        """Wait for the next answer."""
        assert self.process.stdout is not None
        assert self.answers_within(PATIENCE_S), "the child does not answer"
        line = self.process.stdout.readline()
        assert line, f"the child ended with {self.process.wait()}"
        return json.loads(line)

    def ask(self, do: str, **given: Any) -> Any:
        """Send an order and wait for its answer."""
        self.tell(do, **given)
        return self.answer()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Let it end by itself, or end it."""
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def child(path: Path, *flags: str) -> Iterator[Child]:
    """A child that is gone after the block."""
    one = Child(path, *flags)
    try:
        yield one
    finally:
        one.end()


class _Unguarded:
    """In place of the sidecar's lock, to show what happens without it."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass

    def wanted(self) -> bool:
        return False

    def was_mine(self) -> bool:
        return False


class Orders:
    """What a child can do. Runs in the child."""

    def __init__(self, path: Path, *, guarded: bool) -> None:
        from nbagent.store import Store
        from nbagent.store.duckdb.database_file import DatabaseFile

        self.path = path
        self.store = Store(path)
        self.file = DatabaseFile(path)
        if not guarded:
            self.file.lock = _Unguarded()  # type: ignore[assignment]

    def turn(self, run_id: str) -> str:
        """Take one turn on the main thread and write one row in it."""
        self.file.open()
        self.file.con.execute("insert into cancel_requests values (?, now()::timestamp)", [run_id])
        self.file.close()
        return run_id

    def launch(self, run_id: str, session_id: str = "s") -> int:
        """Launch a run and wait until it is durable."""
        from nbagent.store import Launch

        result: int = (
            self.store.submit(Launch({"run_id": run_id, "session_id": session_id})).result(PATIENCE_S).turn
        )
        return result

    def mint(self, run_ids: list[str], session_id: str | None = None) -> str:
        """Launch runs with ids made for them, in a turn that a reader keeps open; gives what the log holds then."""
        from nbagent.store import Launch

        with self.store.reader() as ask:
            ask("select 1")
            for run_id in run_ids:
                own = {"session_id": run_id, "turn": 1} if session_id is None else {"session_id": session_id}
                self.store.launch(Launch({"run_id": run_id, **own}, minted=True)).result(PATIENCE_S)
            return logged(self.path).decode()

    def log(self, run_id: str) -> bool:
        """Launch a run with an id made for it; whether it is durable at once."""
        from nbagent.store import Launch

        row = {"run_id": run_id, "session_id": run_id, "turn": 1}
        return self.store.launch(Launch(row, minted=True)).done()

    def mint_and_die(self, run_ids: list[str], session_id: str | None = None) -> None:
        """The same, and SIGKILL in the moment of the last acknowledgement, before any batch."""
        from nbagent.store import Launch

        if session_id is not None:
            self.launch("first", session_id)
        with self.store.reader() as ask:
            ask("select 1")
            for run_id in run_ids:
                own = {"session_id": run_id, "turn": 1} if session_id is None else {"session_id": session_id}
                self.store.launch(Launch({"run_id": run_id, **own}, minted=True)).result(PATIENCE_S)
            os.kill(os.getpid(), signal.SIGKILL)

    def mint_on_a_full_disk(self) -> list[str]:
        """Launch into the log, then fill the disk and launch once more; gives the ids that were acknowledged."""
        from nbagent.store import Launch

        launched: list[str] = []
        while not logged(self.path):
            run_id = f"r{len(launched)}"
            row = {"run_id": run_id, "session_id": run_id, "turn": 1}
            self.store.launch(Launch(row, minted=True)).result(PATIENCE_S)
            launched.append(run_id)
        self.limit(len(logged(self.path)) + 50)
        row = {"run_id": "during", "session_id": "during", "turn": 1}
        self.waiting = self.store.launch(Launch(row, minted=True))
        return launched

    def progress(self, run_id: str, text: str) -> bool:
        """Write where a run stands."""
        from nbagent.store import Progress

        self.store.submit(Progress(run_id=run_id, partial_text=text))
        return self.store.flush(PATIENCE_S)

    def series(self, name: str, count: int, pause_s: float) -> list[float]:
        """Launch and finish runs one after another; gives how long each launch took, in seconds."""
        from nbagent.store import Finish

        took = []
        for number in range(count):
            begin = time.monotonic()
            self.launch(f"{name}-{number}")
            took.append(time.monotonic() - begin)
            self.store.submit(
                Finish(run_id=f"{name}-{number}", end={"status": "completed", "stop_reason": "end"})
            )
            time.sleep(pause_s)
        assert self.store.flush(PATIENCE_S)
        return took

    def hold(self) -> bool:
        """Open the file as a program does that knows nothing of us, as soon as a turn has ended."""
        import duckdb

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.held = duckdb.connect(str(self.path))
            except duckdb.IOException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return True

    def let_go(self) -> bool:
        """Close it again."""
        self.held.close()
        return True

    def limit(self, size: int) -> bool:
        """Fill the disk: no file may grow beyond `size` bytes (-1: no limit)."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return True

    def submit(self, run_id: str, size: int = 10) -> bool:
        """Hand over a launch without waiting."""
        from nbagent.store import Launch

        self.waiting = self.store.submit(Launch({"run_id": run_id, "session_id": "s", "prompt": "x" * size}))
        return True

    def done(self, timeout_s: float) -> bool:
        """Whether the launch handed over last is durable, or becomes so in this time."""
        with contextlib.suppress(TimeoutError):
            self.waiting.result(timeout_s)
        return self.waiting.done()

    def trouble(self, timeout_s: float = PATIENCE_S) -> str | None:
        """The store's trouble, once it has one."""
        until = time.monotonic() + timeout_s
        while self.store.trouble is None and time.monotonic() < until:
            time.sleep(0.01)
        return self.store.trouble

    def become(self, uid: int) -> bool:
        """Drop root's rights."""
        from nbagent.store import Launch, Store

        # all that is read from files is read now: root's Python and checkout may be readable by root alone
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "runs.duckdb")
            store.submit(Launch({"run_id": "r", "session_id": "s"})).result(PATIENCE_S)
            store.read("select * from runs")
            store.close()
        os.setgid(uid)
        os.setuid(uid)
        return True

    def read(self, sql: str) -> list[list[Any]]:
        """Ask the store."""
        return [list(row.values()) for row in self.store.read(sql)]


def main() -> None:
    """Obey until the orders end."""
    orders = Orders(Path(sys.argv[1]), guarded="unguarded" not in sys.argv)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        try:
            answer = getattr(orders, given.pop("do"))(**given)
        except Exception as error:  # noqa: BLE001 - the test decides what it means
            answer = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
