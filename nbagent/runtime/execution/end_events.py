"""Make the event that ends a run's record, from a stop reason or an exception. Pure."""

from __future__ import annotations

import asyncio
import traceback

from nbagent.core import mask, masked_urls, utc_now
from nbagent.events import RunFinished
from nbagent.run import StopReason
from nbagent.spec import Limits

_TYPES = {
    "timeout": "Timeout",
    "queue_timeout": "Timeout",
    "kernel_died": "KernelDied",
    "max_total_tokens": "LimitReached",
    "max_cost": "LimitReached",
    "error": "ApprovalNeeded",  # nothing else stops a run so from outside
}


def stopped_end(reason: StopReason, limits: Limits, why: str | None = None) -> RunFinished:
    """Return the end of a run stopped with `reason`; `why` is the error that a limit from above means."""
    return RunFinished(
        stop_reason=reason,
        error=why or _said(reason, limits),
        error_type=_TYPES.get(reason),
        finished_at=utc_now(),
    )


def failed_end(error: BaseException) -> RunFinished:
    """The end of a run whose task raised."""
    return RunFinished(
        stop_reason="error",
        error_type=type(error).__name__,
        error=mask(masked_urls(_message(error))) or type(error).__name__,
        traceback=mask(masked_urls("".join(traceback.format_exception(error)))),
        finished_at=utc_now(),
    )


def _message(error: BaseException) -> str:
    """Return what an exception says: of several arguments the text, and with a key that it is one."""
    if isinstance(error, KeyError):
        return f"KeyError: {error}"
    several = len(error.args) > 1 and str(error) == str(error.args)
    return error.args[0] if several and isinstance(error.args[0], str) else str(error)


def _said(reason: StopReason, limits: Limits) -> str | None:
    if reason == "timeout":
        return f"the run took longer than its timeout of {limits.timeout_s:g} s\ngive it more with timeout=, or ask for less"
    if reason == "queue_timeout":
        return f"the run waited longer than {limits.queue_timeout_s:g} s in the queue\nraise max_concurrency or queue_timeout"
    if reason == "kernel_died":
        return (
            "the kernel ended while the run was at work\ngo on from its last finished step with run.resume()"
        )
    return None


def error_of(task: asyncio.Task[None] | None) -> BaseException | None:
    """Return what a task has failed with; None where it has not ended, or was cancelled."""
    return task.exception() if task is not None and task.done() and not task.cancelled() else None
