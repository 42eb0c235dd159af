"""JSON Schema in the subset that `output_config.format` enforces.

Used when a request body is built; pure. The format wants every object closed and knows few keywords
(https://platform.claude.com/docs/en/build-with-claude/structured-outputs, 2026-11-30). What it does not know
and what only narrows a value is left out here, for the answer is validated against the whole schema anyway;
a schema that it cannot say at all is asked for in the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = frozenset({"$ref", "const", "default", "description", "enum", "required", "title", "type"})
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
_SHAPING = frozenset({
    "contains", "dependentRequired", "dependentSchemas", "else", "if", "not", "patternProperties", "prefixItems",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_DEFINITIONS = ("$defs", "definitions")


class _NotExpressibleError(Exception):
    """Ends the rewriting of a schema that the format cannot say."""


def output_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema as the format takes it, None where it cannot say it."""
    try:
        _refuse_circles(schema)
        return _closed(schema)
    except _NotExpressibleError:
        return None


def _closed(node: Any) -> dict[str, Any]:
    if not isinstance(node, Mapping) or not node or _SHAPING & node.keys():
        raise _NotExpressibleError
    made: dict[str, Any] = {name: value for name, value in node.items() if name in _KEPT}
    if node.get("format") in _FORMATS:
        made["format"] = node["format"]
    if node.get("minItems") in (0, 1):
        made["minItems"] = node["minItems"]
    for name in _DEFINITIONS:
        if name in node:
            made[name] = {key: _closed(part) for key, part in node[name].items()}
    for name in ("anyOf", "oneOf"):
        if node.get(name):
            made["anyOf"] = [_closed(option) for option in node[name]]
    if node.get("allOf"):
        made["allOf"] = [_closed(part) for part in node["allOf"]]
    if "properties" in node or _is(node, "object"):
        made |= _closed_object(node)
    if "items" in node or _is(node, "array"):
        made["items"] = _closed(node.get("items"))
    if not made.keys() & {"type", "anyOf", "allOf", "enum", "const", "$ref"}:
        raise _NotExpressibleError
    return made


def _closed_object(node: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(node.get("additionalProperties"), Mapping) or (
        not node.get("properties") and node.get("additionalProperties") is not False
    ):
        raise _NotExpressibleError  # properties of any name
    properties = {name: _closed(part) for name, part in node.get("properties", {}).items()}
    return {"properties": properties, "additionalProperties": False}


def _is(node: Mapping[str, Any], kind: str) -> bool:
    named = node.get("type")
    return named == kind or (isinstance(named, list) and kind in named)


def _refuse_circles(schema: Mapping[str, Any]) -> None:
    """Raise where a definition leads back to itself: the format knows no recursion."""
    definitions = {
        f"#/{place}/{name}": part for place in _DEFINITIONS for name, part in schema.get(place, {}).items()
    }
    roots = {name: _references(part) for name, part in definitions.items()} | {"#": _references(schema)}
    for start in roots:
        reached, left = set[str](), list(roots[start])
        while left:
            at = left.pop()
            if at == start:
                raise _NotExpressibleError
            if at not in reached:
                reached.add(at)
                left += roots.get(at, ())


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node)) if node else set()
    if not isinstance(node, Mapping):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*(_references(part) for name, part in node.items() if name not in _DEFINITIONS))
