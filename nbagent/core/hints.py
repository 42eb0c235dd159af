"""What a hint tells a person to do, in the words of where they stand: a magic's line, Python, or a script.

Called where an error is raised, on any thread; the magics say that they are at work. Pure otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_in_magic: ContextVar[bool] = ContextVar("nbagent_in_magic", default=False)
_notebook = [False]  # whether the magics, and `%config NBAgent` with them, are there


def by_place(*, python: str, magic: str) -> str:
    """Return the hint for somebody whose magic is at work, or the one for somebody who calls Python."""
    return magic if _in_magic.get() else python


def how_to_set(option: str, value: str | None = None) -> str:
    """Return how the option is set here: `%config` where there are magics, else the environment's variable."""
    if _notebook[0]:
        return f"%config NBAgent.{option}" + ("" if value is None else f" = {value}")
    quoted = "" if value is None else "=" + (f"'{value}'" if value[:1] in "{[" else value.strip('"'))
    return f"NBAGENT_{option.upper()}{quoted} in the environment"


def show_runs() -> str:
    """Return how the runs of the record are looked at."""
    return by_place(python="nb.runs() shows the runs", magic="%agent list shows the runs")


def says_magic(function: Callable[P, R]) -> Callable[P, R]:
    """Let hints of what `function`, a magic, calls be a magic's."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _in_magic.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _in_magic.reset(token)

    return call


def magics_loaded(*, there: bool) -> None:
    """Hear that the magics have come or gone."""
    _notebook[0] = there
