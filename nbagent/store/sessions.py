"""Sessions read from the record: what each run said, in turn order; and messages carried over from another record.

Called on any thread but the writer's. Messages that were carried over are rows of attempt 0 under their run's own
id: no run of this record wrote them.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreBusyError
from nbagent.events import Message
from nbagent.run import RunStatus
from nbagent.store.rows import message_of
from nbagent.store.writes import Append

if TYPE_CHECKING:
    from nbagent.store.store import Ask, Store

CARRIED = 0  # the attempt of messages that came from another record
COMMIT_WAIT_S = 5.0
_RUN_IDS = "select run_id from launches where session_id = ? and parent_run_id is null order by turn, run_id"
# given as plain values DuckDB finds a few of the runs by its index, however large the file is
_OWN_RUN_IDS = "select run_id from launches where session_id = ? and owner = ?"
_ENDS = """
    select run_id, status, partial_text from attempt_ends e where run_id in ({ids})
    and not exists (select 1 from attempt_starts s where s.run_id = e.run_id and s.attempt > e.attempt)
"""
_FEW = 2000
# what was carried over comes after the turn that was the last one then
_MESSAGES = """
    select * from messages where session_id = ? and (?::integer is null or turn < ?)
    order by turn, attempt = 0, case when attempt = 0 then '' else run_id end, seq
"""
_LAST_TURN = "select max(turn) as turn from launches where session_id = ?"
_CARRIED = "select run_id, turn, seq from messages where session_id = ? and attempt = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one run left in its session. `status` is None where it was carried over from another record.

    `partial_text` is the text of an answer that was cut off.
    """

    run_id: str
    status: RunStatus | None
    partial_text: str | None
    messages: tuple[Message, ...]


def load_turns(store: Store, session_id: str, before_turn: int | None = None) -> list[Turn]:
    """The ended runs of a session in turn order, of the turns before `before_turn`; no child run, none without messages.

    A run that goes on, in whatever kernel, is no history yet.
    """
    with store.reader() as ask:
        ended = _ended(ask, session_id)
        rows = ask(_MESSAGES, [session_id, before_turn, before_turn])
    turns = []
    for (run_id, carried), group in groupby(rows, key=lambda row: (row["run_id"], row["attempt"] == CARRIED)):
        end = ended.get(run_id)
        if not carried and end is None:
            continue
        said = {row["seq"]: message_of(row) for row in group}  # two processes may have carried the same over
        turns.append(
            Turn(
                run_id=run_id,
                status=None if carried or end is None else RunStatus(end["status"]),
                partial_text=None if carried or end is None else end["partial_text"],
                messages=tuple(said.values()),
            )
        )
    return turns


def _ended(ask: Ask, session_id: str) -> dict[str, dict[str, Any]]:
    """How each run of a session ended, by their ids; one whose last attempt goes on has not."""
    ids = [row["run_id"] for row in ask(_RUN_IDS, [session_id])]
    if not ids:
        return {}
    if len(ids) > _FEW:
        rows = ask(_ENDS.format(ids="select unnest(?::varchar[])"), [ids])
    else:
        rows = ask(_ENDS.format(ids=", ".join("?" * len(ids))), ids)
    return {row["run_id"]: row for row in rows}


def session_runs(store: Store, session_id: str) -> list[str]:
    """The ids of a session's runs in turn order; those that runs of it started are not among them."""
    return [row["run_id"] for row in store.read(_RUN_IDS, [session_id])]


def own_runs(store: Store, session_id: str) -> set[str]:
    """The ids of a session's runs that this process has launched."""
    return {row["run_id"] for row in store.read(_OWN_RUN_IDS, [session_id, store.owner])}


def carry_over(store: Store, session_id: str, parts: Sequence[tuple[str, Sequence[Message]]]) -> int:
    """Put runs' messages, each with its run's id, at the end of a session; return how many runs were new to it.

    A run whose messages the session has is left out. Returns once they are durable. Raises StoreError.
    """
    with store.reader() as ask:
        (last,) = ask(_LAST_TURN, [session_id])
        carried = ask(_CARRIED, [session_id])
        known = {row["run_id"] for row in (*carried, *ask(_RUN_IDS, [session_id]))}
    turn = last["turn"] or 0
    seq = max((row["seq"] + 1 for row in carried if row["turn"] == turn), default=0)
    written: list[concurrent.futures.Future[Any]] = []
    for run_id, messages in parts:
        if run_id in known or not messages:
            continue
        numbered = tuple(enumerate(messages, start=seq))
        seq += len(numbered)
        written.append(
            store.submit(
                Append(
                    run_id=run_id,
                    attempt=CARRIED,
                    session_id=session_id,
                    turn=turn,
                    messages=numbered,
                    waited=True,
                )
            )
        )
    try:
        for one in written:
            one.result(COMMIT_WAIT_S)
    except concurrent.futures.TimeoutError:
        raise StoreBusyError(
            f"the messages of session {session_id!r} are not recorded yet: {store.trouble or 'the store is busy'}",
            "they will be as soon as the store can be written",
        ) from None
    return len(written)
