"""What a person says of the runs they mean, made into the store's `Chosen`. Pure; called by the frames' functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nbagent.errors import UnknownOptionError, close_match
from nbagent.run import RunStatus
from nbagent.store import Chosen

Since = str | datetime | date | timedelta | None
_STATUSES = tuple(status.value for status in RunStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters as they were given; see `chosen_of`."""

    session: Any = None
    since: Since = None
    status: Any = None
    agent: Any = None
    tags: Mapping[str, str] | None = None


def chosen_of(filters: Filters) -> Chosen:
    """Return what the filters mean. Raises UnknownOptionError for what they cannot mean.

    `session`, `agent` and `status` are one or several; agents by name or as objects that have one. `since` is a
    time (one without a zone is UTC), a date, ISO text of either, or a timedelta back from now.
    """
    statuses = _several(filters.status, "value")
    for status in statuses:
        if status not in _STATUSES:
            raise UnknownOptionError(
                f"there is no status {status!r}{close_match(status, _STATUSES)}",
                f"statuses: {', '.join(_STATUSES)}",
            )
    if filters.tags is not None and not isinstance(filters.tags, Mapping):
        raise UnknownOptionError(
            f"tags is {filters.tags!r}", 'give it as a mapping, as in tags={"project": "q3"}'
        )
    return Chosen(
        sessions=_several(filters.session, "session_id"),
        agents=_several(filters.agent, "name"),
        statuses=statuses,
        since=_moment(filters.since),
        tags={str(name): str(value) for name, value in (filters.tags or {}).items()},
    )


def _several(given: Any, attribute: str) -> tuple[str, ...]:
    """One or several, by name or as objects that hold it; None is no filter, an empty list fits nothing."""
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        given = [given]
    return tuple(str(getattr(one, attribute, one)) for one in given) or ("",)


def _moment(since: Since) -> datetime | None:
    if since is None:
        return None
    if isinstance(since, timedelta):
        return datetime.now(UTC) - since
    try:
        at = datetime.fromisoformat(since) if isinstance(since, str) else since
    except ValueError:
        raise UnknownOptionError(
            f"since is {since!r}", 'give a time such as "2026-11-21 09:00", or timedelta(hours=1)'
        ) from None
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)  # noqa: DTZ001 - the zone is added below
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
