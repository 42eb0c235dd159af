"""Takes a tool's arguments out of a prompt.

Used by `tool_choice.py`; pure, any thread. One parameter may have several values ("AAPL and MSFT"
for one ticker): then there is one set of arguments, and so one call, for each.
"""

from __future__ import annotations

import re
from typing import Any, Final

from nbagent.demo.arithmetic import find_expression
from nbagent.demo.extraction import dates_in, extract_field, labelled, proper_names
from nbagent.demo.facts import names_of
from nbagent.demo.geography import COUNTRIES
from nbagent.demo.names import stems, words_of
from nbagent.demo.request import Tool
from nbagent.demo.schema_check import Schema, conforms, deref, type_names
from nbagent.demo.schema_fill import fill
from nbagent.demo.schema_plain import coerce
from nbagent.demo.schema_values import KnownValues, quoted_text

_ENTITY_WORDS: Final = (
    ("ticker", stems("ticker symbol stock share company security equity")),
    ("city", stems("city town location place destination origin")),
    ("country", stems("country nation location place")),
)
_WHOLE: Final = stems("task prompt question instruction request message goal query search assignment q")
_ABOUT: Final = stems("text content input document body review comment sentence passage data")
_SUM: Final = stems("expression formula calculation equation math")
_QUOTED: Final = re.compile(r"[\"“`]([^\"”`\n]+)[\"”`]|(?<!\w)'([^'\n]+)'(?!\w)")
_SEARCH: Final = re.compile(
    r"^(?:please )?(?:search|look up|find|google)(?: the)?(?: web| internet| online)?(?: for| about)?\s+",
    re.I,
)
_CURRENCY: Final = re.compile(r"\b(USD|EUR|GBP|JPY|CHF|CAD|AUD|CNY|INR)\b")
_MOST_CALLS = 32


def argument_sets(tool: Tool, prompt: str, *, force: bool = False) -> list[dict[str, Any]]:
    """Give the argument sets of the calls that a prompt asks for; empty if one is missing.

    With `force` what is missing is filled with any valid value, so that there is always one set.
    """
    return _Arguments(tool, prompt, force=force).sets()


def entity_kind(name: str, schema: Schema) -> str | None:
    """Say which kind of known thing a parameter takes: "ticker", "city", "country" or None."""
    words = set(words_of(name))
    for kind, marks in _ENTITY_WORDS:
        if words & marks:
            return kind
    described = stems(str(schema.get("description", "")))
    return next((k for k, _ in _ENTITY_WORDS if k in described), None)


class _Arguments:
    def __init__(self, tool: Tool, prompt: str, *, force: bool) -> None:
        self.root = tool.parameters or {"type": "object", "properties": {}}
        self.required = list(self.root.get("required", ()))
        self.prompt = prompt
        self.force = force
        self.numbers = _free_numbers(prompt)
        self.dates = dates_in(prompt)
        self.currencies = _CURRENCY.findall(prompt)
        self.quotes: list[str] = [a or b for a, b in _QUOTED.findall(prompt)]

    def sets(self) -> list[dict[str, Any]]:
        one: dict[str, Any] = {}
        several: tuple[str, list[Any]] | None = None
        for name, raw in self.root.get("properties", {}).items():
            schema = self._plain(raw)
            needed = name in self.required
            values = [coerce(v, schema) for v in self._values(name, schema, needed=needed)]
            values = [v for v in values if conforms(v, raw, self.root)]
            if not values and needed:
                if not (self.force or conforms(None, raw, self.root)):
                    return []
                known = KnownValues(self.prompt, self.prompt, ())
                nothing = conforms(None, raw, self.root)
                root = raw | {"$defs": self.root.get("$defs", {})}
                values = [None if nothing else fill(root, known)]
            if values:
                one[name] = values[0]
            if len(values) > 1 and several is None:
                several = name, values[:_MOST_CALLS]
        return [one] if several is None else [one | {several[0]: v} for v in several[1]]

    def _plain(self, schema: Schema) -> Schema:
        """Follow references and take the branch of an optional that is not null."""
        if "$ref" in schema:
            schema = schema | deref(schema["$ref"], self.root)
        branches = [b for b in schema.get("anyOf", ()) if b.get("type") != "null"]
        return schema | self._plain(branches[0]) if branches else schema

    def _values(self, name: str, schema: Schema, *, needed: bool) -> list[Any]:
        """Give the values that the prompt names for one parameter; several mean several calls."""
        kinds, words = type_names(schema), set(words_of(name))
        if "const" in schema:
            return [schema["const"]]
        if "enum" in schema:
            return self._options(schema, needed=needed)
        if "array" in kinds:
            return self._list(name, schema)
        if "object" in kinds:
            return [fill(schema | {"$defs": self.root.get("$defs", {})}, self._known())] if needed else []
        kind = entity_kind(name, schema)
        if kind is not None and (found := self._entities(words, kind)):
            return found
        if {"integer", "number"} & set(kinds):
            return self._number(name, schema, needed=needed)
        if "boolean" in kinds:
            return [True] if words & stems(self.prompt) else []
        text = self._text(name, schema, words, needed=needed)
        return [] if text is None else [text]

    def _known(self) -> KnownValues:
        return KnownValues(self.prompt, self.prompt, ())

    def _entities(self, words: set[str], kind: str) -> list[str]:
        found = names_of(self.prompt, kind)
        if not found and kind == "city" and words & stems("location place destination"):
            found = names_of(self.prompt, "country")
        if not found and kind in ("city", "country"):
            found = re.findall(r"\b(?:in|for|of|to|from|at)\s+([A-Z][\w-]+(?: [A-Z][\w-]+)*)", self.prompt)
        if kind == "city" and words & stems("origin from"):
            return found[:1]
        if kind == "city" and words & stems("destination") and len(found) > 1:
            return found[1:2]
        return list(dict.fromkeys(found))

    def _options(self, schema: Schema, *, needed: bool) -> list[Any]:
        prompt_words = stems(self.prompt)
        options = [o for o in schema["enum"] if o is not None]
        named = [(self._place(o), o) for o in options if isinstance(o, str) and self._place(o) >= 0]
        if named:
            return [option for _, option in sorted(named)]
        shared = [o for o in options if isinstance(o, str) and stems(o) & prompt_words]
        return shared or ([schema["default"]] if needed and "default" in schema else [])

    def _place(self, option: str) -> int:
        found = re.search(rf"(?<!\w){re.escape(option)}(?!\w)", self.prompt, re.IGNORECASE)
        return -1 if found is None else found.start()

    def _list(self, name: str, schema: Schema) -> list[Any]:
        items = self._plain(schema.get("items") or {})
        if "enum" in items:
            found: list[Any] = self._options(items, needed=False)
        elif {"integer", "number"} & set(type_names(items)):
            found = list(self.numbers)
        else:
            kind = entity_kind(name, schema)
            found = self._entities(set(words_of(name)), kind) if kind else self.quotes
            found = found or self.quotes or proper_names(self.prompt)
        return [[coerce(v, items) for v in found]] if found else []

    def _number(self, name: str, schema: Schema, *, needed: bool) -> list[Any]:
        near = list(extract_field(name, schema, self.prompt))
        if near:
            value = coerce(near[0], schema)
            if value in self.numbers:
                self.numbers.remove(value)
            return [value]
        if not needed:
            return []
        if set(words_of(name)) & stems("year"):
            years = re.findall(r"\b(?:1[5-9]|20)\d\d\b", self.prompt)
            return [int(year) for year in years[:1]]
        return [self.numbers.pop(0)] if self.numbers else []

    def _text(self, name: str, schema: Schema, words: set[str], *, needed: bool) -> str | None:
        said = labelled(name, self.prompt)
        if said is not None:
            return said
        if "pattern" in schema and needed:
            found = re.search(schema["pattern"].strip("^$"), self.prompt)
            return found[0] if found else None
        if words & stems("date day start end since until from to begin month") and self.dates:
            last = words & stems("end until to") and len(self.dates) > 1
            return self.dates[1 if last else 0]
        if words & stems("currency") or (words & stems("from to") and self.currencies):
            return self._currency(words)
        if words & stems("language"):
            spoken = {c.language for c in COUNTRIES.values()}
            return next((la for la in sorted(spoken) if la in self.prompt), None)
        if words & _SUM:
            return find_expression(self.prompt)
        if words & stems("path file filename"):
            found = re.search(r"[\w./~-]*\w\.[A-Za-z]\w{0,5}\b", self.prompt)
            return found[0] if found else None
        return self._free_text(name, schema, words) if needed else None

    def _currency(self, words: set[str]) -> str | None:
        last = words & stems("to target quote into") and len(self.currencies) > 1
        return self.currencies[1 if last else 0] if self.currencies else None

    def _free_text(self, name: str, schema: Schema, words: set[str]) -> str | None:
        if words & stems("query search q"):
            return self.quotes[0] if self.quotes else _SEARCH.sub("", self.prompt.strip()) or self.prompt
        if words & _WHOLE:
            return self.prompt.strip()
        if words & _ABOUT:
            return quoted_text(self.prompt)
        if self.quotes:
            return self.quotes.pop(0) if len(self.quotes) > 1 else self.quotes[0]
        if words & stems("id identifier number code reference key"):
            found = re.search(r"#?\b([A-Z]{0,4}-?\d[\w-]*)\b", self.prompt)
            if found:
                return found[1]
        for value in extract_field(name, schema, self.prompt):
            return str(value)
        names = proper_names(self.prompt) or names_of(self.prompt, "ticker")
        if names:
            return names[0]
        return self.prompt.strip() if self.required == [name] else None


def _free_numbers(prompt: str) -> list[int | float]:
    """Give the numbers of a prompt that are not parts of dates or names."""
    without_dates = re.sub(r"\d{4}-\d\d-\d\d", " ", prompt)
    found = re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\w])", without_dates)
    numbers = (float(n.replace(",", "")) for n in found)
    return [int(n) if n.is_integer() else n for n in numbers]
