"""Launches for workers that have not ended: which of them have to be handed to the engine. On a connection of the caller's own.

A run is handed out anew, in its next round, when the worker that had it is gone, and when a person has decided on a call
that it was left waiting with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.store.ports import RunStore
from nbagent.store.process_id import PLACED

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_ENDED = """
delete from placed_runs p using runs r where r.run_id = p.run_id and r.finished_at is not null"""
_LEFT = f"""
update placed_runs p set round = round + 1, queues = '{{}}', given_back = r.owner
from runs r where r.run_id = p.run_id and r.finished_at is null and r.owner <> '{PLACED}' and r.owner = any($1::text[])
  and p.given_back is distinct from r.owner
  and (r.status <> 'paused' or exists (select from decision_requests d where d.run_id = r.run_id))
returning p.run_id"""  # noqa: S608 - a name of ours
_DUE = """
select p.run_id, p.address, p.round from placed_runs p
join json_each_text($1::json) s on s.key = p.address and not s.value = any(p.refused)
where not $2 = any(p.queues) and coalesce(p.not_before <= timezone('utc', clock_timestamp()), true) order by p.created_at, p.run_id limit $3 for update of p skip locked"""
_QUEUED = "update placed_runs set queues = array_append(queues, $2) where run_id = any($1::text[])"
_REFUSED = """
update placed_runs set refused = array_append(refused, $2), waits_for = $3, round = round + 1, queues = '{}'
where run_id = $1 and not $2 = any(refused)"""
_POSTPONED = """
update placed_runs set waits_for = $2, round = round + 1, queues = '{}',
       not_before = timezone('utc', clock_timestamp()) + $3 * interval '1 s' where run_id = $1"""
_UNTAKEN = "update placed_runs set queues = '{}', round = round + 1 where run_id = any($1::text[])"
_AGAIN = """
insert into placed_runs (run_id, address)
select run_id, details ->> 'address' from launches where run_id = $1 and details ->> 'placement' = $2
on conflict (run_id) do update set round = placed_runs.round + 1, queues = '{}', given_back = null"""


def work_channel(schema: str) -> str:
    """The channel that tells workers of runs that wait for one."""
    return f"nbagent_work_{schema}"[:63]


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """A run to be handed to the engine: which agent's, and for which time."""

    run_id: str
    address: str
    round: int


def listen_for_work(connection: Connection, schema: str) -> None:
    """Hear of launches as they are committed."""
    connection.execute(f'listen "{work_channel(schema)}"')


def drop_ended(connection: Connection) -> None:
    """Forget the runs that have ended."""
    connection.execute(_ENDED)


def give_back_of(connection: Connection, owners: Sequence[str]) -> list[str]:
    """Hand out anew what these processes, which are gone, have left; return the runs' ids."""
    if not owners:
        return []
    return [run_id for (run_id,) in connection.execute(_LEFT, [list(owners)]).fetchall()]


@contextmanager
def handed_out(
    connection: Connection, queue: str, served: Mapping[str, str], most: int
) -> Iterator[list[PlacedRun]]:
    """At most so many runs of agents that are served and that this queue does not have; it has them when the block is through."""
    with connection.transaction():
        rows = connection.execute(_DUE, [orjson.dumps(dict(served)).decode(), queue, most]).fetchall()
        found = [PlacedRun(*row) for row in rows]
        yield found
        if found:
            connection.execute(_QUEUED, [[one.run_id for one in found], queue])


def refuse_run(connection: Connection, run_id: str, fingerprint: str, why: str) -> None:
    """Say that a run cannot go on with an agent of this fingerprint, and what it waits for."""
    connection.execute(_REFUSED, [run_id, fingerprint, why])


def postpone_run(connection: Connection, run_id: str, why: str, wait_s: float) -> None:
    """Hand out a run anew after a while, and say what it waits for."""
    connection.execute(_POSTPONED, [run_id, why, wait_s])


def hand_out_again(connection: Connection, run_ids: Sequence[str]) -> None:
    """Hand out anew what a worker was given and has no place for."""
    connection.execute(_UNTAKEN, [list(run_ids)])


def place_again(connection: Connection, run_id: str) -> None:
    """Hand out a run of workers anew."""
    connection.execute(_AGAIN, [run_id, PLACED])


_WAITING = """
select run_id, address, waits_for from (
    select p.* from placed_runs p join launches l on l.run_id = p.run_id and l.owner = $1
    where not exists (select from attempt_ends e where e.run_id = p.run_id and e.attempt = 1)
      and not exists (select from attempt_starts s where s.run_id = p.run_id)
    union all
    select p.* from placed_runs p join batches b on b.batch_id = p.run_id and b.owner = $1 and b.finished_at is null
) waiting order by created_at, run_id"""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run, or a batch, that no worker has taken up. `waits_for` is what the ones that looked at it said, None where none has."""

    run_id: str
    address: str
    waits_for: str | None


def load_waiting(store: RunStore) -> list[WaitingRun]:
    """Return the runs and batches that wait for a worker, the oldest first; none of a record in a file. Raises StoreError."""
    if store.mirror is None:
        return []
    with store.mirror.server() as connection:
        return [WaitingRun(*row) for row in connection.execute(_WAITING, [PLACED]).fetchall()]
