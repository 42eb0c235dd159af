"""A schema that was asked for, as each framework takes one: a type where it knows that kind, else JSON Schema.

The answer is checked by nbagent in any case. Each function imports its framework when called.
"""

from __future__ import annotations

from typing import Any, Union, get_origin

from pydantic import BaseModel

from nbagent.schemas import OutputSchema


def own_output_type(given: Any) -> Any:
    """Return the type of an agent's own answers, of several a union; None where they may be text, or are made otherwise.

    Frameworks wrap types in objects that say how a model is told of them.
    """
    for name in ("outputs", "output", "output_type"):  # NativeOutput, ToolOutput, AgentOutputSchema
        if not isinstance(given, type) and hasattr(given, name):
            return own_output_type(getattr(given, name))
    if not isinstance(given, list | tuple):
        is_function = callable(given) and not isinstance(given, type) and get_origin(given) is None
        return None if given is str or is_function else given
    kinds = [own_output_type(one) for one in given if getattr(one, "__name__", "") != "DeferredToolRequests"]
    return None if not kinds or None in kinds else Union[tuple(kinds)]  # noqa: UP007 - made at run time


def pydantic_ai_output(agent: Any, schema: OutputSchema | None) -> dict[str, Any]:
    """Return the option that says what a run of a pydantic-ai agent gives: also calls that wait for a person.

    A JSON Schema is a dict that has it. Where the agent has output validators nothing else than its own is allowed.
    """
    from pydantic_ai import DeferredToolRequests, StructuredDict

    if schema is None and getattr(agent, "_output_validators", None):
        return {}
    kind = agent.output_type
    if schema is not None:
        kind = schema.type or StructuredDict(dict(schema.json_schema), name=schema.name)
    kinds = kind if isinstance(kind, list | tuple) else [kind]
    return {"output_type": [*kinds, DeferredToolRequests]}


def openai_agents_type(schema: OutputSchema) -> Any:
    """Return an output type of openai-agents, strict where its form can be; a JSON Schema is an output of its own.

    The text of the latter is checked later.
    """
    from agents import AgentOutputSchema, AgentOutputSchemaBase, UserError

    if schema.type is not None:
        try:
            return AgentOutputSchema(schema.type)
        except UserError:  # a mapping of names that nobody knows before, as dict[str, int]
            return AgentOutputSchema(schema.type, strict_json_schema=False)

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
