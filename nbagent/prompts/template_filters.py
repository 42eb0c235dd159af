"""What templates' filters and operators do with a missing value, and the bound on what they make larger. Any thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nbagent.prompts.rendering import MISSING, json_text

_MAX_ITEMS, _MAX_BITS = 10_000_000, 100_000  # of what a template multiplies or pads
_PADDING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs"})
_CONVERSION = re.compile(r"%(\(\w+\))?[#0 +-]*(\*|\d+)?(?:\.(\*|\d+))?[hlL]?([a-zA-Z%])")
_OF_A_VALUE = ("int", "float", "round", "filesizeformat", "first", "last", "min", "max", "random")


def adapt_filters(filters: dict[str, Callable[..., Any]]) -> None:
    """Replace jinja2's filters that fail on a missing value or may make a text without end."""
    filters["tojson"] = _to_json
    for name in _OF_A_VALUE:
        filters[name] = of_a_value(filters[name], has_default=name in ("int", "float"))
    filters["default"] = filters["d"] = _or_default
    filters["format"] = _format
    for name in ("center", "indent", "batch", "slice"):
        filters[name] = _bounded(filters[name])


def of_a_value(function: Callable[..., Any], *, has_default: bool = False) -> Callable[..., Any]:
    """Return a function that gives nothing of a missing value, unless it is given a default of its own."""
    first = 1 if hasattr(function, "jinja_pass_arg") else 0  # jinja2 passes its environment to some

    def called(*args: Any, **kwargs: Any) -> Any:
        has_other = has_default and (len(args) > first + 1 or kwargs)
        is_nothing = len(args) > first and args[first] is MISSING
        return MISSING if is_nothing and not has_other else function(*args, **kwargs)

    return _as_for_jinja(called, function)


def endless_product(operator: str, left: Any, right: Any) -> bool:
    """Say whether a product, a power or a formatted text is larger than any prompt, before it is made."""
    if operator == "%":
        return isinstance(left, str) and endless_format(left, right)
    if operator == "**":
        return isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > _MAX_BITS
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | bytes | list | tuple) and isinstance(times, int):
            return len(many) * times > _MAX_ITEMS
    return False


def endless_format(text: str, args: Any) -> bool:
    """Say whether a `%` format has a width or precision larger than any prompt."""
    several = args if isinstance(args, tuple) else (args,)
    for found in _CONVERSION.finditer(text):
        for width in (found[2], found[3]):
            if width == "*" and any(_is_too_many(one) for one in several):
                return True
            if width and width != "*" and _is_too_many(int(width)):
                return True
    return False


def endless_call(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Say whether a text's own method would make a text larger than any prompt."""
    method = getattr(function, "__wrapped__", function)  # of `format`: jinja2 has its own around it
    text, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if not isinstance(text, str | bytes):
        return False
    values = (*args, *kwargs.values())
    if name in _PADDING:
        return any(_is_too_many(one) for one in values)
    if name in ("format", "format_map") and isinstance(text, str):
        nested = re.search(r"\{[^{}]*:[^{}]*\{", text) is not None
        widths = re.findall(r"\{[^{}]*:[^{}]*?(\d{8,})", text)
        return bool(widths) or (nested and any(_is_too_many(one) for one in values))
    if name == "replace" and len(args) > 1 and isinstance(args[1], type(text)) and len(args[1]) > 1:
        return (len(text) + 1) * len(args[1]) > _MAX_ITEMS and text.count(args[0]) * len(args[1]) > _MAX_ITEMS
    return False


def format_percent(text: str, args: Any) -> str:
    """Return `text % args`; a missing value is nothing, whichever conversion it is given to."""
    several = args if isinstance(args, tuple | Mapping) else (args,)
    values = several.values() if isinstance(several, Mapping) else several
    if any(one is MISSING for one in values):
        text = _with_plain_conversions(text, several)
    formatted: str = text % args
    return formatted


def _with_plain_conversions(text: str, args: Any) -> str:
    """Return the format with `%s` in place of each conversion of a missing value."""
    position = 0

    def convert(found: re.Match[str]) -> str:
        nonlocal position
        if found[4] == "%":
            return found[0]
        if found[1]:
            value = args.get(found[1][1:-1]) if isinstance(args, Mapping) else None
            return f"%{found[1]}s" if value is MISSING else found[0]
        position += [found[2], found[3]].count("*")
        value = args[position] if not isinstance(args, Mapping) and position < len(args) else None
        position += 1
        return "%s" if value is MISSING and "*" not in (found[2], found[3]) else found[0]

    return _CONVERSION.sub(convert, text)


def _is_too_many(value: Any) -> bool:
    return isinstance(value, int) and value > _MAX_ITEMS


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses a width or count larger than any prompt."""
    from jinja2.exceptions import SecurityError

    def called(*args: Any, **kwargs: Any) -> Any:
        if any(_is_too_many(one) for one in (*args[1:], *kwargs.values())):
            raise SecurityError("the result would be too large")
        return function(*args, **kwargs)

    return _as_for_jinja(called, function)


def _as_for_jinja(called: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a filter as jinja2 marks the one that it replaces."""
    for name in ("jinja_pass_arg", "jinja_async_variant", "__name__"):
        if hasattr(function, name):
            setattr(called, name, getattr(function, name))
    return called


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    """The filter `format`: `{{ "%s, %d" | format(a, b) }}`."""
    from jinja2.exceptions import FilterArgumentError, SecurityError

    if args and kwargs:
        raise FilterArgumentError("can't handle positional and keyword arguments at the same time")
    text = str(value)
    if endless_format(text, args or tuple(kwargs.values())):
        raise SecurityError("the result would be too large")
    return format_percent(text, kwargs or args)


def _to_json(value: object, indent: int | None = None) -> str:
    """The filter `tojson`: a prompt is no HTML, so that quotes and angle brackets stay as they are."""
    return json_text(value, indent)


def _or_default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - jinja2's
    """The filter `default`: a missing value has none of its own."""
    from jinja2 import Undefined

    if isinstance(value, Undefined) or value is MISSING or (boolean and not value):
        return default_value
    return value
