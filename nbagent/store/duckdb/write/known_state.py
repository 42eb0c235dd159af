"""What the writer thread knows of the file without asking it: turns, wishes of other processes, runs of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from nbagent.store.commands import BudgetState, DecisionRequest, SendMessage
from nbagent.store.duckdb import codec
from nbagent.store.duckdb.tables import Row
from nbagent.store.duckdb.write.ledger import states
from nbagent.store.session_ids import Standing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REQUEST_LIFE = timedelta(days=1)
_MANY_SESSIONS = 10_000
_DECISIONS = """
    select run_id, step, tool_call_id, approved, reason, arguments from decision_requests
    where created_at > ? order by created_at
"""
_MESSAGES = "select run_id, message_id, text from sent_messages where created_at > ? order by created_at"


@dataclass(slots=True)
class KnownState:
    """What the writer thread knows of the file. Invalid once another process has had its turn: `begin`."""

    owner: str
    last_turn: dict[str, int] = field(default_factory=dict)  # session -> its highest turn
    cancels: set[str] = field(default_factory=set)  # run ids somebody asked to cancel
    decisions: tuple[DecisionRequest, ...] = ()  # what people decided on calls that wait
    messages: tuple[SendMessage, ...] = ()  # what people sent to runs whose models have not had it
    budgets: tuple[BudgetState, ...] | None = None  # None until the file was looked at
    alone: dict[str, int] = field(default_factory=dict)  # sessions that only we have used -> their last turn
    said: dict[str, str] = field(default_factory=dict)  # what people should hear of a run's rows
    placed: dict[str, tuple[str, int]] = field(default_factory=dict)  # our unfinished runs -> session, turn
    launched: dict[str, Row] = field(default_factory=dict)  # and their launches, for a file that lacks them

    def begin(self, con: DuckDBPyConnection, *, others: bool) -> None:
        """A turn begins; what `others` may have changed is forgotten, and what they ask for is read."""
        # not within a turn: the file lacks the turns that only the log has
        if others or len(self.last_turn) > _MANY_SESSIONS:
            self.last_turn.clear()
        if not others:
            return
        since = [codec.utc_now() - REQUEST_LIFE]
        found = con.execute("select run_id from cancel_requests where created_at > ?", since).fetchall()
        self.cancels = {run_id for (run_id,) in found}
        self.decisions = tuple(map(codec.decision_of, con.execute(_DECISIONS, since).fetchall()))
        self.budgets = states(con, self.owner)
        self.messages = tuple(SendMessage(*row) for row in con.execute(_MESSAGES, since).fetchall())

    def next_alone(self, session_id: str, standing: Standing) -> int | None:
        """The turn of a launch in a session that nobody else has launched in; None where its number is not known."""
        if standing is Standing.FIRST:
            return 1
        last = self.alone.get(session_id) if standing is Standing.ALONE else None
        return None if last is None else last + 1

    def launched_alone(self, session_id: str, turn: int | None) -> None:
        """This turn was given to a launch in the log; None: one that is numbered by others, and those after it too."""
        self.alone.pop(session_id, None)
        if turn is not None:
            self.alone[session_id] = turn
            while len(self.alone) > _MANY_SESSIONS:
                del self.alone[next(iter(self.alone))]

    def numbered(self, session_id: str, turn: int) -> None:
        """A session has a run with this turn now."""
        self.last_turn[session_id] = max(turn, self.last_turn.get(session_id, 0))
