"""Batches for workers: each is handed out as a run is, and belongs to the one process that `batches.owner` names.

On a connection of the caller's own. A claim names the owner before, so that of two workers one has it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.store.process_id import PLACED

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_ENDED = """
delete from placed_runs p using batches b where b.batch_id = p.run_id and b.finished_at is not null"""
_LEFT = f"""
update placed_runs p set round = round + 1, queues = '{{}}', given_back = b.owner
from batches b where b.batch_id = p.run_id and b.finished_at is null and b.owner <> '{PLACED}'
  and b.owner = any($1::text[]) and p.given_back is distinct from b.owner
returning p.run_id"""  # noqa: S608 - a name of ours
_CLAIM = """
update batches set owner = $2 where batch_id = $1 and owner = $3 and finished_at is null returning batch_id"""
_RELEASE = f"""
with released as (
    update batches set owner = '{PLACED}' where batch_id = $1 and owner = $2 and finished_at is null returning batch_id
)
update placed_runs set round = round + 1, queues = '{{}}', given_back = null where run_id in (select batch_id from released)"""  # noqa: S608 - a name of ours
_OWNED = """
select batch_id from batches where batch_id = any($1::text[]) and owner = $2 and finished_at is null"""


def drop_ended_batches(connection: Connection) -> None:
    """Forget the batches that have ended."""
    connection.execute(_ENDED)


def give_back_batches_of(connection: Connection, owners: Sequence[str]) -> list[str]:
    """Hand out anew what these processes, which are gone, have left; return the batches' ids."""
    if not owners:
        return []
    return [batch_id for (batch_id,) in connection.execute(_LEFT, [list(owners)]).fetchall()]


def claim_batch(connection: Connection, batch_id: str, *, owner: str, before: str) -> bool:
    """Make a batch that belonged to `before` this owner's; False where another was first, or it has ended."""
    return connection.execute(_CLAIM, [batch_id, owner, before]).fetchone() is not None


def release_batch(connection: Connection, batch_id: str, owner: str) -> None:
    """Hand out a batch of this owner anew, which nobody has from now on."""
    connection.execute(_RELEASE, [batch_id, owner])


def owned_batches(connection: Connection, batch_ids: Collection[str], owner: str) -> set[str]:
    """Which of these batches are this owner's, and have not ended."""
    return {batch_id for (batch_id,) in connection.execute(_OWNED, [list(batch_ids), owner]).fetchall()}
