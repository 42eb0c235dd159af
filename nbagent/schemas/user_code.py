"""Whether the check of a value runs functions of the user: then it may take any time. Called by `output_schema.py`, once a schema.

What pydantic and the standard library bring is fast and ends; a validator, a default factory or an `__init__`
of the notebook's own may ask a server or never return.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

_OURS = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_extensions"})
# what no validation calls: what a schema looks like, and how values are dumped
_NOT_CALLED = frozenset({"metadata", "serialization", "ref"})


def runs_user_code(core_schema: Any) -> bool:
    """Say whether validating with a pydantic core schema calls a function that is neither pydantic's nor Python's."""
    nodes = [core_schema]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if _has_hooks(node):
                return True
            nodes += [item for name, item in node.items() if name not in _NOT_CALLED]
        elif isinstance(node, list | tuple):
            nodes += node
        elif callable(node) and not _is_known(node):
            return True
    return False


def _has_hooks(node: dict[Any, Any]) -> bool:
    """Say whether a class of the schema has an `__init__`, post-init or private defaults of its own."""
    cls = node.get("cls")
    if not isinstance(cls, type) or node.get("type") not in ("model", "dataclass"):
        return False
    if node.get("custom_init"):
        return True
    hook = node.get("post_init")
    if hook and not _is_known(getattr(cls, hook if isinstance(hook, str) else "__post_init__", hook)):
        return True
    private = getattr(cls, "__private_attributes__", None) or {}
    return any(one.default_factory and not _is_known(one.default_factory) for one in private.values())


def _is_known(function: Any) -> bool:
    if isinstance(function, type):
        # making an instance of a class calls its own __init__; naming it (is-instance) calls nothing
        return _is_of_library(function) or not callable(vars(function).get("__init__"))
    if isinstance(function, functools.partial):
        return _is_known(function.func)
    return _is_of_library(getattr(function, "__func__", function))


def _is_of_library(thing: Any) -> bool:
    home = str(getattr(thing, "__module__", None) or "").partition(".")[0]
    return home in _OURS or (home in sys.stdlib_module_names and home != "__main__")
