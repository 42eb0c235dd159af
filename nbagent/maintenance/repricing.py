"""`nb.reprice()`: costs for calls that were made before their price was known."""

from __future__ import annotations

from nbagent import runtime


def reprice() -> int:
    """Price every call of the record that has tokens and no cost; return how many were priced.

    Looks at `%config NBAgent.prices` and at the price list, which may have been updated. A price that is
    given in `prices` is seen by itself at the next look at `nb.runs()` or `nb.metrics`. Costs that are there
    stay, a provider's own figures too. Raises StoreError.

    >>> output = Agent(model="demo:assistant").run("Hello")
    >>> nb.reprice()  # the demo model has no price
    0
    """
    count, dollars = runtime.reprice(runtime.current())
    if count:
        runtime.report_repriced(count, dollars)
    return count
