"""Whether a batch may ask for one more row: decisions only. Owned by `feed.py`, on the background loop.

A limit stops new rows before it is passed: what is under way is expected to cost what rows have cost so far. While
that would pass the limit the batch waits for what is under way; with nothing under way it ends.
"""

from __future__ import annotations

from nbagent.batch.outcome import Outcome
from nbagent.batch.plan import BatchLimits


class Spending:
    """What a batch has spent on `asked` finished runs, against its limits; asking rows again spends of the same."""

    def __init__(self, limits: BatchLimits) -> None:
        self.limits = limits  # replaced where a person sets others
        self.cost_usd = 0.0
        self.tokens = 0
        self.asked = 0
        self.cost_known = True  # of nothing asked: it cost nothing

    def add(self, outcome: Outcome) -> None:
        """Count a run that ended, whatever its end."""
        self.asked += 1
        self.cost_usd += outcome.cost_usd or 0.0
        self.cost_known = outcome.cost_usd is not None or (self.cost_known and self.asked > 1)
        self.tokens += outcome.total_tokens or 0

    def may_ask(self, in_flight: int) -> bool:
        """Say whether one more run beside those in flight is expected to stay within the limits."""
        return self._fits(self.cost_usd, self.limits.max_cost_usd, in_flight) and self._fits(
            self.tokens, self.limits.max_tokens, in_flight
        )

    def _fits(self, spent: float, limit: float | None, in_flight: int) -> bool:
        if limit is None:
            return True
        expected = spent / self.asked * (in_flight + 1) if self.asked else 0.0
        return spent < limit and spent + expected <= limit * (1 + 1e-9)

    @property
    def reached(self) -> str:
        """Which limit it is that lets no further row be asked, in words."""
        if not self._fits(self.cost_usd, self.limits.max_cost_usd, 0):
            return f"the batch cost ${self.cost_usd:.4f}; its max_cost is ${self.limits.max_cost_usd:.4f}"
        return f"the batch used {self.tokens} tokens; its max_tokens is {self.limits.max_tokens}"
