"""Which framework an object is of, by the names of its classes: nothing is imported to find that out."""

from __future__ import annotations

import importlib
from typing import Any, cast

from nbagent.errors import ConfigurationError
from nbagent.guests.frameworks import functions
from nbagent.guests.task import Framework

# where a class is defined, its name, and the file here that knows it
_KNOWN = (
    ("pydantic_ai.agent", "AbstractAgent", "pydantic_ai"),
    ("agents.agent", "Agent", "openai_agents"),
    ("agno.agent", "Agent", "agno"),
    ("agno.team", "Team", "agno"),
    ("agent_framework", "BaseAgent", "agent_framework"),
    ("langgraph.pregel", "Pregel", "langgraph"),
)


def framework_name(obj: Any) -> str | None:
    """Return the name of the file that knows the object, None for one of no framework."""
    for cls in type(obj).__mro__:
        for module, name, file in _KNOWN:
            if cls.__name__ == name and f"{cls.__module__}.".startswith(f"{module}."):
                return file
    return "functions" if functions.is_async(obj) else None


def framework_of(obj: Any) -> Framework:
    """Return the file that knows the object. Raises ConfigurationError for one of no framework."""
    file = framework_name(obj)
    if file is not None:
        return cast("Framework", importlib.import_module(f"nbagent.guests.frameworks.{file}"))
    if callable(obj) and not isinstance(obj, type):
        raise ConfigurationError(
            f"{obj!r:.80} is no async function",
            "write it as async def; blocking work goes in asyncio.to_thread(...)",
        )
    raise ConfigurationError(
        f"{obj!r:.80} is no agent that can be a guest",
        "give an agent of pydantic-ai, openai-agents, agno or agent-framework, a compiled graph of langgraph, "
        "or an async function",
    )
