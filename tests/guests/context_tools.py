"""Tools that want their framework's context, as their authors write them: annotations that are there at run time."""

from typing import Annotated, Any

from agent_framework import FunctionInvocationContext
from agent_framework import tool as agent_framework_tool
from agents import RunContextWrapper, function_tool
from agno.run import RunContext
from agno.tools import tool as agno_tool
from langchain.tools import ToolRuntime
from langchain_core.tools import InjectedToolArg
from langchain_core.tools import tool as langchain_tool
from pydantic_ai import RunContext as PydanticAIContext
from pydantic_ai import Tool


def of_pydantic_ai(ctx: PydanticAIContext[int], city: str) -> str:
    """Want it."""
    return f"{city} {ctx.deps}"


@function_tool
def of_agents(wrapper: RunContextWrapper[int], city: str) -> str:
    """Want it."""
    return f"{city} {wrapper.context}"


@agno_tool
def of_agno(run_context: RunContext, city: str) -> str:
    """Want it."""
    return f"{city} {run_context.run_id}"


@agno_tool
def of_agno_too(city: str, agent: Any) -> str:
    """Want it."""
    return f"{city} {agent}"


@langchain_tool
def of_langchain(city: str, user: Annotated[str, InjectedToolArg]) -> str:
    """Want it."""
    return f"{city} {user}"


@langchain_tool
def of_langchain_too(city: str, runtime: ToolRuntime) -> str:
    """Want it."""
    return f"{city} {runtime}"


@agent_framework_tool
def of_agent_framework(ctx: FunctionInvocationContext, city: str) -> str:
    """Want it."""
    return f"{city} {ctx}"


WANTING = [
    (Tool(of_pydantic_ai), "'ctx'"),
    (of_agents, "'wrapper'"),
    (of_agno, "'run_context'"),
    (of_agno_too, "'agent'"),
    (of_langchain, "'user'"),
    (of_langchain_too, "'runtime'"),
    (of_agent_framework, "'ctx'"),
]
