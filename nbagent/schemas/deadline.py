"""Checks that call the user's functions, off the background loop and for a bounded time. Everything that checks comes here.

A schema without such functions is checked where it is asked for: a thread would cost more than the check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from nbagent.core import run_in_daemon_thread, within
from nbagent.errors import SchemaError
from nbagent.events import TypedAnswer
from nbagent.schemas.extract_json import InvalidOutputError, JsonValue
from nbagent.schemas.output_schema import OutputSchema
from nbagent.schemas.type_names import class_named

CHECK_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A validated answer as a file has it: its `json`, or where an earlier release wrote it, None.

    `data` is then a dump of the value that was validated, and `said` the reply that it was read from, where
    that is kept too.
    """

    json: str | None
    data: Any
    said: str | None = None


async def check_text(schema: OutputSchema, text: str) -> TypedAnswer:
    """Return the answer that a reply's text holds. Raises InvalidOutputError, also for a check that does not end."""
    if not schema.runs_code:
        return schema.validate_text(text)
    work = run_in_daemon_thread(partial(schema.validate_text, text), name="nbagent-check")
    try:
        return await asyncio.wait_for(work, CHECK_LIMIT_S)
    except TimeoutError:
        raise _overrun(schema) from None


def read_stored(schema: OutputSchema, stored: Stored) -> TypedAnswer:
    """Return a stored answer in the schema's type. Raises InvalidOutputError where it does not fit. Not on the loop."""
    return _bounded(schema, partial(_read_stored, schema, stored))


def read_part(schema: OutputSchema, data: Any) -> TypedAnswer:
    """Return the answer that stands as plain data in a larger one. Raises InvalidOutputError. Not on the loop."""
    return _bounded(schema, partial(schema.read, JsonValue.of(data)))


def from_plain(content_type: str, stored: Stored, namespace: Mapping[str, Any]) -> Any:
    """Return a stored answer as the type that `content_type` names, or as plain data where that is not at hand.

    Classes are looked up in `namespace` (a notebook's variables) and in modules that are loaded already:
    reading a record imports no code. Data that no longer fits its type stays plain.
    """
    target = class_named(content_type, namespace)
    if target is None:
        return stored.data
    try:
        return read_stored(OutputSchema.of(target), stored).value
    except (SchemaError, InvalidOutputError):
        return stored.data


def _bounded(schema: OutputSchema, work: partial[TypedAnswer]) -> TypedAnswer:
    if not schema.runs_code:
        return work()
    try:
        return within(work, CHECK_LIMIT_S, name="nbagent-check")
    except TimeoutError:
        raise _overrun(schema) from None


def _read_stored(schema: OutputSchema, stored: Stored) -> TypedAnswer:
    if stored.json is None and stored.said:
        try:
            return schema.validate_text(stored.said)
        except InvalidOutputError:
            pass  # the class has changed since, or the answer came from elsewhere
    given = JsonValue.of(stored.data) if stored.json is None else JsonValue(stored.json, stored.data)
    found = schema.problems_or_value(given)
    if isinstance(found, TypedAnswer):
        return found
    raise InvalidOutputError(found)


def _overrun(schema: OutputSchema) -> InvalidOutputError:
    what = f"the validators of {schema.name} had not ended after {CHECK_LIMIT_S:g} s"
    return InvalidOutputError([what], repairable=False)
