"""What all notebooks of a project may spend together: `nb.budget`. Blocks the caller until it is durable."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Literal

from nbagent.core import plain_number
from nbagent.errors import UnknownOptionError
from nbagent.runtime import budget_text, current
from nbagent.store import BudgetAccount, BudgetState, SetBudget

COMMIT_WAIT_S = 10.0
Per = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as it stands: dollars, of which `spent_usd` are spent in the present day or month of UTC, and `text` says so."""

    amount_usd: float
    per: Per | None
    spent_usd: float
    unknown: str
    text: str

    @property
    def left_usd(self) -> float:
        """What is left of it; never below 0."""
        return max(0.0, self.amount_usd - self.spent_usd)

    def __repr__(self) -> str:
        return f"<Budget {self.text}>"


def budget(
    amount_usd: float | EllipsisType | None = ...,
    *,
    per: Per | None = None,
    unknown: Literal["dearest", "refuse"] = "dearest",
) -> list[Budget]:
    """Set what all kernels and workers on this record may spend, and return all budgets; without an amount look at them.

    `per` is "day" or "month" (of UTC), or None for one that does not begin anew; each of the three may be set, and all
    hold. None as the amount takes that budget away. At 80 % a line is said; at 100 % new calls are refused and running
    runs end at their next step with `stop_reason` "max_cost". A call without a known price counts as its provider's
    dearest known model would cost, or is refused with `unknown="refuse"`; the demo and models on this machine cost
    nothing. What the record has of the day or month counts from the start. Raises UnknownOptionError and StoreError.

    >>> budget(5, per="day")
    [<Budget $0.00 of $5.00 a day>]
    >>> budget(None, per="day")
    []
    """
    store = current().store
    if amount_usd is ...:
        if store.untouched:
            return []
        return _shown(store.write(BudgetAccount(), "reading the budgets", timeout_s=COMMIT_WAIT_S))
    amount: Any = None if amount_usd is None else plain_number(amount_usd)
    if amount_usd is not None and (isinstance(amount, bool | None) or not 0 < amount < float("inf")):
        raise UnknownOptionError(
            f"the budget is {amount_usd!r}", 'give dollars, as in nb.budget(5, per="day"), or None for none'
        )
    if per not in (None, "day", "month"):
        raise UnknownOptionError(
            f"per is {per!r}", 'give "day", "month", or None for a budget that does not begin anew'
        )
    if unknown not in ("dearest", "refuse"):
        raise UnknownOptionError(f"unknown is {unknown!r}", 'give "dearest" or "refuse"')
    write = SetBudget(per=per or "total", amount_usd=amount, unknown=unknown)
    return _shown(store.write(write, "setting the budget", timeout_s=COMMIT_WAIT_S))


def _shown(states: tuple[BudgetState, ...]) -> list[Budget]:
    pers: dict[str, Per | None] = {"day": "day", "month": "month"}
    return [
        Budget(one.amount_usd, pers.get(one.per), one.spent_usd, one.unknown, budget_text(one))
        for one in states
    ]
