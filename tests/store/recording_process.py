"""A process that records runs without a pause and says what is durable, for tests that kill it.

`python -m tests.store.recording_process PATH NAME THREADS`: each thread launches one run after another, writes three
steps and the end of each, and waits for each of them. One line of output for each that was acknowledged: `RUN 0` for
the launch, `RUN 1` to `RUN 3` for the steps, `RUN 4` for the end.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STEPS = 3
END = STEPS + 1
PATIENCE_S = 120.0


class RecordingProcess:
    """The process. `lines` holds what it has said so far."""

    def __init__(self, path: Path, name: str, threads: int = 3) -> None:
        self.lines: list[str] = []
        self.has_said = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.recording_process", str(path), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # a killed process may leave half a line
                with self.has_said:
                    self.lines.append(line.decode().strip())
                    self.has_said.notify_all()

    def wait_for(self, count: int) -> None:
        """Wait until it has said so much."""
        with self.has_said:
            assert self.has_said.wait_for(lambda: len(self.lines) >= count, PATIENCE_S), self.process.poll()

    def kill(self) -> list[str]:
        """SIGKILL; gives all that it has said."""
        self.process.kill()
        self.process.wait()
        self._listener.join(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return self.lines


def _record(store: Any, run_id: str) -> None:
    from nbagent.events import Message, ModelCall, Usage
    from nbagent.store import AppendRows, Finish, Launch

    def say(step: int) -> None:
        os.write(1, f"{run_id} {step}\n".encode())

    store.launch(Launch({"run_id": run_id, "session_id": f"s-{run_id}"}, minted=True)).result(PATIENCE_S)
    say(0)
    for step in range(1, END):
        call = ModelCall(
            step=step, attempt=1, provider="p", request_model="m", status="completed",
            started_at=datetime.now(UTC), duration_s=0.1, usage=Usage(total_tokens=step), usage_source="reported",
        )  # fmt: skip
        message = Message(role="assistant", content=f"step {step}")
        rows = AppendRows(run_id=run_id, model_calls=(call,), messages=((step, message),), waited=True)
        assert store.submit(rows).result(PATIENCE_S)
        say(step)
    end = {"status": "completed", "stop_reason": "end", "content": "done", "finished_at": datetime.now(UTC)}
    assert store.submit(Finish(run_id=run_id, end=end)).result(PATIENCE_S)
    say(END)


def main(path: str, name: str, threads: str) -> None:
    """Record until killed."""
    from nbagent.store import Store

    store = Store(Path(path))

    def work(number: int) -> None:
        for run in itertools.count():
            _record(store, f"{name}-{number}-{run}")

    for number in range(int(threads)):
        threading.Thread(target=work, args=(number,)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
