"""What became of a row: little enough to be kept for every row of a batch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbagent.batch.inputs.snapshot import copied
from nbagent.batch.running.packing import MISSING, unpack_answers
from nbagent.core import seconds_between
from nbagent.models import is_free
from nbagent.run import RunRecord, sum_known
from nbagent.schemas import OutputSchema
from nbagent.store import CompletedRows

NOT_ASKED = "not asked"  # the status of a row that the batch ended before; no run has it
WAITING = "waiting"  # the status of a stored row that is still to be asked, on workers; no outcome has it
CANCELLED = "cancelled"
CUT = "max_output_tokens"  # the stop reason of an answer that is no whole one


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """A row's end: a run's final `status`, or "not asked". `content` is text or the typed value; unknown is None.

    `reused`: an earlier batch had asked it, so that it costs this one nothing. `prompt` and `key` are kept
    where the row can be asked again. `cost_usd` and `total_tokens` are all that was spent on the row, failed
    tries included; beside them are the estimates for calls of which their server told no usage. `unpriced`:
    of some nobody knows the cost.
    """

    status: str
    content: Any = None
    output_valid: bool | None = None
    stop_reason: str | None = None
    error: str | None = None
    error_type: str | None = None
    error_fields: str | None = None
    cost_usd: float | None = None
    total_tokens: int | None = None
    estimated_cost_usd: float | None = None
    estimated_tokens: int | None = None
    unpriced: bool = False
    duration_s: float | None = None
    run_id: str | None = None
    reused: bool = False
    prompt: str | None = None
    key: str | None = None
    part: tuple[int, int] | None = None  # its answer is that part, from 0, of so many of a group's run

    @property
    def is_good(self) -> bool:
        """True for a row with an answer."""
        return self.status == "completed"

    @property
    def has_failed(self) -> bool:
        """True for a row that was asked, or could not be, and has no answer; a person's cancel is no failure."""
        return not self.is_good and self.status not in (CANCELLED, NOT_ASKED)

    @property
    def is_cut(self) -> bool:
        """True for an answer that ended at the output token limit."""
        return self.is_good and self.stop_reason == CUT

    @property
    def answer(self) -> Any:
        """The row's answer, None where it has none: the text of a row that failed is no answer."""
        return self.content if self.is_good else None

    def copy(self) -> RowOutcome:
        """Return the same for another row with this prompt, which costs nothing more."""
        free = self.run_id is not None
        return replace(
            self,
            cost_usd=0.0 if free else None,
            total_tokens=0 if free else None,
            estimated_cost_usd=None,
            estimated_tokens=None,
        )

    def after(self, spent: RowSpend) -> RowOutcome:
        """Return the same with what earlier tries of the row have cost."""
        return replace(
            self,
            cost_usd=_sum(self.cost_usd, spent.cost_usd),
            total_tokens=_sum(self.total_tokens, spent.total_tokens),
            estimated_cost_usd=_sum(self.estimated_cost_usd, spent.estimated_cost_usd),
            estimated_tokens=_sum(self.estimated_tokens, spent.estimated_tokens),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """One row's end: `index` is its label in the table; `content` is typed, None where the row has no answer."""

    index: Any
    status: str
    content: Any
    error: str | None
    cost_usd: float | None
    duration_s: float | None
    run_id: str | None
    reused: bool

    @classmethod
    def of(cls, label: Any, outcome: RowOutcome) -> RowResult:
        """Return a row's outcome as the user gets it; its answer is a copy."""
        return cls(
            index=label,
            status=outcome.status,
            content=copied(outcome.answer),
            error=outcome.error,
            cost_usd=outcome.cost_usd,
            duration_s=outcome.duration_s,
            run_id=outcome.run_id,
            reused=outcome.reused,
        )


@dataclass(frozen=True, slots=True)
class RowSpend:
    """What was spent on a row before it is asked again; unknown is None."""

    cost_usd: float | None = None
    total_tokens: int | None = None
    estimated_cost_usd: float | None = None
    estimated_tokens: int | None = None


NOTHING_SPENT = RowSpend()


def spent_on(outcome: RowOutcome) -> RowSpend:
    """Return what was spent on a row with this outcome."""
    return RowSpend(
        outcome.cost_usd, outcome.total_tokens, outcome.estimated_cost_usd, outcome.estimated_tokens
    )


def _sum(one: Any, other: Any) -> Any:
    """Add up what is known, None where nothing is."""
    return other if one is None else one if other is None else one + other


def outcome_of(record: RunRecord) -> RowOutcome:
    """Return a finished run's outcome."""
    end, launch = record.end, record.launch
    assert end is not None
    good = record.status.value == "completed"
    calls = record.model_calls
    whole = record.metrics if launch.kind == "team" else None  # its members' calls are its own
    return RowOutcome(
        status=record.status.value,
        content=_content(record),
        output_valid=end.output_valid,
        stop_reason=end.stop_reason,
        error=end.error,
        error_type=end.error_type,
        error_fields=end.error_fields,
        cost_usd=whole.cost_usd if whole else sum_known(call.cost_usd for call in calls),
        total_tokens=whole.total_tokens if whole else sum_known(call.usage.total_tokens for call in calls),
        estimated_cost_usd=whole.estimated_cost_usd
        if whole
        else sum_known(call.estimated_cost_usd for call in calls),
        estimated_tokens=whole.estimated_tokens
        if whole
        else sum_known(call.estimated_tokens for call in calls),
        unpriced=any(
            call.status == "completed" and call.bounded_cost_usd is None and not is_free(call.provider)
            for call in calls
        ),
        duration_s=(end.finished_at - record.started_at).total_seconds() if record.started_at else None,
        run_id=launch.run_id,
        prompt=None if good else launch.prompt,
    )


def _content(record: RunRecord) -> Any:
    end = record.end
    assert end is not None
    if end.typed is not None:
        return end.typed.value
    if end.content is not None or record.status.value == "completed":
        return end.content
    return record.text or None


def outcome_of_answer(answered: CompletedRows, content: Any) -> RowOutcome:
    """Return the outcome of a row that an earlier batch has asked; `content` as the schema has it."""
    return RowOutcome(
        status="completed",
        content=content,
        output_valid=answered.output_valid,
        stop_reason=answered.stop_reason,
        cost_usd=0.0,
        total_tokens=0,
        duration_s=answered.duration_s,
        run_id=answered.run_id,
        reused=True,
    )


def data_of_outcome(outcome: RowOutcome) -> dict[str, Any]:
    """Return what the record keeps of a row without a run of its own; its answer is in the run that it names."""
    data = {name: getattr(outcome, name) for name in _KEPT}
    return {name: value for name, value in data.items() if value not in (None, False)}


_KEPT = (
    "status",
    "stop_reason",
    "error",
    "error_type",
    "error_fields",
    "run_id",
    "reused",
    "duration_s",
    "prompt",
    "part",
)


def outcome_of_data(
    data: Mapping[str, Any], answer: Mapping[str, Any] | None, key: str | None, read: ReadAnswer
) -> RowOutcome:
    """Return the outcome of what `data_of_outcome` made; `answer` is the run that it names, as the record has it."""
    part = data.get("part")
    outcome = RowOutcome(**{**data, "key": key, "part": tuple(part) if part else None})
    if outcome.run_id is None:
        return outcome
    outcome = replace(outcome, cost_usd=0.0, total_tokens=0)
    if answer is None:
        return replace(outcome, error=outcome.error or f"its answer was deleted with run {outcome.run_id!r}")
    return replace(outcome, content=read(answer, outcome.part), output_valid=answer["output_valid"])


# what a run of the record has answered, in its type where that is at hand; of a group's run one part
ReadAnswer = Callable[[Mapping[str, Any], tuple[int, int] | None], Any]


def outcome_of_row(row: Mapping[str, Any], content: Any) -> RowOutcome:
    """Return the outcome of a run of a batch as the record has it; `content` is what it answered, or said."""
    good = row["status"] == "completed"
    return RowOutcome(
        status=row["status"],
        content=content if content is not None or good else row["partial_text"] or None,
        output_valid=row["output_valid"],
        stop_reason=row["stop_reason"],
        error=row["error"],
        error_type=row["error_type"],
        error_fields=row["error_fields"],
        cost_usd=row["cost_usd"],
        total_tokens=row["total_tokens"],
        estimated_cost_usd=row["estimated_cost_usd"],
        estimated_tokens=row["estimated_tokens"],
        duration_s=seconds_between(row["started_at"], row["finished_at"]),
        run_id=row["run_id"],
        prompt=None if good else row["prompt"],
        key=row["answer_key"],
    )


def share_of(outcome: RowOutcome, count: int) -> RowOutcome:
    """Return one row's part of what a group's run has cost."""
    return replace(
        outcome,
        cost_usd=None if outcome.cost_usd is None else outcome.cost_usd / count,
        total_tokens=None if outcome.total_tokens is None else outcome.total_tokens // count,
        estimated_cost_usd=None if outcome.estimated_cost_usd is None else outcome.estimated_cost_usd / count,
        estimated_tokens=None if outcome.estimated_tokens is None else outcome.estimated_tokens // count,
    )


def parts_of(outcome: RowOutcome, count: int, schema: OutputSchema | None) -> list[RowOutcome | None]:
    """Return each row's part of a group's outcome, None for a row whose answer is not in it."""
    share = share_of(outcome, count)
    if not outcome.is_good:
        return [share] * count
    answers = unpack_answers(outcome.content, count, schema)
    return [
        None if one is MISSING else replace(share, content=one, part=(number, count))
        for number, one in enumerate(answers)
    ]
