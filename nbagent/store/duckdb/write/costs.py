"""Calls that have tokens and no cost, and the costs that they are given once their model's price is known.

`unpriced` is called on any thread but the writer's, `give_costs` on the writer thread, inside a turn. A cost that is
there is never changed: neither a provider's own figure nor what an earlier price made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbagent.run import TOKEN_FIELDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from nbagent.store.commands import CallCost
    from nbagent.store.ports import Reader

_COUNTS = ", ".join(f"c.{name}" for name in TOKEN_FIELDS)
# a row of a file that a provider works off costs less than a request of its own
_UNPRICED = f"""
select c.run_id, c.attempt, c.step, c.try_no, c.started_at, c.provider, c.request_model, c.response_model, {_COUNTS},
       c.estimated_input_tokens, c.estimated_output_tokens,
       coalesce(b.definition ->> '$.mode' = 'provider-batch', false) as in_file
from model_calls c join launches l using (run_id) left join batches b on b.batch_id = l.batch_id
where c.cost_usd is null and ((c.input_tokens is not null and c.output_tokens is not null)
                              or (c.estimated_input_tokens is not null and c.estimated_cost_usd is null))
and (?::varchar[] is null or list_contains(?::varchar[], c.provider || ':' || c.request_model)
     or list_contains(?::varchar[], c.provider || ':' || c.response_model))"""  # noqa: S608 - text of ours alone
_GIVE = """
update model_calls set {column} = p.cost
from (select unnest(?) as run_id, unnest(?) as attempt, unnest(?) as step, unnest(?) as try_no, unnest(?) as cost) p
where model_calls.run_id = p.run_id and model_calls.attempt = p.attempt and model_calls.step = p.step
  and model_calls.try_no = p.try_no and model_calls.cost_usd is null and model_calls.{column} is null"""


def unpriced(store: Reader, models: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The calls without a cost whose tokens are known or estimated; of these models ("provider:name"), or of all."""
    names = None if models is None else list(models)
    return store.read(_UNPRICED, [names, names, names])


def give_costs(con: DuckDBPyConnection, costs: Sequence[CallCost]) -> int:
    """Give these calls their costs, those that have none; return how many were given."""
    for column, estimated in (("cost_usd", False), ("estimated_cost_usd", True)):
        of_kind = [one for one in costs if one.estimated is estimated]
        if of_kind:
            given = [[getattr(one, name) for one in of_kind] for name in _KEY]
            con.execute(_GIVE.format(column=column), given)
    return len(costs)


_KEY = ("run_id", "attempt", "step", "try_no", "cost_usd")
