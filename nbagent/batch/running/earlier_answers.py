"""What earlier batches with the same key have answered, in the schema's type. In a thread of its own: it validates."""

from __future__ import annotations

import contextlib

from nbagent.batch.plan import BatchPlan
from nbagent.batch.row_outcome import RowOutcome, outcome_of_answer, parts_of
from nbagent.schemas import InvalidOutputError, Stored, read_stored
from nbagent.store import CompletedRows, RunStore, answered_rows

JOINT = "+"  # between the keys of rows that shared a prompt


def earlier_answers(store: RunStore, plan: BatchPlan) -> dict[str, RowOutcome]:
    """Return the outcomes of rows that earlier batches of this plan have answered, by key. Raises StoreError."""
    rows: dict[str, RowOutcome] = {}
    for one in answered_rows(store, plan.key):
        rows.update(_outcomes_of(one, plan))
    return rows


def _outcomes_of(one: CompletedRows, plan: BatchPlan) -> dict[str, RowOutcome]:
    keys = one.row_key.split(JOINT)
    content, schema = one.content, plan.output_schema
    if schema is not None and one.output_valid and len(keys) == 1:
        # a class that has changed since, in a way its schema does not show, leaves the data
        with contextlib.suppress(InvalidOutputError):
            stored = Stored(json=one.answer_json, data=content, said=one.said)
            content = read_stored(schema, stored).value
    outcome = outcome_of_answer(one, content)
    if len(keys) == 1:
        return {keys[0]: outcome}
    parts = parts_of(outcome, len(keys), schema)
    return {key: part for key, part in zip(keys, parts, strict=True) if part is not None}
