"""Sessions read from the record: what each run said, in turn order; and messages carried over from another record.

Called on any thread but the writer's. Messages that were carried over are rows of attempt 0 under their run's own
id: no run of this record wrote them.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from nbagent.errors import StoreBusyError
from nbagent.events import Message
from nbagent.run import RunStatus
from nbagent.store.commands import AppendRows
from nbagent.store.duckdb.codec import message_of
from nbagent.store.duckdb.write.orphans import nobody_works_on

if TYPE_CHECKING:
    from nbagent.store.ports import Ask, Reader, ReaderAndSubmitter

PARALLEL = "parallel"  # `on_busy` of a run that takes no turn
CARRIED = 0  # the attempt of messages that came from another record
COMMIT_WAIT_S = 5.0
_RUN_IDS = "select run_id, turn, owner from launches where session_id = ? and parent_run_id is null order by turn, run_id"
# given as plain values DuckDB finds a few of the runs by its index, however large the file is
_UNFINISHED = """
    select r.run_id, r.label, r.turn, r.owner, r.status, coalesce(r.heartbeat_at, r.created_at) as last_seen,
           l.details ->> '$.on_busy' as on_busy
    from runs r join launches l using (run_id) where r.run_id in ({ids}) order by r.turn, r.run_id
"""
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
class StoredTurn:
    """What one run left in its session. `status` is None where it was carried over from another record.

    `partial_text` is the text of an answer that was cut off.
    """

    run_id: str
    status: RunStatus | None
    partial_text: str | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedRun:
    """A run of a session that has no end yet. `queued`: it takes a turn, so that those after it wait for it."""

    run_id: str
    label: str | None
    turn: int
    owner: str
    paused: bool
    last_seen: datetime
    queued: bool

    @property
    def is_left(self) -> bool:
        """True if the process that worked on it is gone; looks at the process table."""
        return nobody_works_on(self.owner, self.last_seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """A session as a run of it finds the record: what was said before, and what other processes have not ended yet.

    `own` are the ids of those of its runs that this process has launched; `turn` is that of the run itself.
    """

    turns: list[StoredTurn]
    own: frozenset[str]
    unfinished: tuple[UnfinishedRun, ...]
    turn: int | None = None

    def ahead_of(self, turn: int | None, also: Container[str] = ()) -> tuple[UnfinishedRun, ...]:
        """The runs whose turn comes before `turn`, in order, and those with ids in `also`; None is after all."""
        return tuple(
            one
            for one in self.unfinished
            if one.run_id in also or (one.queued and (turn is None or one.turn < turn))
        )


def load_turns(store: Reader, session_id: str, before_turn: int | None = None) -> list[StoredTurn]:
    """The ended runs of a session in turn order, of the turns before `before_turn`; no child run, none without messages.

    A run that goes on, in whatever kernel, is no history yet.
    """
    with store.reader() as ask:
        ended = _ended(ask, [row["run_id"] for row in ask(_RUN_IDS, [session_id])])
        return _turns(ask(_MESSAGES, [session_id, before_turn, before_turn]), ended)


def load_session(
    store: Reader,
    session_id: str,
    *,
    run_id: str | None = None,
    before_turn: int | None = None,
    here: Container[str] = (),
    timeout_s: float = 10.0,
) -> SessionState:
    """The turns before that of `run_id`, or before `before_turn` where it has none yet, and what other processes have unfinished, in one read. Raises StoreError.

    `here` are the ids of runs that this process works on: nothing need be asked about these. It waits for rows of
    the session only, not for other sessions' that are on their way.
    """
    with store.reader(session=session_id, flush=False, timeout_s=timeout_s) as ask:
        runs = ask(_RUN_IDS, [session_id])
        turn = before_turn = next((row["turn"] for row in runs if row["run_id"] == run_id), before_turn)
        ids = [row["run_id"] for row in runs if row["run_id"] not in here]
        ended = _ended(ask, ids)
        unfinished = _unfinished(ask, [run_id for run_id in ids if run_id not in ended], store.owner)
        said = ask(_MESSAGES, [session_id, before_turn, before_turn])
    own = frozenset(row["run_id"] for row in runs if row["owner"] == store.owner)
    return SessionState(turns=_turns(said, ended), own=own, unfinished=unfinished, turn=turn)


def load_unfinished(store: Reader, session_id: str, *, timeout_s: float = 10.0) -> tuple[UnfinishedRun, ...]:
    """What other processes have not ended in a session. Raises StoreError."""
    with store.reader(timeout_s=timeout_s) as ask:
        ids = [row["run_id"] for row in ask(_RUN_IDS, [session_id])]
        ended = _ended(ask, ids)
        return _unfinished(ask, [run_id for run_id in ids if run_id not in ended], store.owner)


def _unfinished(ask: Ask, ids: list[str], owner: str) -> tuple[UnfinishedRun, ...]:
    """What others than `owner` work on, or have left, of these runs."""
    found = [one for few in _few_of(ids) for one in ask(_UNFINISHED.format(ids=_marks(few)), few)]
    return tuple(
        UnfinishedRun(
            run_id=one["run_id"],
            label=one["label"],
            turn=one["turn"],
            owner=one["owner"],
            paused=one["status"] == RunStatus.paused.value,
            last_seen=one["last_seen"],
            queued=one["on_busy"] != PARALLEL,
        )
        for one in found
        if one["owner"] != owner
    )


def _turns(rows: list[dict[str, Any]], ended: Mapping[str, dict[str, Any]]) -> list[StoredTurn]:
    """Messages as turns, those of runs that have ended and those that were carried over."""
    turns = []
    for (run_id, carried), group in groupby(rows, key=lambda row: (row["run_id"], row["attempt"] == CARRIED)):
        end = ended.get(run_id)
        if not carried and end is None:
            continue
        said = {row["seq"]: message_of(row) for row in group}  # two processes may have carried the same over
        turns.append(
            StoredTurn(
                run_id=run_id,
                status=None if carried or end is None else RunStatus(end["status"]),
                partial_text=None if carried or end is None else end["partial_text"],
                messages=tuple(said.values()),
            )
        )
    return turns


def _ended(ask: Ask, ids: list[str]) -> dict[str, dict[str, Any]]:
    """How each of these runs ended, by their ids; one whose last attempt goes on has not."""
    if len(ids) > _FEW:
        rows = ask(_ENDS.format(ids="select unnest(?::varchar[])"), [ids])
    else:
        rows = ask(_ENDS.format(ids=_marks(ids)), ids) if ids else []
    return {row["run_id"]: row for row in rows}


def _marks(ids: list[str]) -> str:
    return ", ".join("?" * len(ids))


def _few_of(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _FEW):
        yield ids[start : start + _FEW]


def session_runs(store: Reader, session_id: str) -> list[str]:
    """The ids of a session's runs in turn order; those that runs of it started are not among them."""
    return [row["run_id"] for row in store.read(_RUN_IDS, [session_id])]


def carry_over(
    store: ReaderAndSubmitter, session_id: str, parts: Sequence[tuple[str, Sequence[Message]]]
) -> int:
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
                AppendRows(
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
