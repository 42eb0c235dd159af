"""Deleting runs: which ones a wish means, said before anything goes; and the deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbagent import runtime
from nbagent.frames import Filters, format_moment, moment_of, run_filter
from nbagent.store import DeletableRuns, ForgetRuns, find_deletable

COMMIT_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """What a wish to clear would delete; printed, it says so."""

    found: DeletableRuns

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
        first, last = (format_moment(at) for at in (found.first_at, found.last_at))
        when = f"launched {first}" if first == last else f"launched {first} to {last}"
        return f"{_runs(len(self))} to delete ({statuses}), {when}{below}{stays}"


def to_clear(
    *, older_than: Any = None, status: Any = None, session: Any = None, label: Any = None, batch: Any = None
) -> DeletionPreview:
    """Say which runs `clear_runs` with the same filters would delete. Raises UnknownOptionError and StoreError.

    `older_than` is a timedelta, a time or date (local where it has no zone), or text such as "7d", "12h" or
    "2026-11-01", and counts from the launch: those go that `nb.runs(since=...)` with the same time does not
    show. `status`, `session`, `label` and `batch` are one or several.
    """
    chosen = run_filter(Filters(status=status, session=session, label=label, batch=batch))
    return DeletionPreview(
        find_deletable(runtime.current().store, chosen, before=moment_of(older_than, "older_than"))
    )


def clear_runs(
    *,
    older_than: Any = None,
    status: Any = None,
    session: Any = None,
    label: Any = None,
    batch: Any = None,
    dry_run: bool = False,
) -> int:
    """Delete the runs that fit every filter, with all that was recorded of them; return how many went.

    Says first how many runs of which time go; with `dry_run` that is all, and it returns how many it would
    be. Teams go whole, and `batch` takes one whole: its rows and itself. A run that has not ended stays as
    long as the process that works on it lives. The answers of deleted runs are given no more; imported ones
    stay. Filters and errors are `to_clear`'s.

    >>> output = Agent(model="demo:assistant").run("Hello", session_id="scratch")
    >>> nb.clear_runs(session="scratch")
    1 run to delete (1 completed), launched ...
    1
    >>> len(nb.runs(session="scratch"))
    0
    """
    preview = to_clear(older_than=older_than, status=status, session=session, label=label, batch=batch)
    print(preview)  # noqa: T201 - what is deleted is said before it is
    return len(preview) + preview.found.below if dry_run else clear(preview)


def clear(preview: DeletionPreview) -> int:
    """Delete what was said; what has been resumed meanwhile stays."""
    current = runtime.current()
    if not preview.found.run_ids and not preview.found.batch_ids:
        return 0
    doing = f"deleting {_runs(len(preview))}"
    count: int = current.store.write(
        ForgetRuns(preview.found.run_ids, preview.found.batch_ids), doing, timeout_s=COMMIT_WAIT_S
    )
    current.registry.forget(preview.found.run_ids)
    return count


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
