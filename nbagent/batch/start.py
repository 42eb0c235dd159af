"""How a `Batch` comes to be: started by `Agent.map`, or read from the record. On the caller's thread."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from nbagent.batch.batch import Batch, batches
from nbagent.batch.changes import repeated
from nbagent.batch.definition import definition_of
from nbagent.batch.inputs.row_source import InputRow, RowSource
from nbagent.batch.placed.place_batch import check_placeable, place_batch
from nbagent.batch.plan import BatchIdentity, BatchPlan
from nbagent.batch.recorded import Answers, Follower
from nbagent.batch.running.results import Results
from nbagent.core import utc_now, uuid7
from nbagent.errors import PromptError
from nbagent.runtime import check_models, current
from nbagent.store import load_batch
from nbagent.tracing import check_traces


def start_batch(
    plan: BatchPlan, source: RowSource, index: Mapping[str, Any], address: str | None = None
) -> Batch:
    """Check what was asked, launch it on the background loop and return it; `index` is that of the rows (`index_of`).

    With the `address` of its agent it is launched for workers. Raises the ConfigurationErrors of a launch, and TemplateError
    where the first row's prompt cannot be made.
    """
    plan.check()
    if address is None:
        check_models(plan.crew, bounded=plan.limits.max_cost_usd is not None)
        check_traces()
    else:
        check_placeable(plan)
    are_records = True
    if not source.runs_code and (first := source.peek()) is not None:
        plan.check_key(first[1])
        are_records = isinstance(first[1], InputRow)
        with contextlib.suppress(PromptError):  # of an empty row: one that fails, as any other would
            plan.prompts.of_row(*first)
    if plan.repeat > 1:
        source = repeated(source, plan.repeat)
    identity = BatchIdentity(
        batch_id=str(uuid7()),
        batch_key=plan.key,
        created_at=utc_now(),
        label=plan.label,
        cell_id=plan.cell_id,
        agent_name=plan.crew.spec.name,
    )
    definition: dict[str, Any] = dict(definition_of(plan, index))
    stored = None
    if address is not None:
        definition |= {"fresh": plan.fresh}
        stored = place_batch(plan, source, identity, definition, address)
    results = Results(source.total if stored is None else stored.row["total"])
    batch = Batch(
        identity, results, definition=definition, schema=plan.output_schema, plan=plan, source=source
    )
    if stored is None:
        batch.begin(are_records=are_records)
    else:
        follower = Follower(current().store, stored, results, Answers(definition))
        batch.begin_elsewhere(follower, are_records=are_records)
    return batch


def recorded_batch(batch_id: str) -> Batch | None:
    """Return the batch with this id as the record has it, None where there is none; this kernel's own is that one.

    Raises StoreError.
    """
    for own in batches():
        if own.batch_id == batch_id:
            return own
    store = current().store
    stored = load_batch(store, batch_id)
    if stored is None:
        return None
    row, definition = stored.row, stored.definition
    identity = BatchIdentity(
        batch_id=batch_id,
        batch_key=row["batch_key"],
        created_at=row["created_at"],
        label=row["label"],
        cell_id=definition.get("cell_id"),
        agent_name=row["agent_name"],
    )
    results = Results(row["total"])
    results.lasted(((row["finished_at"] or utc_now()) - row["created_at"]).total_seconds())
    answers = Answers(definition)
    batch = Batch(identity, results, definition=definition, schema=answers.schema)
    batch.follow(Follower(store, stored, results, answers))
    return batch
