"""Where a run stands, and why it stopped: two closed sets, and which status each reason means."""

from __future__ import annotations

from enum import Enum
from typing import Literal


class RunStatus(str, Enum):
    """Where a run stands. `print(status)` shows `RunStatus.pending`; it equals its plain string.

    >>> RunStatus.completed == "completed", RunStatus.paused.is_final
    (True, False)
    """

    pending = "pending"
    running = "running"
    paused = "paused"
    completed = "completed"
    error = "error"
    cancelled = "cancelled"
    timeout = "timeout"
    interrupted = "interrupted"

    @property
    def is_final(self) -> bool:
        """True once the attempt has ended; only resume adds another."""
        return self in FINISHED


# of these a status may also be given as its plain string
UNFINISHED = frozenset({RunStatus.pending, RunStatus.running, RunStatus.paused})
FINISHED = frozenset(RunStatus) - UNFINISHED

StopReason = Literal[
    "end",
    "max_output_tokens",
    "error",
    "refusal",
    "content_filter",
    "context_exceeded",
    "invalid_output",
    "max_steps",
    "max_total_tokens",
    "max_cost",
    "timeout",
    "idle_timeout",
    "queue_timeout",
    "cancelled",
    "kernel_died",
]

STATUS_OF: dict[str, RunStatus] = {
    "end": RunStatus.completed,
    "max_output_tokens": RunStatus.completed,
    "error": RunStatus.error,
    "refusal": RunStatus.error,
    "content_filter": RunStatus.error,
    "context_exceeded": RunStatus.error,
    "invalid_output": RunStatus.error,
    "max_steps": RunStatus.error,
    "max_total_tokens": RunStatus.error,
    "max_cost": RunStatus.error,
    "timeout": RunStatus.timeout,
    "idle_timeout": RunStatus.timeout,
    "queue_timeout": RunStatus.timeout,
    "cancelled": RunStatus.cancelled,
    "kernel_died": RunStatus.interrupted,
}


def status_of(stop_reason: str, error: str | None) -> RunStatus:
    """Return the status of a run that stopped so; an output limit leaves an answer, or an error."""
    if stop_reason == "max_output_tokens" and error:
        return RunStatus.error
    return STATUS_OF[stop_reason]
