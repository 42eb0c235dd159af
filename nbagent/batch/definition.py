"""What a batch was asked, as data for the record, and the `BatchPlan` of it again in any kernel. Any thread.

The record keeps the template, the notebook's variables in it that are plain data, the agent's spec, the
limits and the rows' keys. It keeps no columns of the table: the prompts of rows that were asked are in their
runs, and rows that nobody has asked are asked of the table, which is given again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from nbagent.batch.inputs.prompts import Prompts
from nbagent.batch.plan import BatchLimits, BatchPlan
from nbagent.core import dump_json, load_json
from nbagent.errors import NBAgentError
from nbagent.frames import key_data
from nbagent.runtime import ResolvedAgent, agent_of_stored_spec, notebook_names
from nbagent.schemas import OutputSchema, class_named

KEYS_MOST = 100_000  # rows of a table whose keys are written before they are asked


def definition_of(plan: BatchPlan, index: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record keeps of a plan and of the rows that it is for; `index` is that of `index_of`."""
    names = {name: value for name, value in plan.prompts.names.items() if _is_plain(value)}
    return {
        "template": plan.prompts.template,
        "files": list(plan.prompts.files),
        "names": names,
        "names_left": [name for name in plan.prompts.names if name not in names],
        "spec": plan.crew.spec.to_data(),
        "limits": {one.name: getattr(plan.limits, one.name) for one in fields(BatchLimits)},
        "on_error": plan.on_error,
        "dedupe": plan.dedupe,
        "group": plan.group,
        "repeat": plan.repeat,
        "mode": plan.mode,
        "cell_id": plan.cell_id,
        "tags": dict(plan.tags),
        "key": list(plan.key_columns),
        "index": {"names": list(plan.key_columns)} if plan.key_columns else dict(index),
    }


def index_of(rows: Any) -> dict[str, Any]:
    """Return the names of a table's index and its labels, where they are few enough; a range as its length."""
    index = getattr(rows, "index", None)
    if index is None or callable(index):  # a list's method
        return {"range": len(rows)} if isinstance(rows, list | tuple | range) else {}
    names = [None if name is None else str(name) for name in getattr(index, "names", [None])]
    if type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1):
        return {"names": names, "range": len(index)}
    keys = [key_data(label) for label in index] if len(index) <= KEYS_MOST else None
    return {"names": names, **({"keys": keys} if keys is not None else {})}


def _label(name: Any) -> Any:
    """Return a column's name again: a tuple is a list in JSON."""
    return tuple(name) if isinstance(name, list) else name


def _is_plain(value: Any) -> bool:
    """Say whether a variable reads back from JSON as it was."""
    try:
        return bool(load_json(dump_json(value, default=None)) == value)
    except (TypeError, ValueError):
        return False


def labels_of(definition: Mapping[str, Any]) -> Sequence[Any]:
    """Return the index labels that the record knew before any row was asked, as JSON data."""
    index = definition.get("index", {})
    repeat = definition.get("repeat", 1)
    labels: Sequence[Any] = range(index["range"]) if index.get("range") is not None else index.get("keys", ())
    return labels if repeat == 1 else [label for label in labels for _ in range(repeat)]


def plan_of(definition: Mapping[str, Any], label: str | None, agent: Any = None) -> BatchPlan:
    """Return the plan again, for this kernel; rows are asked of `agent`, where one is given. Raises ConfigurationError."""
    schema = schema_of(definition) or plain_schema_of(definition)
    crew = agent_of_stored_spec(definition["spec"]) if agent is None else agent.resolved(output_schema=schema)
    return plan_with(definition, label, crew)


def plan_with(definition: Mapping[str, Any], label: str | None, crew: ResolvedAgent) -> BatchPlan:
    """Return the plan again, its rows asked of `crew`."""
    return BatchPlan(
        crew=crew,
        prompts=Prompts(
            definition["template"], _names(definition), tuple(map(_label, definition.get("files", ())))
        ),
        limits=BatchLimits(
            **{
                one.name: definition["limits"][one.name]
                for one in fields(BatchLimits)
                if one.name in definition["limits"]
            }
        ),
        on_error=definition["on_error"],
        dedupe=definition["dedupe"],
        group=definition["group"],
        repeat=definition["repeat"],
        mode=definition["mode"],
        label=label,
        cell_id=definition["cell_id"],
        tags=definition["tags"],
        key_columns=tuple(definition["key"]),
    )


def _names(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of the template: as they were, those that were no plain data as the notebook has them now."""
    notebook = notebook_names()
    not_plain = {name: notebook[name] for name in definition["names_left"] if name in notebook}
    return {**not_plain, **definition["names"]}


def schema_of(definition: Mapping[str, Any]) -> OutputSchema | None:
    """Return the schema by which answers are typed here: the class where it is at hand, None for plain data."""
    spec = definition.get("spec", {})
    content_type = spec.get("output_type")
    if content_type in (None, "json", "text"):
        return plain_schema_of(definition) if content_type == "json" else None
    found = class_named(content_type, notebook_names())
    if found is None:
        return None
    try:
        return OutputSchema.of(found)
    except NBAgentError:
        return None


def plain_schema_of(definition: Mapping[str, Any]) -> OutputSchema | None:
    """Return the schema of one answer without its class; None for text."""
    spec = definition.get("spec", {})
    if spec.get("output_schema") is None:
        return None
    schema = OutputSchema.of(spec["output_schema"])
    return replace(schema, wrapper=spec.get("output_wrapper"), json_schema=spec["output_schema"])
