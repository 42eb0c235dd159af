"""What a model call cost, in dollars, or None where nobody knows.

Called by the loop when a call ends, on the background thread. Unknown is None, never 0.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from nbagent.events import Usage


def price_usd(provider: str, model: str, usage: Usage) -> float | None:
    """Return the dollars of one call: the provider's own figure, else the price list's, else None.

    The price list is the package `genai-prices` (extra `prices`), used where it is installed.
    """
    if usage.cost_usd is not None:
        return usage.cost_usd
    if provider in _FREE or usage.input_tokens is None or usage.output_tokens is None:
        return None
    listed = _price_list()
    return listed(provider, model, usage) if listed is not None else None


def has_price(provider: str, model: str) -> bool:
    """Return whether a call's cost will be known: free, reported by the provider itself, or on the price list."""
    if provider in _FREE or provider in _SAYING_ITS_PRICE:
        return True
    return price_usd(provider, model, Usage(input_tokens=1, output_tokens=1)) is not None


def price_table() -> str:
    """Return where prices are looked up, in words for a message."""
    if _price_list() is None:
        return 'the price table, which is not installed (pip install "nbagent-jupyter[prices]")'
    return "the price table (the package genai-prices)"


def prepare_prices(provider: str) -> None:
    """Load the price list in a thread of its own, once: its import takes half a second, the loop must not wait."""
    if provider not in _FREE and not _preparing.is_set():
        _preparing.set()
        threading.Thread(target=_price_list, name="nbagent price list", daemon=True).start()


@functools.cache
def _price_list() -> Callable[[str, str, Usage], float | None] | None:
    try:
        import genai_prices
    except ImportError:
        return None

    unlisted: set[tuple[str, str]] = set()  # finding that a model is on no list is a search of all of it

    def look_up(provider: str, model: str, usage: Usage) -> float | None:
        if (provider, model) in unlisted:
            return None
        counts: Any = genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )
        try:
            price = genai_prices.calc_price(
                counts, model_ref=model, provider_id=_LISTED_AS.get(provider, provider)
            )
        except LookupError:
            unlisted.add((provider, model))
            return None
        return float(price.total_price)

    return look_up


_FREE = frozenset({"demo"})
_SAYING_ITS_PRICE = frozenset({"openrouter"})
_preparing = threading.Event()
_LISTED_AS = {"openai-chat": "openai"}
