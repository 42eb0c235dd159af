"""Types by name: in the store, and in what a provider is sent. Called by `output_schema.py`, on any thread.

A name in the store is an expression of Python that is read, never evaluated: `module.QualName`, `list[...]`,
`mod.Box[mod.City]`, `mod.Cat | mod.Dog`, `dict[str, mod.City]`, `typing.Literal['a']`.
"""

from __future__ import annotations

import ast
import enum
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typing_extensions
from pydantic.fields import FieldInfo

_LITERAL = (typing.Literal, typing_extensions.Literal)
# types of a module that are no classes but have a name there
_ALIASES = (typing.NewType, typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", typing.NewType))
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | [A-Za-z_]\w*(?:\.(?:<locals>|[A-Za-z_]\w*))*""", re.VERBOSE
)


def type_name(target: Any) -> str:  # noqa: PLR0911 - one for each form of a type
    """Return the name of a type, by which `class_named` finds it again; what Python prints for what has none.

    That is `module.QualName` of a class, and the same of the classes inside a list, union or generic.
    """
    if isinstance(target, _ALIASES):
        return f"{target.__module__}.{getattr(target, '__qualname__', target.__name__)}"
    origin, arguments = _parts(target)
    if origin is list and len(arguments) == 1:
        return f"list[{type_name(arguments[0])}]"
    if isinstance(target, type) and not arguments:
        return f"{target.__module__}.{target.__qualname__}"
    if origin is typing.Annotated:
        return _annotated_name(target)
    if origin is types.UnionType:
        return " | ".join(map(_inner_name, arguments))
    if origin is typing.Union:
        return _union_name(arguments)
    if origin in _LITERAL:
        return f"typing.Literal[{', '.join(map(_literal_name, arguments))}]"
    if isinstance(origin, type) and arguments:
        return f"{_inner_name(origin)}[{', '.join(map(_inner_name, arguments))}]"
    return str(target)


def _parts(target: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type's origin and arguments; a pydantic model's are its own."""
    made = getattr(target, "__pydantic_generic_metadata__", None) if isinstance(target, type) else None
    if made and made["args"]:
        return made["origin"], made["args"]
    if typing.get_origin(target) is typing.Annotated:
        return typing.Annotated, typing.get_args(target)
    return typing.get_origin(target), typing.get_args(target)


def _union_name(arguments: tuple[Any, ...]) -> str:
    """Return the name as Python prints it: stored keys are made of it."""
    given = [one for one in arguments if one is not type(None)]
    names = ", ".join(map(_inner_name, given))
    if len(given) == len(arguments):
        return f"typing.Union[{names}]"
    return f"typing.Optional[{names}]" if len(given) == 1 else f"typing.Union[{names}, NoneType]"


def _inner_name(target: Any) -> str:
    if target is None or target is type(None):
        return "None"
    if target is Ellipsis:
        return "..."
    if isinstance(target, type) and target.__module__ == "builtins" and not typing.get_args(target):
        return target.__qualname__
    return type_name(target)


def _literal_name(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return f"{type_name(type(value))}.{value.name}"
    return repr(value)


def _annotated_name(target: Any) -> str:
    """Return the name of what is annotated, where the notes change no value; else the variable that holds it."""
    inner, *notes = typing.get_args(target)
    if all(map(_changes_nothing, notes)):
        return type_name(inner)
    for name, value in list(vars(sys.modules["__main__"]).items()):
        if value is target:
            return f"__main__.{name}"
    return str(target)


def _changes_nothing(note: Any) -> bool:
    """Say whether a note only describes, or chooses among a union's members by a field."""
    if isinstance(note, FieldInfo):
        return note.default_factory is None and not note.metadata
    return isinstance(note, str)


def class_named(content_type: str, namespace: Mapping[str, Any]) -> Any:
    """Return the type that `content_type` names, from `namespace` or loaded modules; None if there is none."""
    found: list[str] = []

    def keep(token: re.Match[str]) -> str:
        if token[0][0] in "'\"":
            return token[0]
        found.append(token[0])
        return f"_{len(found) - 1}"

    try:
        tree = ast.parse(_TOKEN.sub(keep, content_type), mode="eval")
        return _Reader(found, namespace).type_of(tree.body)
    except Exception:  # noqa: BLE001 - text from a file, and classes that are subscripted: any may refuse
        return None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the tree of a name into the type. `names` are the dotted names in it, by their numbers. Raises for a gap."""

    names: list[str]
    namespace: Mapping[str, Any]

    def type_of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self._plain(self.names[int(node.id[1:])])
        if isinstance(node, ast.Constant) and node.value is Ellipsis:
            return Ellipsis
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return typing.Union[self.type_of(node.left), self.type_of(node.right)]  # noqa: UP007 - made at run time
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            raise LookupError(ast.dump(node))  # noqa: TRY004 - as where a name is not found
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        base = self.names[int(node.value.id[1:])]
        if base == "typing.Literal":
            return typing.Literal[tuple(map(self._literal, inside))]
        arguments = tuple(map(self.type_of, inside))
        if base in ("typing.Union", "typing.Optional"):
            return typing.Union[(*arguments, *([None] if base == "typing.Optional" else []))]
        origin = self._plain(base)
        if origin.__module__ == "builtins":
            return types.GenericAlias(origin, arguments)
        return origin[arguments if len(arguments) > 1 else arguments[0]]

    def _plain(self, name: str) -> Any:
        if name in ("None", "NoneType"):
            return None
        found = _named(name, self.namespace)
        if found is None:
            raise LookupError(name)
        return found

    def _literal(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Name):
            return ast.literal_eval(node)
        name = self.names[int(node.id[1:])]
        if name in ("None", "True", "False"):
            return ast.literal_eval(name)
        home, _, member = name.rpartition(".")
        return self._plain(home).__members__[member]


def _named(name: str, namespace: Mapping[str, Any]) -> Any:
    """Return the type with a dotted name: through classes only, a variable's property would run code."""
    if "." not in name:
        return _type_or_none(vars(sys.modules["builtins"]).get(name))
    for dot in (found.start() for found in re.finditer(r"\.", name)):
        module_name, qualified = name[:dot], name[dot + 1 :]
        path = qualified.rpartition("<locals>.")[2].split(".")
        module = vars(sys.modules[module_name]) if module_name in sys.modules else {}
        places = (namespace, module) if module_name == "__main__" else (module, namespace)
        for place in places:
            target: Any = place.get(path[0])
            for step in path[1:]:
                target = getattr(target, step, None) if isinstance(target, type) else None
            if _type_or_none(target) is not None:
                return target
    return None


def _type_or_none(target: Any) -> Any:
    is_type = isinstance(target, (type, *_ALIASES)) or typing.get_origin(target) is typing.Annotated
    return target if is_type else None


def short_name(target: Any) -> str:
    """Return a type's own name, `NAME_list` for a list, "output" for what has none."""
    if typing.get_origin(target) is list:
        return f"{short_name(typing.get_args(target)[0])}_list"
    plain = typing.get_origin(target) or target
    return plain.__name__ if isinstance(plain, type) and plain is not types.UnionType else "output"


def provider_name(name: str) -> str:
    """Return `name` in the letters that providers take."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] or "output"
