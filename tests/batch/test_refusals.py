"""A batch, and a single run, against a real server that refuses: `runtime/test_pace.py` has the rules on a virtual clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from nbagent import Agent, Limits
from tests.batch.review_provider import Limited, Reviews
from tests.provider.steps import error

STATUSES = pytest.mark.parametrize("status", [429, 503, 529])
HEADERS = {
    "at once": {"retry-after": "0"},
    "soon": {"retry-after": "0.05"},
    "milliseconds": {"retry-after-ms": "20"},
    "a date that is past": {"retry-after": format_datetime(datetime.now(UTC), usegmt=True)},
}


class RefusedFirst:
    """Refuses each prompt `times` times."""

    def __init__(self, times, status, headers) -> None:
        self.left = {}
        self.times, self.status, self.headers = times, status, headers

    def refuse(self, prompt):
        """Return the refusal of a prompt's first tries, None for the later ones."""
        left = self.left.setdefault(prompt, self.times)
        if not left:
            return None
        self.left[prompt] -= 1
        return error(self.status, "come again", headers=self.headers)


@STATUSES
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_each_row_refused_twice(agent, provider, status, headers):
    """Short Retry-Afters are kept and no longer ones made up: every row is asked three times, though none may be retried."""
    reviews = Reviews(refuses=RefusedFirst(2, status, headers).refuse)
    provider.otherwise(reviews.answer)
    frame = agent.map(list(range(40)), "Say: {{ row }}").result(60)
    assert set(frame["status"]) == {"completed"}, frame["error"].dropna().unique()
    assert set(reviews.asked.values()) == {3}


@STATUSES
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_a_single_run_refused_twice(agent, provider, status, headers):
    """A run that is told to come again at once is asked again at once; its own retries count each refusal."""
    reviews = Reviews(refuses=RefusedFirst(2, status, headers).refuse)
    provider.otherwise(reviews.answer)
    patient = Agent(model=agent.model, limits=Limits(model_retries=2))
    output = patient.run("Say: 1")
    assert (output.status, reviews.asked["Say: 1"]) == ("completed", 3)
    assert sum(call.duration_s for call in output.model_calls) < output.metrics.duration_s
    impatient = Agent(model=agent.model, limits=Limits(model_retries=1))
    assert impatient.run("Say: 2").status == "error"
    assert reviews.asked["Say: 2"] == 2


@pytest.mark.parametrize("told", ["nan", "inf", "-1", "soon"])
def test_a_retry_after_that_says_nothing(agent, provider, told):
    """What is no time is no Retry-After; the row is asked again all the same."""
    reviews = Reviews(refuses=RefusedFirst(1, 429, {"retry-after": told}).refuse)
    provider.otherwise(reviews.answer)
    frame = agent.map(["a", "b", "c"], "Say: {{ row }}").result(60)
    assert set(frame["status"]) == {"completed"}
    assert set(reviews.asked.values()) == {2}


def test_a_cancelled_batch_waits_for_no_retry_after(agent, provider):
    """Rows that keep a long Retry-After end with their batch, and none is asked again."""
    reviews = Reviews(refuses=RefusedFirst(1_000, 429, {"retry-after": "50"}).refuse)
    provider.otherwise(reviews.answer)
    batch = agent.map(list(range(40)), "Say: {{ row }}", max_concurrency=4)
    reviews.wait_for(4)
    batch.cancel()
    frame = batch.result(60)
    assert "completed" not in set(frame["status"])
    asked = reviews.asked.total()
    assert asked < 40
    assert len(provider.requests) == asked


def test_no_row_fails_where_the_server_limits_requests(agent, provider, capsys):
    """A real server, 50 requests a second: nearly that rate, every row right though no try is left, and it is said."""
    limit = Limited(50)
    reviews = Reviews(refuses=limit.refuse)
    provider.otherwise(reviews.answer)
    batch = agent.map(list(range(200)), "Say: {{ row }}", max_concurrency=32)
    began = time.monotonic()
    frame = batch.result(60)
    rate = limit.reached_per_s
    with capsys.disabled():
        print(f"\n  {rate:.0f} of 50 requests/s, {limit.refused} refused, {time.monotonic() - began:.1f} s")
    assert set(frame["status"]) == {"completed"}, frame["error"].dropna().unique()
    assert list(frame["content"]) == [f"<Say: {n}>" for n in range(200)]
    assert any("429" in notice and "slowing down" in notice for notice in batch.notices)
    assert rate > 25, "a generous bound: the machine may be busy; the soak holds 90 %"


def test_quota_that_is_used_up_is_no_pace(agent, provider):
    """A 429 that says there is no money left fails the row at once: waiting would not help."""
    provider.otherwise(error(429, "You exceeded your current quota", code="insufficient_quota"))
    frame = agent.map(["a"], "{{ row }}").result(60)
    assert list(frame["status"]) == ["error"]
    assert len(provider.requests) == 1


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("headers", [{}, {"retry-after": "1"}], ids=["plain", "retry-after"])
def test_twenty_requests_a_second(agent, provider, headers):
    """1,000 rows against 20 requests a second: 90 % of it or better, and no row fails."""
    limit = Limited(20, headers=headers)
    provider.otherwise(Reviews(refuses=limit.refuse).answer)
    began = time.monotonic()
    frame = agent.map(list(range(1_000)), "Say: {{ row }}", max_concurrency=64).result(280)
    rate = 1_000 / (time.monotonic() - began)  # from the launch to the frame
    print(f"{rate:.2f} rows/s of 20, {limit.refused} refused")
    assert set(frame["status"]) == {"completed"}
    assert rate >= 18
