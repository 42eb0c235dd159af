"""What a launch is in its session, and which launches go into the log without asking the database.

Used by `writer.py` on the launching thread, under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbagent.store.commands import (
    AppendRows,
    ForgetRuns,
    JournaledLaunch,
    Launch,
    LaunchResult,
    NewAttempt,
    Write,
)
from nbagent.store.duckdb.codec import launch_row
from nbagent.store.duckdb.journal.journal import Journal
from nbagent.store.duckdb.write.known_state import KnownState
from nbagent.store.duckdb.write.write_queue import WriteQueue
from nbagent.store.session_ids import MOST_KNOWN, SessionIds, Standing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEW = 20_000  # so many are taken in 10 ms
_SESSIONS = "select session_id from launches union select session_id from messages where attempt = 0"


class LaunchLog:
    """The launches of one process on one database: announced to the others, and taken by the log where it can."""

    def __init__(self, log: Journal, memory: KnownState, session_ids: SessionIds) -> None:
        self._log = log
        self._memory = memory
        self._session_ids = session_ids
        self._has_looked = False

    def announced(self, write: Write) -> tuple[Write, Standing]:
        """Let other processes know of a launch in a session before it is durable, and say what it is there.

        So too where a session holds something else afterwards, though nobody launches in it.
        """
        standing = Standing.UNKNOWN
        if isinstance(write, Launch):
            row = write.row
            if row.get("turn") is None:
                standing = self._session_ids.launched(row["session_id"])
            elif row.get("parent_run_id") is None:
                self._session_ids.minted(row["session_id"])
            if standing is Standing.FOLLOWS:
                write = replace(write, follows=True)
        elif isinstance(write, ForgetRuns | NewAttempt):
            self._session_ids.changed()
        elif isinstance(write, AppendRows) and write.attempt == 0 and write.session_id is not None:
            self._session_ids.carried(write.session_id)
        return write, standing

    def into_log(self, write: Launch, standing: Standing) -> tuple[JournaledLaunch | None, LaunchResult]:
        """Add a launch to the log, and say what it is in its session; None if the database must have it first."""
        session_id, memory = write.row["session_id"], self._memory
        may = self._log.is_open and write.minted and write.row["run_id"] not in memory.cancels
        logged = self._line_of(write, standing) if may else None
        if logged is None or not self._log.append(logged):
            memory.launched_alone(session_id, None)
            return None, LaunchResult(None, cancelled=False)
        turn: int | None = logged.row[2]
        if write.row.get("turn") is not None:
            return logged, LaunchResult(turn, cancelled=False)
        # who launches there from now on finds this one's line in the log
        alone = standing is Standing.FIRST or self._session_ids.is_alone(session_id)
        turn = (turn or logged.hint) if alone else None
        memory.launched_alone(session_id, turn)
        if turn is not None:
            logged = JournaledLaunch((*logged.row[:2], turn, *logged.row[3:]))
        return logged, LaunchResult(turn, cancelled=False, alone=turn is not None)

    def _line_of(self, write: Launch, standing: Standing) -> JournaledLaunch | None:
        """A launch as the log has it: one that takes a turn has no number yet, except for the first of a session."""
        session_id, turn = write.row["session_id"], write.row.get("turn")
        hint = None
        if turn is None:
            hint = self._memory.next_alone(session_id, standing)
            turn = hint if standing is Standing.FIRST else None
        try:
            row = launch_row(write.row, owner=self._memory.owner, turn=turn)
        except (TypeError, ValueError):  # a lone surrogate: the batch repairs it, or says what is wrong
            return None
        if turn is not None:
            return JournaledLaunch(row)
        return JournaledLaunch(row, hint, follows=standing is Standing.FOLLOWS)

    def settled(self, write: Launch, result: LaunchResult, jobs: WriteQueue) -> LaunchResult:
        """What a launch that the database has numbered is in its session: it may have begun one."""
        session_id = write.row["session_id"]
        if write.row.get("turn") is not None or not self._session_ids.is_alone(session_id):
            return result
        if not jobs.launches_in(session_id):  # else those have no number yet
            self._memory.launched_alone(session_id, self._memory.last_turn.get(session_id, 1))
        return replace(result, alone=True)

    def learn_sessions(self, con: DuckDBPyConnection, others: Sequence[JournaledLaunch]) -> None:
        """Look once which sessions the file has: where they are few, or somebody wants to know whether one is new.

        `others` are launches in other processes' logs, which the file is about to have.
        """
        wanted = self._session_ids.is_wanted
        if not wanted and (self._has_looked or not self._session_ids.is_unread):
            return
        self._has_looked = True
        (count,) = con.execute("select count(*) from launches").fetchall()[0]
        if not wanted and count > FEW:
            return
        found = con.execute(_SESSIONS).fetchall() if count <= MOST_KNOWN else None
        known = None if found is None else [session_id for (session_id,) in found]
        self._session_ids.load(None if known is None else [*known, *(launch.row[1] for launch in others)])
