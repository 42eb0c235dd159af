"""What can be written: one frozen record each. A write is atomic, whatever it is batched with.

Built by the runtime, turned into rows by `duckdb/codec.py`. Times are aware UTC datetimes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbagent.events import Message, ModelCall, PendingApproval, ToolCall

Messages = tuple[tuple[int, Message], ...]  # (seq, message)


@dataclass(frozen=True, slots=True)
class Launch:
    """A new run. `row` holds the columns of `runs` that are known at launch, by name.

    `run_id` and `session_id` must be there; `created_at` and `owner` are filled in. A missing `turn` is
    numbered by the store; a session that was made for this run should say `turn=1`, it saves a look-up.
    Values that are None are left out; names that `runs` does not show are kept all the same. `minted`: the id
    was made for this run, no other can have it. `waited`: somebody waits for the commit; a row of a batch goes with
    the next rows of other runs. `follows`: another process has launched in the session before, so that it is not
    the first turn, whatever the database has by now. Result: `LaunchResult`, or RunIdInUseError.
    """

    row: Mapping[str, Any]
    minted: bool = False
    waited: bool = True
    follows: bool = False


@dataclass(frozen=True, slots=True)
class LaunchResult:
    """The run's row is durable, in the database or in the launch log; its `turn`, and whether it shall be cancelled.

    `turn` is None where the log has it, and what other processes do in the session may decide on its number: it is
    given when the row comes into the database. `alone`: at its launch nobody but this process had launched in its session.
    """

    turn: int | None
    cancelled: bool
    alone: bool = False


@dataclass(frozen=True, slots=True)
class JournaledLaunch:
    """A launch that the log holds (`duckdb/journal/journal.py`): its row of `launches`, for the database. Made by the store itself.

    It may be there already: then nothing is written. A row without a turn is numbered with the others of its session:
    `hint` is its number where no other process has launched there; `follows` as in `Launch`. Result: `LaunchResult`.
    """

    row: tuple[Any, ...]
    hint: int | None = None
    follows: bool = False

    @property
    def run_id(self) -> str:
        """The run's id."""
        run_id: str = self.row[0]
        return run_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where an unfinished attempt stands; replaces the last one. Result: True."""

    run_id: str
    attempt: int = 1
    status: str = "running"
    started_at: datetime | None = None
    partial_text: str | None = None
    paused_s: float | None = None
    response_id: str | None = None
    last_sequence_number: int | None = None
    mode_effective: str | None = None
    pending_approvals: tuple[PendingApproval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """A resumed run's next attempt. Result: True, or False if somebody else has claimed it.

    Together with it are written its first `progress`, and `ends`: the end of the attempt before, for a paused run
    whose process is gone; then it is False too if that attempt has an end already.
    """

    run_id: str
    attempt: int
    created_at: datetime | None = None
    progress: Progress | None = None
    ends: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRows:
    """Rows of steps that are finished while the run goes on. Result: True, or False if the attempt has ended.

    `session_id` and `turn` may be left out for a run that this process launched. `waited`: somebody waits for
    the commit, so that it comes within 20 ms.
    """

    run_id: str
    attempt: int = 1
    session_id: str | None = None
    turn: int | None = None
    model_calls: tuple[ModelCall, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    messages: Messages = ()
    waited: bool = False


def _steered(key: str) -> str:
    return hashlib.sha256(f"{key} steered".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AnswerKeys:
    """What an answer is found by: the key of all that was asked, and that of a session's turn (`runtime/launch/cache_key.py`)."""

    cache_key: str
    session_key: str | None = None

    @property
    def steered(self) -> AnswerKeys:
        """The keys of the answers of runs that a person sent something on the way: found where all is replayed."""
        turn = None if self.session_key is None else _steered(self.session_key)
        return AnswerKeys(_steered(self.cache_key), turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """An attempt's end and the rows that were not appended before, together.

    `end` holds columns of `attempt_ends`: `status` and `stop_reason` must be there. `content` is text where
    `content_type` is "text" (the default), else JSON data. Result: True, or False if the attempt has an end
    already (another process gave it up): then nothing of this is written. A completed run with `keys` can
    be the answer of later ones; one with `cached_from` was given the answer of that run, which paid for it.
    """

    run_id: str
    attempt: int = 1
    session_id: str | None = None
    turn: int | None = None
    end: Mapping[str, Any] = field(default_factory=dict)
    model_calls: tuple[ModelCall, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    messages: Messages = ()
    keys: AnswerKeys | None = None
    cached_from: str | None = None


@dataclass(frozen=True, slots=True)
class ImportAnswers:
    """Recorded answers (see `duckdb/recorded_answers.py`) become the newest of their keys, all or none. Result: how many."""

    recordings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ForgetRuns:
    """These runs and all that was recorded of them go, with the runs below them. Result: how many runs went.

    Batches go with the last of their runs; `batch_ids` are some without any.

    A run stays, with all that belong to it, where one of them has not ended and its process lives.
    """

    run_ids: tuple[str, ...]
    batch_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one call costs, in US dollars; `estimated`: by the estimate of its tokens."""

    run_id: str
    attempt: int
    step: int
    try_no: int
    cost_usd: float
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class GiveCosts:
    """These calls, which had no cost, have one; one that has a cost keeps it. Result: how many there are."""

    costs: tuple[CallCost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """What is known of a batch of runs; replaces what was known before. Columns as in `batches`. Result: True.

    Its first record for workers names the `address` of its agent. One whose `details` have a `placement` replaces that of its
    owner alone, and none that has finished: whoever has lost the batch to another worker writes nothing.
    """

    batch_id: str
    batch_key: str
    created_at: datetime
    owner: str
    label: str | None = None
    agent_name: str | None = None
    total: int | None = None
    reused: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    finished_at: datetime | None = None
    definition: Mapping[str, Any] = field(default_factory=dict)
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """What became of a row of a batch that has no run of its own; columns as in `batch_rows`."""

    position: int
    created_at: datetime
    row_key: Any
    answer_key: str | None
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchRows:
    """Rows of a batch that have no run of their own. Result: True."""

    batch_id: str
    rows: tuple[BatchRow, ...]


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A wish to cancel a run of any process, launched or not; it expires after a day. Result: True."""

    run_id: str


@dataclass(frozen=True, slots=True)
class CancelSeen:
    """The requests for these runs have been acted on and go. Result: True."""

    run_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """What a person decided on one waiting call of a run of another process; expires after a day. Result: True.

    `by_other` is told with what was read: the server knows whether this was another user than who launched the run.
    """

    run_id: str
    step: int
    tool_call_id: str
    approved: bool
    reason: str = ""
    arguments: Mapping[str, Any] | None = None
    by_other: bool = False


@dataclass(frozen=True, slots=True)
class DecisionSeen:
    """This decision was heard and goes. Result: True."""

    request: DecisionRequest


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A person's message to an unfinished run of any process, until its model has it; expires after a day. Result: True."""

    run_id: str
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageTaken:
    """This message is among the run's own, and goes. Result: True."""

    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddScore:
    """What somebody thinks of a run: kept beside earlier ones; of a run, a name and an author the latest counts.

    `value` is a bool, a number, or a word. Result: True, or False where the record has no such run.
    """

    run_id: str
    name: str
    value: bool | float | str
    author: str
    comment: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """How a budget of the record stands. `per` is "day", "month" or "total", `period` the one of now.

    `spent_usd` is what all processes have told, `own_usd` this one; it may go to `held_usd` without asking again.
    """

    per: str
    amount_usd: float
    unknown: str
    period: str
    spent_usd: float
    own_usd: float = 0.0
    held_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget:
    """What all processes on the record may spend in a period; None takes the budget away. Result: all `BudgetState`s."""

    per: str
    amount_usd: float | None
    unknown: str = "dearest"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetShare:
    """What this process has spent in a period of a budget, and how far it wants to go without asking again."""

    per: str
    period: str
    spent_usd: float
    wanted_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAccount:
    """This process's shares of the budgets, in the place of those it told before. Result: all `BudgetState`s.

    They go in the order in which they were submitted, and before other rows.
    """

    shares: tuple[BudgetShare, ...] = ()


@dataclass(frozen=True, slots=True)
class InterruptOrphans:
    """End unfinished attempts whose owner is gone, and drop expired cancel requests. Result: how many ended.

    `gone` are owners, on a server, that the caller knows to be. Runs on workers are left to workers.
    """

    gone: tuple[str, ...] = ()


Write = (
    Launch
    | JournaledLaunch
    | NewAttempt
    | Progress
    | AppendRows
    | Finish
    | BatchRecord
    | BatchRows
    | ImportAnswers
    | ForgetRuns
    | GiveCosts
    | CancelRequest
    | CancelSeen
    | DecisionRequest
    | DecisionSeen
    | SendMessage
    | MessageTaken
    | AddScore
    | SetBudget
    | BudgetAccount
    | InterruptOrphans
)
