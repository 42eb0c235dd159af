"""How fast a batch may ask while its provider says "too many requests": decisions only, no clock, no loop.

`gate.py` asks and tells; times are seconds of any one clock. As long as nothing is refused there is no pace.
From the first refusal on, requests go one after the other at a rate that follows what the provider lets
through: down to what it has admitted lately when it refuses, by half while it refuses everything, and up
again, ever faster, as long as it refuses nothing; fast where it had refused everything, for that was no
measure. A refusal of a request that was sent before the last slowdown says nothing new.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SLOWEST_PER_S = 0.2  # a batch never stands still
GROWTH_PER_S = 0.1  # how much faster it gets in a second, right after a refusal
FASTEST_GROWTH_PER_S = 1.0
RECOVERY_PER_S = 4.0  # the same after everything was refused
BACK_OFF = 0.98  # at the least, when a request is refused that was sent at the present rate
FEW_REFUSED = 0.1  # of the last requests: no reason to be slower
MANY_REFUSED, CAREFUL = 0.25, 0.9  # of the last requests; the least factor where it were fewer
# of the time between two requests: one that was refused alone came a little early, its place is still free
SOON = 0.25
ALL_REFUSED = 4  # that many in a row: whatever was admitted lately is no guide
# a shorter Retry-After is what the pace does anyway; a longer one is kept where all are refused
HELD_FROM_S = 2.0
HELD_MOST_S = 60.0
WINDOW = 32  # admitted requests that the rate is measured on ...
SHORTEST_WINDOW_S = 0.05
LONG_S = 3.0  # what went through in this time is a floor for the rate, though all is refused just now
LONG_LEAST_S = 1.0
QUIET_S = 5.0  # without a refusal for so long, and asked for less than the rate allows: no pace any more
_REMEMBERED = 512


@dataclass(slots=True)
class _Sent:
    at_s: float
    refused: bool = False


class AdaptiveRate:
    """The rate of requests to one model. `rate_per_s` is None while nothing is limited; `refusals` counts them."""

    def __init__(self) -> None:
        self.rate_per_s: float | None = None
        self.refusals = 0
        self._sent: deque[_Sent] = deque(maxlen=_REMEMBERED)
        self._next_at_s = 0.0
        self._held_until_s = 0.0
        self._lowered_at_s = 0.0
        self._grown_at_s = 0.0
        self._refused_at_s = 0.0
        self._lasted_s = 0.0  # the last refusal took that long to come
        self._blocked = False  # everything was refused when the rate was lowered last

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until the next request may go; 0 is now."""
        if self.rate_per_s is None:
            return 0.0
        return max(0.0, self._next_at_s - now_s, self._held_until_s - now_s)

    def sent(self, now_s: float, *, others_wait: bool = False) -> None:
        """A request goes now; where `others_wait` for the pace, that is what holds them back, and it may grow."""
        self._sent.append(_Sent(now_s))
        if self.rate_per_s is None:
            return
        if others_wait:
            self._grow(now_s)
        elif now_s - self._refused_at_s > QUIET_S and self._admitted_per_s(now_s) < self.rate_per_s / 2:
            self.rate_per_s = None
            return
        # a late timer is made up for, a pause is not
        self._next_at_s = max(self._next_at_s, now_s - 2 / self.rate_per_s) + 1 / self.rate_per_s

    def refused(self, now_s: float, lasted_s: float, retry_after_s: float | None) -> None:
        """A request that was sent `lasted_s` ago was refused; it may queue again at once, for the pace holds it back."""
        self.refusals += 1
        sent_at_s, self._lasted_s = now_s - lasted_s, lasted_s
        one = min(self._sent, key=lambda sent: abs(sent.at_s - sent_at_s) + sent.refused, default=None)
        if one is not None:
            one.refused = True
        if self.rate_per_s is not None and self._refused_share(sent_at_s) < FEW_REFUSED:
            # just above what is let through, or a moment too early: its place is still free
            self._next_at_s = min(self._next_at_s, now_s + SOON / self.rate_per_s)
            self._refused_at_s = max(self._refused_at_s, now_s - 1.0)
        else:
            if self.rate_per_s is None or sent_at_s >= self._lowered_at_s:
                self._lower(now_s, sent_at_s)
            self._refused_at_s = self._grown_at_s = now_s
        wished_s = min(retry_after_s or 0.0, HELD_MOST_S)
        if wished_s >= HELD_FROM_S and self._all_refused(sent_at_s):
            self._held_until_s = max(self._held_until_s, now_s + wished_s)

    def _lower(self, now_s: float, sent_at_s: float) -> None:
        admitted, rate = self._admitted_per_s(sent_at_s), self.rate_per_s
        self._blocked = self._all_refused(sent_at_s)
        if rate is None:
            rate, self._next_at_s = admitted, now_s
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
            self._next_at_s = min(self._next_at_s, now_s + SOON / self.rate_per_s)
        self._lowered_at_s = now_s

    def _grow(self, now_s: float) -> None:
        assert self.rate_per_s is not None
        quiet_s = 1 + now_s - self._refused_at_s
        growth = min(GROWTH_PER_S * quiet_s * quiet_s, FASTEST_GROWTH_PER_S)
        if self._blocked:  # until something goes through, there is no reason to hope
            growth = 0.0 if self._all_refused(now_s - self._lasted_s) else RECOVERY_PER_S
        self.rate_per_s *= 1 + growth * min(now_s - self._grown_at_s, 1.0)
        self._grown_at_s = now_s

    def _admitted_per_s(self, until_s: float) -> float:
        """Measure what went through lately, of the requests sent before `until_s`."""
        times = [one.at_s for one in self._sent if not one.refused and one.at_s <= until_s][-WINDOW:]
        if not times:
            return 0.0
        return len(times) / max(until_s - times[0], SHORTEST_WINDOW_S)

    def _long_per_s(self, until_s: float) -> float:
        """Measure the same over a longer time, in which a limit of so many a second has come round."""
        span_s = min(max(until_s - self._sent[0].at_s, LONG_LEAST_S), LONG_S) if self._sent else LONG_S
        admitted = (one for one in self._sent if not one.refused and until_s - span_s < one.at_s <= until_s)
        return sum(1 for _ in admitted) / span_s

    def _refused_share(self, until_s: float) -> float:
        """Return the share of refusals among the last requests that were sent until then: later ones are on their way."""
        last = [one.refused for one in self._sent if one.at_s <= until_s + 1e-6][-WINDOW:]
        return sum(last) / len(last) if last else 0.0

    def _all_refused(self, until_s: float) -> bool:
        """Say whether the last requests sent until then were all refused."""
        last = [one.refused for one in self._sent if one.at_s <= until_s + 1e-6][-ALL_REFUSED:]
        return len(last) == ALL_REFUSED and all(last)
