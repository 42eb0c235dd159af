"""Types by name: in the store, and in what a provider is sent. Called by `define.py`, on any thread."""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any


def type_name(target: Any) -> str:
    """Return `module.QualName` of a class, `list[module.QualName]` of a list of it, else what Python prints."""
    if typing.get_origin(target) is list and len(typing.get_args(target)) == 1:
        return f"list[{type_name(typing.get_args(target)[0])}]"
    if isinstance(target, type) and typing.get_origin(target) is None:
        return f"{target.__module__}.{target.__qualname__}"
    return str(target)


def class_named(content_type: str, namespace: Mapping[str, Any]) -> Any:
    """Return the class that `content_type` names, from `namespace` or a loaded module; None if there is none."""
    if content_type.startswith("list[") and content_type.endswith("]"):
        inner = class_named(content_type[5:-1], namespace)
        return None if inner is None else types.GenericAlias(list, (inner,))
    for dot in (found.start() for found in re.finditer(r"\.", content_type)):
        module_name, qualified = content_type[:dot], content_type[dot + 1 :]
        path = qualified.rpartition("<locals>.")[2].split(".")
        module = vars(sys.modules[module_name]) if module_name in sys.modules else {}
        places = (namespace, module) if module_name == "__main__" else (module, namespace)
        for place in places:
            target: Any = place.get(path[0])
            for step in path[1:]:  # through classes only: a variable's property would run code
                target = getattr(target, step, None) if isinstance(target, type) else None
            if isinstance(target, type):
                return target
    return None


def short_name(target: Any) -> str:
    """Return a type's own name, `NAME_list` for a list, "output" for what has none."""
    if typing.get_origin(target) is list:
        return f"{short_name(typing.get_args(target)[0])}_list"
    plain = typing.get_origin(target) or target
    return plain.__name__ if isinstance(plain, type) and plain is not types.UnionType else "output"


def provider_name(name: str) -> str:
    """Return `name` in the letters that providers take."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] or "output"
