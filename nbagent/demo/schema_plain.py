"""Plain values for the leaves of a JSON Schema: strings, numbers, and turning one into the other.

Used by `schema_fill.py`; pure, any thread.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from nbagent.demo.schema_check import Schema, conforms, type_names

_NUMBER_KEYS: Final = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_FORMATS: Final[dict[str, str]] = {
    "date": "2025-01-{day:02d}",
    "date-time": "2025-01-{day:02d}T12:00:00Z",
    "time": "12:{n:02d}:00Z",
    "duration": "P{day}D",
    "email": "ada{n}@example.com",
    "idn-email": "ada{n}@example.com",
    "uuid": "00000000-0000-4000-8000-{n:012d}",
    "uuid4": "00000000-0000-4000-8000-{n:012d}",
    "uri": "https://example.com/{n}",
    "uri-reference": "https://example.com/{n}",
    "url": "https://example.com/{n}",
    "hostname": "host{n}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "json-pointer": "/item/{n}",
    "regex": "item{n}",
    "binary": "ZGVtbw==",
    "byte": "ZGVtbw==",
}


def plain_string(schema: Schema, index: int) -> str:
    """Make a string that fits format, pattern and lengths; `index` makes list items differ."""
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known.format(n=index + 1, day=index % 28 + 1)
    if "pattern" in schema:
        for stretch in range(index, index + min(most, 200) + 1):
            text = _from_pattern(schema["pattern"], stretch)
            if text is not None and least <= len(text) <= most:
                return text
    text = "unknown" if index == 0 else f"unknown {index + 1}"
    if len(text) > most:
        text = (str(index + 1) + "unknown")[:most]
    return text.ljust(least, ".")


def plain_number(schema: Schema, index: int) -> int | float:
    """Make a number within the bounds and on the grid of `multipleOf`; `index` as in `plain_string`."""
    bounds = {k: v for k, v in schema.items() if k in _NUMBER_KEYS}
    value: int | float = 0
    for nearer in range(index, -1, -1):  # a narrow range may not hold as many numbers
        value = _number_at(schema, nearer)
        if conforms(value, bounds, bounds):
            break
    return value


def _number_at(schema: Schema, index: int) -> int | float:
    whole = "integer" in type_names(schema)
    step = schema.get("multipleOf") or (1 if whole else None)
    if whole and step and not float(step).is_integer():
        step = 1 if (1 / step).is_integer() else step
    low: float | None = max((schema[k] for k in ("minimum", "exclusiveMinimum") if k in schema), default=None)
    high: float | None = min(
        (schema[k] for k in ("maximum", "exclusiveMaximum") if k in schema), default=None
    )
    if step:
        value = _on_grid(schema, step, low, high, index)
        return int(value) if whole or float(value).is_integer() else value
    if low is not None and high is not None:
        inside = low + (high - low) * ((index + 1) / (index + 2))
        return low if "minimum" in schema and low == high else inside
    if low is not None:
        return float(low + 1 + index)
    return float(1 + index) if high is None or high > 1 + index else float(high - 1 - index)


def _on_grid(schema: Schema, step: float, low: float | None, high: float | None, index: int) -> float:
    if low is not None:
        count = math.ceil(low / step - 1e-9)
        if schema.get("exclusiveMinimum") is not None and count * step <= low:
            count += 1
        if low <= step and (high is None or high > step):
            count = max(count, 1)  # 1 reads better than 0 where both fit
        return (count + index) * step
    if high is not None and high <= step * (index + 1):
        count = math.floor(high / step + 1e-9)
        if schema.get("exclusiveMaximum") is not None and count * step >= high:
            count -= 1
        return (count - index) * step
    return (1 + index) * step


def _from_pattern(pattern: str, stretch: int) -> str | None:
    """Make a text for a simple regular expression; None if it holds something unusual.

    `stretch` lengthens what may repeat. The caller checks the result against the pattern.
    """
    tokens = re.findall(
        r"(\\.|\[\^?(?:\\.|[^\]])+\]|\((?:\?:)?(?:\\.|[^()])*\)|.)(\{\d+(?:,\d*)?\}|[*+?])?\??",
        pattern,
    )
    made: list[str] = []
    for atom, times in tokens:
        if atom in ("^", "$", r"\A", r"\Z", r"\b"):
            continue
        sample = _atom(atom, stretch)
        if sample is None:
            return None
        made.append(sample * _repeats(times, stretch))
    text = "".join(made)
    try:
        return text if re.search(pattern, text) else None
    except re.error:
        return None


def _repeats(times: str, stretch: int) -> int:
    if times.startswith("{"):
        least, comma, most = times.strip("{}").partition(",")
        upper = int(most) if most else int(least) + stretch if comma else int(least)
        return min(int(least) + stretch, upper)
    return {"": 1, "+": 1 + stretch, "*": stretch, "?": min(stretch, 1)}[times]


def _atom(atom: str, stretch: int) -> str | None:
    if atom.startswith("("):
        inner = atom[1:-1].removeprefix("?:")
        if inner.startswith("?"):
            return None
        return _from_pattern(inner.split("|")[0], stretch)
    if atom.startswith("["):
        return _from_class(atom)
    if atom.startswith("\\"):
        classes = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "t": "\t", "n": "\n"}
        return classes.get(atom[1], atom[1])
    return None if atom in "|()[]{}" else "a" if atom == "." else atom


def _from_class(atom: str) -> str | None:
    every = "aA1_- .@/:,+"
    if atom.startswith("[^"):
        return next((c for c in every if re.fullmatch(atom, c)), None)
    first = atom[1:].removesuffix("]")
    samples = [c for c in (first[:1], *every) if c and c != "\\"]
    return next((c for c in samples if re.fullmatch(atom, c)), None)


def coerce(value: Any, schema: Schema) -> Any:
    """Turn a known value into a schema's type where that is natural; else leave it as it is."""
    kinds = type_names(schema)
    if "enum" in schema and isinstance(value, str):
        return next((o for o in schema["enum"] if isinstance(o, str) and o.lower() == value.lower()), value)
    match value:
        case bool() | None | dict():
            return value
        case list():
            plain = [str(item) for item in value if not isinstance(item, dict | list)]
            return ", ".join(plain) if kinds == ["string"] else value
        case int() | float() if "string" in kinds and not {"number", "integer"} & set(kinds):
            return f"{value:,}" if abs(value) >= 10_000 else str(value)
        case float() if "integer" in kinds and "number" not in kinds:
            return round(value)
        case str() if ({"number", "integer"} & set(kinds)) and "string" not in kinds:
            return _number_in(value, whole="number" not in kinds)
    return [value] if "array" in kinds and "string" not in kinds else value


def _number_in(text: str, *, whole: bool) -> Any:
    found = re.search(r"-?\d[\d,]*(?:\.\d+)?", text)
    if found is None:
        return text
    number = float(found[0].replace(",", ""))
    return int(number) if whole or number.is_integer() else number
