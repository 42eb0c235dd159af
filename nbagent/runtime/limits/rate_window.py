"""What went to one model in the last minute, so that its requests and tokens stay within their rates. Pure.

A window over what was really sent: a bucket that refills steadily lets twice the allowed amount through in
its first minute, and rate-limiting libraries neither take an estimate back nor say, without holding a place,
when a call would fit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MINUTE_S = 60.0


@dataclass(slots=True, eq=False)
class Sample:
    """One request: when it went, and the tokens that it is taken to use, or has used."""

    at_s: float
    tokens: int


class RateWindow:
    """The requests of the last `window_s` seconds to one model."""

    def __init__(self, window_s: float = MINUTE_S) -> None:
        self.window_s = window_s
        self._spent: deque[Sample] = deque()

    def pause_s(self, requests: int | None, tokens: int | None, wanted: int, now_s: float) -> float:
        """Return the seconds until one more request of `wanted` tokens fits into both rates; 0 is now.

        A request larger than the whole rate goes when nothing else was sent for a minute.
        """
        while self._spent and self._spent[0].at_s + self.window_s <= now_s:
            self._spent.popleft()
        count, used = len(self._spent), sum(one.tokens for one in self._spent) if tokens is not None else 0
        pause_s = 0.0
        for one in self._spent:
            if (requests is None or count < requests) and (tokens is None or used + wanted <= tokens):
                break
            count, used = count - 1, used - one.tokens
            pause_s = one.at_s + self.window_s - now_s
        return pause_s

    def spend(self, tokens: int, now_s: float) -> Sample:
        """Count a request that goes now; its tokens are corrected on what this returns."""
        spent = Sample(now_s, tokens)
        self._spent.append(spent)
        return spent

    def take_back(self, spent: Sample) -> None:
        """Count a request no longer: it was not sent."""
        self._spent.remove(spent)
