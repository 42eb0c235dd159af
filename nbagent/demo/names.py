"""Matching of field, tool and parameter names by their words. Pure, any thread.

Used by `schema_values.py`, `tool_choice.py` and `tool_arguments.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "title": ("name",),
    "town": ("city",),
    "nation": ("country",),
    "inhabitants": ("population",),
    "people": ("population",),
    "symbol": ("ticker", "stock"),
    "ticker": ("symbol", "stock"),
    "stock": ("ticker", "symbol"),
    "price": ("close", "last", "last_price", "value"),
    "close": ("price", "last"),
    "last": ("close", "price"),
    "year_founded": ("founded",),
    "famous_for": ("known_for",),
    "longitude": ("lon", "lng"),
    "latitude": ("lat",),
    "change": ("change_pct", "pct_change"),
    "percent": ("pct",),
    "attraction": ("landmark",),
    "monument": ("landmark",),
    "interesting_fact": ("fun_fact",),
    "trivia": ("fun_fact",),
    "tongue": ("language",),
    "height": ("height_m", "elevation_m"),
    "elevation": ("elevation_m",),
    "depth": ("depth_m",),
    "length": ("length_km", "length_m"),
    "area": ("area_km2",),
    "distance": ("distance_km",),
    "speed": ("speed_m_s", "speed_kmh"),
    "temperature": ("temperature_c", "temp"),
}
_AFFIXES: Final = re.compile(
    r"^(?:current|approximate|approx|estimated|main|official|total|the|local|most_famous|famous|main)_"
    r"|_(?:usd|eur|pct|percent|m|km|meters|metres|kilometers|km2|s|c|name|value|count|approx|estimate"
    r"|price|in_\w+)$"
)


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """Write a name in snake case: "cityName" and "City Name" are city_name."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Give the stemmed words of a name or text."""
    return tuple(stem(word) for word in snake(name).split("_") if word)


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Cut an English word's plain endings: prices, pricing and price are one."""
    for ending, instead in (("ies", "y"), ("ing", ""), ("ed", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending) + instead
            break
    return word.removesuffix("e") if len(word) > 3 else word


def stems(words: str) -> frozenset[str]:
    """Give the stems of a text's words."""
    return frozenset(words_of(words))


def lookup(fields: dict[str, Any], name: str) -> Any:
    """Find a field by its name, an alias of it, or the name without a unit; None if unknown."""
    by_name = {snake(key): value for key, value in fields.items()}
    wanted = snake(name)
    tried: list[str] = []
    while wanted and wanted not in tried:
        tried.append(wanted)
        for option in (wanted, *_ALIASES.get(wanted, ())):
            if by_name.get(option) is not None:
                return _scaled(by_name[option], name)
        wanted = _AFFIXES.sub("", wanted)
    if wanted.endswith("s") and by_name.get(wanted[:-1]) is not None:
        return by_name[wanted[:-1]]
    millions = re.fullmatch(r"(\w+?)_(?:in_)?millions?", snake(name))
    if millions and isinstance(by_name.get(millions[1]), int):
        return round(by_name[millions[1]] / 1e6, 2)
    return None


def _scaled(value: Any, name: str) -> Any:
    in_millions = snake(name).endswith(("millions", "million"))
    return round(value / 1e6, 2) if in_millions and isinstance(value, int) else value
