"""A plain Python count of a history: what the frames must say, in the words of their columns. No SQL, no pandas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from nbagent.events import ModelCall, ToolCall
from tests.frames.random_histories import Past

TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
Row = dict[str, Any]


def total(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def share(part: float, whole: float) -> float | None:
    """None where there is nothing to have a share of."""
    return part / whole if whole else None


def percentile(values: Sequence[float], at: float) -> float | None:
    """By linear interpolation between the two nearest."""
    if not values:
        return None
    ordered = sorted(values)
    place = at * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def calls_of(past: Past) -> list[ModelCall]:
    """The model calls that a provider was asked for this run; a copy of an earlier answer asked nobody."""
    return [] if past.cached else [call for attempt in past.attempts for call in attempt.model_calls]


def nothing_of(past: Past) -> Row:
    """What a copy of an earlier answer is known to have cost."""
    return {**dict.fromkeys(TOKENS, 0), "cost_usd": 0} if past.cached else {}


def tools_of(past: Past) -> list[ToolCall]:
    """The tool calls of this run."""
    return [] if past.cached else [call for attempt in past.attempts for call in attempt.tool_calls]


def of_calls(calls: Sequence[ModelCall]) -> Row:
    """What is said of a set of model calls."""
    done = [call for call in calls if call.status == "completed"]
    first = [call.ttft_s for call in done if call.ttft_s is not None]
    timed = [call for call in done if call.usage.output_tokens is not None]
    cached = [call.usage for call in calls if call.usage.cache_read_tokens is not None]
    given = total(usage.input_tokens for usage in cached)
    seconds = sum(call.duration_s for call in timed)
    return {
        "model_calls": len(calls),
        "retries": sum(call.attempt > 1 for call in calls),
        **{name: total(getattr(call.usage, name) for call in calls) for name in TOKENS},
        "usage_known": share(sum(call.usage.total_tokens is not None for call in calls), len(calls)),
        "cost_usd": total(call.cost_usd for call in calls),
        "cost_known": share(sum(call.cost_usd is not None for call in calls), len(calls)),
        "estimated_tokens": total(call.estimated_tokens for call in calls),
        "estimated_cost_usd": total(call.estimated_cost_usd for call in calls),
        "cache_read_rate": sum(u.cache_read_tokens or 0 for u in cached) / given if given else None,
        "ttft_p50_s": percentile(first, 0.5),
        "ttft_p95_s": percentile(first, 0.95),
        "output_tokens_per_s": sum(c.usage.output_tokens or 0 for c in timed) / seconds if seconds else None,
    }


def endings(calls: Sequence[ModelCall] | Sequence[ToolCall]) -> Row:
    """How a set of calls ended, and how long they took."""
    errors = sum(call.status == "error" for call in calls)
    cancelled = sum(call.status in ("cancelled", "abandoned") for call in calls)
    times = [call.duration_s for call in calls if call.status == "completed"]
    return {
        "errors": errors,
        "cancelled": cancelled,
        "error_rate": share(errors, len(calls)),
        "cancel_rate": share(cancelled, len(calls)),
        "duration_s": total(call.duration_s for call in calls),
        "duration_p50_s": percentile(times, 0.5),
        "duration_p95_s": percentile(times, 0.95),
    }


def work_of(past: Past) -> float | None:
    """The time of the work; of an attempt that goes on nobody knows it yet."""
    return total(a.work_s for a in past.attempts if a.status not in ("pending", "running"))


def queue_of(past: Past) -> float | None:
    """The time in the queue of every attempt that left it."""
    return total(a.queue_s for a in past.attempts if a.status != "pending")


def paused_of(past: Past) -> float | None:
    """The time in which a person was waited for, as far as it is known."""
    known = (a.paused_s for a in past.attempts if a.status != "pending")
    return total(paused_s for paused_s in known if paused_s is not None)


def of_runs(runs: Sequence[Past], *, roots_only: bool = False) -> Row:
    """What is said of a set of runs, their calls included."""
    by_status = {status: sum(past.status == status for past in runs) for status in STATUS_COLUMNS}
    unfinished = sum(past.status in ("pending", "running") for past in runs)
    ended = len(runs) - unfinished
    timed = [past for past in runs if not roots_only or past.parent is None]
    done = [work_of(past) or 0.0 for past in runs if past.status == "completed"]
    copies = sum(past.cached for past in runs)
    return {
        "runs": len(runs),
        "member_runs": sum(past.parent is not None for past in runs),
        "attempts": sum(len(past.attempts) for past in runs),
        **{column: by_status[status] for status, column in STATUS_COLUMNS.items()},
        "unfinished": unfinished,
        "error_rate": share(by_status["error"], ended),
        "cancel_rate": share(by_status["cancelled"], ended),
        "cached_runs": copies,
        "cached_rate": share(copies, len(runs)),
        "duration_s": total(map(work_of, timed)),
        "queued_s": total(map(queue_of, timed)),
        "paused_s": total(map(paused_of, timed)),
        "duration_p50_s": percentile(done, 0.5),
        "duration_p95_s": percentile(done, 0.95),
        "first_at": min(past.created_at for past in runs),
        "last_at": max(past.created_at for past in runs),
        **of_calls([call for past in runs for call in calls_of(past)]),
        **(nothing_of(runs[0]) if copies == len(runs) else {}),
        "tool_calls": sum(len(tools_of(past)) for past in runs),
    }


STATUS_COLUMNS = {
    "completed": "completed",
    "error": "errors",
    "cancelled": "cancelled",
    "timeout": "timeouts",
    "interrupted": "interrupted",
}


def grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Values by key."""
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def by_model(runs: Sequence[Past]) -> dict[Any, Row]:
    """By (provider, model)."""
    found = grouped(((c.provider, c.request_model), (past, c)) for past in runs for c in calls_of(past))
    return {
        key: {
            "runs": len({past.run_id for past, _ in pairs}),
            **of_calls([call for _, call in pairs]),
            **endings([call for _, call in pairs]),
        }
        for key, pairs in found.items()
    }


def by_tool(runs: Sequence[Past]) -> dict[Any, Row]:
    """By (tool,)."""
    found = grouped(((c.name,), (past, c)) for past in runs for c in tools_of(past))
    return {
        key: {
            "runs": len({past.run_id for past, _ in pairs}),
            "tool_calls": len(pairs),
            **endings([call for _, call in pairs]),
        }
        for key, pairs in found.items()
    }


def by_agent(runs: Sequence[Past]) -> dict[Any, Row]:
    """By (agent,)."""
    return {key: of_runs(group) for key, group in grouped(((past.agent,), past) for past in runs).items()}


def by_session(runs: Sequence[Past]) -> dict[Any, Row]:
    """By (session,)."""
    found = grouped(((past.session,), past) for past in runs)
    return {key: of_runs(group, roots_only=True) for key, group in found.items()}


def by_member(runs: Sequence[Past], everything: Sequence[Past]) -> dict[Any, Row]:
    """By (team, leader, member); `everything` is the whole record, in which leaders are looked up."""
    leaders = {past.parent for past in everything if past.parent is not None}
    pairs = []
    for past in runs:
        number = everything.index(past)
        if past.parent is None and past.kind != "team" and number not in leaders:
            continue
        root = past
        while root.parent is not None:
            root = everything[root.parent]
        leader = None if past.parent is None else everything[past.parent].agent
        pairs.append(((root.agent, leader, past.agent), past))
    return {key: of_runs(group) for key, group in grouped(pairs).items()}


def team_of(past: Past, everything: Sequence[Past]) -> list[Past]:
    """A run and all runs below it."""
    below = [one for one in everything if one.parent is not None and everything[one.parent] is past]
    return [past, *(deeper for one in below for deeper in team_of(one, everything))]
