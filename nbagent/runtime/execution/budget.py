"""Tokens and dollars of a team and of everything under it, against its limits. Pure; on the background loop.

A team's limits bound the sum over its leader and members. They count from the attempt: a resumed team begins
anew.
"""

from __future__ import annotations

from nbagent.events import ModelCall
from nbagent.loop import Finish
from nbagent.spec import TeamSpec


class Budget:
    """Counts the finished model calls of one team's tree; an agent's own limits are its loop's."""

    def __init__(self, spec: TeamSpec) -> None:
        self.total_tokens = 0
        self.cost_usd = 0.0
        self._name = spec.name
        self._limits = spec.limits

    def charge(self, call: ModelCall) -> None:
        """Add a finished call, by its estimate where its server reports no usage; unknown adds nothing."""
        self.total_tokens += call.bounded_tokens or 0
        self.cost_usd += call.bounded_cost_usd or 0.0

    def exceeded(self) -> Finish | None:
        """Return the end that an exceeded limit means, None while there is something left."""
        limits = self._limits
        if limits.max_total_tokens is not None and self.total_tokens >= limits.max_total_tokens:
            return Finish(
                stop_reason="max_total_tokens",
                error=f"the team {self._name!r} used {self.total_tokens} tokens; "
                f"its max_total_tokens is {limits.max_total_tokens}",
            )
        if limits.max_cost_usd is not None and self.cost_usd >= limits.max_cost_usd:
            return Finish(
                stop_reason="max_cost",
                error=f"the team {self._name!r} cost ${self.cost_usd:.4f}; "
                f"its max_cost is ${limits.max_cost_usd:.4f}",
            )
        return None
