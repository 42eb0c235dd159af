"""Commands as operations: rows as JSON text, ready to be sent, or to be kept on disk while the server is away. Pure.

An operation has a number of its process, from 1: the server knows the highest that it has, so that nothing is written
twice, whoever sends it. Rows are what `duckdb/codec.py` makes; a NUL, which Postgres cannot hold, becomes U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

import orjson

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
    MessageTaken,
    NewAttempt,
    Progress,
    SendMessage,
    SetBudget,
    Write,
)
from nbagent.store.duckdb import codec
from nbagent.store.duckdb.tables import COLUMNS, Row
from nbagent.store.process_id import PLACED

_Wish = CancelRequest | DecisionRequest | SendMessage | CancelSeen | DecisionSeen | MessageTaken
Rows = dict[str, list[str]]  # table -> JSON objects

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_JSON = {
    table: frozenset(name for name, kind in columns.items() if kind == "json")
    for table, columns in COLUMNS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One command. `kind` says which; rows that depend on `run_id` and `attempt` being still this process's are fenced.

    `args` are what else the command says, as JSON data.
    """

    kind: str
    number: int = 0
    run_id: str | None = None
    attempt: int = 1
    rows: Rows = field(default_factory=dict)
    args: dict[str, Any] = field(default_factory=dict)

    def line(self) -> bytes:
        """Return the operation as a line of a file."""
        return orjson.dumps(asdict(self)) + b"\n"

    def numbered(self, number: int) -> Operation:
        """Return the same under its process's number."""
        return replace(self, number=number)


def read_line(line: bytes) -> Operation:
    """Return the operation of a line. Raises ValueError for one that was cut off."""
    return Operation(**orjson.loads(line))


def operation_of(write: Write, owner: str) -> Operation:
    """Return a command as an operation. Raises ValueError for texts that `repaired` has to mend first."""
    match write:
        case Launch():
            row = codec.launch_row(write.row, owner=owner, turn=write.row.get("turn"))
            rows = _rows("launches", [row])
            args = {"session_id": write.row["session_id"], "turn": write.row.get("turn"), "at": str(row[3])}
            if write.row.get("owner") == PLACED:
                args["address"] = write.row.get("address") or ""
            return Operation(kind="launch", run_id=write.row["run_id"], rows=rows, args=args)
        case Finish() | AppendRows():
            return _steps(write)
        case NewAttempt():
            return _new_attempt(write, owner)
        case Progress():
            rows = _rows("attempt_progress", [codec.progress_row(write)])
            return Operation(kind="progress", run_id=write.run_id, attempt=write.attempt, rows=rows)
        case BatchRecord() | BatchRows():
            return _of_batch(write)
        case AddScore():
            rows = _rows("scores", [codec.score_row(write)])
            return Operation(kind="score", run_id=write.run_id, rows=rows)
        case (
            CancelRequest()
            | DecisionRequest()
            | SendMessage()
            | CancelSeen()
            | DecisionSeen()
            | MessageTaken()
        ):
            return _wish(write)
        case ImportAnswers() | ForgetRuns() | GiveCosts() | InterruptOrphans():
            return _upkeep(write)
        case JournaledLaunch() | SetBudget() | BudgetAccount():
            raise TypeError("only a file has launches in a journal, and budgets")
        case _:
            assert_never(write)


def _steps(write: Finish | AppendRows) -> Operation:
    """The rows of an attempt's steps, and its end where that is it."""
    run_id, attempt = write.run_id, write.attempt
    calls = [codec.model_call_row(run_id, attempt, call) for call in write.model_calls]
    tools = [codec.tool_call_row(run_id, attempt, call) for call in write.tool_calls]
    # a session or turn that was left out is the launch's: the server fills it in
    said = [
        codec.message_row(write.session_id, write.turn, run_id, attempt, one)  # type: ignore[arg-type]
        for one in write.messages
    ]
    rows = _rows("model_calls", calls) | _rows("tool_calls", tools) | _rows("messages", said)
    args: dict[str, Any] = {}
    if isinstance(write, AppendRows):
        return Operation(kind="append", run_id=run_id, attempt=attempt, rows=rows)
    rows |= _rows("attempt_ends", [codec.end_row(run_id, attempt, write.end)])
    if write.cached_from is not None:
        args["cached_from"] = write.cached_from
    elif write.keys is not None and write.end["stop_reason"] == "end":  # an answer that was cut is no answer
        since = codec.naive(write.end.get("finished_at")) or codec.utc_now()
        answer = (write.keys.cache_key, write.keys.session_key, run_id, since, None)
        rows |= _rows("answers", [answer])
    return Operation(kind="finish", run_id=run_id, attempt=attempt, rows=rows, args=args)


def _of_batch(write: BatchRecord | BatchRows) -> Operation:
    if isinstance(write, BatchRows):
        rows = _rows("batch_rows", codec.batch_rows_rows(write))
        return Operation(kind="rows", run_id=write.batch_id, rows=rows)
    rows = _rows("batches", [codec.batch_row(write)])
    args = {} if write.address is None else {"address": write.address}
    return Operation(kind="rows", run_id=write.batch_id, rows=rows, args=args)


def _new_attempt(write: NewAttempt, owner: str) -> Operation:
    start = codec.naive(write.created_at) or codec.utc_now()
    rows = _rows("attempt_starts", [(write.run_id, write.attempt, owner, start)])
    if write.ends is not None:
        end = codec.end_row(write.run_id, write.attempt - 1, write.ends)
        rows |= _rows("attempt_ends", [end])
    if write.progress is not None:
        rows |= _rows("attempt_progress", [codec.progress_row(write.progress)])
    return Operation(kind="attempt", run_id=write.run_id, attempt=write.attempt, rows=rows)


def _wish(write: _Wish) -> Operation:
    """What a person asks of a run of another process."""
    match write:
        case CancelSeen() | DecisionSeen() | MessageTaken():
            return _heard(write)
        case CancelRequest(run_id):
            rows = _rows("cancel_requests", [(run_id, codec.utc_now())])
        case DecisionRequest():
            rows = _rows("decision_requests", [codec.decision_row(write)])
        case SendMessage():
            row = (write.run_id, write.message_id, write.text, codec.utc_now())
            rows = _rows("sent_messages", [row])
    return Operation(kind="wish", run_id=write.run_id, rows=rows)


def _heard(write: CancelSeen | DecisionSeen | MessageTaken) -> Operation:
    """A wish that goes."""
    match write:
        case CancelSeen(run_ids):
            return Operation(kind="cancel_seen", args={"run_ids": list(run_ids)})
        case DecisionSeen(request):
            args = {"step": request.step, "tool_call_id": request.tool_call_id}
            return Operation(kind="decision_seen", run_id=request.run_id, args=args)
        case MessageTaken(message_id):
            return Operation(kind="message_taken", args={"message_id": message_id})


def _upkeep(write: ImportAnswers | ForgetRuns | GiveCosts | InterruptOrphans) -> Operation:
    """What is done alone, for it asks before it writes."""
    match write:
        case ImportAnswers(recordings):
            now = codec.utc_now()
            found = [
                (one["cache_key"], one["session_key"], one["run_id"], now, codec.to_json(one))
                for one in recordings
            ]
            return Operation(kind="import", rows=_rows("answers", found), args={"since": str(now)})
        case ForgetRuns(run_ids, batch_ids):
            return Operation(kind="forget", args={"run_ids": list(run_ids), "batch_ids": list(batch_ids)})
        case GiveCosts(costs):
            return Operation(kind="costs", args={"costs": [asdict(one) for one in costs]})
        case InterruptOrphans(gone):
            return Operation(kind="sweep", args={"gone": list(gone)})


def _rows(table: str, rows: Iterable[Row]) -> Rows:
    found = [row_json(table, row) for row in rows]
    return {table: found} if found else {}


def row_json(table: str, row: Sequence[Any]) -> str:
    """Return a row as a JSON object; the JSON of its columns stands in it as it is. Raises ValueError for half an emoji."""
    named: dict[str, Any] = {}
    for name, value in zip(COLUMNS[table], row, strict=True):
        if value is None:
            continue
        if name in _JSON[table] and isinstance(value, str):
            named[name] = orjson.Fragment(value)
        else:
            named[name] = value.isoformat() if isinstance(value, datetime) else value
    try:
        text = orjson.dumps(named)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if b"\\u0000" in text:
        text = _NUL.sub(rb"\1\\ufffd", text)
    return text.decode()
