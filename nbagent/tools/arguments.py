"""What a model wrote as a tool's arguments, checked and in the types of the signature. Called by the loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pydantic_core
from pydantic import ValidationError

from nbagent.errors import NBAgentError
from nbagent.tools.tool_types import Tool

_PROBLEMS_SHOWN = 10


class ToolArgumentsError(NBAgentError):
    """A model's arguments do not fit the tool; the message is written for the model."""


def parse_arguments(called: Tool, text: str | None) -> dict[str, Any]:
    """Return the keyword arguments that a model wrote as JSON `text`, in the types of the tool's signature.

    Empty text and `null` mean no arguments. Raises ToolArgumentsError, whose message tells the model which
    field is wrong and why.
    """
    body = _json_body(called, text)
    try:
        if called.validator is not None:
            return dict(called.validator.validate_json(body))
        data = pydantic_core.from_json(body)
    except ValidationError as error:
        raise _arguments_error(called, _problems(error)) from None
    except ValueError as error:
        raise _arguments_error(called, [f"the text is not JSON: {error}"]) from None
    if not isinstance(data, dict):
        raise _arguments_error(called, ["the arguments must be one JSON object"])
    return data


def plain_arguments(called: Tool, text: str | None) -> dict[str, Any]:
    """Return the arguments as the model wrote them: plain JSON data, for a person to look at.

    Raises ToolArgumentsError for what is no JSON object.
    """
    return parse_arguments(replace(called, validator=None), text)


def _json_body(called: Tool, text: str | None) -> bytes:
    body = (text or "").strip()
    if body.startswith('"'):  # some models write the JSON text as a JSON string
        try:
            inner = pydantic_core.from_json(body)
        except ValueError:
            inner = None
        body = inner.strip() if isinstance(inner, str) else body
    if body in {"", "null"}:
        body = "{}"
    try:
        return body.encode("utf-8")
    except UnicodeEncodeError:
        raise _arguments_error(called, ["the text is not valid Unicode"]) from None


def _arguments_error(called: Tool, problems: Sequence[str]) -> ToolArgumentsError:
    more = f"; and {len(problems) - _PROBLEMS_SHOWN} more" if len(problems) > _PROBLEMS_SHOWN else ""
    return ToolArgumentsError(
        f"the arguments for {called.name!r} are wrong: {'; '.join(problems[:_PROBLEMS_SHOWN])}{more}",
        "call the tool again with arguments that fit its schema",
    )


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for detail in error.errors(include_url=False, include_context=False):
        where = ".".join(map(str, detail["loc"])) or "the arguments"
        kind = detail["type"]
        given = (
            ""
            if kind in {"missing", "extra_forbidden", "json_invalid"}
            else f" (got {detail['input']!r:.80})"
        )
        message = "not a parameter of this tool" if kind == "extra_forbidden" else detail["msg"]
        lines.append(f"{where}: {message}{given}")
    return lines
