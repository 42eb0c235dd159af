"""Write a batch of operations in one transaction, in two round trips: what is there, and then the rows. On the writer thread.

What belongs to an attempt is fenced: it is written only while the attempt has no end, no later one has begun, and the
operation's process is its owner. A shared lock of the run is held meanwhile, which whoever takes the run over waits for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.core import one_line
from nbagent.errors import RunIdInUseError
from nbagent.store.commands import LaunchResult
from nbagent.store.duckdb.tables import COLUMNS
from nbagent.store.postgres.placed_runs import work_channel
from nbagent.store.postgres.write.operations import Operation
from nbagent.store.process_id import PLACED

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

FENCED = frozenset({"append", "finish", "progress", "attempt"})
ALONE = frozenset({"import", "forget", "costs", "sweep"})  # see `upkeep.py`
NAMED = 50  # runs that a notice names; whoever hears of more looks

APPLIED = """
update writers set applied = $2, beat_at = timezone('utc', clock_timestamp())
where writer = $1 and applied < $3 returning applied"""
_LOCK = """
select pg_advisory_xact_lock{shared}(key) from (
    select distinct hashtextextended(current_schema() || {kind} || name, 11) as key from unnest($1::text[]) name order by 1
) keys"""
_LAUNCH = """
insert into launches ({columns})
select run_id, session_id,
       coalesce(turn, greatest(coalesce((select max(l.turn) from launches l where l.session_id = r.session_id), 0),
                               coalesce(max(turn) over (partition by session_id), 0))
                      + row_number() over (partition by session_id, turn is null order by ordinality)::integer),
       {rest}
from json_populate_recordset(null::launches, $1::json) with ordinality r
on conflict (run_id) do nothing returning run_id, turn"""
_CANCELLED = "delete from cancel_requests where run_id = any($1::text[]) returning run_id"
_ATTEMPTS = f"""
select r.run_id, r.attempt,
       exists (select from attempt_ends e where e.run_id = r.run_id and e.attempt = r.attempt) as ended,
       exists (select from attempt_ends e where e.run_id = r.run_id and e.attempt = r.attempt - 1) as ended_before,
       exists (select from attempt_starts s where s.run_id = r.run_id and s.attempt > r.attempt) as later,
       coalesce((select s.owner from attempt_starts s where s.run_id = r.run_id and s.attempt = r.attempt),
                case when r.attempt = 1 then
                     (select nullif(l.owner, '{PLACED}') from launches l where l.run_id = r.run_id) end) as owner,
       (select p.status = 'paused' from attempt_progress p where p.run_id = r.run_id and p.attempt = r.attempt) as paused
from json_to_recordset($1::json) as r(run_id text, attempt integer)"""  # noqa: S608 - a name of ours
_KNOWN = "select run_id from launches where run_id = any($1::text[])"
_TAKEN = "select agent_name, prompt, status, created_at, owner, turn from runs where run_id = $1"
_INSERT = (
    "insert into {table} ({columns}) select {columns} from json_populate_recordset(null::{table}, $1::json)"
)
_MESSAGES = """
insert into messages ({columns})
select coalesce(r.session_id, l.session_id), coalesce(r.turn, l.turn), {rest}
from json_populate_recordset(null::messages, $1::json) with ordinality r left join launches l on l.run_id = r.run_id
order by r.ordinality"""
_CACHED = """
update launches set cached_from = r.cached_from from json_to_recordset($1::json) as r(run_id text, cached_from text)
where launches.run_id = r.run_id"""
_DECIDED = """
delete from decision_requests d using json_to_recordset($1::json) as r(run_id text, step integer, tool_call_id text)
where d.run_id = r.run_id and d.step = r.step and d.tool_call_id = r.tool_call_id"""

_PLACED = """
insert into placed_runs (run_id, address)
select r.run_id, r.address from json_to_recordset($1::json) as r(run_id text, address text) on conflict do nothing"""
_TAKEN_MESSAGES = "delete from sent_messages where message_id = any($1::text[])"


class AlreadyAppliedError(Exception):
    """The server has these operations: a commit whose word was lost, or somebody else has sent them."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose operations they are: the process, as rows name it, and its writer, by whose count nothing is written twice."""

    owner: str
    writer: str


@dataclass(slots=True)
class _Attempt:
    """What the server has of an attempt, and what this batch does to it."""

    ended: bool
    ended_before: bool
    later: bool
    owner: str | None
    paused: bool


def channel(schema: str) -> str:
    """The channel that tells of changes of a record; a name has at most 63 bytes."""
    return f"nbagent_{schema}"[:63]


def apply(
    connection: Connection,
    sender: Sender,
    operations: Sequence[Operation],
    schema: str,
    *,
    counted: bool = True,
) -> list[Any]:
    """Commit operations of a process, none of which is one that is done alone; return each one's result.

    Not `counted`: they have no numbers of their own.

    Raises AlreadyAppliedError, and what psycopg raises: then none of them is written.
    """
    batch = _Batch(connection, sender, operations, counted=counted)
    with transaction(connection):
        batch.look()
        batch.decide()
        batch.write(schema)
    return batch.results()


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Begin with the first statement of the block, commit with the last; roll back where it raises."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the connection may be broken
            connection.execute("rollback")
        raise


class _Batch:
    def __init__(
        self, connection: Connection, sender: Sender, operations: Sequence[Operation], *, counted: bool
    ) -> None:
        self.counted = counted
        self.connection = connection
        self.sender = sender
        self.owner = sender.owner
        self.operations = operations
        self.found: dict[int, Any] = {}  # results by place
        self.turns: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.attempts: dict[tuple[str, int], _Attempt] = {}
        self.known: set[str] = set()
        self.rows: dict[str, list[str]] = {}

    # ------------------------------------------------------------- first trip

    def look(self) -> None:
        """Begin, take locks, insert launches, and read what the rest depends on."""
        launches = self._of("launch")
        fenced = [one for one in self.operations if one.kind in FENCED]
        asked: list[tuple[str, Any]] = []
        with self.connection.pipeline():
            self.connection.execute("begin")
            self._lock(launches, fenced)
            first, last = self.operations[0].number, self.operations[-1].number
            applied = (
                self.connection.execute(APPLIED, [self.sender.writer, last, first]) if self.counted else None
            )
            if launches:
                asked.append(("turns", self._send(_launch_sql(), _rows_of(launches, "launches"))))
                ids = [one.run_id for one in launches]
                asked.append(("cancelled", self.connection.execute(_CANCELLED, [ids])))
            if fenced:
                keys = {(one.run_id, one.attempt) for one in fenced}
                named = [{"run_id": run_id, "attempt": attempt} for run_id, attempt in keys]
                asked.append(("attempts", self._send(_ATTEMPTS, named)))
            if scores := [one.run_id for one in self._of("score")]:
                asked.append(("known", self.connection.execute(_KNOWN, [scores])))
        if applied is not None and applied.fetchone() is None:
            raise AlreadyAppliedError
        for name, cursor in asked:
            getattr(self, f"_take_{name}")(cursor.fetchall())

    def _lock(self, launches: list[Operation], fenced: list[Operation]) -> None:
        sessions = sorted({one.args["session_id"] for one in launches if one.args["turn"] is None})
        taken = sorted({one.run_id or "" for one in fenced if one.kind == "attempt"})
        written = sorted({one.run_id or "" for one in fenced} - set(taken))
        if sessions:
            self.connection.execute(lock_sql("' session '"), [sessions])
        if taken:
            self.connection.execute(lock_sql("' run '"), [taken])
        if written:
            self.connection.execute(lock_sql("' run '", shared=True), [written])

    def _take_turns(self, rows: list[Any]) -> None:
        self.turns = dict(rows)

    def _take_cancelled(self, rows: list[Any]) -> None:
        self.cancelled = {run_id for (run_id,) in rows}

    def _take_attempts(self, rows: list[Any]) -> None:
        for run_id, attempt, ended, ended_before, later, owner, paused in rows:
            self.attempts[run_id, attempt] = _Attempt(ended, ended_before, later, owner, bool(paused))

    def _take_known(self, rows: list[Any]) -> None:
        self.known = {run_id for (run_id,) in rows}

    # ---------------------------------------------------------------- decisions

    def decide(self) -> None:
        """Choose the rows that are written, in the order of the operations."""
        finished = {(one.run_id, one.attempt) for one in self._of("finish")}
        latest: dict[str, str] = {}
        progress: dict[tuple[str | None, int], str] = {}
        for place, one in enumerate(self.operations):
            allowed = self._may_write(one)
            self.found[place] = self._launched(one) if one.kind == "launch" else allowed
            if not allowed or one.kind == "launch":
                continue
            for table, rows in one.rows.items():
                if table == "batches":
                    latest[one.run_id or ""] = rows[0]
                elif table == "attempt_progress":
                    if (one.run_id, one.attempt) not in finished:
                        progress[one.run_id, one.attempt] = rows[0]
                else:
                    self.rows.setdefault(table, []).extend(rows)
        self.rows["attempt_progress"] = list(progress.values())
        self.rows["batches"] = list(latest.values())

    def _may_write(self, one: Operation) -> bool:
        if one.kind == "score":
            return one.run_id in self.known
        if one.kind not in FENCED or one.attempt < 1:
            return True
        there = self.attempts[one.run_id or "", one.attempt]
        if one.kind == "attempt":
            # attempt 1 is claimed by a worker, where the launch waited for one, and may have been cancelled before
            allowed = there.owner is None and not there.later and not there.ended
            allowed = allowed and not (there.ended_before and "attempt_ends" in one.rows)
            if allowed:
                there.owner = self.owner
                before = self.attempts.get((one.run_id or "", one.attempt - 1))
                if before is not None:
                    before.ended = before.later = True
            return allowed
        # whoever decides on a paused run that its process has left may end it
        ours = there.owner in (None, self.owner) or (one.kind == "finish" and there.paused)
        allowed = ours and not there.ended and not there.later
        if allowed and one.kind == "finish":
            there.ended = True
        return allowed

    def _launched(self, one: Operation) -> LaunchResult | RunIdInUseError:
        run_id = one.run_id or ""
        if run_id in self.turns:
            return LaunchResult(self.turns.pop(run_id), cancelled=run_id in self.cancelled)
        found = self.connection.execute(_TAKEN, [run_id]).fetchone()
        agent, prompt, status, created_at, owner, turn = found or (None, None, "unknown", None, None, 0)
        if owner in (self.owner, PLACED) and str(created_at) == one.args["at"]:  # it is this very launch
            return LaunchResult(turn, cancelled=run_id in self.cancelled)
        when = f" at {created_at:%Y-%m-%d %H:%M:%S} UTC" if created_at else ""
        return RunIdInUseError(
            f"run id {run_id!r} is taken: {agent or 'an agent'} on {one_line(prompt or '', 40)!r}, launched{when}, is {status}",
            "leave the run id out, choose another, or attach to that run",
        )

    # ------------------------------------------------------------ second trip

    def write(self, schema: str) -> None:
        """Write the rows, tell who listens, commit."""
        with self.connection.pipeline():
            for table in _ORDER:
                if rows := self.rows.get(table):
                    self._send(_insert_sql(table), rows)
            cached = [
                {"run_id": one.run_id, **one.args} for one in self.operations if "cached_from" in one.args
            ]
            if cached:
                self._send(_CACHED, cached)
            if seen := [run_id for one in self._of("cancel_seen") for run_id in one.args["run_ids"]]:
                self.connection.execute(_CANCELLED, [seen])
            if heard := [{"run_id": one.run_id, **one.args} for one in self._of("decision_seen")]:
                self._send(_DECIDED, heard)
            if taken := [one.args["message_id"] for one in self._of("message_taken")]:
                self.connection.execute(_TAKEN_MESSAGES, [taken])
            if placed := self._placed():
                self._send(_PLACED, placed)
                self.connection.execute("select pg_notify($1, '')", [work_channel(schema)])
            self.connection.execute("select pg_notify($1, $2)", [channel(schema), self._notice()])
            self.connection.execute("commit")

    def _placed(self) -> list[dict[str, Any]]:
        """The launches of this batch that wait for a worker: runs, and batches of runs."""
        new = [
            one
            for place, one in enumerate(self.operations)
            if one.kind == "rows" or isinstance(self.found[place], LaunchResult)
        ]
        return [{"run_id": one.run_id, **one.args} for one in new if "address" in one.args]

    def _notice(self) -> str:
        wishes = list(dict.fromkeys(one.run_id for one in self._of("wish")))
        runs = list(dict.fromkeys(one.run_id for one in self.operations if one.kind in FENCED))
        return orjson.dumps(
            {
                "owner": self.owner,
                "wishes": len(wishes),
                "for": wishes if len(wishes) <= NAMED else [],
                "runs": runs if len(runs) <= NAMED else None,
            }
        ).decode()

    def results(self) -> list[Any]:
        """What each operation came to, in their order."""
        return [self.found[place] for place in range(len(self.operations))]

    def _of(self, kind: str) -> list[Operation]:
        return [one for one in self.operations if one.kind == kind]

    def _send(self, sql: str, rows: Iterable[Any]) -> psycopg.Cursor[Any]:
        """Execute a statement that takes rows: JSON objects as text, or data."""
        found = list(rows)
        text = f"[{','.join(found)}]" if found and isinstance(found[0], str) else orjson.dumps(found).decode()
        return self.connection.execute(sql, [text])


_ORDER = (
    "attempt_starts", "model_calls", "tool_calls", "messages", "attempt_ends", "answers", "attempt_progress", "batches",
    "batch_rows", "scores", "cancel_requests", "decision_requests", "sent_messages",
)  # fmt: skip
_KEYS = {"attempt_progress": ("run_id", "attempt"), "batches": ("batch_id",)}
# a worker's word of a batch counts while the batch is its own
_FENCES = {
    "batches": " where excluded.details ->> 'placement' is null"
    " or (batches.owner = excluded.owner and batches.finished_at is null)"
}


def lock_sql(kind: str, *, shared: bool = False) -> str:
    """The statement that takes locks of names of a kind until the end of the transaction, in one order for all."""
    return _LOCK.format(kind=kind, shared="_shared" if shared else "")


def _rows_of(operations: Iterable[Operation], table: str) -> list[str]:
    return [row for one in operations for row in one.rows[table]]


def _launch_sql() -> str:
    columns = list(COLUMNS["launches"])
    return _LAUNCH.format(columns=", ".join(columns), rest=", ".join(columns[3:]))


def _insert_sql(table: str) -> str:
    columns = list(COLUMNS[table])
    if table == "messages":
        rest = ", ".join(f"r.{name}" for name in columns[2:])
        return _MESSAGES.format(columns=", ".join(columns), rest=rest)
    sql = _INSERT.format(table=table, columns=", ".join(columns))
    if table not in _KEYS:
        return sql
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in _KEYS[table])
    changed = changed.replace("= excluded.heartbeat_at", "= timezone('utc', clock_timestamp())")
    return f"{sql} on conflict ({', '.join(_KEYS[table])}) do update set {changed}{_FENCES.get(table, '')}"
