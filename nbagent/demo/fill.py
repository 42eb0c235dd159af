"""Fills a JSON Schema: known values first, else values that are plainly examples. Pure functions, any thread.

What is known comes from the tools' results, `facts.json` and the prompt's own words. Every value is proved with
`jsonschema_rs` before it is taken, and the whole at the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import reduce
from typing import Any, Final

import jsonschema_rs

from nbagent.demo.facts import SCRIPT, Record, lookup, names_in, records_in, stems, words_of
from nbagent.demo.request import ToolResult, Turn

Schema = dict[str, Any]
_FIELDS: Final[dict[str, Any]] = SCRIPT["fields"]
_LABELS: Final[dict[str, Any]] = SCRIPT["labels"]
_KINDS: Final = (
    dict.fromkeys(("properties", "required"), "object")
    | {"items": "array"}
    | dict.fromkeys(("minimum", "maximum"), "number")
)
_DEEPEST: Final = 8  # levels that are filled: recursive schemas end there
_MOST_ITEMS: Final = 200


class NoExampleError(ValueError):
    """The schema asks for something of which the script has no example."""


def fill(schema: Schema, known: Known) -> Any:
    """Give a JSON value that fits the schema.

    Raises:
        NoExampleError: no known value and no example fits.
    """
    for source in (known, Known(Turn(), None)):
        with suppress(NoExampleError):
            value = _Filler(schema, source).value(schema)
            if fits(value, schema, schema):
                return value
    raise NoExampleError(f"No example fits {schema!s:.200}")


def fits(value: Any, node: Any, root: Schema) -> bool:
    """Say whether a value fits a part of a schema, formats included; a part that cannot be checked counts as fit."""
    if isinstance(node, dict):
        node = {key: root[key] for key in ("$defs", "definitions") if key in root} | node
    try:
        return jsonschema_rs.is_valid(node, value, validate_formats=True)
    except ValueError:
        return True


def resolved(node: Any, root: Schema) -> Schema:
    """Follow `$ref` and join `allOf`, so that a part's keywords stand side by side."""
    node = node if isinstance(node, dict) else {}
    for _ in range(_DEEPEST):
        parts = list(node.get("allOf", ()))
        if "$ref" in node:
            parts.append(reduce(lambda found, part: found.get(part, {}), node["$ref"].split("/")[1:], root))
        node = {key: value for key, value in node.items() if key not in ("$ref", "allOf")}
        for part in parts:
            properties = part.get("properties", {}) | node.get("properties", {})
            required = [*part.get("required", ()), *node.get("required", ())]
            node = part | node | ({"properties": properties, "required": required} if properties else {})
    return dict(node)


def kinds_of(node: Schema) -> list[str]:
    """Name the types that a part allows, null last; where none is named, what its keywords are about, or a string."""
    named = node.get("type") or next((kind for mark, kind in _KINDS.items() if mark in node), "string")
    return sorted([named] if isinstance(named, str) else named, key=lambda kind: kind == "null")


class Known:
    """What is known in a turn whose answer in words is `answer`."""

    def __init__(self, turn: Turn, answer: str | None) -> None:
        self._prompt = turn.prompt
        self._answer = answer or SCRIPT["honest"]["field"]
        self._results = [record for result in turn.results if not result.error for record in _records(result)]
        self._groups = [group for group in (self._results, *records_in(self._prompt)) if group]

    def subjects(self, names: list[str]) -> list[Record]:
        """Choose what objects with these fields are about: the records that answer most of them."""
        scores = [sum(lookup(group[0], name) is not None for name in names) for group in self._groups]
        return self._groups[scores.index(max(scores))] if any(scores) else []

    def values(self, name: str, node: Schema, subject: Record | None) -> Iterator[Any]:
        """Give the values that might fit a field, best first."""
        yield from (lookup(record, name) for record in ([subject] if subject else self._results))
        if self._prompt and "enum" in node:
            yield classify(self._prompt, [option for option in node["enum"] if isinstance(option, str)])
        if self._prompt and name:
            yield from values_in(self._prompt, name, node)
        if self._prompt and "string" in kinds_of(node) and (not name or stems(name) & stems(_FIELDS["text"])):
            yield from (self._answer, self._answer[: node.get("maxLength")])
        yield from (node.get("default"), *node.get("examples", ()))


def _records(result: ToolResult) -> list[Record]:
    """Turn a tool's result into records, each with the call's arguments beside its own fields."""
    arguments = {key: v for key, v in result.arguments.items() if isinstance(v, str | int | float)}
    values = result.value if isinstance(result.value, list) else [result.value]
    words = words_of(result.name) or ("value",)
    plain = {"_".join(words): result.value, words[-1]: result.value, "result": result.value}
    return [arguments | (value if isinstance(value, dict) else plain) for value in values]


class _Filler:
    """Fills one schema; what it cannot fill raises NoExampleError, and is left out or null where that is allowed."""

    def __init__(self, root: Schema, known: Known) -> None:
        self.root, self.known = root, known

    def value(
        self, schema: Any, name: str = "", subject: Record | None = None, depth: int = 0, index: int = 0
    ) -> Any:
        """Give a value for a part, a field `name` of what `subject` is known of; `index` makes a list's items differ."""
        node = resolved(schema, self.root)
        branches = [resolved(branch, self.root) for branch in node.get("anyOf") or node.get("oneOf") or ()]
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "oneOf")}
        may_be_null = depth > 0 and fits(None, node, self.root)
        for part in branches or [{"type": kind} for kind in kinds_of(node)]:
            with suppress(NoExampleError):
                option = rest | part
                if len(kinds_of(option)) > 1 or "anyOf" in option or "oneOf" in option:
                    value = self.value(option, name, subject, depth + 1, index)
                else:
                    value = self._option(option, name, subject, depth, None if may_be_null else index)
                if fits(value, node, self.root):
                    return value
        if may_be_null:
            return None
        raise NoExampleError(name)

    def _option(self, node: Schema, name: str, subject: Record | None, depth: int, index: int | None) -> Any:
        """Give a value of one type; no example will do where `index` is None, as the field may be null."""
        kind = kinds_of(node)[0]
        if depth > _DEEPEST or "const" in node:
            return node.get("const", [] if kind == "array" else None)
        names = self._names(node if kind == "object" else resolved(node.get("items"), self.root))
        if kind == "object" or names:
            about = self.known.subjects(names)
            if index is None and not about:
                raise NoExampleError(name)
            return self._object(node, subject or next(iter(about), None), depth) if kind == "object" else self._array(
                node, about, 1 if depth < 2 else 0, depth
            )  # fmt: skip
        for found in self.known.values(name, node, subject):
            if found is not None and fits(found := coerce(found, node), node, self.root):
                return found
        if kind == "array" and index is not None:
            return self._array(node, [], 0, depth)
        offered = node.get("enum") or _examples(node, kind)
        examples = [value for value in offered if fits(value, node, self.root)]
        if index is None or not examples:
            raise NoExampleError(name)
        return examples[index % len(examples)]

    def _object(self, node: Schema, subject: Record | None, depth: int) -> Record:
        properties, required = node.get("properties", {}), node.get("required", ())
        value: Record = {}
        for key in dict.fromkeys([*properties, *required]):
            try:
                value[key] = self.value(properties.get(key), key, subject, depth + 1)
            except NoExampleError:
                if key in required:
                    raise
        for extra in range(len(value), min(node.get("minProperties", 0), _MOST_ITEMS)):
            value[f"key_{extra + 1}"] = self.value(
                node.get("additionalProperties"), depth=depth + 1, index=extra
            )
        return value

    def _array(self, node: Schema, about: list[Record], least: int, depth: int) -> list[Any]:
        """Give an item for each thing known; a list of plain things that are not known stays empty."""
        wanted = max(node.get("minItems", 0), len(about), least)
        count = min(wanted, node.get("maxItems", _MOST_ITEMS), _MOST_ITEMS)
        subjects = [*about, *[None] * count][:count]
        return [self.value(node.get("items"), "", record, depth + 1, i) for i, record in enumerate(subjects)]

    def _names(self, node: Schema) -> list[str]:
        """Name the properties of an object schema, through the branches of a union."""
        branches = (node, *node.get("anyOf", ()), *node.get("oneOf", ()))
        return [name for branch in branches for name in resolved(branch, self.root).get("properties", ())]


def _examples(node: Schema, kind: str) -> list[Any]:
    """Give values that are plainly examples, likely ones first, fitting or not."""
    if kind == "string":
        own = "example"[: node.get("maxLength")].ljust(min(node.get("minLength", 0), 10_000), ".")
        return [*_FIELDS["strings"], own]
    if kind in ("boolean", "null"):
        return [False, True] if kind == "boolean" else [None]
    step = node.get("multipleOf", 1)
    low, high = (
        [node[key] for key in (end, f"exclusive{end.title()}") if key in node]
        for end in ("minimum", "maximum")
    )
    above = math.ceil(max(low, default=0) / step) * step
    below = math.floor(min(high, default=0) / step) * step
    middle = [(max(low) + min(high)) / 2] if low and high else []
    numbers = [step, *(above + step * n for n in range(9)), below, below - step, *middle]
    return [int(number) if kind == "integer" and float(number).is_integer() else number for number in numbers]


def coerce(value: Any, node: Schema) -> Any:
    """Turn a known value into a schema's type where that is natural; else leave it as it is."""
    kinds = {*kinds_of(node)} - {"null"}
    numeric = kinds <= {"integer", "number"}
    if isinstance(value, str) and numeric and (found := re.search(r"-?\d[\d,]*(?:\.\d+)?", value)):
        value = float(found[0].replace(",", ""))
    if isinstance(value, float) and numeric and (kinds == {"integer"} or value.is_integer()):
        return round(value)
    if isinstance(value, int | float) and kinds == {"string"}:
        return str(value)
    return [value] if kinds == {"array"} and not isinstance(value, list | dict) else value


def classify(text: str, labels: list[str]) -> str | None:
    """Choose the label that fits a text: by its mood, or as words of the text; else the one for all the rest."""
    text = text.partition(":")[2] or text
    words = re.findall(r"[\w']+", text.lower())
    moods = {label: _LABELS["moods"][label.lower()] for label in labels if label.lower() in _LABELS["moods"]}
    if len(moods) >= 2:
        positive, negative, negators = (_LABELS[key].split() for key in ("positive", "negative", "negators"))
        signs = [(word in positive) - (word in negative) for word in words]
        total = sum(-s if {*words[max(0, i - 2) : i]} & {*negators} else s for i, s in enumerate(signs))
        return next((label for label, mood in moods.items() if mood == (total > 0) - (total < 0)), None)
    named = [label for label in labels if stems(label) and stems(label) <= stems(text)]
    return next(iter(named + [label for label in labels if label.lower() in _LABELS["fallback"]]), None)


def values_in(text: str, name: str, node: Schema) -> list[Any]:
    """Give the values that a text names for a field: options, places, stocks, dates, or "quantity: 3"."""
    words, kinds = stems(name), kinds_of(node)
    if "array" in kinds:
        found = values_in(text, name, resolved(node.get("items"), {}))
        return [found] if found else []
    if "enum" in node:
        places = [re.search(rf"(?<!\w){re.escape(str(option))}(?!\w)", text, re.I) for option in node["enum"]]
        found = [(place.start(), option) for place, option in zip(places, node["enum"], strict=True) if place]
        return [option for _, option in sorted(found, key=lambda one: one[0])]
    if "string" in kinds and node.get("format", "date") == "date":
        kind = next((kind for kind in ("ticker", "city", "country") if words & stems(_FIELDS[kind])), "")
        dated = words & stems(_FIELDS["date"]) or "format" in node
        dates = re.findall(r"\b\d{4}-\d\d-\d\d\b", text) if dated else []
        if found := names_in(text, kind) if kind else dates:
            return found
    spoken = r"[\s_-]+".join(words_of(name))
    said = re.search(
        rf"\b{spoken}\s*(?::|=|\bis\b)\s*([^,;\n?]{{1,120}}?)(?=[,;\n]|[.](?:\s|$)|$)", text, re.I
    )
    return [said[1].strip(" \"'")] if said and "boolean" not in kinds else []
