"""Fills any JSON Schema with a valid value, known values first.

Used by `brain.py` (structured output) and `tool_arguments.py`; pure, any thread. Where a value for
a field comes from is the business of a `Source` (`schema_values.py`); this module knows only the
shape. Every known value is checked against its schema before it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Protocol

from nbagent.demo.schema_check import Schema, conforms, deref, same, type_names
from nbagent.demo.schema_plain import coerce, plain_number, plain_string

_MINIMAL_DEPTH: Final = 5  # objects nested deeper than this hold only what is required
_DEEPEST: Final = 40
_MARKS: Final = (
    ("object", ("properties", "required", "additionalProperties", "minProperties")),
    ("array", ("items", "prefixItems", "minItems", "uniqueItems")),
    ("string", ("pattern", "minLength", "maxLength", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)

Subject = dict[str, Any]


class Source(Protocol):
    """Where known values come from. A subject is what an object is about: its known fields."""

    def subject(self, names: Iterable[str], inherited: Subject | None) -> Subject | None:
        """Choose what an object with these property names is about."""

    def subjects(self, name: str, names: Iterable[str], within: Subject | None) -> list[Subject]:
        """Choose what the items of a list of such objects are about."""

    def candidates(self, name: str, schema: Schema, subject: Subject | None) -> Iterable[Any]:
        """Give the values that might fit a field, best first."""

    def entries(self, name: str) -> dict[str, Any]:
        """Give the known entries of a map."""


def fill(schema: Schema, source: Source) -> Any:
    """Give a JSON value that fits the schema."""
    filler = _Filler(schema, source)
    value = filler.fill(schema, "", None, _At())
    return value if conforms(value, schema, schema) else filler.fill(schema, "", None, _At(plain=True))


@dataclass(frozen=True, slots=True)
class _At:
    """Where the filler stands: depth, index in a list, references followed; `plain` knows nothing."""

    depth: int = 0
    index: int = 0
    refs: tuple[str, ...] = ()
    plain: bool = False

    @property
    def minimal(self) -> bool:
        return self.depth >= _MINIMAL_DEPTH or len(set(self.refs)) < len(self.refs)

    def below(self, index: int = 0) -> _At:
        return replace(self, depth=self.depth + 1, index=index)


class _Filler:
    def __init__(self, root: Schema, source: Source) -> None:
        self.root, self.source = root, source

    def fill(self, schema: Any, name: str, subject: Subject | None, at: _At) -> Any:
        if at.depth > _DEEPEST:
            return None
        node, at = self._resolved({} if isinstance(schema, bool) else schema, at)
        if "const" in node:
            return node["const"]
        for key in ("oneOf", "anyOf"):
            if key in node:
                return self._branch(node, key, name, subject, at)
        if not at.plain and not (at.minimal and self._is_container(node)):
            for candidate in self._known(node, name, subject):
                if self._fits(value := coerce(candidate, node), node):
                    return value
        if "enum" in node:
            options = [o for o in node["enum"] if self._fits(o, node)] or node["enum"]
            return options[at.index % len(options)]
        return self._by_type(node, name, subject, at)

    def _known(self, node: Schema, name: str, subject: Subject | None) -> Iterable[Any]:
        if self._is_container(node) and not self._is_plain_list(node):
            return ()
        return self.source.candidates(name, node, subject)

    def _by_type(self, node: Schema, name: str, subject: Subject | None, at: _At) -> Any:
        kinds = sorted(_kinds(node), key=lambda kind: kind == "null")
        if "null" in kinds and at.depth > 0 and not self._is_known(node, name, subject, at):
            return None
        value: Any = None
        for kind in kinds:
            one = node | {"type": kind}
            match kind:
                case "object":
                    value = self._object(one, name, subject, at)
                case "array":
                    value = self._array(one, name, subject, at)
                case "string":
                    value = plain_string(one, at.index)
                case "integer" | "number":
                    value = plain_number(one, at.index)
                case "boolean":
                    value = at.index % 2 == 0
                case _:
                    value = None
            if self._fits(value, node):
                break
        return value

    def _object(self, node: Schema, name: str, subject: Subject | None, at: _At) -> Any:
        properties, required = node.get("properties", {}), node.get("required", ())
        subject = self.source.subject(properties, subject)
        value: dict[str, Any] = {}
        most = node.get("maxProperties", len(properties) + len(required))
        optional = [k for k in properties if k not in required and not at.minimal]
        allowed = set(required) | set(optional[: max(0, most - len(required))])
        for key in [*properties, *(k for k in required if k not in properties)]:
            if key in allowed:
                value[key] = self.fill(properties.get(key, {}), key, subject, at.below(at.index))
                if key not in required and not self._fits(value[key], properties[key]):
                    del value[key]
        self._fill_map(node, name, value, at)
        return value

    def _fill_map(self, node: Schema, name: str, value: dict[str, Any], at: _At) -> None:
        """Add the entries of a map (`additionalProperties`), as many as are known or needed."""
        rest = node.get("additionalProperties", True)
        if rest is False:
            return
        if not node.get("properties") and isinstance(rest, dict):
            most = node.get("maxProperties", 100)
            known = islice(self.source.entries(name).items(), most)
            value |= {key: item for key, item in known if self._fits(item, rest)}
        index = 0
        while len(value) < node.get("minProperties", 0):
            index += 1
            value.setdefault(f"key_{index}", self.fill(rest, f"key_{index}", None, at.below(index)))

    def _array(self, node: Schema, name: str, subject: Subject | None, at: _At) -> Any:
        prefix = node.get("prefixItems", [])
        least, most = node.get("minItems", 0), node.get("maxItems", 1000)
        value = [self.fill(s, name, subject, at.below(i)) for i, s in enumerate(prefix)][:most]
        items = node.get("items", True)
        if items is False or (at.minimal and len(value) >= least):
            return value
        item_node, _ = self._resolved(items if isinstance(items, dict) else {}, at)
        about = self.source.subjects(name, self._names(item_node), subject)
        # a list of plain things that are not known stays empty, an object shows its fields
        guess = 0 if not self._is_container(item_node) and not self._names(item_node) else 1
        wanted = max(len(about), least) if about or prefix else max(guess, least)
        index, tries = 0, 0
        while len(value) < min(wanted + len(prefix), most) and tries < wanted * 4 + 20:
            item_subject = about[index] if index < len(about) else subject
            item = self.fill(items, name, item_subject, at.below(index))
            if index >= len(about) and any(same(item, v) for v in value):
                item = self.fill(items, name, None, replace(at.below(index), plain=True))
            tries, index = tries + 1, index + 1
            if not (node.get("uniqueItems") and any(same(item, v) for v in value)):
                value.append(item)
        return value

    def _branch(self, node: Schema, key: str, name: str, subject: Subject | None, at: _At) -> Any:
        base = {k: v for k, v in node.items() if k != key}
        branches = sorted(node[key], key=lambda b: self._rank(b, subject, at))
        may_be_null = at.depth > 0 and self._fits(None, node)
        value: Any = None
        for branch in branches:
            one = merge(base, branch)
            if may_be_null and not self._is_known(one, name, subject, at):
                continue
            value = self.fill(one, name, subject, at)
            if self._fits(value, node):
                return value
        return None if may_be_null else value

    def _is_known(self, node: Any, name: str, subject: Subject | None, at: _At) -> bool:
        """Say whether there is more to put here than a guess: null is the better answer then."""
        if at.plain or at.minimal or not isinstance(node, dict):
            return False
        node, at = self._resolved(node, at)
        parts = node.get("properties", {})
        if parts:
            return any(self._is_known(part, key, subject, at.below()) for key, part in parts.items())
        if "array" in _kinds(node) and not self._is_plain_list(node):
            items, _ = self._resolved(node["items"] if isinstance(node.get("items"), dict) else {}, at)
            return bool(self.source.subjects(name, self._names(items), subject))
        for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            if self._is_known(branch, name, subject, at.below()):
                return True
        if "const" in node:
            return True
        return any(self._fits(coerce(c, node), node) for c in self._known(node, name, subject))

    def _rank(self, branch: Any, subject: Subject | None, at: _At) -> tuple[int, int]:
        """Order branches: what is known first, null last; where it is deep, small ones first."""
        node, _ = self._resolved(branch if isinstance(branch, dict) else {}, at)
        is_null = type_names(node) == ["null"]
        if at.minimal:
            return (0 if is_null else 2 if self._is_container(node) else 1, 0)
        known = len(
            set(self._names(node)) & set(subject or self.source.subject(self._names(node), None) or ())
        )
        return (1 if is_null else 0, -known)

    def _resolved(self, node: Schema, at: _At) -> tuple[Schema, _At]:
        """Follow `$ref` and merge `allOf`, so that a node's keywords stand side by side."""
        for _ in range(_DEEPEST):
            if "$ref" in node:
                reference = node["$ref"]
                at = replace(at, refs=(*at.refs, reference))
                rest = {k: v for k, v in node.items() if k != "$ref"}
                node = merge(rest, deref(reference, self.root))
            elif "allOf" in node:
                parts = node["allOf"]
                node = {k: v for k, v in node.items() if k != "allOf"}
                for part in parts:
                    inner, at = self._resolved(part if isinstance(part, dict) else {}, at)
                    node = merge(node, inner)
            else:
                break
        return node, at

    def _fits(self, value: Any, node: Any) -> bool:
        return conforms(value, node, self.root)

    def _names(self, node: Schema) -> list[str]:
        """Name the properties of an object schema, through the branches of a union."""
        names = list(node.get("properties", ()))
        for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            inner, _ = self._resolved(branch if isinstance(branch, dict) else {}, _At())
            names += inner.get("properties", ())
        return names

    def _is_container(self, node: Schema) -> bool:
        kinds = _kinds(node)
        return "object" in kinds or "array" in kinds

    def _is_plain_list(self, node: Schema) -> bool:
        if "array" not in _kinds(node) or "prefixItems" in node:
            return False
        items, _ = self._resolved(node["items"] if isinstance(node.get("items"), dict) else {}, _At())
        return not self._is_container(items) and not self._names(items)


def _kinds(node: Schema) -> list[str]:
    if named := type_names(node):
        return named
    return [kind for kind, marks in _MARKS if any(m in node for m in marks)] or ["string"]


def merge(first: Schema, second: Any) -> Schema:
    """Join two schemas that must both hold (as far as a filler needs it)."""
    if not isinstance(second, dict):
        return first
    merged = first | second
    for key, join in (("minimum", max), ("minLength", max), ("minItems", max), ("maximum", min),
                      ("maxLength", min), ("maxItems", min), ("minProperties", max),
                      ("exclusiveMinimum", max), ("exclusiveMaximum", min)):  # fmt: skip
        if key in first and key in second:
            merged[key] = join(first[key], second[key])
    if "properties" in first and "properties" in second:
        shared = first["properties"].keys() & second["properties"].keys()
        both = {k: merge(first["properties"][k], second["properties"][k]) for k in shared}
        merged["properties"] = first["properties"] | second["properties"] | both
    if "required" in first and "required" in second:
        merged["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    if "enum" in first and "enum" in second:
        merged["enum"] = [o for o in first["enum"] if any(same(o, p) for p in second["enum"])]
    if "type" in first and "type" in second:
        narrow = set(type_names(first)) & set(type_names(second))
        if narrow:
            merged["type"] = sorted(narrow)
        elif {"integer", "number"} <= set(type_names(first)) | set(type_names(second)):
            merged["type"] = "integer"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in first and key in second:
            merged[key] = first[key]
            merged["allOf"] = [*merged.get("allOf", []), {key: second[key]}]
    return merged
