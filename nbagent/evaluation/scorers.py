"""Scorers that come along: plain functions of an answer, what was expected, and the case's row. Pure.

A scorer is `f(answer, expected, row)` and returns True or False, a number, or a dict of these by name. The ones here
look into a typed answer by themselves: where `expected` is one value, the field that is named like the column of the
case which holds it is compared, else an answer's only field.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Callable, Mapping
from typing import Any

from nbagent.core import plain_number, unwrapped
from nbagent.errors import ConfigurationError
from nbagent.schemas import fields_of

COMPARES = "_compares_with_expected"  # what a scorer has that says nothing where nothing is expected

Score = bool | float | Mapping[str, bool | float]
Scorer = Callable[[Any, Any, Mapping[Any, Any]], Score]


def _compares(scorer: Scorer) -> Scorer:
    setattr(scorer, COMPARES, True)
    return scorer


def _as_it_is(scorer: Scorer) -> Scorer:
    return scorer


@_compares
def exact(answer: Any, expected: Any, row: Mapping[Any, Any]) -> bool:
    r"""Say whether the answer is what was expected; blanks around a text do not count, and 3 is 3.0.

    >>> exact(" Paris\n", "Paris", {})
    True
    """
    found, wanted = _plain(compared(answer, expected, row)), _plain(expected)
    if _is_number(wanted) and isinstance(found, str):
        found = number_in(found, whole=True)
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


@_compares
def contains(answer: Any, expected: Any, row: Mapping[Any, Any]) -> bool:
    """Say whether the answer's text contains what was expected, in any case of letters; of a list, all of it.

    >>> contains("It is Paris, of course.", "paris", {})
    True
    """
    wanted = list(expected) if isinstance(expected, list | tuple | set | frozenset) else [expected]
    text = _text(compared(answer, expected, row)).casefold()
    return all(_text(one).casefold() in text for one in wanted)


def regex(pattern: str, *, flags: int = 0) -> Scorer:
    r"""Make a scorer that says whether a pattern is found in the answer's text.

    "{expected}" in it is the expected value.

    >>> regex(r"\b{expected}\b")("It is 42.", 42, {})
    True

    Raises:
        ConfigurationError: the pattern is none.
    """
    try:
        re.compile(pattern.replace("{expected}", ""), flags)
    except (re.error, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"regex was given {pattern!r}: {error}", "give a regular expression"
        ) from None

    @_compares if "{expected}" in pattern else _as_it_is
    def regex(answer: Any, expected: Any, row: Mapping[Any, Any]) -> bool:
        own = pattern.replace("{expected}", re.escape(_text(expected)))
        return re.search(own, _text(compared(answer, expected, row)), flags) is not None

    return regex


def within(tolerance: float, *, relative: bool = False) -> Scorer:
    """Make a scorer that says whether the answer's number is that close to the expected one.

    `tolerance` is in the numbers' own unit, or with `relative` a share of the expected number. A text's only number
    counts; an answer without one is no match.

    >>> within(0.5)("about 41.8 metres", 42, {})
    True

    Raises:
        ConfigurationError: the tolerance is no number from 0.
    """
    if not _is_number(tolerance) or not tolerance >= 0:
        raise ConfigurationError(f"within was given {tolerance!r}", "give a number from 0, as in within(0.5)")

    @_compares
    def within(answer: Any, expected: Any, row: Mapping[Any, Any]) -> bool:
        found, wanted = number_in(compared(answer, expected, row)), number_in(expected)
        if found is None or wanted is None:
            return False
        return abs(found - wanted) <= tolerance * (abs(wanted) if relative else 1.0)

    return within


def compared(answer: Any, expected: Any, row: Mapping[Any, Any]) -> Any:
    """Give the part of an answer that is compared with one expected value: a record's field, else the answer."""
    fields = fields_of(answer)
    if fields is None or fields_of(expected) is not None:
        return answer
    for name, value in fields.items():
        if name in row and _plain(row[name]) == _plain(expected):
            return value
    return next(iter(fields.values())) if len(fields) == 1 else answer


def number_in(value: Any, *, whole: bool = False) -> float | None:
    """Give the only number of a value or a text (of nothing but it, where `whole`); None where there is none or several."""
    if _is_number(value):
        return None if (number := plain_number(value)) is None else float(number)
    found = re.findall(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?", _text(value))
    if len(found) != 1 or (whole and found[0] != _text(value).strip()):
        return None
    return float(found[0].replace(",", ""))


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Give a value as it is compared: typed objects as their fields, texts without the blanks around them."""
    if (fields := fields_of(value)) is not None:
        return {name: _plain(one) for name, one in fields.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    value = unwrapped(value)
    if hasattr(value, "value") and hasattr(value, "name") and not isinstance(value, str):
        value = value.value  # an enum's member
    return value.strip() if isinstance(value, str) else value


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else str(plain)
