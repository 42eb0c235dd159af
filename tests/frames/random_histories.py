"""Random histories of runs as plain data: a strategy that makes them, and what writes them through the store.

A history is what a provider would have been asked: teams in teams, parallel members, retries, cancels, errors,
resumed attempts, answers taken from earlier runs, calls without usage and without a price. Times and costs are
multiples of 1/8, which floats add exactly in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from nbagent.events import Message, ModelCall, ToolCall, Usage
from nbagent.store import AppendRows, Finish, Launch, NewAttempt, Progress, Store

BEGIN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ENDS = {
    "completed": "end",
    "error": "error",
    "cancelled": "cancelled",
    "timeout": "timeout",
    "interrupted": "kernel_died",
}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt; `status` is a final one, or pending or running for one that goes on."""

    status: str
    queue_s: float
    work_s: float
    paused_s: float | None
    model_calls: tuple[ModelCall, ...]
    tool_calls: tuple[ToolCall, ...]


@dataclass(frozen=True, kw_only=True)
class Past:
    """One run as it was; `parent` is the place of an earlier run in the history."""

    run_id: str
    session: str
    agent: str | None
    kind: str
    parent: int | None
    cached: bool
    label: str | None
    created_at: datetime
    attempts: tuple[Attempt, ...]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The last attempt's."""
        return self.attempts[-1].status


_eighths = st.integers(0, 80).map(lambda n: n / 8)
_count = st.none() | st.integers(0, 10_000)
_usage = st.just(Usage()) | st.builds(
    Usage,
    input_tokens=_count,
    output_tokens=_count,
    total_tokens=_count,
    cache_read_tokens=_count,
    cache_write_tokens=_count,
    reasoning_tokens=_count,
)
_call_status = st.sampled_from(["completed"] * 4 + ["error", "cancelled", "abandoned"])


@st.composite
def _model_calls(draw: st.DrawFn) -> tuple[ModelCall, ...]:
    calls = []
    for step in range(1, draw(st.integers(0, 3)) + 1):
        for number in range(1, draw(st.sampled_from([1, 1, 1, 2, 3])) + 1):
            usage = draw(_usage)
            calls.append(
                ModelCall(
                    step=step,
                    attempt=number,
                    provider=draw(st.sampled_from(["openai", "demo"])),
                    request_model=draw(st.sampled_from(["m-1", "m-2"])),
                    status=draw(_call_status),
                    started_at=BEGIN + timedelta(seconds=step * 10 + number),
                    duration_s=draw(_eighths),
                    ttft_s=draw(st.none() | _eighths),
                    usage=usage,
                    usage_source="missing" if usage == Usage() else "reported",
                    cost_usd=draw(st.none() | _eighths),
                )
            )
    return tuple(calls)


@st.composite
def _tool_calls(draw: st.DrawFn) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            step=1,
            tool_call_id=f"call-{number}",
            name=draw(st.sampled_from(["price", "search"])),
            arguments="{}",
            status=draw(_call_status),
            started_at=BEGIN + timedelta(seconds=number),
            duration_s=draw(_eighths),
        )
        for number in range(draw(st.sampled_from([0, 0, 1, 3])))
    )


@st.composite
def _attempts(draw: st.DrawFn) -> tuple[Attempt, ...]:
    resumed = draw(st.sampled_from([0, 0, 0, 1, 2]))
    statuses = [draw(st.sampled_from(["error", "timeout", "interrupted"])) for _ in range(resumed)]
    statuses.append(draw(st.sampled_from([*ENDS, "completed", "completed", "pending", "running"])))
    return tuple(
        Attempt(
            status=status,
            queue_s=draw(_eighths),
            work_s=draw(_eighths),
            paused_s=draw(st.sampled_from([None, 0.0, 0.5, 3.25])),
            model_calls=() if status == "pending" else draw(_model_calls()),
            tool_calls=() if status == "pending" else draw(_tool_calls()),
        )
        for status in statuses
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Past]:
    """A list of up to eight runs, oldest first."""
    runs: list[Past] = []
    for number in range(draw(st.integers(0, 8))):
        parents = st.none() | st.integers(0, number - 1) if number else st.none()
        runs.append(
            Past(
                run_id=f"run-{number}",
                session=draw(st.sampled_from(["s-1", "s-2", "s-3"])),
                agent=draw(st.sampled_from(["a", "b", "c", None])),
                kind=draw(st.sampled_from(["agent", "agent", "team"])),
                parent=draw(parents),
                cached=number > 0 and draw(st.sampled_from([False, False, False, True])),
                label=draw(st.sampled_from([None, "answer"])),
                created_at=BEGIN + timedelta(minutes=number),
                attempts=draw(_attempts()),
                tags={"group": draw(st.sampled_from(["x", "y/~z"]))},
            )
        )
    return runs


def joined(several: list[list[Past]]) -> list[Past]:
    """Several histories as one record's: a query costs more than a run, so that they are looked at together."""
    runs: list[Past] = []
    for number, history in enumerate(several):
        offset = len(runs)
        runs += [
            replace(
                past,
                run_id=f"{number}.{past.run_id}",
                session=f"{number}.{past.session}",
                parent=None if past.parent is None else past.parent + offset,
                created_at=past.created_at + timedelta(minutes=offset),
            )
            for past in history
        ]
    return runs


def write(store: Store, runs: list[Past], *, example: str) -> None:
    """Write a history as the runtime does: launches, progress, appended steps, ends, resumed attempts.

    Ids are made the example's own, and each run has the tag `example`, by which its frames are asked for.
    """
    for past in runs:
        parent = None if past.parent is None else f"{example}-{runs[past.parent].run_id}"
        row: dict[str, Any] = {
            "run_id": f"{example}-{past.run_id}",
            "session_id": f"{example}-{past.session}",
            "agent_name": past.agent,
            "label": past.label,
            "parent_run_id": parent,
            "kind": past.kind,
            "provider": "openai",
            "model": "m-1",
            "prompt": "What?",
            "created_at": past.created_at,
            "cached_from": f"{example}-{runs[0].run_id}" if past.cached else None,
            "tags": {**past.tags, "example": example},
        }
        store.submit(Launch(row))
        for number, attempt in enumerate(past.attempts, start=1):
            _write_attempt(store, row, past, attempt, number)
    assert store.flush(10)


def _write_attempt(store: Store, row: dict[str, Any], past: Past, attempt: Attempt, number: int) -> None:
    run_id = row["run_id"]
    created_at = past.created_at + timedelta(hours=number - 1)
    if number > 1:
        store.submit(NewAttempt(run_id=run_id, attempt=number, created_at=created_at))
    if attempt.status == "pending":
        return
    started_at = created_at + timedelta(seconds=attempt.queue_s)
    first, rest = attempt.model_calls[:1], attempt.model_calls[1:]
    going = Progress(
        run_id=run_id,
        attempt=number,
        started_at=started_at,
        partial_text="It",
        paused_s=attempt.paused_s if attempt.status == "running" else None,
    )
    store.submit(going)
    store.submit(AppendRows(run_id=run_id, attempt=number, model_calls=first))
    messages = ((0, Message(role="user", content="What?")),)
    if attempt.status == "running":
        store.submit(
            AppendRows(run_id=run_id, attempt=number, model_calls=rest, tool_calls=attempt.tool_calls)
        )
        return
    end = {
        "status": attempt.status,
        "stop_reason": ENDS[attempt.status],
        "started_at": started_at,
        "finished_at": started_at + timedelta(seconds=attempt.work_s + (attempt.paused_s or 0.0)),
        "paused_s": attempt.paused_s,
    }
    store.submit(
        Finish(
            run_id=run_id,
            attempt=number,
            end=end,
            model_calls=rest,
            tool_calls=attempt.tool_calls,
            messages=messages,
        )
    )
