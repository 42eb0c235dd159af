"""The rows of a batch as the record keeps them until a worker asks them: each one's key and its prompt. Pure.

A row whose prompt could not be made has its end at once. What a template needs beside the row is needed at the launch only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbagent.batch.inputs.prompts import Attached, Prompts
from nbagent.batch.inputs.row_source import RowSource
from nbagent.batch.plan import BatchPlan
from nbagent.batch.row_outcome import WAITING, RowOutcome, data_of_outcome
from nbagent.core import utc_now
from nbagent.errors import NBAgentError
from nbagent.frames import key_data, key_of
from nbagent.store import BatchRow


def stored_rows(plan: BatchPlan, source: RowSource) -> Iterator[BatchRow]:
    """Yield all rows of a source, read to its end. Raises what the user's generator raises."""
    for position, (label, row) in enumerate(source.rows):
        try:
            data: Mapping[str, Any] = {"status": WAITING, "prompt": plan.prompts.of_row(label, row)}
        except NBAgentError as error:
            failed = RowOutcome(status="error", error=str(error), error_type=type(error).__name__)
            data = data_of_outcome(failed)
        yield BatchRow(
            position=position,
            created_at=utc_now(),
            row_key=key_data(plan.key_of(label, row)),
            answer_key=None,
            outcome=data,
        )


def source_of_stored(rows: Sequence[Mapping[str, Any]], total: int) -> RowSource:
    """Return the rows again, in their order: a row is its prompt, None where it has none; its label is its key."""
    stored: dict[int, tuple[Any, str | None]] = {}
    for row in rows:
        outcome = row["outcome"]
        if outcome["status"] == WAITING or row["position"] not in stored:
            prompt = outcome["prompt"] if outcome["status"] == WAITING else None
            stored[row["position"]] = key_of(row["row_key"]), prompt
    numbered = (stored.get(position, (position, None)) for position in range(total))
    return RowSource(rows=numbered, total=total)


@dataclass(frozen=True, slots=True)
class StoredPrompts(Prompts):
    """The prompts of rows that are prompts."""

    def of_row(self, label: Any, row: Any, attached: Attached | None = None) -> str:  # noqa: ARG002 - as any prompts'
        """Return the row."""
        return str(row)
