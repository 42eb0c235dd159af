"""Load stored runs with their answers in the types that the notebook or a module defines. Not on the loop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from nbagent.errors import SchemaError
from nbagent.run import RunOutput
from nbagent.schemas import InvalidOutputError, OutputSchema, Stored, class_named, from_plain, read_stored
from nbagent.store import RunStore


def typed_output(
    output: RunOutput, names: Mapping[str, Any], schema_known: Callable[[str], object]
) -> RunOutput:
    """Return a stored run with its answers in the types that `names` or a module define.

    `schema_known(run_id)` is the schema of a run of this kernel, whose class may be in no module.
    """
    update: dict[str, Any] = {}
    if output.output_valid and (output.content is not None or output.answer_json is not None):
        schema, answer = schema_known(output.run_id), answer_of(output)
        if isinstance(schema, OutputSchema) and schema.content_type == output.content_type:
            try:
                update["content"] = read_stored(schema, answer).value
            except (SchemaError, InvalidOutputError):  # the class was changed in place
                update["content"] = answer.data
        else:
            update["content"] = from_plain(output.content_type, answer, names)
    if output.member_responses:
        update["member_responses"] = tuple(
            typed_output(one, names, schema_known) for one in output.member_responses
        )
    return output.model_copy(update=update) if update else output


def schema_of(store: RunStore, output: RunOutput, known: object = None) -> OutputSchema | None:
    """Return the schema of an answer: `known`, else of its class if that is at hand, else as stored; None without one."""
    if not output.output_valid:
        return None
    if isinstance(known, OutputSchema) and known.content_type == output.content_type:
        return known
    target = class_named(output.content_type, vars(sys.modules["__main__"]))
    if target is not None:
        try:
            return OutputSchema.of(target)
        except SchemaError:  # the notebook's class has changed since
            pass
    with store.reader() as ask:
        found = ask("select output_schema, spec from runs where run_id = ?", [output.run_id])
    if not found or found[0]["output_schema"] is None:
        return None
    spec = orjson.loads(found[0]["spec"] or "{}")
    return OutputSchema(
        name="output", json_schema=orjson.loads(found[0]["output_schema"]), wrapper=spec.get("output_wrapper")
    )


def answer_of(output: RunOutput) -> Stored:
    """Return the typed answer of a stored run; for one of an earlier release with the reply it stood in.

    That is the member's, where a team's leader passed on an answer.
    """
    if output.answer_json is None:
        for member in output.member_responses:
            if member.output_valid and member.content_type == output.content_type:
                return answer_of(member)
    said = [message.content for message in output.messages if message.role == "assistant" and message.content]
    return Stored(json=output.answer_json, data=output.content, said=said[-1] if said else None)
