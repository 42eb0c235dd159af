"""What other processes write and ask for, heard as it happens, and looked for once a second where nothing can be heard.

A thread with a connection of its own, which lives while somebody asks (`heard` within the last minute). Where LISTEN says
nothing, as behind a pooler that lends connections, the look alone must do. Reads only; a failure shows as being late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from nbagent.errors import StoreError
from nbagent.settings import ServerUrl
from nbagent.store.commands import DecisionRequest, SendMessage
from nbagent.store.duckdb.codec import decision_of
from nbagent.store.postgres.connect import HEAR_S, close, connect, give_up, is_pooled, load_psycopg
from nbagent.store.postgres.watching import Watching
from nbagent.store.postgres.write.apply import channel

if TYPE_CHECKING:
    import psycopg

LOOK_S = 1.0
UNWANTED_S = 60.0  # without a question the connection is given back
_RETRY_S = 1.0
HEARD_S = 2.0  # what does not come within this time does not come

_CANCELS = "select run_id from cancel_requests"
# the user who launched a run, or the team that it works for; NULL where it was not noted
LAUNCHED_BY = """
with recursive up as (
    select l.parent_run_id, to_jsonb(l) ->> 'by_user' as by_user from launches l where l.run_id = {}
    union all select l.parent_run_id, to_jsonb(l) ->> 'by_user' from launches l join up on l.run_id = up.parent_run_id
) select by_user from up where parent_run_id is null"""
_DECISIONS = f"""
select run_id, step, tool_call_id, approved, reason, arguments,
       arguments is not null and to_jsonb(d) ->> 'by_user' is not null
       and to_jsonb(d) ->> 'by_user' is distinct from ({LAUNCHED_BY.format("d.run_id")}) as by_other
from decision_requests d order by created_at"""  # noqa: S608 - a name of ours
_MESSAGES = "select run_id, message_id, text from sent_messages order by created_at"
_CHANGES = "select coalesce(sum(applied), 0)::bigint from writers where owner <> $1"


class Listener:
    """`changes` grows when another process has written; wishes are those that the server has."""

    def __init__(self, url: ServerUrl, owner: str) -> None:
        self._url = url
        self._owner = owner
        self._cond = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted_at = 0.0
        self._stopping = False
        self._looked = 0  # how often the server was looked at
        self._applied: int | None = None
        self.hears = True  # behind some poolers nothing is
        self.changes = 0
        self.cancels: frozenset[str] = frozenset()
        self.decisions: tuple[DecisionRequest, ...] = ()
        self.messages: tuple[SendMessage, ...] = ()
        self.on_wish: list[Callable[[], None]] = []
        self.watching = Watching()

    def heard(self) -> None:
        """Say that somebody wants to hear; begins to listen."""
        self._wanted_at = monotonic()
        with self._cond:
            if self._thread is None or not self._thread.is_alive():
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name="nbagent-postgres-watch", daemon=True)
                self._thread.start()

    def wait_for_look(self, timeout_s: float) -> None:
        """Return once the server has been looked at for the first time."""
        with self._cond:
            self._cond.wait_for(lambda: self._looked > 0, timeout_s)

    def stop(self) -> None:
        """Listen no more; the thread ends within a second."""
        self._stopping = True

    def _run(self) -> None:
        while self._is_wanted():
            connection = None
            try:
                connection = connect(self._url)
                give_up(connection, HEAR_S)
                if is_pooled(connection):
                    self._look(connection)  # first: the other takes time where nothing comes
                    self.hears = self._is_heard(connection)
                if self.hears:
                    connection.execute(f'listen "{channel(self._url.schema)}"')
                self._listen(connection)
            except (StoreError, load_psycopg().Error, OSError):
                with self._cond:
                    self._cond.wait(_RETRY_S)
            finally:
                close(connection)

    def _is_heard(self, connection: psycopg.Connection[Any]) -> bool:
        """Say something from another connection, on a channel that nobody else has, and see whether it comes."""
        name = f"nbagent_{uuid4().hex}"
        connection.execute(f'listen "{name}"')
        other = connect(self._url)
        try:
            other.execute("select pg_notify($1, '')", [name])
            return any(
                notice.channel == name for notice in connection.notifies(timeout=HEARD_S, stop_after=1)
            )
        finally:
            close(other)

    def _is_wanted(self) -> bool:
        return not self._stopping and monotonic() - self._wanted_at < UNWANTED_S

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        looked_at = float("-inf")
        while self._is_wanted():
            left = looked_at + LOOK_S - monotonic()
            notices = []
            if left > 0 and self.hears:
                notices = list(connection.notifies(timeout=left, stop_after=1))
            elif left > 0:
                self._pause(left)
            asked = self._take(one.payload for one in notices)
            if asked or monotonic() - looked_at >= LOOK_S:
                looked_at = monotonic()  # what is committed from here on has its notice still to come
                self._look(connection)

    def _pause(self, left_s: float) -> None:
        with self._cond:
            self._cond.wait(left_s)

    def _take(self, payloads: Iterable[str]) -> bool:
        """Hear notices; whether one tells of a wish."""
        asked = False
        for payload in payloads:
            try:
                notice = orjson.loads(payload)
                others = notice["owner"] != self._owner
                if "watch" in notice:
                    self._watched(notice["watch"] if others else [])
                    continue
                wishes, runs = bool(notice["wishes"]), notice.get("runs")
                runs = runs if isinstance(runs, list) else None
            except (ValueError, KeyError, TypeError):  # somebody else's
                continue
            self.changes += others
            if others:
                self.watching.hear(runs)
            asked |= wishes
        return asked

    def _watched(self, run_ids: list[str]) -> None:
        if self.watching.hear_watched(run_ids):
            self._tell()

    def _tell(self) -> None:
        for tell in list(self.on_wish):
            tell()

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        with connection.pipeline():
            cancels, decisions = connection.execute(_CANCELS), connection.execute(_DECISIONS)
            messages, applied = connection.execute(_MESSAGES), connection.execute(_CHANGES, [self._owner])
        (now,) = applied.fetchone() or (0,)
        if now != self._applied:
            self.changes += self._applied is not None
            if not self.hears:
                self.watching.hear(None)
            self._applied = now
        before = self.cancels, self.decisions, self.messages
        self.cancels = frozenset(run_id for (run_id,) in cancels.fetchall())
        self.decisions = tuple(map(decision_of, decisions.fetchall()))
        self.messages = tuple(SendMessage(*row) for row in messages.fetchall())
        with self._cond:
            self._looked += 1
            self._cond.notify_all()
        if (self.cancels, self.decisions, self.messages) != before:
            self._tell()
