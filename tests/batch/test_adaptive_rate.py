"""The pace of a batch: against limiters of every kind on a clock of its own, and against a server that refuses."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Callable

import pytest

from nbagent.batch.running.adaptive_rate import AdaptiveRate
from tests.batch.review_provider import Limited, Reviews
from tests.provider.steps import error

Admits = Callable[[float], bool]


def bucket(per_s: float, burst: float) -> Admits:
    """A bucket of tokens that refills steadily."""
    state = [burst, 0.0]

    def admits(now_s: float) -> bool:
        state[:] = [min(burst, state[0] + (now_s - state[1]) * per_s), now_s]
        if state[0] < 1:
            return False
        state[0] -= 1
        return True

    return admits


def windows(count: int, length_s: float) -> Admits:
    """So many in each second (minute, ...) of the clock."""
    used: dict[int, int] = {}

    def admits(now_s: float) -> bool:
        window = int(now_s / length_s)
        used[window] = used.get(window, 0) + 1
        return used[window] <= count

    return admits


def sliding(count: int, length_s: float) -> Admits:
    """So many in any second."""
    times: list[float] = []

    def admits(now_s: float) -> bool:
        times[:] = [at_s for at_s in times if at_s > now_s - length_s]
        if len(times) < count:
            times.append(now_s)
            return True
        return False

    return admits


def play(
    pace: AdaptiveRate,
    admits: Admits,
    rows: int,
    *,
    at_a_time: int = 64,
    retry_after_s: float | None = None,
    travel_s: float = 0.004,
) -> tuple[float, int]:
    """Send the rows as `gate.py` does, on a clock of their own; return the seconds it took and how many were refused."""
    chance = random.Random(1)  # noqa: S311 - the same at each run
    now_s, left, in_flight, queued, done = 0.0, rows, 0, 0, 0
    coming: list[tuple[float, int, bool, float]] = []
    number = 0
    while done < rows:
        started = min(left, at_a_time - in_flight)
        left, in_flight, queued = left - started, in_flight + started, queued + started
        while queued and pace.wait_s(now_s) == 0:
            queued, number = queued - 1, number + 1
            pace.sent(now_s, others_wait=queued > 0)
            there_s = travel_s * chance.uniform(0.5, 1.5)
            good = admits(now_s + there_s / 2)
            heapq.heappush(
                coming, (now_s + there_s + good * 0.05 * chance.uniform(0.5, 1.5), number, good, now_s)
            )
        next_s = now_s + pace.wait_s(now_s) + chance.uniform(0, 0.001) if queued else float("inf")
        if not coming or coming[0][0] > next_s:
            now_s = next_s
            continue
        now_s, _, good, sent_at_s = heapq.heappop(coming)
        if good:
            in_flight, done = in_flight - 1, done + 1
        else:
            queued += 1
            pace.refused(now_s, now_s - sent_at_s, retry_after_s)
    return now_s, pace.refusals


@pytest.mark.parametrize("at_a_time", [16, 64])
@pytest.mark.parametrize(
    ("limiter", "per_s"),
    [
        (lambda: bucket(20, 20), 20),
        (lambda: bucket(20, 1), 20),
        (lambda: windows(20, 1.0), 20),
        (lambda: sliding(20, 1.0), 20),
        (lambda: bucket(200, 20), 200),
        (lambda: windows(60, 60.0), 1),
    ],
    ids=["bucket", "strict", "windows", "sliding", "fast", "a minute"],
)
def test_ninety_percent_of_any_limit_is_used(limiter, per_s, at_a_time):
    """Whatever the provider counts by, 1,000 rows take at most a ninth longer than its limit allows."""
    took_s, refused = play(AdaptiveRate(), limiter(), 1_000, at_a_time=at_a_time)
    print(f"{1000 / took_s / per_s:.0%} of the rate, {refused} refused")
    assert 1000 / took_s >= 0.9 * per_s
    assert refused < 1_500


def test_refusals_that_are_long_on_their_way_are_waited_for():
    """Requests that nobody has answered yet count neither as let through nor as refused: a slow provider is no flood."""
    took_s, refused = play(AdaptiveRate(), bucket(20, 20), 500, travel_s=0.2)
    assert 500 / took_s >= 18
    assert refused < 500


def test_a_long_retry_after_is_kept_where_everything_is_refused():
    """A minute's quota that is used up is left alone until it is there again: hardly a request is wasted."""
    took_s, refused = play(AdaptiveRate(), windows(60, 60.0), 300, retry_after_s=30.0)
    assert took_s < 300
    assert refused < 120


def test_a_limit_that_goes_is_forgotten():
    """When the provider takes everything again the pace grows, and there is none in the end."""
    pace = AdaptiveRate()
    play(pace, bucket(20, 1), 200)
    slow = pace.rate_per_s
    assert slow is not None
    assert 15 < slow < 25
    now_s, sent = 1_000.0, 0
    while pace.rate_per_s is not None and now_s < 1_060.0:
        now_s += max(pace.wait_s(now_s), 0.002)
        pace.sent(now_s, others_wait=sent % 500 != 0 or pace.rate_per_s < 1_000)
        sent += 1
    assert pace.rate_per_s is None
    assert now_s < 1_060.0


def test_old_refusals_say_nothing_new():
    """Requests that were under way when the pace was lowered do not lower it again."""
    pace = AdaptiveRate()
    for _ in range(50):
        pace.sent(1.0)
    pace.refused(1.1, 0.1, None)
    rate = pace.rate_per_s
    for _ in range(20):
        pace.refused(1.1, 0.1, None)
    assert pace.rate_per_s == rate
    assert pace.refusals == 21


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
