"""`%%agent_module`: what stands in the file, what is imported from it, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.errors import ConfigurationError, UnknownOptionError
from nbagent.magics.agent_module import agent_module
from nbagent.magics.agent_module.cell_source import FIRST_LINE

CELL = """
import nbagent as nb

RATE = 2

def price(ticker: str) -> float:
    "The price of a share."
    return 100.0 * RATE

desk = nb.Agent(model="demo:assistant", name="desk", tools=[price])
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A notebook's folder, from which Python imports; the modules made there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def names_after(file: str, cell: str, **names: Any) -> dict[str, Any]:
    """The notebook's names after the cell."""
    agent_module(file, cell, names)
    return names


def test_what_the_cell_makes_can_be_imported_elsewhere(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names are the module's own objects, and another process imports the same; a line says what is there."""
    names = names_after("desk_a.py", CELL)
    assert names["desk"] is sys.modules["desk_a"].desk
    assert capsys.readouterr().out == "desk_a.py: module desk_a with RATE, price, desk\n"
    code = "import desk_a; print(desk_a.desk.tools[0]('A'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=here)
    assert done.stdout.strip() == "200.0"


def test_running_it_again_writes_and_imports_anew(here: Path) -> None:
    """Also twice within a second, at the same length; what the cell makes no longer is gone from the module."""
    before = names_after("desk_b.py", CELL)["desk"]
    names = names_after("desk_b.py", CELL.replace("RATE = 2", "RATE = 3"))
    assert (names["price"]("A"), names["desk"] is before) == (300.0, False)
    names_after("desk_b.py", "x = 1")
    assert not hasattr(sys.modules["desk_b"], "desk")


def test_imports_of_other_cells_come_along(here: Path) -> None:
    """Modules and what modules have are imported under the notebook's names; nested functions count, builtins do not."""
    import os.path
    from dataclasses import dataclass as data

    cell = "def show(x):\n    return [len(p.join(y, 'a')) for y in x], nb.Agent\n@data\nclass A:\n    x: int = 1\n"
    names = names_after("desk_c.py", cell, nb=nb, p=os.path, data=data)
    text = (here / "desk_c.py").read_text()
    assert text.splitlines()[0] == FIRST_LINE
    assert "import nbagent as nb\n" in text
    assert "from dataclasses import dataclass as data\n" in text
    assert names["show"](["b"]) == ([3], nb.Agent)


def test_what_only_the_notebook_has_is_named(here: Path) -> None:
    """A value or function of another cell is refused in two lines, and no file is written."""
    with pytest.raises(ConfigurationError, match="the cell uses city, f, which") as refused:
        names_after("desk_d.py", "x = f(city)", city="Rome", f=lambda x: x)
    assert len(str(refused.value).splitlines()) == 2
    assert not (here / "desk_d.py").exists()


@pytest.mark.parametrize("text", ["x = 1\n", "# my own file\n", "\ufeffx = 1"])
def test_a_file_of_somebody_elses_is_left_alone(here: Path, text: str) -> None:
    """Only what the magic wrote itself is replaced."""
    (here / "mine.py").write_text(text)
    with pytest.raises(ConfigurationError, match="was written by something else"):
        names_after("mine.py", CELL)
    assert (here / "mine.py").read_text() == text


def test_a_cell_that_fails_leaves_file_and_module_as_they_were(here: Path) -> None:
    """Its own error is shown; a new file is not left behind, an earlier one is as it was."""
    for cell, error in (("1/0", ZeroDivisionError), ("def f(:", SyntaxError), ("!ls", SyntaxError)):
        with pytest.raises(error):
            names_after("desk_e.py", cell)
        assert not (here / "desk_e.py").exists()
    names_after("desk_e.py", "x = 1")
    with pytest.raises(ZeroDivisionError):
        names_after("desk_e.py", "x = 2\n1/0")
    assert sys.modules["desk_e"].x == 1
    assert "x = 1" in (here / "desk_e.py").read_text()


def test_a_name_of_another_module_is_refused(here: Path) -> None:
    """Python would import that one: of the standard library, of a package, loaded or not."""
    for file in ("json.py", "this.py", "nbagent.py"):
        sys.path.append(sys.path.pop(0))  # the folder comes last
        with pytest.raises(ConfigurationError, match="another"):
            names_after(file, "x = 1")
        assert not (here / file).exists()


@pytest.mark.parametrize("file", ["agents", "agents.txt", "my agents.py", "1.py", ""])
def test_what_is_no_modules_name_is_refused(file: str) -> None:
    """In two lines."""
    with pytest.raises(UnknownOptionError, match="is no module's file"):
        names_after(file, "x = 1")


def test_a_file_in_a_folder_is_a_module_of_a_package(here: Path) -> None:
    """`lib/agents.py` is lib.agents where Python imports from here; a folder that is not there is told."""
    (here / "lib").mkdir()
    names_after("lib/desk_f.py", "x = 1")
    assert sys.modules["lib.desk_f"].x == 1
    with pytest.raises(ConfigurationError, match="the folder of"):
        names_after("nowhere/a.py", "x = 1")
