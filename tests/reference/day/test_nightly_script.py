"""A nightly job without a person: a notebook with parameters, and a script; rows that failed end either with an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import nbagent as nb
from tests.reference.day.counting import (
    CountingServer,
    Question,
    Refused,
    assert_batch_agrees,
    assert_record_agrees,
)
from tests.reference.day.datasets import cars

ROOT = Path(__file__).resolve().parents[3]
PARAMETERS = "url, rows, target = '', 2, 'report.csv'"  # papermill's cell with the tag `parameters`
MAP = """
from nbagent import Agent, Limits
from tests.reference.day.counting import model_at, with_prices
from tests.reference.day.datasets import cars
with_prices()
agent = Agent(model=model_at(url, "small"), name="nightly", limits=Limits(model_retries=0))
batch = agent.map(cars().head(rows), "{{ index }}: {{ row.Horsepower }} hp. Fast?", label="nightly")
"""
WAIT = "frame = batch.result(timeout=60, check=True)"
REPORT = "frame.to_csv(target)"


class Judge:
    """Says yes; some cars are refused."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def __call__(self, question: Question) -> object:
        name = question.prompt.partition(":")[0]
        return Refused(400, f"no word about the {name}") if name in self.refused else "Yes."


def given(server: CountingServer, target: Path) -> str:
    """The cell that papermill puts in after the parameters."""
    return f"url, rows, target = {server.url!r}, 12, {str(target)!r}"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the job's process is started with."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.kernel
@pytest.mark.parametrize("refused", [(), ("amc gremlin",), tuple(cars().head(12).index)])
def test_a_notebook_ends_with_an_error_where_rows_failed(
    server: CountingServer, environment: None, tmp_path: Path, refused: tuple[str, ...]
) -> None:
    """The cell that waits fails, nothing after it runs; the record and the saved outputs have what became of it."""
    server.answers = Judge(*refused)
    target = tmp_path / "report.csv"
    sources = (PARAMETERS, given(server, target), MAP, WAIT, REPORT)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={})
    if refused:
        with pytest.raises(CellExecutionError, match=f"{len(refused)} of 12 rows of batch 'nightly' failed"):
            client.execute(cwd=str(tmp_path))
    else:
        client.execute(cwd=str(tmp_path))
    assert target.exists() == (not refused)
    ran = [cell["execution_count"] is not None for cell in notebook.cells]
    assert ran == [True, True, True, True, not refused]
    batch = nb.get("nightly")
    assert sorted(batch.failed().index) == sorted(refused)
    assert (batch.progress.done, batch.progress.failed) == (12 - len(refused), len(refused))
    assert len(server.calls) == 12
    assert_batch_agrees(server, batch)
    assert_record_agrees(server)


@pytest.mark.parametrize("refused", [(), ("amc gremlin", "amc hornet")])
def test_a_script_ends_with_a_code(
    server: CountingServer, environment: None, tmp_path: Path, refused: tuple[str, ...]
) -> None:
    """0 where all rows have answers; else 1, with the error on the error stream, and all that was paid in the record."""
    server.answers = Judge(*refused)
    target, script = tmp_path / "report.csv", tmp_path / "nightly.py"
    script.write_text("\n".join((given(server, target), MAP, WAIT, REPORT)))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == bool(refused), done.stderr
    assert (f"{len(refused)} of 12 rows of batch 'nightly' failed" in done.stderr) == bool(refused)
    assert target.exists() == (not refused)
    assert_batch_agrees(server, nb.get("nightly"))
    assert_record_agrees(server)


def test_a_run_that_fails_ends_a_script(server: CountingServer, environment: None, tmp_path: Path) -> None:
    """`result()` of one run raises what it failed with; what was asked before it is in the record."""
    server.answers = lambda question: Refused(400, "no") if "second" in question.prompt else "Yes."
    script = tmp_path / "ask.py"
    asks = "\n".join(f"print(agent.start('the {n} one').result(60).content)" for n in ("first", "second"))
    script.write_text("\n".join((given(server, tmp_path), MAP.rpartition("batch =")[0], asks)))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (done.returncode, done.stdout) == (1, "Yes.\n")
    assert "RunError" in done.stderr
    assert nb.runs()["status"].to_list() == ["completed", "error"]
    assert_record_agrees(server)
