"""Whose operations a connection sends: this process's, which it lets the server know, and those that dead ones have left.

On the writer thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbagent.settings import ServerUrl
from nbagent.store.postgres.connect import is_trouble, load_psycopg
from nbagent.store.postgres.write.apply import ALONE, AlreadyAppliedError, Sender, apply
from nbagent.store.postgres.write.operations import Operation
from nbagent.store.postgres.write.outbox import Outbox
from nbagent.store.postgres.write.upkeep import apply_alone

if TYPE_CHECKING:
    import psycopg

_JOIN = """
insert into writers (writer, owner, lock_key) values ($1, $2, $3)
on conflict (writer) do update set beat_at = timezone('utc', clock_timestamp()) returning applied"""


def join(connection: psycopg.Connection[Any], sender: Sender) -> int:
    """Let the server know a writer; return the number of the last operation that it has of it."""
    row = connection.execute(_JOIN, [sender.writer, sender.owner, lease_key(sender)]).fetchone()
    return row[0] if row else 0


def lease_key(sender: Sender) -> int:
    """The number of the advisory lock that a writer holds while it lives."""
    digest = hashlib.blake2b(sender.writer.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def commit(
    connection: psycopg.Connection[Any], sender: Sender, operations: Sequence[Operation], schema: str
) -> list[Any]:
    """Commit operations of a process that can share a transaction, and return their results."""
    if operations[0].kind in ALONE:
        return [apply_alone(connection, sender, operations[0], schema)]
    return apply(connection, sender, operations, schema)


def send_left(connection: psycopg.Connection[Any], outbox: Outbox, url: ServerUrl) -> list[str]:
    """Send what dead processes of this project have left; return what a person should be told of it."""
    told: list[str] = []
    for sender, operations in outbox.left():
        applied = join(connection, sender)
        for one in operations:
            if one.number <= applied:
                continue
            try:
                commit(connection, sender, [one], url.schema)
            except AlreadyAppliedError:
                continue
            except load_psycopg().Error as error:
                if is_trouble(error):
                    raise
                said = url.without_secrets(str(error)).splitlines()[0]
                told.append(f"a row that a process left could not be written: {said}\nthe rest is there")
    return told
