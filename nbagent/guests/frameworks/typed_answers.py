"""A schema that was asked for, as each framework takes one: a type where it knows that kind, else JSON Schema.

The answer is checked by nbagent in any case. Each function imports its framework when called.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from nbagent.schemas import OutputSchema


def pydantic_ai_type(schema: OutputSchema) -> Any:
    """Return an output type of pydantic-ai; a JSON Schema is a dict that has it."""
    from pydantic_ai import StructuredDict

    return schema.type or StructuredDict(dict(schema.json_schema), name=schema.name)


def openai_agents_type(schema: OutputSchema) -> Any:
    """Return an output type of openai-agents; a JSON Schema is an output of its own, whose text is checked later."""
    if schema.type is not None:
        return schema.type
    from agents import AgentOutputSchemaBase

    class JsonOutput(AgentOutputSchemaBase):  # type: ignore[misc]  # theirs is not installed everywhere
        def is_plain_text(self) -> bool:
            return False

        def name(self) -> str:
            return schema.name

        def json_schema(self) -> dict[str, Any]:
            return dict(schema.json_schema)

        def is_strict_json_schema(self) -> bool:
            return False

        def validate_json(self, json_str: str) -> Any:
            return json_str

    return JsonOutput()


def agno_schema(schema: OutputSchema | None) -> Any:
    """Return what agno takes: a pydantic model, or what it hands to the server as it is; None for any text."""
    if schema is None or schema.is_text:
        return None
    if _is_model(schema):
        return schema.type
    return {"type": "json_schema", "json_schema": {"name": schema.name, "schema": dict(schema.json_schema)}}


def agent_framework_format(schema: OutputSchema | None) -> Any:
    """Return what agent-framework takes: a pydantic model or a JSON Schema; None for any text."""
    if schema is None or schema.is_text:
        return None
    return schema.type if _is_model(schema) else dict(schema.json_schema)


def _is_model(schema: OutputSchema) -> bool:
    return isinstance(schema.type, type) and issubclass(schema.type, BaseModel)
