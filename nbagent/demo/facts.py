"""What the demo model knows: `facts.json`, and finding known things in a text. Pure functions, any thread.

A record is a dict of fields: of a country, a city, a stock's symbol, a single fact, or a tool's result.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]
Place = tuple[str, int, int]  # its name, and where it stands in a text

_FOLDER: Final = Path(__file__).parent / "data"
SCRIPT: Final[dict[str, Any]] = tomllib.loads((_FOLDER / "script.toml").read_text(encoding="utf-8"))
_FACTS: Final[dict[str, Any]] = json.loads((_FOLDER / "facts.json").read_text(encoding="utf-8"))
_COUNTRIES: Final[dict[str, Record]] = {c["name"]: c | {"country": c["name"]} for c in _FACTS["countries"]}
_CAPITALS: Final[dict[str, Record]] = {
    c["capital"]: {key: c[key] for key in c if key not in ("population", "people")} | {"name": c["capital"]}
    for c in _COUNTRIES.values()
}
_CITIES: Final[dict[str, Record]] = _CAPITALS | {
    c["name"]: _COUNTRIES[c["country"]] | c for c in _FACTS["cities"]
}


@cache
def _names(kind: str) -> tuple[dict[str, str], re.Pattern[str]]:
    known = {"city": _CITIES, "country": _COUNTRIES}.get(kind, {})
    names: dict[str, str] = {name.lower(): name for name in known} | _FACTS["aliases"][kind]
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    symbols = r"|(?-i:[A-Z]{2,5})" if kind == "ticker" else ""
    return names, re.compile(rf"(?<![\w.])({longest_first}{symbols})(?!\w)", re.IGNORECASE)


def find_places(text: str, kind: str) -> list[Place]:
    """Find what a text names of a kind ("city", "country", "ticker"), each once, in order."""
    names, pattern = _names(kind)
    once: dict[str, Place] = {}
    for found in pattern.finditer(text):
        name = names.get(found[1].lower(), found[1])
        if name not in _FACTS["not_tickers"] and found[1] != "us":  # the word, not the country
            once.setdefault(name, (name, found.start(), found.end()))
    return list(once.values())


def names_in(text: str, kind: str) -> list[str]:
    """Name the known things of a kind in a text, in order, each once."""
    return [name for name, _, _ in find_places(text, kind)]


def records_in(text: str) -> list[list[Record]]:
    """Give the records of what a text names: cities, countries, the single facts asked for, stocks."""
    groups = [[record_of(kind, name) for name in names_in(text, kind)] for kind in ("city", "country")]
    groups.append([fact["fields"] for sentence in sentences(text) if (fact := find_fact(sentence))])
    groups.append([{"ticker": name, "symbol": name} for name in names_in(text, "ticker")])
    return [group for group in groups if group]


def record_of(kind: str, name: str) -> Record:
    """Give the fields known about a city or a country, a description included."""
    record = (_CITIES if kind == "city" else _COUNTRIES)[name] | {kind: name}
    record |= {"is_capital": record["capital"] == name, "not": "" if record["capital"] == name else "not "}
    described = "capital" if kind == "city" and "people" not in record else kind
    return record | {"description": SCRIPT["places"][described].format_map(record)}


def find_fact(question: str) -> Record | None:
    """Give the single fact that a question asks for: all of its words, "a|b" being alternatives."""
    words = set(re.findall(r"\w+", question.lower()))
    asked = (fact for fact in _FACTS["single"] if all(words & {*w.split("|")} for w in fact["words"].split()))
    return next(asked, None)


def sentences(text: str) -> list[str]:
    """Split a text into its sentences, without the blanks around them."""
    found = re.findall(r"[^.?!\n]+(?:[.](?=\w)[^.?!\n]*)*[.?!]*", text)
    return [sentence.strip() for sentence in found if sentence.strip(" \n.?!")]


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Give the words of a name or text in lower case: "cityName" and "City Name" are city, name."""
    return tuple(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()))


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """Give the words of a name or text without their plain endings: prices, pricing and price are one."""
    whole = (re.sub("ies$", "y", word) for word in words_of(text))
    return frozenset(re.sub(r"(?<=\w{3})(?:(?<!s)s|ing|ed)$", "", word).rstrip("e") for word in whole)


def lookup(record: Record, name: str) -> Any:
    """Find a field by its name or another name of it; None if unknown."""
    fields = {"_".join(words_of(key)): value for key, value in record.items()}
    wanted = "_".join(words_of(name))
    spellings = (wanted, *_FACTS["field_aliases"].get(wanted, ()), wanted.removesuffix("s"))
    return next((fields[spelling] for spelling in spellings if fields.get(spelling) is not None), None)
