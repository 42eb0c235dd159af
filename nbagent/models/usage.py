"""A provider's usage object as our `Usage`: inclusive counts, None where it says nothing.

Used by the adapters when a reply has ended; pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nbagent.events import Usage

_NOTHING = Usage()


def usage_of(usage: Mapping[str, Any] | None) -> Usage:
    """Return the counts of a `usage` object of either wire format, whichever names the provider gives its parts."""
    if not usage:
        return _NOTHING
    prompt = _part(usage, "prompt_tokens_details") or _part(usage, "input_tokens_details")
    completion = _part(usage, "completion_tokens_details") or _part(usage, "output_tokens_details")
    given = _first(usage.get("prompt_tokens"), usage.get("input_tokens"))
    made = _first(usage.get("completion_tokens"), usage.get("output_tokens"))
    total = _count(usage.get("total_tokens"))
    if total is None and given is not None and made is not None:
        total = given + made
    if not (given or made or total or usage.get("cost")):
        return _NOTHING  # zeros are how some servers say that they did not count
    return Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=total,
        cache_read_tokens=_first(
            prompt.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")
        ),
        cache_write_tokens=_first(prompt.get("cache_write_tokens"), usage.get("cache_creation_input_tokens")),
        reasoning_tokens=_first(completion.get("reasoning_tokens"), usage.get("reasoning_tokens")),
        cost_usd=_dollars(usage.get("cost")),
    )


def _part(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = usage.get(name)
    return part if isinstance(part, Mapping) else {}


def _first(*values: Any) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _dollars(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
