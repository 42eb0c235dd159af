"""What of a server keeps its record from being quick or right: old transactions, and clocks that differ. For `doctor`.

A transaction that writes and does not end holds back the horizon of all mirrors (`analysis/pull.py`), whatever database
it is in. A run's times are its machine's, so that durations are
right whatever the clocks say, and only the order of runs of several machines is not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nbagent.store.postgres.connect import is_pooled

if TYPE_CHECKING:
    import psycopg

OLD_S = 60
SKEW = timedelta(seconds=1)
# who holds a transaction's number is in pg_locks for everybody; what it does, in pg_stat_activity, only for its user
# and for members of pg_read_all_stats: of others the first row of ours that came after it tells how old it is at least
_HOLDING = f"""
select l.pid, l.transactionid::text, a.datname::text, a.usename::text, a.application_name, a.state,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as age_s
from pg_locks l left join pg_stat_activity a using (pid)
where l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock' and l.pid is not null
and l.pid <> pg_backend_pid()
and coalesce(clock_timestamp() - a.xact_start > interval '{OLD_S} s', true)
order by age_s desc nulls last, l.pid
"""  # noqa: S608 - a number of ours
_PREPARED = f"""
select gid, database::text, owner::text, extract(epoch from clock_timestamp() - prepared)::float8
from pg_prepared_xacts where clock_timestamp() - prepared > interval '{OLD_S} s' order by prepared
"""  # noqa: S608 - a number of ours
_SINCE = """
select extract(epoch from timezone('utc', clock_timestamp()) - min(created_at))::float8 from launches
where xid > pg_snapshot_xmin(pg_current_snapshot())
"""
_CLOCK = "select clock_timestamp()"


def check_server(server: psycopg.Connection[Any]) -> dict[str, str]:
    """Say what there is to say, each finding a line by its name; an old transaction with its pid. Raises psycopg's errors."""
    version = server.info.parameter_status("server_version") or "of unknown version"
    pooler = {"pooler": "what others ask for may come by a look a second only"} if is_pooled(server) else {}
    return {
        "server": f"PostgreSQL {version}",
        **pooler,
        "clock": _clock(server),
        "open transactions": "; ".join(_old(server)) or "none older than a minute",
    }


def _old(server: psycopg.Connection[Any]) -> list[str]:
    found = []
    for pid, _, database, user, application, state, known_s in server.execute(_HOLDING).fetchall():
        age_s = known_s
        if age_s is None:  # another user's
            (age_s,) = server.execute(_SINCE).fetchone() or (None,)
            if age_s is None or age_s < OLD_S:
                continue
        whose = ", ".join(
            part
            for part in (
                database and f"database {database!r}",
                user and f"user {user!r}",
                application and repr(application),
                state,
            )
            if part
        )
        found.append(
            f"pid {pid} has been in one for {_minutes(age_s)}{f' ({whose})' if whose else ''}: mirrors read what came since"
            f" anew each time; end it, or select pg_terminate_backend({pid})"
        )
    for gid, database, owner, age_s in server.execute(_PREPARED).fetchall():
        found.append(
            f"{gid!r} is prepared for {_minutes(age_s)} (database {database!r}, user {owner!r}):"
            f" commit prepared or rollback prepared ends it"
        )
    return found


def _clock(server: psycopg.Connection[Any]) -> str:
    before = datetime.now(UTC)
    row = server.execute(_CLOCK).fetchone()
    after = datetime.now(UTC)
    assert row is not None
    return told_skew(row[0] - (before + (after - before) / 2), after - before)


def told_skew(ahead: timedelta, doubt: timedelta) -> str:
    """Say how far the server's clock is ahead of this machine's, known up to `doubt`."""
    if abs(ahead) <= max(SKEW, doubt):
        return "the server's and this machine's agree"
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return (
        f"the server's is {abs(ahead.total_seconds()):.1f} s {way} this machine's:"
        " runs of several machines may stand in another order than they began; set the clock that is wrong"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 2 * OLD_S else f"{seconds:.0f} s"
