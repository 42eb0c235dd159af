from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from nbagent.store import Store
from tests.store.recording_process import END, RecordingProcess

KILLS = 3
RUNS = "select run_id, status from runs"
STEPS = "select run_id, step from model_calls"
MESSAGES = "select run_id, seq from messages"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_what_was_acknowledged_survives_sigkill_and_counts_once(store: Store, path: Path) -> None:
    """Launches, steps and ends of processes that die at any moment, two on one record: none is lost, none is there twice."""
    said: list[str] = []
    living = RecordingProcess(path, "p", threads=1)
    try:
        for number in range(KILLS):
            other = RecordingProcess(path, f"q{number}")
            other.wait_for(
                7 * (number + 1)
            )  # its first launch was by the database, the later ones by the journal
            said += other.kill()
    finally:
        said += living.kill()
    statuses = [(row["run_id"], row["status"]) for row in store.read(RUNS, timeout_s=60)]
    runs = dict(statuses)
    steps = Counter((row["run_id"], row["step"]) for row in store.read(STEPS))
    messages = Counter((row["run_id"], row["seq"]) for row in store.read(MESSAGES))
    assert len(runs) == len(statuses)
    assert set(steps.values()) | set(messages.values()) == {1}
    assert steps == messages
    assert set(runs.values()) <= {"completed", "interrupted"}
    assert len(said) > 7 * KILLS
    for run_id, step in (line.split() for line in said):
        assert run_id in runs
        assert step == "0" or runs[run_id] == "completed" or (run_id, int(step)) in steps
        assert int(step) < END or runs[run_id] == "completed"
