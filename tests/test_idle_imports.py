"""Imports while no cell runs: what is begun when, what a failure or a fork in the middle of one does, and in IPython's terminal."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nbagent.core import IdleImports
from tests.harness.waiting import PATIENCE_S, until

# a module that says that it is being imported, and waits until it may go on
GATED = "import {stage}\n{stage}.begun.append({name!r})\nassert {stage}.gates[{name!r}].wait(60)\n"
NAMES = ("gated_first", "gated_second", "gated_third")


class Stage:
    """What the gated modules know: which of them have begun, and what each waits for."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gates = {name: threading.Event() for name in NAMES}
        self.made: list[IdleImports] = []

    def importing(self, *names: str) -> IdleImports:
        """Return what imports these; it is stopped when the test is over."""
        self.made.append(IdleImports(names))
        return self.made[-1]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Modules on the path whose imports a test lets end one by one."""
    stage = Stage()
    monkeypatch.setitem(sys.modules, "gated_stage", stage)  # type: ignore[arg-type]
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(GATED.format(stage="gated_stage", name=name))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield stage
    for gate in stage.gates.values():
        gate.set()
    for one in stage.made:
        one.stop()
    for name in NAMES:
        sys.modules.pop(name, None)


def threads() -> list[threading.Thread]:
    """The threads that import."""
    return [one for one in threading.enumerate() if one.name == "nbagent-imports"]


def test_nothing_begins_before_a_cell_has_ended(stage: Stage) -> None:
    """Made within a cell it waits for that cell's end, and one thread imports in order and ends."""
    imports = stage.importing(*NAMES)
    assert (threads(), stage.begun) == ([], [])
    for gate in stage.gates.values():
        gate.set()
    imports.cell_ended()
    imports.cell_begins()
    imports.cell_ended()
    assert len(threads()) == 1
    until(lambda: not threads(), "the end of the imports")
    assert stage.begun == list(NAMES)


def test_a_cell_that_begins_stops_it_after_the_module_at_hand(stage: Stage) -> None:
    """While a cell runs no further module begins; after it the next one does."""
    imports = stage.importing(*NAMES)
    imports.cell_ended()
    until(lambda: stage.begun == ["gated_first"], "the first import")
    imports.cell_begins()
    stage.gates["gated_first"].set()
    until(lambda: getattr(sys.modules.get("gated_first"), "__spec__", None) is not None)
    importlib.import_module("gated_first")  # waits for its lock, so it is through now
    stage.begun.append("the cell's end")
    imports.cell_ended()
    until(lambda: len(stage.begun) == 3, "the second import")
    assert stage.begun == ["gated_first", "the cell's end", "gated_second"]


def test_a_cell_that_needs_the_module_at_hand_gets_it(stage: Stage) -> None:
    """An import of the user's waits for the one that is under way, and both have one module."""
    imports = stage.importing(*NAMES[:1])
    imports.cell_ended()
    until(lambda: stage.begun, "the first import")
    imports.cell_begins()
    threading.Timer(0.05, stage.gates["gated_first"].set).start()
    assert importlib.import_module("gated_first") is sys.modules["gated_first"]
    assert stage.begun == ["gated_first"]


@pytest.mark.parametrize(
    "source",
    ["raise RuntimeError('no')", "import nothing_of_that_name", "def broken(:", "raise SystemExit(3)"],
)
def test_a_module_that_fails_is_left_to_whoever_needs_it(
    stage: Stage, tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an import raises is said nowhere, and the next module comes."""
    (tmp_path / "failing_one.py").write_text(source)
    stage.gates["gated_second"].set()
    stage.importing("failing_one", "gated_second").cell_ended()
    until(lambda: stage.begun == ["gated_second"], "the second import")
    assert capsys.readouterr() == ("", "")


def test_what_is_imported_already_needs_no_thread() -> None:
    """With nothing left to import none is started."""
    imports = IdleImports(["json", "threading"])
    imports.cell_ended()
    assert threads() == []


def test_a_process_forked_in_the_middle_can_import(stage: Stage) -> None:
    """A fork waits for the import under way: the child would never get that module's lock."""
    imports = stage.importing(*NAMES[:2])
    imports.cell_ended()
    until(lambda: stage.begun, "the first import")
    imports.cell_begins()
    threading.Timer(0.05, stage.gates["gated_first"].set).start()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if sys.modules["gated_first"].__spec__ is not None and not threads() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


SCRIPT = """
import sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
{load}
found = [one for one in threading.enumerate() if one.name == "nbagent-imports"]
{then}
print(len(found), "duckdb" in sys.modules)
"""


@pytest.mark.parametrize(
    ("load", "then", "printed"),
    [
        # IPython's terminal: no event loop runs between its prompts
        ("shell.run_cell('%load_ext nbagent')", "[one.join() for one in found]", "1 True"),
        # a script that ends at once: nothing is cut off in the middle
        ("shell.run_cell('%load_ext nbagent')", "", "1 False"),
        # a script has no cells, so it is never idle
        ("shell.run_line_magic('load_ext', 'nbagent')", "", "0 False"),
    ],
)
def test_in_the_terminal_and_in_scripts(load: str, then: str, printed: str, tmp_path: Path) -> None:
    """Where there is no kernel the cells' ends say when it is idle; the process ends as ever."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(load=load, then=then)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE_S,
    )
    assert (ended.returncode, ended.stdout.split("\n")[0], ended.stderr) == (0, printed, "")


def test_loading_the_extension_imports_nothing_large() -> None:
    """What only runs need is left to the idle kernel: the user's first cell finds the interpreter as small as it was."""
    loaded = (
        "import sys, IPython.core.interactiveshell as shell; before = {*sys.modules}\n"
        "shell.InteractiveShell.instance().run_line_magic('load_ext', 'nbagent')\n"
        "print(*sorted({one.partition('.')[0] for one in {*sys.modules} - before}))"
    )
    ended = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True)
    large = {"pydantic", "pydantic_core", "orjson", "duckdb", "pandas", "aiohttp", "jinja2", "anywidget"}
    assert "nbagent" in ended.stdout.split()
    assert large.isdisjoint(ended.stdout.split())
