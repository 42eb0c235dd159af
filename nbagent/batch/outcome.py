"""What became of a row: little enough to be kept for every row of a batch. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nbagent.run import RunRecord
from nbagent.store import Answered

NOT_ASKED = "not asked"  # the status of a row that the batch ended before; no run has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A row's end: a run's final `status`, or "not asked". `content` is text or plain data; unknown is None.

    `reused`: an earlier batch had asked it. `prompt` is kept where the row can be asked again.
    """

    status: str
    content: Any = None
    output_valid: bool | None = None
    error: str | None = None
    cost_usd: float | None = None
    total_tokens: int | None = None
    duration_s: float | None = None
    run_id: str | None = None
    reused: bool = False
    prompt: str | None = None

    @property
    def is_good(self) -> bool:
        """True for a row with an answer."""
        return self.status == "completed"

    def copy(self) -> Outcome:
        """Return the same for another row with this prompt, which costs nothing more."""
        return replace(self, cost_usd=None if self.cost_usd is None else 0.0)


def outcome_of(record: RunRecord) -> Outcome:
    """Return a finished run's outcome."""
    end, launch = record.end, record.launch
    assert end is not None
    good = record.status.value == "completed"
    costs = [call.cost_usd for call in record.model_calls if call.cost_usd is not None]
    tokens = [call.usage.total_tokens for call in record.model_calls if call.usage.total_tokens is not None]
    whole = record.metrics if launch.kind == "team" else None  # its members' calls are its own
    return Outcome(
        status=record.status.value,
        content=end.content if end.content is not None or good else (record.text or None),
        output_valid=end.output_valid,
        error=end.error,
        cost_usd=whole.cost_usd if whole else (sum(costs) if costs else None),
        total_tokens=whole.total_tokens if whole else (sum(tokens) if tokens else None),
        duration_s=(end.finished_at - record.started_at).total_seconds() if record.started_at else None,
        run_id=launch.run_id,
        prompt=None if good else launch.prompt,
    )


def outcome_of_answer(answered: Answered) -> Outcome:
    """Return the outcome of a row that an earlier batch has asked."""
    return Outcome(
        status="completed",
        content=answered.content,
        output_valid=answered.output_valid,
        cost_usd=answered.cost_usd,
        total_tokens=answered.total_tokens,
        duration_s=answered.duration_s,
        run_id=answered.run_id,
        reused=True,
    )
