"""What a guest gives, as the end of its run."""

from __future__ import annotations

from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import is_typeddict

from nbagent.core import dump_json, utc_now
from nbagent.events import RunFinished, TypedAnswer
from nbagent.prompts import render_result
from nbagent.schemas import InvalidOutputError, OutputSchema, check_text, to_plain


async def end_of(output: Any, schema: OutputSchema | None = None) -> tuple[RunFinished, str]:
    """Return the run's end, and its answer as text: of the schema's form, where there is one."""
    if schema is None or schema.is_text:
        content = output if isinstance(output, str) or _is_plain(output) else to_plain(output)
        text = output if isinstance(output, str) else "" if output is None else render_result(output)
        return RunFinished(
            stop_reason="end", content=text if output is None else content, finished_at=utc_now()
        ), text
    try:
        typed = await _typed(schema, output)
    except InvalidOutputError as error:
        text = output if isinstance(output, str) else render_result(output)
        problems = "; ".join(error.problems)
        end = RunFinished(
            stop_reason="invalid_output",
            content=text,
            output_valid=False,
            error_type="InvalidOutputError",
            error=f"the answer does not fit {schema.name}: {problems}\na guest's answer is not sent back: ask it again",
            error_fields=error.fields,
            finished_at=utc_now(),
        )
        return end, text
    end = RunFinished(
        stop_reason="end", content=typed.data, output_valid=True, typed=typed, finished_at=utc_now()
    )
    return end, typed.json


async def _typed(schema: OutputSchema, output: Any) -> TypedAnswer:
    """Return the answer: a value of the schema's class as it is, anything else once it is checked."""
    if isinstance(output, BaseModel | list | dict) or is_dataclass(output):
        text = dump_json(to_plain(output)).decode()
        if _is_one(output, schema.type):
            return TypedAnswer(text, output)
        return await check_text(schema, text)
    return await check_text(schema, output if isinstance(output, str) else render_result(output))


def _is_one(output: Any, kind: Any) -> bool:
    """Say whether the framework has made an object of the class, or of one of a union's, which is not validated again."""
    kinds = get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    classes = (one for one in kinds if isinstance(one, type) and not is_typeddict(one))
    return any(get_origin(one) is None and isinstance(output, one) for one in classes)


def _is_plain(output: Any) -> bool:
    return output is None or isinstance(output, bool | int | float)
