"""Budgets, and what each process has spent and holds of them. On the writer thread, inside a lease.

The lock of the file makes each account one step: nobody else takes a slice in between. A process's row says what it has
spent in a period and how far it may go (`held_usd`, what is spent included). Of a process that is gone only what it has
spent counts: its slice comes back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nbagent.store.commands import BudgetAccount, BudgetShare, BudgetState, SetBudget
from nbagent.store.duckdb import codec
from nbagent.store.process_id import is_alive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SILENT = timedelta(
    minutes=10
)  # then a process on another host, which cannot be looked at, holds nothing any more
BEFORE = "before"  # the owner of what the record had of a period when its budget was set
_SHARES = "select owner, spent_usd, held_usd, updated_at from budget_shares where per = ? and period = ?"
_KEEP = """
    insert into budget_shares values (?, ?, ?, ?, ?, ?) on conflict (per, period, owner)
    do update set spent_usd = excluded.spent_usd, held_usd = excluded.held_usd, updated_at = excluded.updated_at
"""
_SET = """
    insert into budgets values (?, ?, ?, ?) on conflict (per)
    do update set amount_usd = excluded.amount_usd, unknown = excluded.unknown, created_at = excluded.created_at
"""
_SPENT = "select sum(coalesce(cost_usd, estimated_cost_usd)) from model_calls where started_at >= ?"


def period_of(per: str, now: datetime) -> str:
    """Return the name of the period that a moment is in: a day or a month of UTC, or the one that never ends."""
    at = now.astimezone(UTC)
    return {"day": f"{at:%Y-%m-%d}", "month": f"{at:%Y-%m}"}.get(per, "")


def settle(con: DuckDBPyConnection, owner: str, write: SetBudget | BudgetAccount) -> tuple[BudgetState, ...]:
    """Set a budget, or take down what this process has spent and give it what it wants to hold, as far as there is any."""
    if isinstance(write, BudgetAccount):
        return states(con, owner, {(one.per, one.period): one for one in write.shares})
    _set(con, write)
    return states(con, owner)


def _set(con: DuckDBPyConnection, write: SetBudget) -> None:
    """Set a budget, or take it away; of a day or month counts what the record has of it already."""
    if write.amount_usd is None:
        con.execute("delete from budgets where per = ?", [write.per])
        con.execute("delete from budget_shares where per = ?", [write.per])
        return
    now = datetime.now(UTC)
    period = period_of(write.per, now)
    known = con.execute("select 1 from budgets where per = ?", [write.per]).fetchone()
    con.execute(_SET, [write.per, write.amount_usd, write.unknown, codec.naive(now)])
    if known is None and period:
        begin = datetime(now.year, now.month, now.day if write.per == "day" else 1)  # noqa: DTZ001 - as the store has it
        (spent,) = con.execute(_SPENT, [begin]).fetchone() or (None,)
        con.execute(_KEEP, [write.per, period, BEFORE, spent or 0.0, spent or 0.0, codec.naive(now)])


def states(
    con: DuckDBPyConnection, owner: str, told: dict[tuple[str, str], BudgetShare] | None = None
) -> tuple[BudgetState, ...]:
    """Return how all budgets stand; `told` is what this process has spent, and wants."""
    found = con.execute("select per, amount_usd, unknown from budgets order by per").fetchall()
    now, made = datetime.now(UTC), []
    for per, amount, unknown in found:
        period = period_of(per, now)
        spent, committed, own = _of_others(con, owner, (per, period), now)
        share = (told or {}).get((per, period))
        if share is not None:
            held = max(share.spent_usd, min(share.wanted_usd, amount - committed))
            own = share.spent_usd, held
            con.execute(_KEEP, [per, period, owner, *own, codec.naive(now)])
        made.append(
            BudgetState(
                per=per, amount_usd=amount, unknown=unknown, period=period,
                spent_usd=spent + own[0], own_usd=own[0], held_usd=own[1],
            )
        )  # fmt: skip
    return tuple(made)


def _of_others(
    con: DuckDBPyConnection, owner: str, key: tuple[str, str], now: datetime
) -> tuple[float, float, tuple[float, float]]:
    """Return what others have spent of a period, what they may spend at most, and our own share."""
    spent = committed = 0.0
    own = 0.0, 0.0
    for name, paid, held, updated_at in con.execute(_SHARES, list(key)).fetchall():
        if name == owner:
            own = paid, held
            continue
        spent += paid
        committed += paid if held <= paid or _is_gone(name, updated_at, now) else held
    return spent, committed, own


def _is_gone(owner: str, updated_at: datetime, now: datetime) -> bool:
    alive = is_alive(owner)
    return not alive if alive is not None else updated_at.replace(tzinfo=UTC) < now - SILENT
