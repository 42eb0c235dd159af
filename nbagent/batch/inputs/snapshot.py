"""Copies of what a user may go on editing: the cells of a table when it is mapped over, and of every frame handed out.

Called on the launching thread by `rows.py`, and where a frame is made. Lists, dicts, sets, arrays,
dataclasses and models are copied, whatever is inside them too; any other object is the user's own and stays
the same object. pandas and numpy are known by what their objects can do, so neither is imported here.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from collections import deque
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    import pandas as pd

_FIXED = frozenset({str, int, float, bool, type(None), bytes, complex, dt.date, dt.datetime, dt.timedelta})
_DEEPEST = 100  # deeper than this the parts are the user's own: no answer depends on them


def copied(value: Any) -> Any:
    """Return `value` so that no later edit of it is seen; the same object where it has nothing that can be edited."""
    return value if type(value) in _FIXED else _copied(value, {}, 0)


def copied_values(values: Iterable[Any]) -> list[Any]:
    """Return `copied` of each value."""
    return [one if type(one) in _FIXED else _copied(one, {}, 0) for one in values]


def copied_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that shares nothing with `frame` that can be edited, its cells' lists and dicts included."""
    copied = frame.copy(deep=True)
    for position, dtype in enumerate(copied.dtypes):
        if dtype.kind != "O" or type(dtype).__module__.partition(".")[0] != "numpy":
            continue
        column: Any = copied.iloc[:, position].copy()
        values = column.tolist()
        fresh = copied_values(values)
        if any(new is not old for new, old in zip(fresh, values, strict=True)):
            column[:] = objects_of(fresh, column)
            copied.isetitem(position, column)
    return copied


def objects_of(values: Iterable[Any], like: Any) -> Any:
    """Return the values as an array of one object a cell, as long as `like`: a list in a cell is no row of an array."""
    cells = like.to_numpy(dtype=object, copy=True)
    for position, value in enumerate(values):
        cells[position] = value
    return cells


def _copied(value: Any, copies: dict[int, Any], depth: int) -> Any:
    if type(value) in _FIXED or depth > _DEEPEST:
        return value
    if id(value) in copies:  # it refers to itself, or is there twice
        return copies[id(value)]
    try:
        return _copy_of(value, copies, depth + 1)
    except Exception:  # noqa: BLE001 - a class of the user's that cannot be copied: it stays as it is
        return value


def _copy_of(value: Any, copies: dict[int, Any], depth: int) -> Any:
    made: Any
    if isinstance(value, list | deque | dict):
        made = copies[id(value)] = copy.copy(value)
        for key, one in list(value.items() if isinstance(value, dict) else enumerate(value)):
            made[key] = _copied(one, copies, depth)
        return made
    if isinstance(value, set | bytearray):  # what is in a set can be hashed
        return copy.copy(value)
    if isinstance(value, tuple):
        parts = [_copied(one, copies, depth) for one in value]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if (names := _field_names(value)) is not None:
        made = copies[id(value)] = copy.copy(value)
        for name in names:
            object.__setattr__(made, name, _copied(getattr(value, name), copies, depth))
        return made
    return value.copy() if _is_array(value) else value


def _field_names(value: Any) -> list[str] | None:
    """Return the names of a model's or dataclass's fields, None for any other object."""
    if isinstance(value, BaseModel | SimpleNamespace):
        return list(vars(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
    return None


def _is_array(value: Any) -> bool:
    """Say whether it is an array of numpy's, or a table or series of pandas'."""
    names = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(value).__mro__}
    return bool(names & {("numpy", "ndarray"), ("pandas", "DataFrame"), ("pandas", "Series")})
