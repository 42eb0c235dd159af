"""Check arguments of public functions. Each raises UnknownOptionError: the value, and what to give instead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from nbagent.errors import UnknownOptionError


def is_number(value: Any, at_least: float) -> bool:
    """Say whether this can bound anything: NaN is less than nothing, and a bool is no number here."""
    return not isinstance(value, bool) and isinstance(value, Real) and bool(value >= at_least)  # type: ignore[operator]


def check_seconds(name: str, value: Any) -> None:
    """Refuse what is no time to wait; None waits for the end, less than 0 not at all."""
    if value is not None and not is_number(value, float("-inf")):
        raise UnknownOptionError(f"{name} is {value!r:.80}", "give seconds, or None to wait for the end")


def check_count(name: str, value: Any, todo: str) -> None:
    """Refuse what is no whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise UnknownOptionError(f"{name} is {value!r:.80}", todo)


def check_text(name: str, value: Any, todo: str) -> None:
    """Refuse what is neither text nor None."""
    if value is not None and not isinstance(value, str):
        raise UnknownOptionError(f"{name} is {value!r:.80}", todo)


def check_mapping(name: str, value: Any, todo: str) -> None:
    """Refuse what is neither a mapping nor None."""
    if value is not None and not isinstance(value, Mapping):
        raise UnknownOptionError(f"{name} is {value!r:.80}", todo)


def check_callable(name: str, value: Any) -> None:
    """Refuse what is neither a function nor None."""
    if value is not None and not callable(value):
        raise UnknownOptionError(f"{name} is {value!r:.80}", "give a function, or leave it out")


def check_tags(value: Any) -> None:
    """Refuse what is no mapping of tags."""
    check_mapping("tags", value, 'give it as a mapping, as in tags={"project": "q3"}')


def check_path(value: Any) -> None:
    """Refuse what is no path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise UnknownOptionError(f"{value!r:.80} is no path", 'give a file, as in "runs.csv"')


def check_launch(*, label: Any, cell_id: Any, tags: Any, run_id: Any = None) -> None:
    """Refuse names and tags of a launch that the record cannot hold."""
    check_text("label", label, "give it as text: the name by which nb.get finds it")
    check_text("run_id", run_id, "give it as text, or leave it out for a new id")
    check_text("cell_id", cell_id, "give it as text, or leave it out")
    check_tags(tags)
