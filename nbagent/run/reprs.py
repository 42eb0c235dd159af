"""Short forms of what a user holds, as text and as HTML: a kind, and the fields that say something. Pure.

Used by the `__repr__` and `_repr_html_` of agents, sessions and metrics. Fields that are as they are by default
are left out, long values are cut, functions and classes are their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from html import escape
from typing import Any, get_origin

from nbagent.core import masked_fields, one_line, printable

CHARS, MOST = 60, 6
_MODULES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])")  # before the names of classes
Fields = Sequence[tuple[str, Any]]


def told_fields(value: Any) -> list[tuple[str, Any]]:
    """Return the fields of a dataclass's instance that are not as they are by default; a name is always told."""
    found = []
    for one in fields(value):
        held = getattr(value, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if one.repr and (one.name == "name" or not _same(held, default)):
            found.append((one.name, held))
    return sorted(found, key=lambda pair: pair[0] != "name")


def short_repr(kind: str, told: Fields) -> str:
    """Return `Agent(name='analyst', tools=[price])`."""
    return f"{kind}({', '.join(f'{name}={short(value)}' for name, value in told)})"


def html_repr(kind: str, told: Fields) -> str:
    """Return the same as a small table; everything is escaped."""
    rows = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(value if name in _WORDS else short(value))}</td></tr>'
        for name, value in told
    )
    return (
        f'<div class="nbagent-value tex2jax_ignore mathjax_ignore"><strong>{escape(kind)}</strong>'
        f"<table><tbody>{rows}</tbody></table></div>"
    )


_WORDS = frozenset({"tokens", "cost", "time", "first token", "first prompt"})  # values that are words already


def short(value: Any) -> str:
    """Return a value in few words."""
    if get_origin(value) is None and callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if isinstance(value, list | tuple):
        more = [f"and {len(value) - MOST} more"] if len(value) > MOST else []
        return f"[{', '.join([*map(short, value[:MOST]), *more])}]"
    if is_dataclass(value) and isinstance(name := getattr(value, "name", None), str):  # an agent, a tool
        return one_line(printable(name), CHARS)
    if is_dataclass(value):
        return short_repr(type(value).__name__, told_fields(value))
    if isinstance(value, Mapping):
        value = masked_fields(value)  # what in it is a secret is nobody's to read
    try:
        text = _MODULES.sub("", repr(value)) if get_origin(value) is not None else repr(value)
    except Exception as error:  # noqa: BLE001 - the user's own class
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return one_line(printable(text), CHARS)


def known(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the pairs whose value is known."""
    return [(name, value) for name, value in pairs if value is not None]


def _same(held: Any, default: Any) -> bool:
    try:
        return held is default or bool(held == default)
    except Exception:  # noqa: BLE001 - a value whose comparison is no truth, as an array's
        return False
