"""This process's share of the record's budgets: a slice at a time, taken under the record's lock, given back unused.

One `Allowance` for each store. A model call that could cost something goes on only while what this process has spent is
below what it holds; the next slice is asked for then. A budget is so passed by the calls under way at most. What was
spent is told after each call, so that a process which is killed takes no more along than its slice, which comes back.
`check` is called on a launching thread, all else on the background loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass

from nbagent.core import call_when_done, say, utc_now
from nbagent.errors import BudgetError, StoreError
from nbagent.events import ModelCall, Usage
from nbagent.models import (
    Model,
    alternatives,
    can_cost,
    dearest_usd,
    has_price,
    may_cost,
    model_name,
    prepare_prices,
)
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.runtime.timeouts import BUDGET_IDLE_S, BUDGET_LOOK_S, BUDGET_WAIT_S
from nbagent.store import BudgetAccount, BudgetShare, BudgetState, RunStore, period_of

SLICES = 20  # a slice is this part of the budget
WARNED_AT = 0.8
_CENT = 1e-9  # dollars: what sums of floats may differ by
_PERIODS = {"day": " a day", "month": " a month", "total": ""}


@dataclass(slots=True)
class _Share:
    """What this process has spent of a period, how far it wants to go and may, and what others have spent."""

    spent_usd: float = 0.0
    wanted_usd: float = 0.0
    held_usd: float = 0.0
    others_usd: float = 0.0
    warned: bool = False


class Allowance:
    """The shares of one process in the budgets of one record."""

    def __init__(self, store: RunStore) -> None:
        self._store = weakref.ref(store)
        self._shares: dict[tuple[str, str], _Share] = {}
        self._free: set[tuple[str, str]] = set()  # models that were found to cost nothing
        self._asking = asyncio.Lock()
        self._under_way = 0

    @property
    def is_on(self) -> bool:
        """Whether the record has a budget, or may have one that nobody here has looked for."""
        store = self._store()
        return store is not None and store.may_have_budgets

    def _budgets(self) -> tuple[BudgetState, ...]:
        store = self._store()
        return () if store is None else store.budgets(may_read=False)

    def check(self, agent: ResolvedAgent, *, may_read: bool = True) -> None:
        """Refuse a launch that could cost something while a budget is used up. Raises BudgetError.

        Where the record is busy for long the launch goes on: its first model call waits for the look.
        """
        states: tuple[BudgetState, ...] = ()
        if (store := self._store()) is not None:
            with contextlib.suppress(StoreError):
                states = store.budgets(may_read=may_read)
        if states and any(map(may_cost, _models_of(agent))):
            for state in map(self._now, states):
                if state.spent_usd >= state.amount_usd - _CENT:
                    raise BudgetError(*used_up(state))

    # --------------------------------------------------------- the background loop

    @contextlib.asynccontextmanager
    async def call(self, model: Model) -> AsyncIterator[None]:
        """Let one request of a model through, or raise BudgetError; what it costs is told with `charge`."""
        await prepare_prices(model.provider)
        if not may_cost(model):
            self._free.update((one.provider, one.id) for one in alternatives(model))
            yield
            return
        if not self._budgets():
            await self._account()
        for state in self._budgets():
            _check_price(state, model)
        await self._take_room()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                asyncio.get_running_loop().call_later(BUDGET_IDLE_S, self._give_back)

    def charge(self, call: ModelCall) -> str | None:
        """Count what a call has cost; one without a known price costs what its provider's dearest model does.

        Returns the error of a budget that is used up by it, for a run that asks its models itself.
        """
        states = self._budgets()
        is_free = (call.provider, call.request_model) in self._free or not can_cost(call.provider)
        cost = 0.0 if not states or (is_free and not call.cost_usd) else _cost_of(call)
        if not cost:
            return None
        for state in states:
            share = self._share(state)
            share.spent_usd += cost
            self._warn(state, share)
        self._tell()
        for state in map(self._now, states):
            if state.spent_usd >= state.amount_usd - _CENT:
                return "\n".join(used_up(state))
        return None

    async def _take_room(self) -> None:
        """Return once this process may spend something of each budget. Raises BudgetError."""
        while True:
            if not self._short():
                return
            async with self._asking:
                if not self._short():
                    return
                states = await self._account()
            for state in states:
                if state.spent_usd >= state.amount_usd - _CENT:
                    raise BudgetError(*used_up(state))
            if self._short():  # others hold what is left: they spend it, or give it back
                await asyncio.sleep(BUDGET_LOOK_S)

    def _short(self) -> bool:
        shares = map(self._share, self._budgets())
        return any(share.spent_usd >= share.held_usd - _CENT for share in shares)

    async def _account(self) -> tuple[BudgetState, ...]:
        """Ask for the next slice of each budget that is short of one."""
        for state in self._budgets():
            share = self._share(state)
            if share.spent_usd >= share.held_usd - _CENT:
                share.wanted_usd = share.spent_usd + state.amount_usd / SLICES
        store = self._store()
        assert store is not None
        try:
            written = store.submit(self._told())
            states = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(written)), BUDGET_WAIT_S)
        except (TimeoutError, StoreError) as error:
            raise BudgetError(
                f"the budget cannot be looked up: {store.trouble or str(error) or 'the record is busy'}",
                "see to the record, and let the run go on with run.resume()",
            ) from error
        return self._take_in(states)

    def _told(self) -> BudgetAccount:
        """What this process has spent, and how far it wants to go, of each budget."""
        now, shares = utc_now(), []
        for state in self._budgets():
            share = self._share(state)
            wanted = max(share.wanted_usd, share.spent_usd)
            period = period_of(state.per, now)
            shares.append(
                BudgetShare(per=state.per, period=period, spent_usd=share.spent_usd, wanted_usd=wanted)
            )
        return BudgetAccount(shares=tuple(shares))

    def _take_in(self, states: tuple[BudgetState, ...]) -> tuple[BudgetState, ...]:
        """Know what was given; return the budgets as they stand with what was spent meanwhile."""
        for state in states:
            share = self._share(state)
            # what was given back meanwhile is not ours, whatever stood in the record before
            share.held_usd = min(state.held_usd, max(share.wanted_usd, share.spent_usd))
            share.others_usd = state.spent_usd - state.own_usd
            self._warn(state, share)
        return tuple(map(self._now, states))

    def _tell(self) -> None:
        """Let the record know what was spent, at once: what a process that dies has not told counts nowhere."""
        if (store := self._store()) is not None:
            written = store.submit(self._told())
            call_when_done(written, asyncio.get_running_loop(), self._was_told)

    def _was_told(self, written: concurrent.futures.Future[tuple[BudgetState, ...]]) -> None:
        if written.exception() is None:
            self._take_in(written.result())

    def _give_back(self) -> None:
        """Give back what no call has used, once none is under way."""
        if self._under_way or self._asking.locked():
            return
        for share in self._shares.values():
            share.wanted_usd = share.held_usd = share.spent_usd
        if self._budgets():
            self._tell()

    def _share(self, state: BudgetState) -> _Share:
        """Return this process's share of a budget's present period."""
        return self._shares.setdefault((state.per, period_of(state.per, utc_now())), _Share())

    def _now(self, state: BudgetState) -> BudgetState:
        """Return a budget as it stands with what this process has spent since it was looked at."""
        period = period_of(state.per, utc_now())
        share = self._shares.get((state.per, period), _Share())
        others = share.others_usd
        if state.period == period:
            others = max(others, state.spent_usd - state.own_usd)
        return BudgetState(
            per=state.per, amount_usd=state.amount_usd, unknown=state.unknown, period=period,
            spent_usd=others + share.spent_usd, own_usd=share.spent_usd, held_usd=share.held_usd,
        )  # fmt: skip

    def _warn(self, state: BudgetState, share: _Share) -> None:
        """Say in a line, once a period, that most of a budget is spent."""
        spent = share.others_usd + share.spent_usd
        if not share.warned and WARNED_AT * state.amount_usd - _CENT <= spent < state.amount_usd - _CENT:
            share.warned = True
            say(
                f"nbagent: {spent / state.amount_usd:.0%} of the budget of {budget_name(state)} is spent (${spent:.2f})"
            )


def budget_name(state: BudgetState) -> str:
    """Return what a person calls a budget: `$5.00 a day`."""
    return f"${state.amount_usd:,.2f}{_PERIODS[state.per]}"


def budget_text(state: BudgetState) -> str:
    """Return how a budget stands, in short: `$3.20 of $5.00 a day`."""
    return f"${state.spent_usd:,.2f} of {budget_name(state)}"


def used_up(state: BudgetState) -> tuple[str, str]:
    """Return what a budget that is used up means, and what to do."""
    what = f"the budget of {budget_name(state)} is used up: ${state.spent_usd:,.2f} is spent"
    per = "" if state.per == "total" else f', per="{state.per}"'
    more = f"raise it with nb.budget({state.amount_usd * 2:g}{per})"
    ends = {"day": ", or wait for the next day of UTC", "month": ", or wait for the next month of UTC"}
    return what, f"{more}{ends.get(state.per, '')}; runs that it ended go on with run.resume()"


def _check_price(state: BudgetState, model: Model) -> None:
    """Refuse a call that no price can be put on."""
    if has_price(model.provider, model.id):
        return
    name = (
        f"nobody knows what {model_name(model)} costs, and the budget of {budget_name(state)} counts dollars"
    )
    todo = f'say its price with %config NBAgent.prices = {{"{model.provider}:{model.id}": {{"input": 1.0, "output": 2.0}}}}'
    if (
        state.unknown == "refuse"
        or dearest_usd(model.provider, Usage(input_tokens=1, output_tokens=1)) is None
    ):
        raise BudgetError(name, todo)


def _cost_of(call: ModelCall) -> float:
    """Return a call's dollars: known, by the estimate of its tokens, or as the provider's dearest model would cost."""
    if call.bounded_cost_usd is not None:
        return call.bounded_cost_usd
    usage = call.usage
    if usage.input_tokens is None or usage.output_tokens is None:
        usage = Usage(
            input_tokens=call.estimated_input_tokens or 0, output_tokens=call.estimated_output_tokens or 0
        )
    return dearest_usd(call.provider, usage) or 0.0


def _models_of(agent: ResolvedAgent) -> list[Model]:
    found = list(alternatives(agent.model))
    for member in agent.members:
        found += _models_of(member)
    return found


_of_stores: weakref.WeakKeyDictionary[RunStore, Allowance] = weakref.WeakKeyDictionary()


def allowance_of(store: RunStore) -> Allowance:
    """Return this process's shares in the budgets of a record."""
    return _of_stores.get(store) or _of_stores.setdefault(store, Allowance(store))
