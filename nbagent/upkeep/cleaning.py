"""Deleting runs: which ones a wish means, said before anything goes; and the deletion."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nbagent import runtime
from nbagent.errors import UnknownOptionError
from nbagent.frames.choose import Filters, chosen_of
from nbagent.store import Clearable, ForgetRuns, clearable

COMMIT_WAIT_S = 30.0
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a wish to clear would delete; printed, it says so."""

    found: Clearable

    def __len__(self) -> int:
        return len(self.found.run_ids)

    def __str__(self) -> str:
        found = self.found
        stays = f"; {_runs(found.at_work)} at work and stay" if found.at_work else ""
        alone = len(found.batch_ids)
        if not found.run_ids and alone:
            return f"{alone} batch{'' if alone == 1 else 'es'} without a run of {'its' if alone == 1 else 'their'} own to delete{stays}"
        if not found.run_ids:
            return f"no run to delete{stays}"
        statuses = ", ".join(f"{count} {status}" for status, count in found.statuses.items())
        below = f", with {_runs(found.below)} that they started" if found.below else ""
        assert found.first_at is not None
        assert found.last_at is not None
        first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (found.first_at, found.last_at))
        when = f"launched {first}" if first == last else f"launched {first} to {last}"
        return f"{_runs(len(self))} to delete ({statuses}), {when} UTC{below}{stays}"


def to_clear(
    *, older_than: Any = None, status: Any = None, session: Any = None, label: Any = None, batch: Any = None
) -> Clearing:
    """Say which runs `clear_runs` with the same filters would delete. Raises UnknownOptionError and StoreError.

    `older_than` is a timedelta, a time or date, or text such as "7d", "12h" or "2026-11-01", and counts from the
    launch; `status`, `session`, `label` and `batch` are one or several.
    """
    chosen = chosen_of(Filters(status=status, session=session, label=label, batch=batch))
    return Clearing(clearable(runtime.current().store, chosen, before=_before(older_than)))


def clear_runs(
    *, older_than: Any = None, status: Any = None, session: Any = None, label: Any = None, batch: Any = None
) -> int:
    """Delete the runs that fit every filter, with all that was recorded of them; return how many went.

    Teams go whole, and `batch` takes one whole: its rows and itself. A run that has not ended stays as long as the process that works on it lives. The answers of
    deleted runs are given no more; imported ones stay. Raises as `to_clear`.

    >>> output = Agent(model="demo:assistant").run("Hello", session_id="scratch")
    >>> nb.clear_runs(session="scratch"), len(nb.runs(session="scratch"))
    (1, 0)
    """
    return clear(to_clear(older_than=older_than, status=status, session=session, label=label, batch=batch))


def clear(wish: Clearing) -> int:
    """Delete what was said; what has been resumed meanwhile stays."""
    current = runtime.current()
    if not wish.found.run_ids and not wish.found.batch_ids:
        return 0
    doing = f"deleting {_runs(len(wish))}"
    count: int = current.store.write(
        ForgetRuns(wish.found.run_ids, wish.found.batch_ids), doing, timeout_s=COMMIT_WAIT_S
    )
    current.forget(wish.found.run_ids)
    return count


def _before(older_than: Any) -> datetime | None:
    if older_than is None:
        return None
    if isinstance(older_than, str) and (span := _SPAN.fullmatch(older_than)):
        older_than = timedelta(seconds=float(span[1]) * _SECONDS[span[2]])
    if isinstance(older_than, timedelta):
        return datetime.now(UTC) - older_than
    try:
        at = datetime.fromisoformat(older_than) if isinstance(older_than, str) else older_than
    except ValueError:
        at = None
    if not isinstance(at, date):
        raise UnknownOptionError(
            f"older_than is {older_than!r}",
            'give a span such as "7d" or "12h", or a date such as "2026-11-01"',
        )
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
