"""The globals that a user's function reads, for a copy of it: a graph's node or a tool often names its client there.

The copy reads the user's globals as they are at that moment, but for what `OwnConnections` has a copy of. A function
that writes a global keeps the user's own, or what it writes would be lost. Any thread.
"""

from __future__ import annotations

import dis
import re
import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from nbagent.run import library_of

_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_OF_MODULE = ("__builtins__", "__name__", "__package__", "__spec__", "__file__")


class CopiedGlobals(dict[str, Any]):
    """What a copied function has for globals. `put` says which names stand for something else than the user's.

    Bytecode asks `__getitem__`. What does not (the body of a class on Python 3.11, an annotation) finds the names
    that the function's code and annotations have.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self._theirs = function.__globals__
        known = {*_OF_MODULE, *_names(function.__code__)[0], *_annotated(function)}
        super().__init__({name: self._theirs[name] for name in known if name in self._theirs})
        self._put: dict[str, Any] = {}

    def put(self, name: str, value: Any) -> None:
        """Let a name stand for this."""
        self._put[name] = value
        super().__setitem__(name, value)

    def __getitem__(self, name: str) -> Any:
        return self._put[name] if name in self._put else self._theirs[name]


def globals_read(function: types.FunctionType) -> dict[str, Any]:
    """Return the globals that a function of the user's names, functions inside it included; of a library's none."""
    code = function.__code__
    if _is_of_library(code.co_filename):
        return {}
    names, writes = _names(code)
    theirs = function.__globals__
    return {} if writes else {name: theirs[name] for name in names if name in theirs}


@lru_cache(maxsize=1024)
def _is_of_library(file: str) -> bool:
    return library_of(file) is not None


@lru_cache(maxsize=1024)
def _names(code: types.CodeType) -> tuple[frozenset[str], bool]:
    """Return the names that code and what is inside it look up, and whether any of it writes a global."""
    names, writes = set[str](), False
    for one in _code_inside(code):
        names.update(one.co_names)
        writes |= any(step.opname in {"STORE_GLOBAL", "DELETE_GLOBAL"} for step in dis.get_instructions(one))
    return frozenset(names), writes


def _code_inside(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_inside(constant)


def _annotated(function: types.FunctionType) -> Iterator[str]:
    for text in function.__annotations__.values():
        yield from _NAME.findall(text) if isinstance(text, str) else ()
