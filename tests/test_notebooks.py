"""The notebooks as files: what a reader of GitHub and of JupyterLab gets, and that nbval compares what it should.

That they run and give what is committed is tested by nbval itself, on `notebooks/`.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.environment import REPOSITORY, isolated_environment

FOLDER = REPOSITORY / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_CELLS = 20
MOST_BYTES = 100_000
MOST_NOT_COMPARED = 4  # cells that launch or draw the panel
IGNORED = "nbval-ignore-output"


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def code_cells(path: Path) -> Iterator[Any]:
    return (cell for cell in read(path)["cells"] if cell["cell_type"] == "code")


def test_they_are_numbered_from_one():
    """The order of the names is the order to read them in; no two have one number."""
    numbers = [int(path.name.partition("-")[0]) for path in NOTEBOOKS]
    assert numbers[0] == 1
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_idea_that_a_page_shows(path):
    """At most twenty cells, small, and no output that needs a running JupyterLab to be seen."""
    notebook = read(path)
    assert len(notebook["cells"]) <= MOST_CELLS
    assert path.stat().st_size <= MOST_BYTES
    assert "widgets" not in notebook["metadata"]
    assert "widget-view" not in path.read_text()
    assert notebook["cells"][0]["source"][0].startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nbval_compares_it(path):
    """nbval passes over cells without an execution count: each has one, in order, and few are left out on purpose."""
    cells = list(code_cells(path))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    left_out = [cell for cell in cells if IGNORED in cell["metadata"].get("tags", ())]
    assert len(left_out) <= MOST_NOT_COMPARED
    compared = [cell for cell in cells if cell not in left_out and cell["outputs"]]
    assert len(compared) > len(left_out)
    assert not [cell for cell in cells if any(out["output_type"] == "error" for out in cell["outputs"])]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_names_no_machine(path):
    """Committed outputs hold no path of the machine that wrote them."""
    texts = itertools.chain.from_iterable(cell["outputs"] for cell in code_cells(path))
    text = json.dumps(list(texts))
    machines = ("/home/", "/root", "/tmp", "/Users/", "site-packages")  # noqa: S108 - looked for, not used
    assert [word for word in machines if word in text] == []


@pytest.mark.kernel
def test_a_changed_answer_of_the_demo_model_makes_nbval_fail(tmp_path):
    """The first notebook's first answer, committed as another one: nbval fails on that cell and on no other."""
    notebook = read(FOLDER / "01-first-run.ipynb")
    waits = [n for n, cell in enumerate(notebook["cells"]) if cell["source"][0].startswith("answer.result(")]
    notebook["cells"] = notebook["cells"][: waits[0] + 1]
    changed = json.dumps(notebook).replace("France is Paris", "France is Lyon")
    (tmp_path / "changed.ipynb").write_text(changed)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "--nbval-current-env",
            "-p",
            "no:cacheprovider",
            "-rA",
            tmp_path,
        ],
        cwd=tmp_path,
        env=isolated_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert len(failed) == 1, done.stdout
    assert "changed.ipynb::Cell 2" in failed[0]
    assert "France is Lyon" in done.stdout
    assert "1 failed, 2 passed" in done.stdout
