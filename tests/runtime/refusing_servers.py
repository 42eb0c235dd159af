"""Servers that refuse requests, each by a rule of its own, and what they say of when to come again.

Decisions on a clock that is handed in: the same servers stand in a simulation and behind a real socket.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

HONEST = "honest"  # a Retry-After that says the truth, in fractions of a second
WHOLE = "whole"  # the truth, rounded up to whole seconds

RetryAfter = float | str | None
Rule = Callable[["RefusingServer", str, float], float | None]  # None admits; else seconds until it would


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that turns a request away."""

    status: int
    retry_after_s: float | None


@dataclass(slots=True)
class RefusingServer:
    """Admits and refuses by `rule`; `retry_after` is what its refusals say."""

    rule: Rule
    retry_after: RetryAfter = None
    status: int = 429
    under_way: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    admitted_at_s: list[float] = field(default_factory=list)

    def ask(self, prompt: str, now_s: float) -> Refusal | None:
        """Count a request; return how it is refused, None where it is admitted: then `done` ends it."""
        self.asked[prompt] += 1
        free_in_s = self.rule(self, prompt, now_s)
        if free_in_s is None:
            self.admitted_at_s.append(now_s)
            self.under_way += 1
            return None
        told: RetryAfter = self.retry_after
        if told == HONEST:
            told = free_in_s
        elif told == WHOLE:
            told = float(math.ceil(free_in_s))
        assert not isinstance(told, str)
        return Refusal(self.status, told)

    def done(self) -> None:
        """Count an admitted request as under way no longer."""
        self.under_way -= 1

    @property
    def tries(self) -> int:
        """How many requests came."""
        return self.asked.total()

    @property
    def tries_per_admitted(self) -> float:
        """How many requests came for each that was admitted."""
        return self.tries / max(len(self.admitted_at_s), 1)


def bucket(per_s: float, burst: float) -> Rule:
    """A bucket of tokens that refills steadily; a refused request takes none."""
    state = [burst, 0.0]

    def rule(_server: RefusingServer, _prompt: str, now_s: float) -> float | None:
        state[:] = [min(burst, state[0] + (now_s - state[1]) * per_s), now_s]
        if state[0] < 1 - 1e-9:
            return (1 - state[0]) / per_s
        state[0] -= 1
        return None

    return rule


def window(count: int, length_s: float) -> Rule:
    """So many in each second (minute, ...) of the clock."""
    used: Counter[int] = Counter()

    def rule(_server: RefusingServer, _prompt: str, now_s: float) -> float | None:
        at = int(now_s / length_s)
        if used[at] >= count:
            return (at + 1) * length_s - now_s + 1e-6
        used[at] += 1
        return None

    return rule


def sliding(count: int, length_s: float) -> Rule:
    """So many in any second."""

    def rule(server: RefusingServer, _prompt: str, now_s: float) -> float | None:
        times = server.admitted_at_s
        if len(times) >= count and times[-count] > now_s - length_s:
            return times[-count] + length_s - now_s + 1e-6
        return None

    return rule


def at_a_time(count: int) -> Rule:
    """So many under way."""

    def rule(server: RefusingServer, _prompt: str, _now_s: float) -> float | None:
        return 0.05 if server.under_way >= count else None

    return rule


def chance(share: float, seed: int = 1) -> Rule:
    """A share of all requests is refused, however few there are."""
    dice = random.Random(seed)  # noqa: S311 - the same at each run

    def rule(_server: RefusingServer, _prompt: str, _now_s: float) -> float | None:
        return 0.0 if dice.random() < share else None

    return rule


def first_tries(count: int) -> Rule:
    """Each prompt is refused so many times."""

    def rule(server: RefusingServer, prompt: str, _now_s: float) -> float | None:
        return 0.0 if server.asked[prompt] <= count else None

    return rule
