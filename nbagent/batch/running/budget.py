"""Whether a batch may ask for one more row: decisions only. On the background loop, which owns it.

A limit stops new rows before it is passed: what is under way is expected to cost what rows have cost so far.
While that would pass the limit the batch waits for what is under way; with nothing under way it ends.
"""

from __future__ import annotations

from nbagent.batch.plan import BatchLimits
from nbagent.batch.row_outcome import RowOutcome


class BatchBudget:
    """What a batch has spent, reported and by estimate, on `runs` finished runs, against its limits; asking rows again spends of the same."""

    def __init__(self, limits: BatchLimits) -> None:
        self.limits = limits  # replaced where a person sets others
        self.cost_usd = 0.0
        self.tokens = 0
        self.estimated_cost_usd = 0.0
        self.estimated_tokens = 0
        self.unpriced = False
        self.runs = 0
        self.cost_known = True  # of nothing asked: it cost nothing

    def add(self, outcome: RowOutcome) -> None:
        """Count a run that ended, whatever its end."""
        self.runs += 1
        self.cost_usd += outcome.cost_usd or 0.0
        self.cost_known = outcome.cost_usd is not None or (self.cost_known and self.runs > 1)
        self.tokens += outcome.total_tokens or 0
        self.estimated_cost_usd += outcome.estimated_cost_usd or 0.0
        self.estimated_tokens += outcome.estimated_tokens or 0
        self.unpriced = self.unpriced or outcome.unpriced

    @property
    def is_estimated(self) -> bool:
        """True where a limit is bound by an estimate, in part at least."""
        bounded = self.limits.max_cost_usd is not None or self.limits.max_tokens is not None
        return bounded and self.estimated_tokens > 0

    def may_ask(self, in_flight: int) -> bool:
        """Say whether one more run beside those in flight is expected to stay within the limits."""
        if self._cannot_hold:
            return False
        return self._fits(self._dollars, self.limits.max_cost_usd, in_flight) and self._fits(
            self.tokens + self.estimated_tokens, self.limits.max_tokens, in_flight
        )

    @property
    def _dollars(self) -> float:
        return self.cost_usd + self.estimated_cost_usd

    @property
    def _cannot_hold(self) -> bool:
        """True where a call was made of which nobody knows the cost, although it is limited."""
        return self.limits.max_cost_usd is not None and self.unpriced

    def _fits(self, spent: float, limit: float | None, in_flight: int) -> bool:
        if limit is None:
            return True
        expected = spent / self.runs * (in_flight + 1) if self.runs else 0.0
        return spent < limit and spent + expected <= limit * (1 + 1e-9)

    @property
    def reached(self) -> str:
        """Which limit it is that lets no further row be asked, in words."""
        about = "about " if self.estimated_tokens else ""
        if self._cannot_hold:
            return f"nobody knows what a call cost, so that its max_cost of ${self.limits.max_cost_usd:.4f} cannot hold"
        if not self._fits(self._dollars, self.limits.max_cost_usd, 0):
            return (
                f"the batch cost {about}${self._dollars:.4f}; its max_cost is ${self.limits.max_cost_usd:.4f}"
            )
        tokens = self.tokens + self.estimated_tokens
        return f"the batch used {about}{tokens} tokens; its max_tokens is {self.limits.max_tokens}"
