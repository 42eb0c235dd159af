"""What code has changed in a notebook's variables, by name and shape: `df_clean: new, 1,200 x 5`. On the main thread."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbagent.notebook_tools.safe_tables import COLUMNS, column_labels, shape_of
from nbagent.notebook_tools.safe_text import is_exactly, type_name

_TOLD = 50


@dataclass(frozen=True, slots=True)
class _Seen:
    """A variable as it was; its value is held, so that no other object is taken for it."""

    value: object
    shape: str
    columns: tuple[object, ...]


class Variables:
    """The variables of a namespace at one moment."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._seen = {name: _seen(value) for name, value in names.items()}

    def changes(self, names: Mapping[str, Any]) -> list[str]:
        """Return what is new, changed or gone since, a line each."""
        lines = []
        for name, value in names.items():
            before = self._seen.get(name)
            if before is None:
                lines.append(f"{name}: new, {described(value)}")
            elif before.value is not value:
                lines.append(f"{name}: replaced, {_from(before, value)}{described(value)}")
            elif (now := _seen(value)).shape != before.shape or now.columns != before.columns:
                lines.append(
                    f"{name}: changed, {_from(before, value)}{described(value)}{_columns(before, now)}"
                )
        lines += [f"{name}: deleted" for name in self._seen if name not in names]
        more = len(lines) - _TOLD
        return lines if more <= 0 else [*lines[:_TOLD], f"and {more:,} more"]


def described(value: object) -> str:
    """Return shape and type of a value: `1,200 x 5`, `int`."""
    shape = shape_of(value)
    if not shape:
        return type_name(value)
    return shape if " x " in shape else f"{type_name(value)}, {shape}"


def is_shown(name: str, value: object) -> bool:
    """Say whether a name is a variable of the person's own: no module, nothing of IPython's."""
    return not name.startswith("_") and type(value) is not types.ModuleType and name not in _OF_IPYTHON


_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open", "display"})


def _seen(value: object) -> _Seen:
    columns: tuple[object, ...] = ()
    if is_exactly(value, "pandas", "DataFrame") or is_exactly(value, "polars", "DataFrame"):
        columns = tuple(label for label in column_labels(value)[:COLUMNS] if type(label) in (str, int))
    return _Seen(value, shape_of(value), columns)


def _from(before: _Seen, value: object) -> str:
    if type(before.value) is not type(value):
        return f"{described(before.value)} before, now "
    return f"{before.shape} before, now " if before.shape != shape_of(value) else ""


def _columns(before: _Seen, now: _Seen) -> str:
    added = [str(one) for one in now.columns if one not in before.columns]
    gone = [str(one) for one in before.columns if one not in now.columns]
    parts = [*(["new columns " + ", ".join(added)] if added else [])]
    parts += ["without " + ", ".join(gone)] if gone else []
    return f" ({'; '.join(parts)})" if parts else ""
