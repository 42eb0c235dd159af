"""Reads the parts that both wire formats share: content, tools, output format, limits.

Used by `chat.py` and `responses.py`; pure. What is malformed is refused as OpenAI does, naming the
parameter.
"""

from __future__ import annotations

from typing import Any, Final

from nbagent.demo.request import BadRequestError, Tool

_TEXT_PARTS: Final = ("text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text")


def read_text(content: Any, param: str) -> str:
    """Read a message's content: a text, parts, or nothing; other media become a note."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise BadRequestError(f"{param} must be a text or a list of parts", param=param)
    texts = []
    for part in content:
        kind = part.get("type")
        if kind in _TEXT_PARTS:
            texts.append(str(part.get("text") or part.get("refusal") or ""))
        else:
            texts.append(f"[{kind}, which the demo model cannot look at]")
    return "\n".join(texts)


def read_tool(tool: dict[str, Any], function: Any, index: int) -> Tool:
    """Read a function tool; `function` is the part that holds its name and parameters."""
    param = f"tools[{index}]"
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise BadRequestError(f"{param} must be of type 'function'", param=f"{param}.type")
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequestError(f"{param} has no name", param=f"{param}.name")
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadRequestError(f"the parameters of tool {name!r} must be a JSON Schema object", param=param)
    return Tool(name=name, description=str(function.get("description") or ""), parameters=parameters)


def read_format(value: Any, param: str) -> tuple[dict[str, Any] | None, bool]:
    """Read the output format: the JSON Schema, and whether some JSON object is asked for."""
    if value is None:
        return None, False
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return None, False
    holder = value.get("json_schema", value) if isinstance(value, dict) else None
    schema = holder.get("schema") if isinstance(holder, dict) else None
    if kind == "json_object":
        return (schema, False) if isinstance(schema, dict) else (None, True)
    if kind == "json_schema" and isinstance(schema, dict) and isinstance(holder, dict) and holder.get("name"):
        return schema, False
    if kind == "json_schema":
        raise BadRequestError(f"'{param}' of type json_schema needs a name and a schema", param=param)
    raise BadRequestError(f"'{param}' has the unknown type {kind!r}", param=param)


def read_limit(value: Any, param: str) -> int | None:
    """Read a limit on the output's tokens."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequestError(f"'{param}' must be a whole number above 0, not {value!r}", param=param)
    return value
