"""Limits that are set while a batch works hold for what is not asked yet; one batch's are never another's."""

from __future__ import annotations

import pytest

from nbagent import settings
from nbagent.errors import UnknownOptionError
from nbagent.runtime import current
from tests.batch.review_provider import prompt_of
from tests.provider.chat_wire import text_reply
from tests.provider.steps import Gate, Wait


def in_batch(provider, name: str) -> int:
    """How many rows of a batch the provider has been asked."""
    return sum(prompt_of(request).startswith(name) for request in provider.requests)


def test_concurrency_set_at_work(agent, provider):
    """More rows go at once, of this batch alone."""
    gates = Gate()
    provider.otherwise((Wait(gates), *text_reply("x")))
    one = agent.map(list(range(12)), "one {{ row }}", max_concurrency=2)
    other = agent.map(list(range(12)), "other {{ row }}", max_concurrency=2)
    provider.wait_for_requests(4)
    one.set_limits(max_concurrency=6)
    provider.wait_for_requests(8)
    assert (in_batch(provider, "one"), in_batch(provider, "other")) == (6, 2)
    gates.open()
    assert set(one.result(60)["status"]) == set(other.result(60)["status"]) == {"completed"}


@pytest.mark.parametrize("limit", [{"max_tokens": 18 * 3}, {"max_tokens": 1}, {"max_tokens": 18 * 4}])
def test_a_lower_limit_stops_what_is_not_asked(agent, provider, limit):
    """What is in flight ends, and no more is asked than the limit lets; a higher one lets it go on."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("x")))
    batch = agent.map(list(range(12)), "one {{ row }}", max_concurrency=2, max_tokens=10_000)
    provider.wait_for_requests(2)
    batch.set_limits(**limit)
    gate.open()
    frame = batch.result(60)
    asked = max(2, limit["max_tokens"] // 18)
    assert (frame["status"] == "completed").sum() == len(provider.requests) == asked
    batch.set_limits(max_tokens=None)
    assert set(batch.resume().result(60)["status"]) == {"completed"}
    assert len(provider.requests) == 12


def test_the_kernels_concurrency_set_at_work(agent, provider):
    """An option set while batches work holds for their next rows; no batch sets it back."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("x")))
    settings.configure("max_concurrency", 2)
    try:
        batch = agent.map(list(range(12)), "one {{ row }}", max_concurrency=8)
        provider.wait_for_requests(2)
        settings.configure("max_concurrency", 5)
        provider.wait_for_requests(5)
        assert len(provider.requests) == 5
        gate.open()
        assert set(batch.result(60)["status"]) == {"completed"}
        assert current().slots.limits.at_a_time == 5
    finally:
        settings.configure("max_concurrency", None)


def test_requests_per_minute_hold_for_single_runs_beside_the_batch(agent, provider):
    """A single run of the same model counts as one of the minute's requests, and another batch does not."""
    provider.otherwise(text_reply("x"))
    batch = agent.map(list(range(8)), "one {{ row }}", requests_per_minute=3, max_concurrency=2)
    provider.wait_for_requests(3)
    run = agent.start("single")
    other = agent.map(list(range(5)), "other {{ row }}")
    assert set(other.result(60)["status"]) == {"completed"}
    assert (in_batch(provider, "one"), in_batch(provider, "single")) == (3, 0)
    batch.cancel()
    batch.wait(60)
    assert run.result(timeout=60).content == "x", "the batch has ended, and its rate with it"


@pytest.mark.parametrize(
    "limits", [{"max_cots": 1}, {"max_cost": 0}, {"max_concurrency": None}, {"max_tokens": "many"}]
)
def test_limits_that_are_none_are_refused(agent, provider, limits):
    """In two lines, and nothing changes."""
    provider.otherwise(text_reply("x"))
    batch = agent.map([1], "one {{ row }}")
    with pytest.raises(UnknownOptionError):
        batch.set_limits(**limits)
    assert batch.result(60)["content"].to_list() == ["x"]
