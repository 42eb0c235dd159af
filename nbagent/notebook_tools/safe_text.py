"""Values as text without running anybody's code: exact types of a list by their own methods, the rest by type name.

On the main thread, between cells. Nothing here asks an unknown object anything: no `repr`, `str`, `isinstance`
(which reads `__class__`), hash, comparison or attribute. A subclass of a known type is unknown.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import math
import sys
import uuid
import zoneinfo
from collections.abc import Iterable
from itertools import islice
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any

from nbagent.core import truncate_end

ITEMS = 50  # of a container
DEPTH = 4
TEXT_CHARS = 2_000  # of one text
CELL_CHARS = 200  # of one text in a table
_BIG_INT_BITS = 4_000  # Python refuses to write longer ones

_PLAIN = frozenset({bool, int, float, complex, str, bytes, bytearray, type(None), type(...), range})
_ZONES = frozenset({dt.timezone, zoneinfo.ZoneInfo, type(None)})
_BY_STR = frozenset(
    {
        dt.date, dt.timedelta, decimal.Decimal, fractions.Fraction, uuid.UUID,
        PosixPath, PurePosixPath, PureWindowsPath, WindowsPath,
    }
)  # fmt: skip
_LISTS: dict[type, tuple[str, str]] = {
    list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), frozenset: ("frozenset({", "})"),
}  # fmt: skip
_NAME, _MODULE = type.__dict__["__name__"], type.__dict__["__module__"]


def type_name(value: object) -> str:
    """Return the name of a value's type, with its package where that is no builtin; asks the type `type` alone."""
    cls = type(value)
    try:
        name, module = _NAME.__get__(cls), _MODULE.__get__(cls)
    except Exception:  # noqa: BLE001 - a class may be made so that it has none
        return "object"
    name = str.__str__(name)
    if type(module) is not str or module in {"builtins", "__main__"}:
        return name
    return f"{module.partition('.')[0]}.{name}"


def class_of(module: str, name: str) -> type | None:
    """Return a class of a package that is imported; None where it is not."""
    found = getattr(sys.modules.get(module), name, None)
    return found if type(found) is type or issubclass(type(found), type) else None


def is_exactly(value: object, module: str, *names: str) -> bool:
    """Say whether a value is of one of these classes itself, of no subclass."""
    cls = type(value)
    return any(cls is class_of(module, name) for name in names)


def safe_text(value: object, depth: int = 0, chars: int = TEXT_CHARS) -> str:
    """Return a value as text, bounded, without running any code of a user's."""
    cls: Any = type(value)
    known: Any = value
    if cls in _PLAIN:
        return _plain(known, chars)
    if cls in _LISTS:
        opening, closing = _LISTS[cls]
        return _bounded(opening, closing, known, len(known), depth, chars)
    if cls is dict:
        return _dict(known, depth, chars)
    if cls in _BY_STR:
        return truncate_end(str(known), chars)
    if cls in (dt.datetime, dt.time):
        return known.isoformat() if type(known.tzinfo) in _ZONES else f"<{type_name(value)}>"
    if (scalar := _scalar(known)) is not None:
        return scalar
    return f"<{type_name(value)}>"


def _plain(value: Any, chars: int) -> str:
    cls = type(value)
    if cls is str:
        return repr(value) if len(value) <= chars else truncate_end(repr(value[:chars]), chars + 2)
    if cls in (bytes, bytearray):
        return f"<{cls.__name__}, {len(value):,} bytes>"
    if cls is int and value.bit_length() > _BIG_INT_BITS:
        return f"<int of {value.bit_length():,} bits>"
    if cls is float and not math.isfinite(value):
        return str(value)
    return repr(value)


def _bounded(opening: str, closing: str, values: Iterable[Any], count: int, depth: int, chars: int) -> str:
    if depth >= DEPTH:
        return f"{opening}{count:,} more{closing}"
    parts = [safe_text(one, depth + 1, min(chars, CELL_CHARS)) for one in islice(values, ITEMS)]
    if count > len(parts):
        parts.append(f"... {count - len(parts):,} more")
    return f"{opening}{', '.join(parts)}{closing}"


def _dict(value: dict[Any, Any], depth: int, chars: int) -> str:
    if depth >= DEPTH:
        return f"{{{len(value):,} more}}"
    cut = min(chars, CELL_CHARS)
    parts = [
        f"{safe_text(key, depth + 1, cut)}: {safe_text(one, depth + 1, cut)}"
        for key, one in islice(dict.items(value), ITEMS)
    ]
    if len(value) > len(parts):
        parts.append(f"... {len(value) - len(parts):,} more")
    return f"{{{', '.join(parts)}}}"


def _scalar(value: Any) -> str | None:
    """Return the text of a scalar of numpy's or pandas'; None for what is none."""
    cls: Any = type(value)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and cls in _numpy_scalars(numpy):
        if cls is numpy.void:
            return "<numpy.void>"
        return repr(str.__str__(value)) if cls is numpy.str_ else str(value)[:CELL_CHARS]
    if pandas is not None:
        if cls is type(pandas.NA) or cls is type(pandas.NaT):
            return str(value)
        if cls is pandas.Timestamp:
            return str(value) if type(value.tzinfo) in _ZONES else "<pandas.Timestamp>"
        if cls in (pandas.Timedelta, pandas.Period):
            return str(value)
        if cls is pandas.Interval:
            return f"<Interval {safe_text(value.left)} to {safe_text(value.right)}>"
    return None


def _numpy_scalars(numpy: Any) -> frozenset[type]:
    found = _numpy_scalars_of.get(id(numpy))
    if found is None:
        found = frozenset(numpy.sctypeDict.values())
        _numpy_scalars_of[id(numpy)] = found
    return found


_numpy_scalars_of: dict[int, frozenset[type]] = {}


def cell_text(value: object) -> str:
    """Return what stands in one cell of a table."""
    cls: Any = type(value)
    if value is None:
        return ""
    if cls is str:
        text: Any = value
        return truncate_end(text, CELL_CHARS)
    if cls is float and value != value:  # noqa: PLR0124 - a float's own comparison: NaN alone is not itself
        return ""
    return safe_text(value, depth=1, chars=CELL_CHARS)
