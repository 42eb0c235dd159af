"""JSON Schema in the strict subset that providers enforce token by token.

Used when a request body is built; pure. Strict mode wants every object closed and every property required,
and knows few keywords. What it does not know and what only narrows a value is left out here, for the answer
is validated against the whole schema anyway; what would change the answer's shape makes a schema "not
strict".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = {
    "$ref",
    "const",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
    "title",
    "type",
}
_FORMATS = {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
_SHAPING = {
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
}


class _NotStrictError(Exception):
    """Says why, up to `strict_schema`."""


def strict_schema(schema: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return the schema for strict mode and None, or the schema as it is and why it cannot be strict."""
    try:
        strict = _strict(schema, schema, "the schema", frozenset())
        definitions = {
            name: _strict(part, schema, name, frozenset()) for name, part in _definitions(schema).items()
        }
    except _NotStrictError as reason:
        return dict(schema), str(reason)
    if strict.get("type") != "object":
        return dict(schema), "its root is no object"
    return (strict | {"$defs": definitions} if definitions else strict), None


def _definitions(root: Mapping[str, Any]) -> dict[str, Any]:
    return {**root.get("definitions", {}), **root.get("$defs", {})}


def _strict(node: Any, root: Mapping[str, Any], where: str, inside: frozenset[str]) -> dict[str, Any]:
    if not isinstance(node, Mapping):
        raise _NotStrictError(f"{where} takes anything")
    if shaping := sorted(_SHAPING & node.keys()):
        raise _NotStrictError(f"{where} uses {shaping[0]!r}")
    node = _single(node, root, where, inside)
    strict = {name: value for name, value in node.items() if name in _KEPT}
    if "$ref" in strict:
        strict["$ref"] = str(strict["$ref"]).replace("#/definitions/", "#/$defs/", 1)
    if node.get("format") in _FORMATS:
        strict["format"] = node["format"]
    options = node.get("anyOf") or node.get("oneOf")
    if options:
        strict["anyOf"] = [_strict(option, root, where, inside) for option in options]
    if "properties" in node or _is(node, "object"):
        strict |= _closed_object(node, root, where, inside)
    if "items" in node or _is(node, "array"):
        strict["items"] = _strict(node.get("items"), root, f"the items of {where}", inside)
    if not strict.keys() & {"type", "anyOf", "enum", "const", "$ref"}:
        raise _NotStrictError(f"{where} takes anything")
    return strict


def _is(node: Mapping[str, Any], kind: str) -> bool:
    named = node.get("type")
    return named == kind or (isinstance(named, list) and kind in named)


def _single(
    node: Mapping[str, Any], root: Mapping[str, Any], where: str, inside: frozenset[str]
) -> Mapping[str, Any]:
    """Merge `allOf` of one, and a reference that has neighbours: strict mode knows neither."""
    if "allOf" in node:
        parts = node["allOf"]
        if len(parts) != 1:
            raise _NotStrictError(f"{where} uses 'allOf'")
        node = {**parts[0], **{name: value for name, value in node.items() if name != "allOf"}}
    neighbours = node.keys() & (_KEPT | {"anyOf", "oneOf", "properties", "items"}) - {"$ref", "title"}
    reference = node.get("$ref")
    if not isinstance(reference, str) or not neighbours:
        return node
    name = reference.rpartition("/")[2]
    found = _definitions(root).get(name)
    if not isinstance(found, Mapping) or name in inside:
        raise _NotStrictError(f"{where} refers to {reference!r}")
    return _single({**found, **{key: node[key] for key in neighbours}}, root, where, inside | {name})


def _closed_object(
    node: Mapping[str, Any], root: Mapping[str, Any], where: str, inside: frozenset[str]
) -> dict[str, Any]:
    properties = node.get("properties", {})
    extra = node.get("additionalProperties", False)
    if (
        (extra is not False and not properties)
        or isinstance(extra, Mapping)
        or (not properties and "properties" not in node)
    ):
        raise _NotStrictError(f"{where} takes properties of any name")
    return {
        "type": node.get("type", "object"),
        "properties": {name: _strict(part, root, name, inside) for name, part in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
