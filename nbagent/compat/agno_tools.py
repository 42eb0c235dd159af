"""agno's ways to write tools: `@tool(...)`, toolkits, and functions that want the state of a session."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import nbagent as nb
from nbagent.errors import ConfigurationError
from nbagent.tools import tools_of

_UNUSED_BY_TOOLS = frozenset("show_result cache_results cache_dir cache_ttl strict add_instructions".split())


class RunContext:
    """What a tool is given that has a `run_context`: the state of its session, which it may change."""

    def __init__(self, session_id: str, session_state: dict[str, Any]) -> None:
        self.session_id, self.session_state = session_id, session_state


class Toolkit:
    """Tools that belong together: `super().__init__(name="shop", tools=[self.buy, self.sell])`."""

    def __init__(
        self, name: str = "toolkit", tools: Sequence[Callable[..., Any]] = (), **options: Any
    ) -> None:
        for word in options:
            raise ConfigurationError(f"Toolkit({word}=...) has nothing like it in nbagent", "leave it out")
        self.name = name
        self.tools = list(tools)

    def register(self, function: Callable[..., Any]) -> None:
        """Add one."""
        self.tools.append(function)

    def __nbagent_tools__(self) -> Any:
        """Yield its tools."""
        return tools_of(self.tools)


def with_context(tools: Sequence[Any], context: RunContext) -> list[Any]:
    """Return tools with the state of one session given to those that want it."""
    given: list[Any] = []
    for one in tools:
        parts = one.tools if isinstance(one, Toolkit) else [one]
        given += [_bound(part, context) if _wants_context(part) else part for part in parts]
    return given


def _wants_context(function: Any) -> bool:
    return inspect.isroutine(function) and "run_context" in inspect.signature(function).parameters


def _bound(function: Any, context: RunContext) -> Any:
    """Return the function without its `run_context`, as the model is shown it."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def made(*args: Any, **options: Any) -> Any:
            return await function(*args, **options, run_context=context)
    else:

        @functools.wraps(function)
        def made(*args: Any, **options: Any) -> Any:
            return function(*args, **options, run_context=context)

    del made.__wrapped__
    signature = inspect.signature(function, eval_str=True)
    shown = [one for name, one in signature.parameters.items() if name != "run_context"]
    made.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    made.__annotations__ = {one.name: one.annotation for one in shown if one.annotation is not one.empty}
    return made


def tool(function: Any = None, **options: Any) -> Any:
    """Mark a function as a tool; `requires_confirmation` pauses the run until a person agrees.

    `description` and `instructions` take the place of the docstring's text; what it says of arguments stays. Raises
    ConfigurationError for what has nothing like it here.
    """
    given = {name: value for name, value in options.items() if value and name not in _UNUSED_BY_TOOLS}
    told = "\n\n".join(given.pop(name) for name in ("description", "instructions") if name in given)
    if "requires_confirmation" in given:
        given["requires_approval"] = given.pop("requires_confirmation")
    for name in given:
        if name not in inspect.signature(nb.tool).parameters:
            raise ConfigurationError(f"@tool({name}=...) has nothing like it in nbagent", "leave it out")

    def mark(marked: Any) -> Any:
        if told:
            _, args, of_arguments = (inspect.getdoc(marked) or "").partition("Args:")
            marked.__doc__ = f"{told}\n\n{args}{of_arguments}"
        if not _wants_context(marked):
            return nb.tool(**given)(marked)
        shown = nb.tool(**given)(_bound(marked, RunContext("", {})))  # as the model will see it
        marked.__dict__.update(
            {name: value for name, value in vars(shown).items() if name != "__signature__"}
        )
        return marked

    return mark if function is None else mark(function)
