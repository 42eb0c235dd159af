"""What a person says of the runs they mean, made into the store's `RunFilter`. Called by the frames' functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from nbagent import runtime
from nbagent.core import check_tags
from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.frames.times import moment_of
from nbagent.run import RunStatus
from nbagent.store import RunFilter, named

Since = str | datetime | date | timedelta | None
_STATUSES = tuple(status.value for status in RunStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters as they were given; see `run_filter`."""

    session: Any = None
    since: Since = None
    status: Any = None
    agent: Any = None
    tags: Mapping[str, str] | None = None
    label: Any = None
    batch: Any = None


def run_filter(filters: Filters) -> RunFilter:
    """Return what the filters mean. Raises UnknownOptionError for what they cannot mean.

    `session`, `agent`, `status`, `label` and `batch` are one or several; agents by name or as objects that
    have one, batches by label, id or as they are. `since` is what `moment_of` takes: a time or date, local
    where it has no zone, ISO text of either, or a span back from now.
    """
    statuses = _several(filters.status, "status", "value")
    for status in statuses:
        if status not in _STATUSES:
            raise UnknownOptionError(
                f"there is no status {status!r}{did_you_mean(status, _STATUSES)}",
                f"statuses: {', '.join(_STATUSES)}",
            )
    check_tags(filters.tags)
    return RunFilter(
        sessions=_several(filters.session, "session", "session_id"),
        agents=_several(filters.agent, "agent", "name"),
        labels=_several(filters.label, "label", "label"),
        batches=_several(filters.batch, "batch", "batch_id"),
        statuses=statuses,
        since=moment_of(filters.since, "since"),
        tags={str(name): str(value) for name, value in (filters.tags or {}).items()},
    )


def _several(value: Any, what: str, attribute: str) -> tuple[str, ...]:
    """One or several, by name or as objects that hold it; None is no filter, an empty list fits nothing."""
    if value is None:
        return ()
    if isinstance(value, str) or hasattr(value, attribute) or not isinstance(value, Iterable):
        value = [value]
    return tuple(_name(one, what, attribute) for one in value) or ("",)


def _name(one: Any, what: str, attribute: str) -> str:
    name = getattr(one, attribute, one)
    if not isinstance(name, str) and what != "status":  # what no status is, `run_filter` says
        raise UnknownOptionError(
            f"{what} is {one!r:.80}, which is no text and has no {attribute}",
            _GIVE.get(what, f"give a {what} by its name"),
        )
    return str(name)


_GIVE = {
    "session": "give the session's id, or the Session",
    "label": "give the label that the launch was given, as in label=... or -o NAME",
    "batch": "give the Batch, its label or its id",
}


@dataclass(frozen=True, slots=True)
class MeantRuns:
    """Which runs a person means by one thing: a run, or a batch (then `batch_id` is set)."""

    selected: RunFilter
    run_id: str | None = None
    batch_id: str | None = None


def runs_meant_by(run: Any) -> MeantRuns:
    """Return which runs a handle, an output, a `Batch`, an id or a label means. Raises UnknownNameError.

    A label means what had it last: a run, or a batch with all of its rows.
    """
    if not isinstance(run, str) and getattr(run, "run_id", None) is not None:
        return _of_run(str(run.run_id))
    if not isinstance(run, str) and getattr(run, "batch_id", None) is not None:
        return _of_batch(str(run.batch_id))
    if not isinstance(run, str):
        raise UnknownOptionError(
            f"{run!r:.80} is no run", "give a Run, a RunOutput, a Batch, or the id or label of one"
        )
    found = named(runtime.current().store, run)
    if found is not None and found.is_batch:
        return _of_batch(found.id)
    return _of_run(runtime.current().get(run).run_id)


def _of_run(run_id: str) -> MeantRuns:
    return MeantRuns(RunFilter(run_ids=[run_id]), run_id=run_id)


def _of_batch(batch_id: str) -> MeantRuns:
    return MeantRuns(RunFilter(batches=[batch_id]), batch_id=batch_id)
