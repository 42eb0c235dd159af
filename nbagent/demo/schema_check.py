"""A small JSON Schema checker, so that the demo model can prove what it fills in.

Used by `schema_fill.py` and `faults.py`; pure, any thread. It covers the keywords that pydantic
and hand-written tool schemas use, formats roughly; unknown keywords and formats are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import jsonschema_rs

Schema = dict[str, Any]
_DEEPEST = 100
_DAY = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
_FORMATS: Final[dict[str, str]] = {
    "date": _DAY,
    "time": _TIME,
    "date-time": f"{_DAY}T{_TIME}",
    "duration": r"P(?=.)(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?",
    "email": r"[^@\s]+@[\w-]+(?:\.[\w-]+)+",
    "uuid": r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    "uri": r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s<>\"]+",
    "hostname": r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*",
    "ipv4": r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}",
    "ipv6": r"[0-9a-fA-F:]*:[0-9a-fA-F:]+",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: _is_number(v) and float(v).is_integer(),
    "number": _is_number,
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


def conforms(value: Any, schema: Any, root: Schema, depth: int = 0) -> bool:
    """Say whether a JSON value fits a schema; `root` is where `$ref` points into."""
    if isinstance(schema, bool):
        return schema
    if depth > _DEEPEST:
        return True
    below = depth + 1
    if "$ref" in schema and not conforms(value, deref(schema["$ref"], root), root, below):
        return False
    kinds = type_names(schema)
    if kinds and not any(_TYPES[kind](value) for kind in kinds if kind in _TYPES):
        return False
    return (
        ("const" not in schema or same(value, schema["const"]))
        and ("enum" not in schema or any(same(value, option) for option in schema["enum"]))
        and _branches_conform(value, schema, root, below)
        and _by_kind(value, schema, root, below)
    )


def same(a: Any, b: Any) -> bool:
    """Compare JSON values: True is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def type_names(schema: Schema) -> list[str]:
    """Give the types that a schema names; empty if it names none."""
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else [k for k in kinds if isinstance(k, str)]


def deref(reference: str, root: Schema) -> Any:
    """Follow a local reference ("#/$defs/City"); one that leads nowhere allows anything."""
    node: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if key and isinstance(node, list):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else {}
        elif key:
            node = node.get(key, {}) if isinstance(node, dict) else {}
    return node


def _branches_conform(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    def fits(branch: Any) -> bool:
        return conforms(value, branch, root, depth)

    return (
        all(fits(branch) for branch in schema.get("allOf", ()))
        and ("anyOf" not in schema or any(fits(branch) for branch in schema["anyOf"]))
        and ("oneOf" not in schema or sum(fits(branch) for branch in schema["oneOf"]) == 1)
        and ("not" not in schema or not fits(schema["not"]))
    )


def _by_kind(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    if isinstance(value, str):
        return _string_conforms(value, schema)
    if isinstance(value, dict):
        return _object_conforms(value, schema, root, depth)
    if isinstance(value, list):
        return _array_conforms(value, schema, root, depth)
    return _number_conforms(value, schema) if _is_number(value) else True


def _string_conforms(value: str, schema: Schema) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    form = _FORMATS.get(str(schema.get("format")))
    if form is not None and re.fullmatch(form, value) is None:
        return False
    try:
        return "pattern" not in schema or jsonschema_rs.is_valid(
            {"pattern": schema["pattern"]}, value, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError:  # a pattern that cannot be matched in linear time, or none
        return True


def _number_conforms(value: float, schema: Schema) -> bool:
    step = schema.get("multipleOf")
    if step and abs(value / step - round(value / step)) > 1e-9:
        return False
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and (low is None or isinstance(low, bool) or value > low)
        and (high is None or isinstance(high, bool) or value < high)
    )


def _array_conforms(value: list[Any], schema: Schema, root: Schema, depth: int) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    if schema.get("uniqueItems") and any(same(a, b) for i, a in enumerate(value) for b in value[:i]):
        return False
    prefix = schema.get("prefixItems", [])
    rest = schema.get("items", True)
    return all(
        conforms(item, prefix[i] if i < len(prefix) else rest, root, depth) for i, item in enumerate(value)
    )


def _object_conforms(value: Schema, schema: Schema, root: Schema, depth: int) -> bool:
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        return False
    if any(name not in value for name in schema.get("required", ())):
        return False
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    return all(conforms(item, known.get(k, rest), root, depth) for k, item in value.items())
