"""The pace against servers that refuse, on a virtual clock: the limiter, the gates and the retries are the real ones."""

from __future__ import annotations

import pytest

from nbagent.runtime.limits.pace import HOPELESS_S, Pace
from tests.runtime.refusing_servers import (
    HONEST,
    WHOLE,
    RefusingServer,
    at_a_time,
    bucket,
    chance,
    first_tries,
    sliding,
    window,
)
from tests.runtime.simulated_batch import play

STATUSES = pytest.mark.parametrize("status", [429, 503, 529])
LIMITS = {
    "bucket": (lambda: bucket(20, 20), 20),
    "strict": (lambda: bucket(20, 1), 20),
    "windows": (lambda: window(20, 1.0), 20),
    "sliding": (lambda: sliding(20, 1.0), 20),
    "fast": (lambda: bucket(200, 20), 200),
    "a minute": (lambda: window(60, 60.0), 1),
}


@STATUSES
@pytest.mark.parametrize(("retry_after_s", "within_s"), [(0.0, 2.0), (1.0, 6.0), (0.3, 6.0), (None, 15.0)])
def test_each_prompt_refused_twice(status, retry_after_s, within_s):
    """Refusals that do not depend on our rate stop no batch: the third try of each row is answered, soon."""
    server = RefusingServer(first_tries(2), retry_after_s, status)
    played = play(server, 40)
    assert (played.answered, server.tries) == (40, 120)
    assert played.took_s <= within_s


@STATUSES
@pytest.mark.parametrize("share", [0.2, 0.5, 0.67])
@pytest.mark.parametrize("retry_after_s", [0.0, 1.0, None])
def test_random_refusals(status, share, retry_after_s):
    """A share refused at any rate costs each row its own tries; the batch ends soon after the unluckiest row could."""
    server = RefusingServer(chance(share), retry_after_s, status)
    played = play(server, 400)
    unluckiest_s = (max(server.asked.values()) - 1) * (retry_after_s or 0.0)
    assert played.answered == 400
    assert played.took_s <= max(15.0, unluckiest_s + 3.0)


@pytest.mark.parametrize("retry_after_s", [0.0, 1.0, None])
def test_nine_of_ten_refused(retry_after_s):
    """Nothing fails, and no try is wasted beyond what the server's own dice cost."""
    server = RefusingServer(chance(0.9), retry_after_s)
    played = play(server, 400)
    assert played.answered == 400
    assert server.tries_per_admitted < 11
    assert played.took_s < 120


@pytest.mark.parametrize("at_once", [16, 64])
@pytest.mark.parametrize("name", LIMITS)
def test_ninety_percent_of_any_limit_is_used(name, at_once):
    """Whatever the provider counts by, 1,000 rows take at most a ninth longer than its limit allows."""
    rule, per_s = LIMITS[name]
    server = RefusingServer(rule())
    played = play(server, 1_000, at_a_time=at_once)
    assert 1_000 / played.took_s >= 0.9 * per_s
    assert played.answered == 1_000
    assert server.tries - 1_000 < 1_500


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", [HONEST, WHOLE])
@pytest.mark.parametrize("name", LIMITS)
def test_an_honest_retry_after_wastes_few_tries(name, retry_after, status):
    """Where the server says when to come again, at most every third request is refused."""
    rule, _ = LIMITS[name]
    server = RefusingServer(rule(), retry_after, status)
    assert play(server, 400).answered == 400
    assert server.tries_per_admitted <= 1.5


@pytest.mark.parametrize("burst", [1, 5, 10])
@pytest.mark.parametrize("retry_after", [HONEST, WHOLE, None])
def test_one_request_a_second(retry_after, burst):
    """A very slow limit costs at most two refusals for each answer."""
    server = RefusingServer(bucket(1, burst), retry_after)
    played = play(server, 200)
    assert played.answered == 200
    assert server.tries_per_admitted <= 3
    assert played.took_s <= 280


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("per_s", [1, 2, 4])
@pytest.mark.parametrize("retry_after", [HONEST, WHOLE, 1.0])
def test_a_short_batch_learns_a_slow_limit_as_cheaply(retry_after, per_s, status):
    """Thirty rows at a few requests a second cost at most two refusals for each answer, the learning included."""
    server = RefusingServer(bucket(per_s, per_s), retry_after, status)
    assert play(server, 30).answered == 30
    assert server.tries_per_admitted <= 3


@pytest.mark.parametrize("retry_after", [0.0, 1.0, None])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_so_many_at_a_time(count, retry_after):
    """A server that takes few requests at a time refuses few more than it answers."""
    server = RefusingServer(at_a_time(count), retry_after)
    played = play(server, 400)
    assert (played.answered, played.most_at_a_time) == (400, count)
    assert server.tries_per_admitted <= 1.5


@pytest.mark.parametrize(
    ("count", "length_s", "told_s"), [(60, 60.0, 30.0), (60, 60.0, 60.0), (100, 30.0, 20.0)]
)
def test_a_long_retry_after_is_kept_where_everything_is_refused(count, length_s, told_s):
    """A quota that is used up is left alone until it is there again: hardly a request is wasted."""
    server = RefusingServer(window(count, length_s), told_s)
    played = play(server, 5 * count, at_a_time=64)
    assert played.answered == 5 * count
    assert played.took_s < 5.5 * max(length_s, told_s)
    assert server.tries - 5 * count < 2 * count


@pytest.mark.parametrize("retry_after", [0.0, 1.0, None])
def test_a_server_that_refuses_everything_is_given_up(retry_after):
    """After five minutes without an answer the rows' own retries hold; until then it is asked now and then."""
    server = RefusingServer(first_tries(1_000_000), retry_after)
    played = play(server, 20)
    assert (played.answered, played.failed) == (0, 20)
    assert HOPELESS_S <= played.took_s <= HOPELESS_S + 60
    assert server.tries <= 4 * HOPELESS_S


def test_unavailable_counts_as_failed_until_something_is_answered():
    """A 503 that names no time is a run's own failed try where nothing else is let through: it fails after its retries."""
    server = RefusingServer(first_tries(1_000_000), None, 503)
    played = play(server, 20, retries=2)
    assert (played.failed, server.tries) == (20, 60)
    assert played.took_s < 60


@pytest.mark.parametrize("at_once", [4, 8, 16])
def test_rows_that_wait_hold_no_slot(at_once):
    """While rows keep their Retry-After others are asked, and no more are answered at a time than the batch may."""
    server = RefusingServer(chance(0.67), 1.0)
    played = play(server, 200, at_a_time=at_once)
    assert played.answered == 200
    assert played.most_at_a_time <= at_once
    assert played.most_resting > at_once


def test_refusals_that_are_long_on_their_way_are_waited_for():
    """Requests that nobody has answered yet count neither as let through nor as refused: a slow provider is no flood."""
    server = RefusingServer(bucket(20, 20))
    played = play(server, 500, at_a_time=64, travel_s=0.2)
    assert 500 / played.took_s >= 18
    assert server.tries - 500 < 500


def test_a_limit_that_goes_is_forgotten():
    """When the provider takes everything again the pace grows, and there is none in the end."""
    pace, now_s = Pace(), 0.0
    for number in range(200):
        now_s += 0.01 + pace.wait_s(now_s, 1)
        one = pace.sent(now_s, 1, others_wait=True)
        if number % 3:
            pace.refused(one, now_s, None)
    assert pace.rate_per_s is not None or pace.indifferent
    for number in range(100_000):
        now_s += max(pace.wait_s(now_s, 1), 0.002)
        one = pace.sent(now_s, 1, others_wait=number % 500 != 0 or (pace.rate_per_s or 0) < 1_000)
        pace.admitted(one, now_s)
        if pace.is_open and not pace.indifferent:
            break
    assert pace.is_open
    assert not pace.indifferent


def test_old_refusals_say_nothing_new():
    """Requests that were under way when the pace was lowered do not lower it again."""
    pace = Pace()
    tries = [pace.sent(1.0) for _ in range(50)]
    pace.refused(tries[0], 1.1, None)
    rate = pace.rate_per_s
    for one in tries[1:21]:
        pace.refused(one, 1.1, None)
    assert pace.rate_per_s == rate


@pytest.mark.parametrize("told_s", [0.0, 0.2, 30.0])
def test_with_nothing_under_way_one_may_always_go(told_s):
    """However far the rate has fallen: once the last Retry-After is over, one request may go."""
    pace = Pace()
    for one in [pace.sent(0.0, n) for n in range(8)]:
        pace.refused(one, 0.1, told_s)
    assert pace.wait_s(0.1, 0) == pytest.approx(told_s)
    assert pace.wait_s(0.1 + told_s, 0) == 0
