"""Costs of calls that were made before their model's price was known. On the caller's thread.

A price that a person gives later prices what has tokens and no cost, in the record and in this kernel's runs:
at the next look at the record, or by `nb.reprice()`, and it is said. What has a cost keeps it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from nbagent import settings
from nbagent.core import say
from nbagent.errors import ConfigurationError, StoreError
from nbagent.events import ModelCall, Usage
from nbagent.models import PRICE_SHARE, price_usd
from nbagent.run import TOKEN_FIELDS
from nbagent.runtime.runtime import Runtime
from nbagent.runtime.timeouts import PRICES_WAIT_S
from nbagent.store import CallCost, GiveCosts, unpriced

_Key = tuple[str, int, int, datetime]  # of a call: its run, step, try and start
_priced_by: dict[str, Any] = {}  # each record's path, and the table of prices that it was last looked at with


def reprice(runtime: Runtime, models: Sequence[str] | None = None) -> tuple[int, float]:
    """Price each call that has tokens and no cost; return how many calls that was, and their dollars.

    Raises StoreError.
    """
    store = runtime.store
    found = [
        (row["started_at"], cost) for row in unpriced(store, models) if (cost := _cost_of(row)) is not None
    ]
    if found:
        costs = tuple(cost for _, cost in found)
        store.write(GiveCosts(costs), "pricing earlier calls", timeout_s=PRICES_WAIT_S)
        _price_lives(runtime, {(one.run_id, one.step, one.try_no, began): one for began, one in found})
    known = [one.cost_usd for _, one in found if not one.estimated]
    return len(known), sum(known)


def catch_up_prices(runtime: Runtime) -> None:
    """Price what a price given since makes known, once for each table of prices; say so. Raises nothing."""
    try:
        table = settings.get("prices")
    except ConfigurationError:  # a broken table is the next launch's error
        return
    path = runtime.store.name
    if not table or _priced_by.get(path) == table:
        return
    _priced_by[path] = table
    with contextlib.suppress(StoreError):  # a record that only others may write stays as it is
        count, dollars = reprice(runtime, list(table))
        if count:
            report_repriced(count, dollars)


def report_repriced(count: int, dollars: float) -> None:
    """Tell the person: under the cell in a notebook, else on the error stream."""
    calls = "1 earlier call" if count == 1 else f"{count} earlier calls"
    say(f"{calls} had tokens and no price: now ${dollars:.4f} by the price table")


def _cost_of(row: Mapping[str, Any]) -> CallCost | None:
    """Return what a row without a cost costs now, None where that is still unknown."""
    key = row["run_id"], row["attempt"], row["step"], row["try_no"]
    estimated = row["input_tokens"] is None or row["output_tokens"] is None
    if estimated:
        usage = Usage(
            input_tokens=row["estimated_input_tokens"], output_tokens=row["estimated_output_tokens"]
        )
    else:
        usage = Usage(**{name: row[name] for name in TOKEN_FIELDS})
    models = dict.fromkeys(model for model in (row["response_model"], row["request_model"]) if model)
    found = (price_usd(row["provider"], model, usage) for model in models)
    cost = next((one for one in found if one is not None), None)
    if cost is None:
        return None
    return CallCost(*key, cost * (PRICE_SHARE if row["in_file"] else 1), estimated)


def _price_lives(runtime: Runtime, costs: Mapping[_Key, CallCost]) -> None:
    """Let this kernel's own records of these calls have their costs too."""
    of_runs = {run_id for run_id, *_ in costs}
    for live in runtime.runs():
        run_id, calls = live.record.launch.run_id, live.record.model_calls
        for place, call in enumerate(calls if run_id in of_runs else ()):
            cost = costs.get((run_id, call.step, call.attempt, call.started_at))
            if cost is not None:
                calls[place] = _priced(call, cost)


def _priced(call: ModelCall, cost: CallCost) -> ModelCall:
    if call.cost_usd is not None:
        return call
    return (
        replace(call, estimated_cost_usd=cost.cost_usd)
        if cost.estimated
        else replace(call, cost_usd=cost.cost_usd)
    )
