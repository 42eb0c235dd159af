"""Give launches their turns: the places in their sessions. Called by the writer thread, in the transaction of the rows.

In a session launches are numbered in the order in which they were made, those of all processes together, as far as
they come into the database together; and after those that are there. A launch that is there already keeps its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbagent.store.commands import JournaledLaunch, Launch, Write
from nbagent.store.duckdb import codec
from nbagent.store.duckdb.write.known_state import KnownState

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EARLIEST = datetime(1, 1, 1)  # noqa: DTZ001 - times of rows have no zone
_THERE = "select run_id, turn from launches where run_id in (select unnest(?::varchar[]))"
_LAST = (
    "select session_id, max(turn) from launches where session_id in (select unnest(?::varchar[])) group by 1"
)
_LAST_OF_ONE = "select ?::varchar, max(turn) from launches where session_id = ?"


@dataclass(slots=True)
class _Unnumbered:
    run_id: str
    session_id: str
    owner: str
    created_at: datetime | None
    hint: int | None
    least: int


def number_launches(
    con: DuckDBPyConnection, writes: Sequence[Write], memory: KnownState, turns: dict[str, int]
) -> dict[str, int]:
    """The turn of each launch that has none, by run id; the highest of their sessions go into `turns`."""
    for session_id, turn in _given(writes):  # also where nobody asks for a number now: somebody may later
        if session_id in memory.last_turn:
            memory.numbered(session_id, turn)
    found = [one for one in (_unnumbered(write, memory.owner) for write in writes) if one is not None]
    if not found:
        return {}
    logged = [write.row[0] for write in writes if isinstance(write, JournaledLaunch) and write.row[2] is None]
    there = dict(con.execute(_THERE, [logged]).fetchall()) if logged else {}
    _learn_last(con, {one.session_id for one in found}, memory, turns)
    for session_id, turn in _given(writes):
        if session_id in turns:
            turns[session_id] = max(turn, turns[session_id])
    numbers: dict[str, int] = {**there}
    for one in _in_order(found):
        if one.run_id not in numbers:
            last = max(turns[one.session_id], one.least)
            turn = one.hint if one.hint is not None and one.hint > last else last + 1
            numbers[one.run_id] = turns[one.session_id] = turn
    return numbers


def is_unnumbered(write: Write) -> bool:
    """Whether a write is a launch whose turn depends on what others have launched in its session."""
    return _unnumbered(write, "") is not None


def _unnumbered(write: Write, owner: str) -> _Unnumbered | None:
    match write:
        case Launch(row) if row.get("turn") is None:
            at = codec.naive(row.get("created_at"))
            return _Unnumbered(row["run_id"], row["session_id"], owner, at, None, int(write.follows))
        case JournaledLaunch(row) if row[2] is None:
            return _Unnumbered(row[0], row[1], row[4], row[3], write.hint, int(write.follows))
        case _:
            return None


def _given(writes: Sequence[Write]) -> Iterator[tuple[str, int]]:
    for write in writes:
        match write:
            case Launch(row) if row.get("turn") is not None:
                yield row["session_id"], row["turn"]
            case JournaledLaunch(row) if isinstance(row[2], int):
                yield row[1], row[2]
            case _:
                pass


def _in_order(found: list[_Unnumbered]) -> list[_Unnumbered]:
    """As they were launched; those of one process stay as they are, whatever its clock did meanwhile.

    Those with a hint come first: nobody else had launched in their session then.
    """
    latest: dict[str, datetime] = {}
    keys: list[tuple[bool, datetime]] = []
    for one in found:
        at = max(one.created_at or _EARLIEST, latest.get(one.owner, _EARLIEST))
        latest[one.owner] = at
        keys.append((one.hint is None, at))
    return [found[place] for place in sorted(range(len(found)), key=lambda place: keys[place])]


def _learn_last(
    con: DuckDBPyConnection, sessions: set[str], memory: KnownState, turns: dict[str, Any]
) -> None:
    unknown = []
    for session_id in sessions:
        if session_id in memory.last_turn:
            turns[session_id] = memory.last_turn[session_id]
        else:
            unknown.append(session_id)
    if not unknown:
        return
    found = con.execute(
        *((_LAST, [unknown]) if len(unknown) > 1 else (_LAST_OF_ONE, [unknown[0], unknown[0]]))
    ).fetchall()
    turns.update(dict.fromkeys(unknown, 0))
    turns.update({session_id: turn or 0 for session_id, turn in found})
