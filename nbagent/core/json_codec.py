"""JSON text of plain data and back, with every number as it was. Pure; any thread.

orjson is the quickest at writing and refuses integers beyond 64 bits, writes infinite numbers as null, and
reads what is too long for it as a rounded float; what it cannot do is done here. Both writers and readers are
imported at their first use: `%load_ext` needs neither.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from enum import Enum
from typing import Any
from uuid import UUID

_INFINITE = re.compile(r"\binf\b")


def dump_json(data: Any, *, default: Callable[[Any], Any] | None = str, sort_keys: bool = False) -> bytes:
    """Return `data` as JSON; `default` makes data of what is no JSON. An infinite number is written as `Infinity`.

    Raises:
        TypeError: something is no JSON data, and there is no `default`.
        ValueError: text holds a lone surrogate, or the data is nested too deep.
    """
    import orjson

    options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        text = orjson.dumps(data, default=default, option=options)
        if b"null" not in text or not _may_have_infinite(data) or not _has_infinite(data):
            return text
    except TypeError:  # an integer beyond 64 bits, among others
        pass
    try:
        return json.dumps(
            data,
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=sort_keys,
            default=lambda value: _as_orjson_does(value, default),
        ).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def load_json(text: str | bytes) -> Any:
    """Return the data that JSON `text` holds; integers of any size are exact. Raises ValueError."""
    import pydantic_core

    try:
        return pydantic_core.from_json(text)
    except ValueError:
        pass
    try:
        return json.loads(text)  # deeper nesting, half an emoji
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def load_json_each(texts: Iterable[str | None]) -> list[Any]:
    """Return the data of many JSON texts, None for None; no two share an object. Raises ValueError."""
    import pydantic_core

    given = list(texts)
    try:
        found = pydantic_core.from_json("[" + ",".join("null" if one is None else one for one in given) + "]")
        if len(found) == len(given):
            return list(found)
    except ValueError:
        pass
    return [None if one is None else load_json(one) for one in given]


def _as_orjson_does(value: Any, default: Callable[[Any], Any] | None) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if default is None:
        raise TypeError(f"{type(value).__name__} is no JSON data")
    return default(value)


def _may_have_infinite(data: Any) -> bool:
    """Say quickly whether the word for an infinite number stands anywhere in how `data` shows itself."""
    try:
        return _INFINITE.search(repr(data)) is not None
    except Exception:  # noqa: BLE001 - somebody else's repr
        return True


def _has_infinite(data: Any) -> bool:
    """Say whether an infinite number is anywhere in `data`."""
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, float):
            if math.isinf(one):
                return True
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            waiting += [getattr(one, field.name) for field in dataclasses.fields(one)]
    return False
