"""What the variables of a run's template stood for at its launch, and which name another value since.

Noted by the registry on the launching thread, asked by the panel's ticker on the background loop. No code of the
notebook is run: values are told apart by identity, and plain ones of Python's own types by their content, so that a
cell that is executed again with the same text or list makes nothing stale. No large value is kept alive.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from nbagent.prompts import variables_in
from nbagent.run import RunLaunch
from nbagent.runtime.launch.request import LaunchRequest

KEPT = 500  # labels and cells whose latest run is watched
_PARTS = 200  # of a plain value that is told apart by its content
_CHARS = 100_000
_CODE = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)  # no data: a cell defines them anew
_TEXTS = frozenset({str, bytes, type(None)})
_NUMBERS = frozenset({int, bool, float, complex, date})
_OF_NUMPY = ("float64", "int64", "bool_")
_GONE = object()


class PromptNames:
    """The latest run of each label, else of each cell, with what the names of its template stood for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[tuple[int, str], tuple[str, Mapping[str, Binding]]] = OrderedDict()

    def note(
        self, store: object, launch: RunLaunch, request: LaunchRequest, names: Mapping[str, Any]
    ) -> None:
        """Take up a run that is launched: it stands in for the one before it of its label or cell."""
        if launch.parent_run_id is not None or launch.batch_id is not None:
            return
        key = id(store), launch.label or launch.cell_id or launch.run_id
        with self._lock:
            before, kept = self._asked.pop(key, ("", {}))
            if request.again is None:
                kept = bindings_of(request.template, names)
            elif request.again != before:
                kept = {}  # asked as it was, and what it was asked with is not known any more
            if kept:
                self._asked[key] = launch.run_id, kept
            while len(self._asked) > KEPT:
                self._asked.popitem(last=False)

    def rebound(self, store: object, names: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """Return the names that stand for something else now, by the id of the run that was asked with them."""
        found = {}
        contents: dict[int, int | None] = {}  # of values that many runs were asked with
        with self._lock:
            for (place, _), (run_id, bindings) in self._asked.items():
                if place == id(store):
                    changed = [
                        name
                        for name, one in bindings.items()
                        if one.is_rebound(names.get(name, _GONE), contents)
                    ]
                    if changed:
                        found[run_id] = tuple(sorted(changed))
        return found


class Binding:
    """What a name stood for: the value itself is kept by nobody but a weak reference."""

    __slots__ = ("_content", "_id", "_ref", "_verdict")

    def __init__(self, value: object) -> None:
        self._id, self._verdict = id(value), False
        self._content = _content_of(value)
        self._ref: weakref.ref[Any] | None = None
        if self._content is None:
            try:
                self._ref = weakref.ref(value)
            except TypeError:  # its id alone is known, which another value may have once it is gone
                self._ref = None

    def is_rebound(self, value: object, contents: dict[int, int | None]) -> bool:
        """Say whether the name stands for another value now; False where it stands for none.

        `contents` are those of values by their ids, as they are found in one look.
        """
        if value is _GONE:
            return False
        if self._ref is not None:
            kept = self._ref()
            return kept is None or kept is not value
        if id(value) != self._id:  # of the value at the last look
            self._id = id(value)
            if self._content is not None and self._id not in contents:
                contents[self._id] = _content_of(value)
            self._verdict = self._content is None or contents[self._id] != self._content
        return self._verdict


def bindings_of(template: str | None, names: Mapping[str, Any]) -> dict[str, Binding]:
    """Return what the names of a template stand for that are there and are data."""
    if template is None:
        return {}
    used = {name: names.get(name, _GONE) for name in variables_in(template)}
    return {
        name: Binding(value)
        for name, value in used.items()
        if value is not _GONE and not issubclass(type(value), _CODE)
    }


def _content_of(value: object) -> int | None:
    """Return a hash of a plain value's content; None for other values, and for large ones."""
    left = [_PARTS, _CHARS]
    try:
        return hash(_plain(value, left))
    except (_NotPlainError, RecursionError, RuntimeError):  # another thread may change a container meanwhile
        return None


class _NotPlainError(Exception):
    """The value is of a type whose comparison may be code of a user's, or is too large."""


def _plain(value: Any, left: list[int]) -> object:
    """Return a value as a tuple of its type and content; only exact types of Python's own are looked into."""
    kind = type(value)
    left[0] -= 1
    left[1] -= sys.getsizeof(value) if kind in _TEXTS or kind is int else 0
    if min(left) < 0:
        raise _NotPlainError
    if kind in _TEXTS:
        return kind, value
    if kind in _NUMBERS or _is_numpys(kind):  # as text: -1 and -2 have one hash, and nan is not itself
        return kind, hex(value) if kind is int else repr(value)
    if kind is dict:
        return kind, tuple((_plain(key, left), _plain(one, left)) for key, one in value.items())
    if kind is list or kind is tuple:
        return kind, tuple(_plain(one, left) for one in value)
    if kind is set or kind is frozenset:
        return kind, frozenset(_plain(one, left) for one in value)
    raise _NotPlainError


def _is_numpys(kind: type) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and any(kind is getattr(numpy, name, None) for name in _OF_NUMPY)
