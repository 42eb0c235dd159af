"""What a model call cost, in dollars, or None where nobody knows.

Called by the loop when a call ends, on the background thread, and at a launch. A provider's own figure counts
before all others, then the user's own table (`%config NBAgent.prices`, `[tool.nbagent.prices]`), which is
there to say more or better than the price list does, then the package `genai-prices`. Unknown is None, never
0.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from nbagent import settings
from nbagent.core import how_to_set, run_in_daemon_thread
from nbagent.errors import ConfigurationError
from nbagent.events import Usage
from nbagent.models.catalog.table import provider_row
from nbagent.models.providers import is_loopback


def price_usd(provider: str, model: str, usage: Usage) -> float | None:
    """Return a call's dollars: the provider's figure, else the user's table's, else the price list's."""
    if usage.cost_usd is not None:
        return usage.cost_usd
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    try:
        return _from_tables(provider, model, usage)
    except ArithmeticError:  # counts that a server made up, beyond what a float holds
        return None


def _from_tables(provider: str, model: str, usage: Usage) -> float | None:
    own = _own_prices().get(f"{provider}:{model}")
    if own is not None:
        return _priced(own, usage)
    if is_free(provider):
        return None
    listed = _price_list()
    return listed(*price_key(provider, model), usage) if listed is not None else None


def is_free(provider: str) -> bool:
    """Return whether nothing that this provider answers costs anything."""
    row = provider_row(provider)
    return row is not None and row.is_free


def can_cost(provider: str) -> bool:
    """Return whether what this provider answers could cost anything: not the demo's, nor that of a server on this machine."""
    row = provider_row(provider)
    return row is None or not (row.is_free or (row.base_url is not None and is_loopback(row.base_url)))


def has_price(provider: str, model: str) -> bool:
    """Return whether a call's cost will be known: free, reported by the provider itself, or on a table."""
    row = provider_row(provider)
    if row is not None and (row.is_free or row.tells_cost):
        return True
    return price_usd(provider, model, Usage(input_tokens=1, output_tokens=1)) is not None


def may_cost(model: Any) -> bool:
    """Return whether a call of a model could cost something, as far as is known: not on this machine, and not at 0."""
    if isinstance(told := getattr(model, "models", None), tuple):
        return any(map(may_cost, told))
    known = price_usd(model.provider, model.id, Usage(input_tokens=1000, output_tokens=1000))
    if known is not None:
        return known > 0
    address = getattr(model, "address", None)
    return can_cost(model.provider) and not (isinstance(address, str) and is_loopback(address))


def dearest_usd(provider: str, usage: Usage) -> float | None:
    """Return what a call would cost at most, by the known models of a provider; None where none is known."""
    own = [
        _priced(prices, usage) for name, prices in _own_prices().items() if name.partition(":")[0] == provider
    ]
    row = provider_row(provider)
    listed = _dearest_listed(price_key(provider, "")[0] if row is not None else provider)
    look_up = _price_list()
    if listed is not None and look_up is not None:
        found = look_up(*listed, usage)
        own += [] if found is None else [found]
    return max(own, default=None)


@functools.cache
def _dearest_listed(provider: str) -> tuple[str, str] | None:
    """Return the price list's dearest model of a provider, by a million tokens in and a million out."""
    look_up = _price_list()
    if look_up is None:
        return None
    from genai_prices import data_snapshot

    names = [
        model.id
        for one in data_snapshot.get_snapshot().providers
        if one.id == provider
        for model in one.models
    ]
    asked = Usage(input_tokens=_MILLION, output_tokens=_MILLION)
    priced = [(price, name) for name in names if (price := look_up(provider, name, asked)) is not None]
    return (provider, max(priced)[1]) if priced else None


def price_table() -> str:
    """Return where prices are looked up, in words for a message."""
    listed = "genai-prices" if _price_list() is not None else "genai-prices, which is not installed"
    return f"the price table ({listed}, and {how_to_set('prices')})"


def _own_prices() -> Mapping[str, Mapping[str, float]]:
    """The user's table; a broken one is refused at the next launch and prices nothing till then."""
    try:
        table: Mapping[str, Mapping[str, float]] = settings.get("prices")
    except ConfigurationError:
        return {}
    return table


def _priced(prices: Mapping[str, float], usage: Usage) -> float:
    """Price each kind of token once; cached tokens are part of the input, and cost the same by default."""
    read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    an_hour = min(usage.cache_write_1h_tokens or 0, written)
    write_price = prices.get("cache_write", prices["input"])
    plain = max((usage.input_tokens or 0) - read - written, 0)
    dollars = (
        plain * prices["input"]
        + read * prices.get("cache_read", prices["input"])
        + (written - an_hour) * write_price
        + an_hour * prices.get("cache_write_1h", write_price)
        + (usage.output_tokens or 0) * prices["output"]
    )
    return dollars / _MILLION


async def prepare_prices(provider: str) -> None:
    """Load the price list in a thread, once: its import takes half a second."""
    if not is_free(provider) and not _prepared.is_set():
        await run_in_daemon_thread(_load_price_list, name="nbagent price list")
        _prepared.set()


def price_key(provider: str, model: str) -> tuple[str, str]:
    """Return the price list's names for a model: those that it was given, else by its provider's row."""
    if (given := _given_keys.get((provider, model))) is not None:
        return given
    row = provider_row(provider)
    return (provider, model) if row is None else row.listed_as(model)


def price_as(provider: str, model: str, key: str) -> None:
    """Let a model cost what "provider:model", the key, costs on the price list. Raises ConfigurationError."""
    listed, colon, name = str(key).partition(":")
    if not (listed.strip() and colon and name.strip()):
        raise ConfigurationError(
            f"the price_key of model {provider}:{model} is {key!r:.80}",
            'name the provider and the model whose prices it has: price_key="openai:gpt-5-mini"',
        )
    row = provider_row(listed.strip())
    _given_keys[provider, model] = (
        (listed.strip(), name.strip()) if row is None else row.listed_as(name.strip())
    )


def _load_price_list() -> None:
    """Import the price list with its data, which the package itself reads at the first look-up."""
    if (look_up := _price_list()) is not None:
        look_up("openai", "gpt-5-mini", Usage(input_tokens=1, output_tokens=1))


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
            **_written_for_an_hour(usage),
        )
        try:
            price = genai_prices.calc_price(counts, model_ref=model, provider_id=provider)
        except LookupError:
            unlisted.add((provider, model))
            return None
        return float(price.total_price)

    return look_up


def _written_for_an_hour(usage: Usage) -> dict[str, int]:
    """Return the count of a price of its own, which older price lists do not know: only where there is one."""
    an_hour = min(usage.cache_write_1h_tokens or 0, usage.cache_write_tokens or 0)
    return {"cache_write_1h_tokens": an_hour} if an_hour else {}


_MILLION = 1_000_000
_given_keys: dict[tuple[str, str], tuple[str, str]] = {}
_prepared = threading.Event()
