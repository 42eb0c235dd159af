"""A process that spends: it launches runs until a budget of the record refuses them.

`python -m tests.runtime.budget_spender URL AT_ONCE`: prints how many of its runs completed, and how it was refused.
`... URL hold DOLLARS`: takes a slice, says so, and waits to be killed.
"""

from __future__ import annotations

import sys

from nbagent import Agent, Limits, OpenAIChat
from nbagent.errors import BudgetError
from nbagent.runtime import current
from nbagent.store import BudgetAccount, BudgetShare

MOST = 400  # launches


def spender(base_url: str) -> Agent:
    """The agent of all processes: each of its calls has one price, of the test's own table."""
    model = OpenAIChat(id="scripted-1", base_url=base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0), name="spender")


def spend(agent: Agent, at_once: int) -> str:
    """Launch so many runs at a time until a launch is refused; return what was said then."""
    completed = launched = 0
    while launched < MOST:
        try:
            runs = [agent.start("Go") for _ in range(at_once)]
        except BudgetError as error:
            return f"{completed} {error.what}"
        launched += at_once
        ends = [run.stop_reason for run in runs if run.wait(timeout=120).is_final]
        completed += ends.count("end")
        assert set(ends) <= {"end", "max_cost"}, ends
    return f"{completed} never refused"


if __name__ == "__main__":
    url, *how = sys.argv[1:]
    if how[0] == "hold":
        share = BudgetShare(per="total", period="", spent_usd=0.25, wanted_usd=float(how[1]))
        state = current().store.submit(BudgetAccount(shares=(share,))).result(60)[0]
        print(f"{state.held_usd:g}", flush=True)
        sys.stdin.read()
    else:
        print(spend(spender(url), int(how[0])), flush=True)
