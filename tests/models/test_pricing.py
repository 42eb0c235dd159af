"""What a call cost: the provider's word, the price list's, or nobody's."""

from __future__ import annotations

import json
import sys

import pytest

from nbagent import settings
from nbagent.events import Usage
from nbagent.models import price_usd
from nbagent.models import pricing as prices_module
from nbagent.models.pricing import has_price, price_table

USED = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def test_the_providers_own_figure_comes_first():
    """A cost that the provider reports is the cost, for an unknown model too."""
    assert price_usd("openrouter", "anything", Usage(cost_usd=0.25)) == 0.25


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("demo", "assistant", USED),
        ("openai", "no-such-model-1", USED),
        ("nowhere", "gpt-4o-mini", USED),
        ("ollama", "llama3", USED),
        ("openai", "gpt-4o-mini", Usage(input_tokens=5)),
        ("openai", "gpt-4o-mini", Usage()),
    ],
)
def test_unknown_is_none(provider, model, usage):
    """What nobody knows is None and never 0."""
    assert price_usd(provider, model, usage) is None


def test_the_price_list():
    """A listed model has a price, under both names of the provider."""
    pytest.importorskip("genai_prices")
    cost = price_usd("openai", "gpt-4o-mini", USED)
    assert cost is not None
    assert 0.1 < cost < 10
    assert price_usd("openai-chat", "gpt-4o-mini", USED) == cost


def test_without_the_price_list(monkeypatch):
    """Where the extra is not installed, prices are None and nothing fails."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    prices_module._price_list.cache_clear()
    try:
        assert price_usd("openai", "gpt-4o-mini", USED) is None
    finally:
        prices_module._price_list.cache_clear()


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("demo", "assistant", True),
        ("openrouter", "anything", True),
        ("openai", "no-such-model-1", False),
        ("ollama", "llama3", False),
    ],
)
def test_whether_a_cost_will_be_known(provider, model, known):
    """A model is priced if it is free, its provider says what a call cost, or the price list has it."""
    assert has_price(provider, model) is known


def test_where_prices_come_from(monkeypatch):
    """The price table has a name, and where it is missing how to get it."""
    pytest.importorskip("genai_prices")
    assert has_price("openai", "gpt-4o-mini")
    assert price_table() == "the price table (genai-prices, and NBAGENT_PRICES in the environment)"
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    prices_module._price_list.cache_clear()
    try:
        assert not has_price("openai", "gpt-4o-mini")
        assert "genai-prices, which is not installed" in price_table()
    finally:
        prices_module._price_list.cache_clear()


OWN = {"input": 2.0, "output": 10.0, "cache_read": 0.5}


@pytest.fixture
def own_prices():
    """A table of the user's own, taken back after the test."""
    settings.configure("prices", {"siliconflow:q": OWN, "openai:gpt-4o-mini": OWN})
    yield
    settings.configure("prices", None)


@pytest.mark.usefixtures("own_prices")
@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (USED, 12.0),
        (Usage(input_tokens=1_000_000, output_tokens=0, cache_read_tokens=400_000), 0.6 * 2 + 0.4 * 0.5),
        (Usage(input_tokens=1_000_000, output_tokens=0, cache_write_tokens=400_000), 2.0),
        (Usage(input_tokens=10, output_tokens=0, cost_usd=0.125), 0.125),
        (Usage(input_tokens=10), None),
    ],
)
def test_the_users_own_table(usage, dollars):
    """Each token is priced once, cached ones at their own price; the provider's own figure still comes first."""
    found = price_usd("siliconflow", "q", usage)
    assert found == (None if dollars is None else pytest.approx(dollars))
    assert has_price("siliconflow", "q")


@pytest.mark.usefixtures("own_prices")
def test_the_users_own_price_wins_over_the_price_list():
    """Whoever writes a price down means it: a contract's price differs from the list's."""
    assert price_usd("openai", "gpt-4o-mini", USED) == pytest.approx(12.0)


def test_a_broken_table_prices_nothing(monkeypatch):
    """A run that goes on does not fail over a table that was broken meanwhile."""
    monkeypatch.setenv("NBAGENT_PRICES", '{"siliconflow:q": 3}')
    assert price_usd("siliconflow", "q", USED) is None


WRITTEN = {"input_tokens": 1_000_000, "output_tokens": 0, "cache_write_tokens": 1_000_000}


@pytest.mark.parametrize(
    ("an_hour", "own", "listed"),
    [(None, 2.5, 2.5), (0, 2.5, 2.5), (400_000, 0.6 * 2.5 + 0.4 * 4, 0.6 * 2.5 + 0.4 * 4), (1_000_000, 4.0, 4.0), (9_000_000, 4.0, 4.0)],
)  # fmt: skip
def test_what_is_kept_for_an_hour_has_its_own_price(monkeypatch, an_hour, own, listed):
    """Writes for five minutes and for an hour are priced apart, by the user's table and by the price list."""
    used = Usage(**WRITTEN, cache_write_1h_tokens=an_hour)
    assert price_usd("anthropic", "claude-sonnet-5", used) == pytest.approx(listed)
    prices = {"input": 2.0, "output": 10.0, "cache_write": 2.5, "cache_write_1h": 4.0}
    monkeypatch.setenv("NBAGENT_PRICES", json.dumps({"anthropic:own": prices}))
    assert price_usd("anthropic", "own", used) == pytest.approx(own)
