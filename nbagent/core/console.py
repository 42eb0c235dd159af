"""Say a line to the person at the notebook or the terminal. Any thread."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """Say whether an IPython shell reads what is printed."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def say(line: str) -> None:
    """Write a line under the cell in a notebook, else to the error stream: a script's output stays its own."""
    (sys.stdout if in_notebook() else sys.stderr).write(f"{line}\n")


def say_once(line: str) -> None:
    """Say a line once in a process."""
    if line not in _said:
        _said.add(line)
        say(line)


_said: set[str] = set()
