"""Write a batch in one transaction; where DuckDB refuses it, find the write that is at fault and set it aside.

Called by the writer thread, inside a turn.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, assert_never

from nbagent.core import one_line
from nbagent.errors import NBAgentError, RunIdInUseError, StoreError
from nbagent.store.commands import (
    AddScore,
    AppendRows,
    BatchRecord,
    BatchRows,
    BudgetAccount,
    CancelRequest,
    CancelSeen,
    DecisionRequest,
    DecisionSeen,
    Finish,
    ForgetRuns,
    GiveCosts,
    ImportAnswers,
    InterruptOrphans,
    JournaledLaunch,
    Launch,
    LaunchResult,
    MessageTaken,
    NewAttempt,
    Progress,
    SendMessage,
    SetBudget,
    Write,
)
from nbagent.store.duckdb import codec
from nbagent.store.duckdb.database_file import is_damage
from nbagent.store.duckdb.tables import COLUMNS, Row
from nbagent.store.duckdb.write.costs import give_costs
from nbagent.store.duckdb.write.delete import delete_runs
from nbagent.store.duckdb.write.insert import insert
from nbagent.store.duckdb.write.known_state import REQUEST_LIFE, KnownState
from nbagent.store.duckdb.write.ledger import settle
from nbagent.store.duckdb.write.numbering import number_launches
from nbagent.store.duckdb.write.orphans import interrupt_orphans

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DECISION_SEEN = "delete from decision_requests where run_id = ? and step = ? and tool_call_id = ?"
_MESSAGE_TAKEN = "delete from sent_messages where message_id = ?"
_CACHED = "update launches set cached_from = ? where run_id = ?"
_IMPORTED_BEFORE = """
    delete from answers where recording is not null and since < ?
    and (cache_key, run_id) in (select unnest(?::varchar[]), unnest(?::varchar[]))
"""
_DUPLICATE = re.compile("duplicate key", re.IGNORECASE)
_LARGE_COUNTS = list(COLUMNS["model_calls"]).index("large_counts")
_Upkeep = ImportAnswers | ForgetRuns | GiveCosts | AddScore | SetBudget | BudgetAccount
_Wish = CancelRequest | CancelSeen | DecisionRequest | DecisionSeen | SendMessage | MessageTaken
_BARE_END = ("status", "stop_reason", "started_at", "finished_at", "error")


def is_trouble(error: BaseException) -> bool:
    """Whether the file or the disk is at fault, not the rows: then all of the batch must wait."""
    import duckdb

    kinds = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.OutOfMemoryException,
        duckdb.ConnectionException,
        duckdb.CatalogException,
        OSError,
        MemoryError,
    )
    if isinstance(error, duckdb.TransactionException):  # a full disk comes as a failed commit
        return not _DUPLICATE.search(str(error))
    return isinstance(error, kinds) or is_damage(error)


def write_all(
    con: DuckDBPyConnection, writes: Sequence[Write], memory: KnownState, results: list[Any]
) -> None:
    """Commit `writes` and append each one's result, or the exception for one that is refused.

    Raises what `is_trouble` names; the writes that have no result yet are then not written and can be tried again.
    """
    if not writes:
        return
    try:
        results.extend(_Transaction(con, memory).commit(writes))
    except Exception as error:
        with contextlib.suppress(Exception):
            con.execute("rollback")
        if is_trouble(error):
            raise
        if len(writes) == 1:
            results.append(_alone(con, writes[0], memory, error))
            return
    else:
        return
    half = len(writes) // 2
    write_all(con, writes[:half], memory, results)
    write_all(con, writes[half:], memory, results)


def _alone(con: DuckDBPyConnection, write: Write, memory: KnownState, error: Exception) -> Any:
    """Give a refused write a second chance: repaired, or in pieces; else say what is wrong with it."""
    import duckdb

    if isinstance(error, NBAgentError):
        return error
    if isinstance(error, duckdb.Error) and _DUPLICATE.search(str(error)):
        if isinstance(write, Launch):
            return _in_use(con, write.row, memory)
        return False
    results: list[Any] = []
    mended = repaired(write)
    if mended != write:
        write_all(con, [mended], memory, results)
        return results[0]
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    write_all(con, pieces(write, reason), memory, results)
    run_id = write.row.get("run_id") if isinstance(write, Launch) else getattr(write, "run_id", None)
    return StoreError(f"a row of run {run_id!r} could not be written: {reason}", "the run itself goes on")


def pieces(write: Write, reason: str) -> list[Write]:
    """What can be saved of rows of which one is refused: each by itself, the bare end at last."""
    if not isinstance(write, (Finish, AppendRows)):
        return []
    place = AppendRows(
        run_id=write.run_id, attempt=write.attempt, session_id=write.session_id, turn=write.turn
    )
    rows_of: list[dict[str, Any]] = [
        {name: (one,)} for name in ("model_calls", "tool_calls", "messages") for one in getattr(write, name)
    ]
    parts: list[Write] = [replace(place, **one) for one in rows_of]
    if len(parts) == 1 and isinstance(write, AppendRows):
        return []
    if isinstance(write, Finish) and (parts or len(write.end) > len(_BARE_END)):
        bare = {name: write.end.get(name) for name in _BARE_END} | {"error": write.end.get("error") or reason}
        parts.append(
            replace(write, end=write.end if parts else bare, model_calls=(), tool_calls=(), messages=())
        )
    return parts


def repaired(write: Any) -> Any:
    """The same write with each text in it cleaned."""

    def repair(value: Any) -> Any:
        if hasattr(value, "__dataclass_fields__"):
            return replace(value, **{one.name: repair(getattr(value, one.name)) for one in fields(value)})
        if isinstance(value, tuple):
            return tuple(map(repair, value))
        return codec.clean(value)

    return repair(write)


def _in_use(
    con: DuckDBPyConnection, row: Mapping[str, Any], memory: KnownState
) -> RunIdInUseError | LaunchResult:
    """Name the run that has the id; it may be this very launch, if its commit failed after all was written."""
    found = con.execute(
        "select agent_name, prompt, status, created_at, owner, turn from runs where run_id = ?",
        [row["run_id"]],
    ).fetchone()
    agent, prompt, status, created_at, owner, turn = found or (None, None, "unknown", None, None, 0)
    if owner == memory.owner and created_at == codec.naive(row.get("created_at")):
        return LaunchResult(turn, cancelled=False)
    start = one_line(prompt or "", 40)
    when = f" at {created_at:%Y-%m-%d %H:%M:%S} UTC" if created_at else ""
    return RunIdInUseError(
        f"run id {row['run_id']!r} is taken: {agent or 'an agent'} on {start!r}, launched{when}, is {status}",
        "leave the run id out, choose another, or attach to that run",
    )


class _Transaction:
    """One transaction in the making: rows by table, and what each write gets when it is committed."""

    def __init__(self, con: DuckDBPyConnection, memory: KnownState) -> None:
        self.con = con
        self.memory = memory
        self.rows: dict[str, list[Row]] = {}
        self.logged: list[Row] = []
        self.statements: list[tuple[str, list[Any]]] = []
        self.turns: dict[str, int] = {}
        self.numbers: dict[str, int] = {}  # the turns that launches are given by this transaction
        self.placed: dict[str, tuple[str, int]] = {}
        self.launched: dict[str, Row] = {}
        self.used: set[str] = set()  # cancel requests that go
        self.asked: set[str] = set()  # cancel requests that come
        self.decided: list[DecisionRequest] = []  # decisions that come
        self.heard: list[DecisionRequest] = []  # decisions that go
        self.sent: list[SendMessage] = []  # messages that come
        self.taken: set[str] = set()  # messages that go

    def commit(self, writes: Sequence[Write]) -> list[Any]:
        """Turn each write into rows, write them all, then take over what was learned."""
        self.numbers = number_launches(self.con, writes, self.memory, self.turns)
        ended = self._ended([write for write in writes if isinstance(write, AppendRows)])
        finished = {(write.run_id, write.attempt) for write in writes if isinstance(write, Finish)}
        latest = {
            (write.run_id, write.attempt): write
            for write in writes
            if isinstance(write, Progress) and (write.run_id, write.attempt) not in finished
        }
        batches = {write.batch_id: write for write in writes if isinstance(write, BatchRecord)}
        for write in writes:
            if isinstance(write, NewAttempt) and write.progress is not None:
                latest.setdefault((write.run_id, write.attempt), write.progress)
        results = [self._add(write, ended) for write in writes]
        self.rows.setdefault("attempt_progress", []).extend(map(codec.progress_row, latest.values()))
        self.rows.setdefault("batches", []).extend(map(codec.batch_row, batches.values()))
        for write in writes:
            if isinstance(write, BatchRows):
                self.rows.setdefault("batch_rows", []).extend(codec.batch_rows_rows(write))
        if self.used:
            self.statements.append(
                ("delete from cancel_requests where run_id in (select unnest(?))", [list(self.used)])
            )
        self._execute()
        self._learn(finished)
        return results

    def _add(self, write: Write, ended: set[tuple[str, int]]) -> Any:
        match write:
            case Launch():
                return self._add_launch(write)
            case JournaledLaunch():
                return self._add_logged(write)
            case Finish():
                self._row("attempt_ends", codec.end_row(write.run_id, write.attempt, write.end))
                self._add_calls(write)
                self._add_answer(write)
            case ImportAnswers() | ForgetRuns() | GiveCosts() | AddScore() | SetBudget() | BudgetAccount():
                return self._add_upkeep(write)
            case AppendRows():
                if (write.run_id, write.attempt) in ended:
                    return False
                self._add_calls(write)
            case NewAttempt():
                start = codec.naive(write.created_at) or codec.utc_now()
                self._row("attempt_starts", (write.run_id, write.attempt, self.memory.owner, start))
                if write.ends is not None:
                    self._row("attempt_ends", codec.end_row(write.run_id, write.attempt - 1, write.ends))
            case (
                CancelRequest()
                | CancelSeen()
                | DecisionRequest()
                | DecisionSeen()
                | SendMessage()
                | MessageTaken()
            ):
                self._add_wish(write)
            case InterruptOrphans():
                return interrupt_orphans(self.con, self.memory.owner, REQUEST_LIFE)
            case Progress() | BatchRecord() | BatchRows():
                pass  # `commit` writes these: of the first two only the latest
            case _:
                assert_never(write)
        return True

    def _add_answer(self, write: Finish) -> None:
        """Say in the same transaction what makes the run an answer for later ones, or whose answer it was given."""
        if write.cached_from is not None:
            self.statements.append((_CACHED, [write.cached_from, write.run_id]))
        elif (
            write.keys is not None and write.end["stop_reason"] == "end"
        ):  # an answer that was cut is no answer
            since = codec.naive(write.end.get("finished_at")) or codec.utc_now()
            keys = write.keys
            self._row("answers", (keys.cache_key, keys.session_key, write.run_id, since, None))

    def _add_upkeep(self, write: _Upkeep) -> Any:
        if isinstance(write, SetBudget | BudgetAccount):
            self.memory.budgets = settle(self.con, self.memory.owner, write)
            return self.memory.budgets
        if isinstance(write, AddScore):
            return self._add_score(write)
        if isinstance(write, GiveCosts):
            return give_costs(self.con, write.costs)
        if isinstance(write, ForgetRuns):
            return delete_runs(self.con, write.run_ids, write.batch_ids)
        now = codec.utc_now()
        for one in write.recordings:
            keys = one["cache_key"], one["session_key"]
            self._row("answers", (*keys, one["run_id"], now, codec.to_json(one)))
        names = [[one[name] for one in write.recordings] for name in ("cache_key", "run_id")]
        self.statements.append((_IMPORTED_BEFORE, [now, *names]))
        return len(write.recordings)

    def _add_wish(self, write: _Wish) -> None:
        match write:
            case CancelRequest():
                self._row("cancel_requests", (write.run_id, codec.utc_now()))
                self.asked.add(write.run_id)
            case CancelSeen():
                self.used.update(write.run_ids)
            case DecisionRequest():
                self._row("decision_requests", codec.decision_row(write))
                self.decided.append(write)
            case DecisionSeen(request):
                self.heard.append(request)
                key = [request.run_id, request.step, request.tool_call_id]
                self.statements.append((_DECISION_SEEN, key))
            case SendMessage():
                row = (write.run_id, write.message_id, write.text, codec.utc_now())
                self._row("sent_messages", row)
                self.sent.append(write)
            case MessageTaken():
                self.taken.add(write.message_id)
                self.statements.append((_MESSAGE_TAKEN, [write.message_id]))

    def _add_score(self, write: AddScore) -> bool:
        known = self.con.execute("select 1 from launches where run_id = ?", [write.run_id]).fetchone()
        if known is None and write.run_id not in self.launched:
            return False
        self._row("scores", codec.score_row(write))
        return True

    def _add_launch(self, write: Launch) -> LaunchResult:
        run_id, session_id = write.row["run_id"], write.row["session_id"]
        turn = write.row.get("turn")
        if turn is None:
            turn = self.numbers[run_id]
        self.turns[session_id] = max(turn, self.turns.get(session_id, 0))
        self.placed[run_id] = (session_id, turn)
        row = codec.launch_row(write.row, owner=self.memory.owner, turn=turn)
        self.launched[run_id] = row
        self._row("launches", row)
        cancelled = run_id in self.memory.cancels or run_id in self.asked
        if cancelled:
            self.used.add(run_id)
        return LaunchResult(turn, cancelled)

    def _add_logged(self, write: JournaledLaunch) -> LaunchResult:
        run_id, session_id, turn, _, owner = write.row[:5]
        if turn is None:
            turn = self.numbers[run_id]
        row = (run_id, session_id, turn, *write.row[3:])
        if session_id in self.turns:  # a launch of this batch is numbered after it
            self.turns[session_id] = max(turn, self.turns[session_id])
        if owner == self.memory.owner:
            self.placed[run_id] = (session_id, turn)
            self.launched[run_id] = row
        self.logged.append(row)
        return LaunchResult(turn, cancelled=False)

    def _add_calls(self, write: Finish | AppendRows) -> None:
        run_id, attempt = write.run_id, write.attempt
        for call in write.model_calls:
            row = codec.model_call_row(run_id, attempt, call)
            if (large := row[_LARGE_COUNTS]) is not None:
                self.memory.said[run_id] = (
                    f"run {run_id!r} has token counts that no bigint of the record holds: {large}\n"
                    "they are kept as text in model_calls.large_counts, and left out of sums"
                )
            self._row("model_calls", row)
        for tool_call in write.tool_calls:
            self._row("tool_calls", codec.tool_call_row(run_id, attempt, tool_call))
        if write.messages:
            session_id, turn = self._place(write)
            for numbered in write.messages:
                self._row("messages", codec.message_row(session_id, turn, run_id, attempt, numbered))

    def _row(self, table: str, row: Row) -> None:
        self.rows.setdefault(table, []).append(row)

    def _place(self, write: Finish | AppendRows) -> tuple[str, int]:
        """The session and turn of a run: as told, as remembered, or as the file has it."""
        if write.session_id is not None and write.turn is not None:
            return write.session_id, write.turn
        known = self.placed.get(write.run_id) or self.memory.placed.get(write.run_id)
        if known is None:
            found = self.con.execute(
                "select session_id, turn from launches where run_id = ?", [write.run_id]
            ).fetchone()
            if found is None:
                raise StoreError(
                    f"no run {write.run_id!r} was launched", "launch it before its rows are written"
                )
            known = (found[0], found[1])
            self.placed[write.run_id] = known
        return write.session_id or known[0], known[1] if write.turn is None else write.turn

    def _ended(self, appends: Sequence[AppendRows]) -> set[tuple[str, int]]:
        if not appends:
            return set()
        found = self.con.execute(
            "select run_id, attempt from attempt_ends where run_id in (select unnest(?))",
            [list({write.run_id for write in appends})],
        ).fetchall()
        return {(run_id, attempt) for run_id, attempt in found}

    def _execute(self) -> None:
        work = [(table, found) for table, found in self.rows.items() if found]
        # one statement is a transaction by itself
        alone = bool(self.logged) + len(work) + len(self.statements) == 1
        if not alone:
            self.con.execute("begin")
        insert(self.con, "launches", self.logged, anew=False)
        for table, found in work:
            insert(self.con, table, found)
        for sql, params in self.statements:
            self.con.execute(sql, params)
        if not alone:
            self.con.execute("commit")

    def _learn(self, finished: set[tuple[str, int]]) -> None:
        memory = self.memory
        for session_id, turn in self.turns.items():
            memory.numbered(session_id, turn)
        memory.placed.update(self.placed)
        memory.launched.update(self.launched)
        for run_id, _ in finished:
            memory.placed.pop(run_id, None)
            memory.launched.pop(run_id, None)
        memory.cancels |= self.asked
        memory.cancels -= self.used
        if self.decided or self.heard:
            memory.decisions = tuple(
                one for one in (*memory.decisions, *self.decided) if one not in self.heard
            )
        if self.sent or self.taken:
            memory.messages = tuple(
                one for one in (*memory.messages, *self.sent) if one.message_id not in self.taken
            )
