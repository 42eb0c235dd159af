"""How fast a model may be asked while its provider says "too many requests": decisions only, no clock, no loop.

Times are seconds of any one clock. As long as nothing is refused there is no pace. From the first refusal on,
requests go one after the other at a rate that follows what the provider lets through: down to what it has
admitted lately when it refuses, by half while it refuses everything, and up again, ever faster, as long as it
refuses nothing. While everything is refused all wait for the last Retry-After; once it is over, and with
nothing under way, one may always go.

Some refusals do not depend on our rate: an overloaded gateway that turns away every second request, a proxy
that refuses each prompt twice. A slower rate lowers the share that a rate limit refuses, and not that one;
nor does it after a Retry-After that was kept, where a limit that says the truth admits. Where it was not
lowered the pace is `indifferent`: nothing is slowed down, each call waits as long as it was told, and what that
costs in wasted tries is bounded: a limit that was taken for indifferent shows at once, because much more is
refused than at the slower rate.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SLOWEST_PER_S = 0.2  # a batch never stands still
GROWTH_PER_S = 0.1  # how much faster it gets in a second, right after a refusal
FASTEST_GROWTH_PER_S = 1.0
GROWTH_PER_TRY = 0.03
RECOVERY_PER_S = 4.0  # the same after everything was refused
BACK_OFF = 0.98  # at the least, when a request is refused that was sent at the present rate
FEW_REFUSED = 0.1  # of the last requests: no reason to be slower
MANY_REFUSED, CAREFUL = 0.25, 0.9  # of the last requests; the least factor where it were fewer
# of the time between two requests: one that was refused alone came a little early, its place is still free
SOON = 0.25
ALL_REFUSED = 4  # that many in a row: whatever was admitted lately is no guide
UNTOLD_S = 0.5  # a rest in place of a Retry-After
ALONE, LONGEST_ALONE_S = 2.0, 0.25  # times what a refusal takes to come: so long the first one goes alone
EARLY_REFUSED = 4  # more requests than answered were refused after a Retry-After: it says nothing
LONGEST_HOLD_S = 60.0  # of a Retry-After
WINDOW = 32  # requests that rates and shares are measured on ...
SHORTEST_WINDOW_S = 0.05
LONG_S = 3.0  # what went through in this time is a floor for the rate, though all is refused just now
LONG_LEAST_S = 1.0
QUIET_S = 5.0  # without a refusal for so long, and asked for less than the rate allows: no pace any more
HOPELESS_S = 300.0  # refused for so long without one success: no limit of a rate

# indifference
COMPARED = 16  # requests at the slower rate that are compared
SLOWER = 4.0  # times: how much slower the rate has to be
SHORT_S, LONG_IN_VAIN = 2.0, 2  # a longer Retry-After is tried so often before it is thought to mean nothing
KEPT, TRUE = (
    16,
    3,
)  # Retry-Afters that are remembered; so many times fewer refused after them: they say the truth
EXPECTED_AFTER = 1.5  # refusals after them, if they said nothing
MIXED = 2  # answers right after a refusal: a limit's refusals come together
NOT_LOWERED = 0.5  # of the way from what a rate limit would refuse now to what was refused before
# a server that refuses more is no indifferent one, each answer makes up for so many
WASTED_MOST, WORTH = 48, 12
# times fewer are answered than at the slower rate, where so many would have been: it was a rate limit after all
FEWER_ADMITTED, EXPECTED = 4.0, 10.0
DISTRUST_S = 2.0  # until indifference is considered again, twice as long each time
LONGEST_DISTRUST_S = 120.0
ENOUGH = 100  # requests without a refusal: there is nothing to be indifferent to
_REMEMBERED = 512


@dataclass(slots=True, eq=False)
class Try:
    """One request: when it went, and whether it was refused; unanswered ones count as let through."""

    at_s: float
    refused: bool = False
    early: bool = False  # it went because a Retry-After was over, not because the rate let it
    alone: bool = False  # it went alone, as the first one after a Retry-After


class Pace:
    """The rate of requests to one model. `rate_per_s` is None while nothing is limited."""

    def __init__(self) -> None:
        self.rate_per_s: float | None = None
        self.indifferent = False
        self._tries: deque[Try] = deque(maxlen=_REMEMBERED)
        self._next_at_s = 0.0
        self._held_until_s = 0.0
        self._lowered_at_s = 0.0
        self._grown_at_s = 0.0
        self._refused_at_s = 0.0
        self._told_at_s = self._told_until_s = 0.0  # when the last Retry-After came, and when it ends
        self._rest_until_s = 0.0  # the last Retry-After, or a rest in its place
        self._credit = EARLY_REFUSED
        self._since_refused = 0  # requests that were sent
        self._in_a_row = 0  # refusals since the last answer
        self._answers_s = 0.0  # the last refusal took that long to come
        self._blocked = False  # everything was refused when the rate was lowered last
        self._admitted_at_s: float | None = None  # or the first refusal, before there was a success
        self._before: tuple[float, float] | None = None  # rate and share refused when lowering began
        self._in_vain = 0  # Retry-Afters in a row that were kept, and the first request was refused
        self._kept: deque[bool] = deque(maxlen=KEPT)  # of these the last: was the first request refused?
        self._entered_at_s = 0.0  # indifference, with this share refused at the slower rate
        self._entered_admitted = 1.0
        self._compared_from_s = 0.0
        self._trusted_from_s = 0.0
        self._distrust_s = DISTRUST_S

    @property
    def is_open(self) -> bool:
        """True where nothing is slowed down."""
        return self.rate_per_s is None

    def wait_s(self, now_s: float, under_way: int) -> float:
        """Return the seconds until the next request may go; 0 is now."""
        if self.rate_per_s is None or self.is_hopeless(now_s):
            return 0.0
        wait_s = max(0.0, self._held_until_s - now_s, self._next_at_s - now_s)
        if not under_way and self._in_a_row and self._credit:
            wait_s = min(wait_s, max(0.0, self._rest_until_s - now_s))
        return wait_s

    def sent(self, now_s: float, under_way: int = 0, *, others_wait: bool = False) -> Try:
        """A request goes now; where `others_wait` for the pace, that is what holds them back, and it may grow."""
        one = Try(now_s)
        before_s = self._tries[-1].at_s if self._tries else now_s
        self._tries.append(one)
        self._since_refused += 1
        if self.rate_per_s is None:
            if self.indifferent and self._since_refused > ENOUGH:
                self.indifferent, self._distrust_s = False, DISTRUST_S
            return one
        one.early = now_s < self._next_at_s
        one.alone = not under_way and before_s < self._told_at_s <= self._told_until_s <= now_s
        if others_wait:
            self._grow(now_s)
        elif now_s - self._refused_at_s > QUIET_S and self._admitted_per_s(now_s) < self.rate_per_s / 2:
            self.rate_per_s = None
            return one
        # a late timer is made up for, a pause is not
        self._next_at_s = max(self._next_at_s, now_s - 2 / self.rate_per_s) + 1 / self.rate_per_s
        if (
            one.alone
        ):  # the next one must not overtake it: what it is answered says whether the Retry-After was true
            self._next_at_s = max(self._next_at_s, now_s + min(ALONE * self._answers_s, LONGEST_ALONE_S))
        return one

    def admitted(self, one: Try, now_s: float) -> None:
        """A request was answered."""
        if one.alone:
            self._in_vain = 0
            self._kept.append(False)
        if one.early:
            self._credit = min(self._credit + 1, EARLY_REFUSED)
        self._admitted_at_s = now_s
        self._in_a_row = 0

    def admitted_since(self, at_s: float) -> bool:
        """Say whether a request was answered since then."""
        return self._admitted_at_s is not None and self._admitted_at_s > at_s

    def is_hopeless(self, now_s: float) -> bool:
        """Say whether everything was refused for so long that no rate will help."""
        return self._admitted_at_s is not None and now_s - self._admitted_at_s > HOPELESS_S

    def refused(self, one: Try, now_s: float, retry_after_s: float | None) -> None:
        """A request was refused; whether its caller waits for its own Retry-After is not decided here."""
        one.refused = True
        told_s = min(retry_after_s or 0.0, LONGEST_HOLD_S)
        self._told_at_s = math.inf if retry_after_s is None else now_s
        self._told_until_s = now_s + told_s
        self._rest_until_s = now_s + (UNTOLD_S if retry_after_s is None else told_s)
        if one.early:
            self._credit = max(self._credit - 1, 0)
        if one.alone:
            self._kept.append(True)
        self._answers_s = now_s - one.at_s
        self._in_a_row += 1
        self._since_refused = 0
        if self._admitted_at_s is None:
            self._admitted_at_s = now_s
        if self.indifferent:
            self._check_indifference(one, now_s)
            return
        if self.rate_per_s is not None and self._refused_share(one.at_s) < FEW_REFUSED:
            # just above what is let through, or a moment too early: its place is still free
            self._try_soon(now_s, retry_after_s)
            self._refused_at_s = max(self._refused_at_s, now_s - 1.0)
            self._before = None
        else:
            if self.rate_per_s is None or one.at_s >= self._lowered_at_s:
                self._lower(now_s, one.at_s, retry_after_s)
            self._refused_at_s = self._grown_at_s = now_s
        if retry_after_s and self._all_refused(one.at_s):
            self._held_until_s = self._compared_from_s = max(self._held_until_s, now_s + told_s)
        self._consider_indifference(one, now_s)

    # ------------------------------------------------------------ a rate limit

    def _try_soon(self, now_s: float, told_s: float | None) -> None:
        """Let the next one go before its time: the place of one that was refused is still free."""
        assert self.rate_per_s is not None
        soon_s = max(told_s or 0.0, SOON / self.rate_per_s * 2.0 ** min(self._in_a_row - 1, 8))
        self._next_at_s = min(self._next_at_s, now_s + soon_s)

    def _lower(self, now_s: float, sent_at_s: float, told_s: float | None) -> None:
        admitted, rate = self._admitted_per_s(sent_at_s), self.rate_per_s
        self._blocked = self._all_refused(sent_at_s)
        if rate is None:
            rate, self._next_at_s = max(admitted, 1 / UNTOLD_S), now_s
        elif self._blocked:
            rate = min(rate, max(rate / 2, self._long_per_s(sent_at_s) * BACK_OFF))
        else:
            # where few are refused, a pause of ours looks as if little were admitted
            least = CAREFUL if self._refused_share(sent_at_s) < MANY_REFUSED else 0.5
            rate = max(rate * least, min(rate * BACK_OFF, admitted))
        self.rate_per_s = max(rate, SLOWEST_PER_S)
        if self._blocked:
            self._next_at_s = max(self._next_at_s, now_s + 1 / self.rate_per_s)
        else:
            self._try_soon(now_s, told_s)
        self._lowered_at_s = now_s

    def _grow(self, now_s: float) -> None:
        assert self.rate_per_s is not None
        quiet_s = 1 + now_s - self._refused_at_s
        growth = min(GROWTH_PER_S * quiet_s * quiet_s, FASTEST_GROWTH_PER_S)
        elapsed_s = min(now_s - self._grown_at_s, 1.0)
        growth = min(growth * elapsed_s, GROWTH_PER_TRY * self._since_refused)
        if self._blocked:  # until something goes through, there is no reason to hope
            growth = 0.0 if self._all_refused(now_s - self._answers_s) else RECOVERY_PER_S * elapsed_s
        self.rate_per_s *= 1 + growth
        self._grown_at_s = now_s

    # ------------------------------------------------------------ indifference

    def _consider_indifference(self, one: Try, now_s: float) -> None:
        """Slow nothing down where a slower rate has not lowered the share of refusals."""
        if now_s < self._trusted_from_s:
            return
        last = self._last(one.at_s, COMPARED)
        if one.alone:
            self._in_vain += 1
            if self._in_vain >= (1 if self._told_until_s - now_s <= SHORT_S else LONG_IN_VAIN):
                self._enter_indifference(now_s, _share(last))
            return
        if len(last) < COMPARED or last[0].at_s < self._compared_from_s:
            return
        rate = len(last) / max(last[-1].at_s - last[0].at_s, SHORTEST_WINDOW_S)
        share = _share(last)
        if self._before is None:
            self._before = rate, share
        elif rate > self._before[0] / 1.5:
            self._before = max(rate, self._before[0]), max(share, self._before[1])
        before_rate, before_share = self._before
        slower = before_rate / rate
        turns = sum(earlier.refused and not later.refused for earlier, later in pairwise(last))
        if slower < SLOWER or share < FEW_REFUSED or turns < MIXED or self._is_told_the_truth(share):
            return
        admitted = (1 - before_share) + 0.5 / COMPARED
        as_limit = max(0.0, 1 - admitted * slower)  # a rate limit lets through the same number in a second
        if share >= as_limit + NOT_LOWERED * (before_share - as_limit):
            self._enter_indifference(now_s, share)

    def _is_told_the_truth(self, share: float) -> bool:
        """Say whether fewer are refused after a Retry-After that was kept than of all: then a limit says it."""
        by_chance = share * len(self._kept)
        return by_chance >= EXPECTED_AFTER and sum(self._kept) * TRUE < by_chance

    def _enter_indifference(self, now_s: float, share: float) -> None:
        self.indifferent, self.rate_per_s, self._before = True, None, None
        self._entered_at_s = now_s
        self._entered_admitted = max(
            (1 - share) * COMPARED / (COMPARED + 4), 1 / WINDOW
        )  # not more than it was

    def _check_indifference(self, one: Try, now_s: float) -> None:
        """Go back to a rate where more is refused than at the slower rate, or nearly nothing is let through."""
        since = [other for other in self._tries if self._entered_at_s <= other.at_s <= one.at_s]
        refused = sum(other.refused for other in since)
        last = since[-math.ceil(EXPECTED / self._entered_admitted) :]
        fewer = len(last) * self._entered_admitted >= EXPECTED and (
            sum(not other.refused for other in last) * FEWER_ADMITTED < EXPECTED
        )
        if not fewer and refused - WORTH * (len(since) - refused) < WASTED_MOST:
            return
        self.indifferent = False
        self._compared_from_s = now_s
        self._trusted_from_s = now_s + self._distrust_s
        self._distrust_s = min(self._distrust_s * 2, LONGEST_DISTRUST_S)
        self._lower(now_s, one.at_s, None)

    # ---------------------------------------------------------------- measures

    def _last(self, until_s: float, count: int) -> Sequence[Try]:
        """Return the last tries that were sent until then: later ones are on their way."""
        return [one for one in self._tries if one.at_s <= until_s + 1e-6][-count:]

    def _refused_share(self, until_s: float) -> float:
        return _share(self._last(until_s, WINDOW))

    def _all_refused(self, until_s: float) -> bool:
        last = self._last(until_s, ALL_REFUSED)
        return len(last) == ALL_REFUSED and all(one.refused for one in last)

    def _admitted_per_s(self, until_s: float) -> float:
        """Measure what went through lately, of the requests sent before `until_s`."""
        times = [one.at_s for one in self._tries if not one.refused and one.at_s <= until_s][-WINDOW:]
        if not times:
            return 0.0
        return len(times) / max(until_s - times[0], SHORTEST_WINDOW_S)

    def _long_per_s(self, until_s: float) -> float:
        """Measure the same over a longer time, in which a limit of so many a second has come round."""
        span_s = min(max(until_s - self._tries[0].at_s, LONG_LEAST_S), LONG_S) if self._tries else LONG_S
        admitted = (one for one in self._tries if not one.refused and until_s - span_s < one.at_s <= until_s)
        return sum(1 for _ in admitted) / span_s


def _share(tries: Sequence[Try]) -> float:
    return sum(one.refused for one in tries) / len(tries) if tries else 0.0
