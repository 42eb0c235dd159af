"""A provider's usage object as our `Usage`: inclusive counts, None where it says nothing.

Used by the adapters when a reply has ended; pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nbagent.events import Usage
from nbagent.models.replies.lenient import whole_number

_NOTHING = Usage()
_READ = frozenset({
    "cached_tokens", "cache_read_input_tokens", "cache_read_tokens", "prompt_cache_hit_tokens", "cached_prompt_tokens",
    "cached_input_tokens", "cached_content_token_count", "num_cached_tokens", "cacheReadInputTokens",
})  # fmt: skip
_WRITTEN = frozenset({
    "cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens", "cache_write_input_tokens",
    "cacheWriteInputTokens",
})  # fmt: skip
_THOUGHT = frozenset({
    "reasoning_tokens", "thinking_tokens", "thoughts_token_count", "thoughts_tokens", "reasoning_output_tokens"
})  # fmt: skip


def merged(before: Mapping[str, Any] | None, usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the usage of a later chunk over that of an earlier one: a zero or null erases no number."""
    if not before:
        return usage
    whole = dict(before)
    for name, value in usage.items():
        known = whole.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            whole[name] = merged(known, value)
        elif value or not known:
            whole[name] = value
    return whole


def usage_of(usage: Mapping[str, Any] | None) -> Usage:
    """Return the counts of a `usage` object, whatever names the provider gives its parts.

    Cached tokens that a provider counts beside its input are added to it, and thoughts that are in its total
    alone to its output: both are inclusive here.
    """
    if not usage:
        return _NOTHING
    prompt = _part(usage, "prompt_tokens_details") or _part(usage, "input_tokens_details")
    completion = _part(usage, "completion_tokens_details") or _part(usage, "output_tokens_details")
    given = _first(usage.get("prompt_tokens"), usage.get("input_tokens"))
    made = _first(usage.get("completion_tokens"), usage.get("output_tokens"))
    total = _count(usage.get("total_tokens"))
    cost = usage.get("cost")  # Perplexity's is an object of its parts
    cost = dollars_in(cost.get("total_cost") if isinstance(cost, Mapping) else cost)
    if not (given or made or total or cost):
        return _NOTHING  # zeros are how some servers say that they did not count
    read, written = _most(_READ, prompt, usage), _most(_WRITTEN, prompt, usage)
    thoughts = _most(_THOUGHT, completion, usage)
    if given is not None and made is not None:
        cached = (read or 0) + (written or 0)
        if cached and (cached > given or total == given + made + cached or _is_exclusive(usage, total)):
            if total == given + made:
                total += cached
            given += cached
        unsaid = (total or 0) - given - made
        if unsaid > 0 and (not thoughts or thoughts == unsaid):
            thoughts, made = unsaid, made + unsaid
        total = given + made if total is None else total
    return Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=total,
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=thoughts,
        cost_usd=cost,
    )


def _is_exclusive(usage: Mapping[str, Any], total: int | None) -> bool:
    """True for Anthropic's own form, in which the input leaves out what the cache gave and took."""
    return total is None and "prompt_tokens" not in usage and "cache_read_input_tokens" in usage


def _most(names: frozenset[str], *parts: Mapping[str, Any]) -> int | None:
    """Return the count that goes by one of the names; the larger one where some say zero for not counted."""
    counts = [
        count
        for part in parts
        for name in part
        if name in names and (count := _count(part[name])) is not None
    ]
    return max(counts, default=None)


def _part(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = usage.get(name)
    return part if isinstance(part, Mapping) else {}


def _first(*values: Any) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: Any) -> int | None:
    number = whole_number(value)
    return number if number is not None and number >= 0 else None


def dollars_in(value: Any) -> float | None:
    """Return what a provider says that a call cost; None where it is no number."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf
