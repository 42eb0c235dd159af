"""Tools of other frameworks, by the shape that each has: most are objects that nobody can simply call.

Found by the names of their classes; nothing is imported that is not there. What can only be run by its framework
(a context, hooks, a provider's own tool) is refused, naming what it wants. Called where an agent is built.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbagent.errors import ToolDefinitionError
from nbagent.tools.tool_types import Tool, ToolOptions

_AGNO_CONTEXT = frozenset(
    {
        "agent",
        "team",
        "run_context",
        "fc",
        "session_state",
        "dependencies",
        "images",
        "videos",
        "audios",
        "files",
    }
)
_FRAMEWORKS = frozenset(
    {"agno", "agents", "agent_framework", "langchain", "langchain_core", "langgraph", "pydantic_ai"}
)


@dataclass(frozen=True, slots=True, eq=False)
class _ForeignCall:
    """Calls a tool as its framework does; two of one tool are equal, so that it may be given twice."""

    tool: Any
    call: Callable[..., Any]
    __wrapped__: Any

    def __call__(self, **arguments: Any) -> Any:
        return self.call(self.tool, arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ForeignCall) and other.tool is self.tool

    def __hash__(self) -> int:
        return id(self.tool)


def foreign_tools(source: object) -> list[Tool] | None:
    """Return the tools that another framework's object stands for, None for an object of none.

    Raises ToolDefinitionError for one that nbagent cannot run.
    """
    for cls in type(source).__mro__:
        root = cls.__module__.partition(".")[0]
        read = _READERS.get((root, cls.__name__))
        if read is not None:
            return list(read(source))
    root = type(source).__module__.partition(".")[0]
    if root in _FRAMEWORKS and not inspect.isroutine(source):
        raise ToolDefinitionError(
            f"{type(source).__name__} of {root} is no tool that nbagent can call",
            "give a function or a function's tool; an agent is a member: Team(members=[...])",
        )
    return None


def _tool(source: Any, call: Callable[..., Any], parameters: Any, *, function: Any, approval: bool) -> Tool:
    description = inspect.cleandoc(source.description or "")
    plain = {name: value for name, value in dict(parameters).items() if name not in {"title", "description"}}
    return Tool(
        name=source.name,
        description=description,
        parameters={"type": "object", "properties": {}, **plain},
        function=_ForeignCall(source, call, function),
        is_async=inspect.iscoroutinefunction(call),
        options=ToolOptions(requires_approval=approval),
    )


def _refuse(source: Any, framework: str, wants: str) -> ToolDefinitionError:
    return ToolDefinitionError(
        f"tool {source.name!r} of {framework} wants {wants}, which only {framework} gives",
        f"write it without, as a plain function, or run its agent as a guest: nb.guest(agent) of {framework}",
    )


# ------------------------------------------------------------------------------------------- agno


def _agno_toolkit(toolkit: Any) -> Iterator[Tool]:
    """Yield the functions that it registered: its other methods are plumbing."""
    functions = {**toolkit.functions, **getattr(toolkit, "async_functions", {})}
    for function in functions.values():
        yield from _agno_function(function)


def _agno_function(source: Any) -> Iterator[Tool]:
    entry = source.entrypoint
    if entry is None or source.external_execution:
        raise _refuse(source, "agno", "to be executed outside of the run (external_execution)")
    if source.requires_user_input:
        raise _refuse(source, "agno", "a person's input (requires_user_input)")
    for name in ("pre_hook", "post_hook", "tool_hooks"):
        if getattr(source, name, None):
            raise _refuse(source, "agno", f"its {name}")
    taken = inspect.signature(entry).parameters
    for name in taken:
        if name in _AGNO_CONTEXT and name not in source.parameters.get("properties", {}):
            raise _refuse(source, "agno", f"the parameter {name!r}")
    parameters = source.parameters
    if not parameters.get("properties") and taken:  # agno reads a toolkit's methods only when an agent runs
        read = source.model_copy(deep=False)
        read.process_entrypoint()
        parameters = read.parameters
        source = read
    call = _call_agno_async if inspect.iscoroutinefunction(entry) else _call_agno
    yield _tool(source, call, parameters, function=entry, approval=bool(source.requires_confirmation))


def _call_agno(source: Any, arguments: Mapping[str, Any]) -> Any:
    return _checked(source.entrypoint)(**arguments)


async def _call_agno_async(source: Any, arguments: Mapping[str, Any]) -> Any:
    return await _checked(source.entrypoint)(**arguments)


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its arguments made of JSON data, as agno does where it can."""
    from pydantic import ConfigDict, PydanticSchemaGenerationError, validate_call

    try:
        return validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)
    except (PydanticSchemaGenerationError, NameError):
        return function


# -------------------------------------------------------------------------------------- langchain


def _langchain(source: Any) -> Iterator[Tool]:
    schema = source.tool_call_schema
    offered = schema if isinstance(schema, dict) else schema.model_json_schema()
    known = offered.get("properties", {})
    whole = source.args_schema
    injected = [name for name in getattr(whole, "model_fields", {}) if name not in known]
    function = getattr(source, "coroutine", None) or getattr(source, "func", None)
    if function is not None:
        usual = {"config", "callbacks", "run_manager"}
        taken = [
            one.name for one in inspect.signature(function).parameters.values()
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and one.default is one.empty
        ]  # fmt: skip
        injected += [
            name for name in taken if type(source).__name__ != "Tool" and name not in {*known, *usual}
        ]
    if injected:
        raise _refuse(source, "langchain", f"the parameter {injected[0]!r}")
    yield _tool(source, _call_langchain, offered, function=function, approval=False)


async def _call_langchain(source: Any, arguments: Mapping[str, Any]) -> Any:
    return await source.ainvoke(dict(arguments))


def _langchain_toolkit(toolkit: Any) -> Iterator[Tool]:
    for source in toolkit.get_tools():
        yield from _langchain(source)


# ------------------------------------------------------------------------------------ pydantic-ai


def _pydantic_ai(source: Any) -> Iterator[Tool]:
    schema = source.function_schema
    if schema.takes_ctx:
        name = next(iter(inspect.signature(source.function).parameters), "ctx")
        raise _refuse(source, "pydantic-ai", f"the parameter {name!r}")
    for name in ("prepare", "args_validator"):
        if getattr(source, name, None) is not None:
            raise _refuse(source, "pydantic-ai", f"its {name}")
    yield _tool(
        source, _call_pydantic_ai, schema.json_schema, function=source.function,
        approval=bool(source.requires_approval),
    )  # fmt: skip


async def _call_pydantic_ai(source: Any, arguments: Mapping[str, Any]) -> Any:
    schema = source.function_schema
    nothing: Any = None  # a context, which it does not take
    return await schema.call(schema.validator.validate_python(dict(arguments)), nothing)


def _pydantic_ai_toolset(toolset: Any) -> Iterator[Tool]:
    for source in toolset.tools.values():
        yield from _pydantic_ai(source)


# ---------------------------------------------------------------------------------- openai-agents


def _openai_agents(source: Any) -> Iterator[Tool]:
    schema = _in_closures(source.on_invoke_tool, "takes_context")
    function = _in_closures(source.on_invoke_tool, "__annotations__") if schema is not None else None
    if schema is not None and schema.takes_context:
        name = next(iter(inspect.signature(function).parameters), "ctx") if function is not None else "ctx"
        raise _refuse(source, "openai-agents", f"the parameter {name!r}")
    for name in ("tool_input_guardrails", "tool_output_guardrails"):
        if getattr(source, name, None):
            raise _refuse(source, "openai-agents", f"its {name}")
    if not isinstance(source.is_enabled, bool):
        raise _refuse(source, "openai-agents", "its is_enabled, a function of the run")
    # where a function of the run says whether a call needs a person, every call does
    approval = source.needs_approval is not False
    yield _tool(source, _call_openai_agents, source.params_json_schema, function=function, approval=approval)


async def _call_openai_agents(source: Any, arguments: Mapping[str, Any]) -> Any:
    from nbagent.core import dump_json

    context = sys.modules["agents.tool_context"].ToolContext
    text = dump_json(dict(arguments)).decode()
    made = context(context=None, tool_name=source.name, tool_call_id="nbagent", tool_arguments=text)
    return await source.on_invoke_tool(made, text)


def _in_closures(start: Any, attribute: str, depth: int = 5) -> Any:
    """Return the first object with an attribute in what a function encloses; a user's function for `__annotations__`."""
    for part in _enclosed(start):
        if attribute == "__annotations__" and inspect.isfunction(part) and not _is_of_agents(part):
            return part
        if attribute != "__annotations__" and hasattr(part, attribute):
            return part
    if depth:
        for part in _enclosed(start):
            found = _in_closures(part, attribute, depth - 1)
            if found is not None:
                return found
    return None


def _enclosed(holder: Any) -> list[Any]:
    cells = [cell.cell_contents for cell in getattr(holder, "__closure__", None) or () if _is_filled(cell)]
    own = list(vars(holder).values()) if _is_of_agents(type(holder)) and hasattr(holder, "__dict__") else []
    slots = [getattr(holder, name, None) for name in getattr(type(holder), "__slots__", ())]
    return [part for part in [*cells, *own, *slots] if callable(part) or hasattr(part, "takes_context")]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _is_of_agents(part: Any) -> bool:
    return str(getattr(part, "__module__", "")).partition(".")[0] == "agents"


# -------------------------------------------------------------------------------- agent-framework


def _agent_framework(source: Any) -> Iterator[Tool]:
    if source.func is None:
        raise _refuse(source, "agent-framework", "to be executed outside of the run (it has no function)")
    if (name := getattr(source, "_context_parameter_name", None)) is not None:
        raise _refuse(source, "agent-framework", f"the parameter {name!r}")
    approval = source.approval_mode == "always_require"
    yield _tool(source, _call_agent_framework, source.parameters(), function=source.func, approval=approval)


async def _call_agent_framework(source: Any, arguments: Mapping[str, Any]) -> Any:
    told = await source.invoke(arguments=dict(arguments))
    if not isinstance(told, list):
        return told
    texts = [one.text if getattr(one, "type", "") == "text" else str(one) for one in told]
    return "\n".join(text for text in texts if text)


_READERS: dict[tuple[str, str], Callable[[Any], Iterator[Tool]]] = {
    ("agno", "Function"): _agno_function,
    ("agno", "Toolkit"): _agno_toolkit,
    ("langchain_core", "BaseTool"): _langchain,
    ("langchain_core", "BaseToolkit"): _langchain_toolkit,
    ("pydantic_ai", "Tool"): _pydantic_ai,
    ("pydantic_ai", "FunctionToolset"): _pydantic_ai_toolset,
    ("agents", "FunctionTool"): _openai_agents,
    ("agent_framework", "FunctionTool"): _agent_framework,
}
