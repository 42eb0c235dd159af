"""`@tool`, `Tool`, and which tools a function or object stands for. Called where an agent is built."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from nbagent.errors import ToolDefinitionError
from nbagent.tools.docstring import description_of
from nbagent.tools.foreign import foreign_tools
from nbagent.tools.signature import definition_site, inner_function, parameters_of, signature_schema
from nbagent.tools.tool_types import Tool, ToolOptions

F = TypeVar("F", bound=Callable[..., Any])
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what every provider takes
_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_MARK = "__nbagent_tool__"


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToolMark:
    """What `@tool` leaves on a function."""

    name: str | None
    options: ToolOptions


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    name: str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    idempotent: bool = False,
    main_thread: bool = False,
    requires_approval: bool | Callable[..., object] = False,
    editable_by_others: bool = False,
) -> Callable[[F], F]: ...


def tool(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    idempotent: bool = False,
    main_thread: bool = False,
    requires_approval: bool | Callable[..., object] = False,
    editable_by_others: bool = False,
) -> F | Callable[[F], F]:
    """Say that a function is a tool, and how it is run; the function itself stays as it is.

    `timeout` is in seconds, for one try. With `requires_approval` the run is paused until a person approves
    the call; as a function, such as `lambda amount, **_: amount > 100`, it is given a call's arguments by
    name and says whether that one needs it. On methods it marks which of an object's methods are tools: where
    one is marked, the others are not. On a team's record (`docs/postgres.md`) a call's arguments are changed by the
    user who launched the run alone, unless the tool is `editable_by_others`. A function needs no `@tool` to be given to an agent. Raises
    ToolDefinitionError where a model could not call the function, or an option has no meaning.

    >>> @tool(timeout=5)
    ... def double(x: int) -> int:
    ...     "Double a number."
    ...     return 2 * x
    >>> double(4)
    8
    """
    _check_options(timeout, retries, name)
    _check_approval(requires_approval, editable_by_others)
    options = ToolOptions(
        timeout_s=None if timeout is None else float(timeout),
        retries=retries,
        idempotent=idempotent,
        main_thread=main_thread,
        requires_approval=requires_approval,
        editable_by_others=editable_by_others,
    )

    def mark(marked: F) -> F:
        inner = marked.__func__ if isinstance(marked, staticmethod | classmethod) else marked
        _check_function(inner, name, options)
        try:
            setattr(inner, _MARK, _ToolMark(name=name, options=options))
        except (AttributeError, TypeError):
            raise ToolDefinitionError(
                f"{marked!r:.80} takes no mark", "wrap it in a def and put @tool there"
            ) from None
        return marked

    return mark if function is None else mark(function)


def tools_of(source: object) -> tuple[Tool, ...]:
    """Return the tools that `source` stands for, in order.

    `source` is a function or bound method, a `Tool`, an object whose public methods are tools (only those
    with `@tool`, where there are any), an object whose `__nbagent_tools__()` yields `Tool`s, a tool or toolkit
    of another framework (see `foreign.py`), None, or a list, tuple or set of these. The same function twice is one tool; two functions of one name are a
    ToolDefinitionError, as is whatever a model could not call.
    """
    return _distinct(_each(source))


async def expand_sources(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Return `tools` with each that `expands` replaced by those it stands for, all asked at once.

    Called by the loop before a run's first model call. Raises what the asking raises, and ToolDefinitionError
    for two tools of one name.
    """
    expanding = [found for found in tools if found.expands]
    if not expanding:
        return tools
    answers = await asyncio.gather(*(found.function() for found in expanding))
    named = {found.name: answer for found, answer in zip(expanding, answers, strict=True)}
    return _distinct(one for found in tools for one in named.get(found.name, (found,)))


def _distinct(found_tools: Iterable[Tool]) -> tuple[Tool, ...]:
    by_name: dict[str, Tool] = {}
    for found in found_tools:
        first = by_name.setdefault(found.name, found)
        if first is not found and first.function != found.function:
            raise ToolDefinitionError(
                f"two tools are named {found.name!r}: {first.place} and {found.place}",
                'give one of them another name: @tool(name="..."), or name= or prefix= of its server',
            )
    return tuple(by_name.values())


def _each(source: object) -> Iterator[Tool]:
    if source is None:
        return
    if isinstance(source, Tool):
        yield source
    elif hasattr(type(source), "__nbagent_tools__"):
        made: Any = source
        yield from made.__nbagent_tools__()
    elif isinstance(source, list | tuple | set | frozenset):
        for item in source:
            yield from _each(item)
    elif (foreign := foreign_tools(source)) is not None:
        yield from foreign
    elif inspect.isroutine(source) or isinstance(source, functools.partial):
        yield _from_function(source)
    elif isinstance(source, type):
        raise ToolDefinitionError(
            f"{source.__name__!r} is a class, not a tool", f"give an instance: tools=[{source.__name__}(...)]"
        )
    else:
        yield from _from_object(source)


def _from_object(toolkit: object) -> Iterator[Tool]:
    """Yield the public methods of `toolkit`, base classes first, each where it was first defined."""
    cls = type(toolkit)
    names_of_class = dict.fromkeys(name for base in reversed(cls.__mro__[:-1]) for name in vars(base))
    names = [name for name in names_of_class if not name.startswith("_") and _is_method(cls, name)]
    if not names or cls.__module__ == "builtins":
        raise ToolDefinitionError(
            f"{toolkit!r:.80} is no tool",
            "give a function, or an object whose public methods are tools",
        )
    marked = [name for name in names if hasattr(getattr(toolkit, name), _MARK)]
    for name in marked or names:
        yield _from_function(getattr(toolkit, name))


def _is_method(cls: type, name: str) -> bool:
    """Say whether `name` is a method, without touching properties, which may do anything."""
    static = inspect.getattr_static(cls, name)
    return isinstance(static, staticmethod | classmethod) or (inspect.isroutine(static) and callable(static))


def _from_function(function: Callable[..., Any]) -> Tool:
    unmarked = getattr(inner_function(function), _MARK, _ToolMark(name=None, options=ToolOptions()))
    mark: _ToolMark = getattr(function, _MARK, unmarked)
    name = _check_function(function, mark.name, mark.options)
    if inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "self":
        raise ToolDefinitionError(
            f"{definition_site(function)} is a method without its object",
            f"give an instance's: tools=[thing.{name}]",
        )
    documented = inspect.getdoc(inner_function(function)) or ""
    validator, parameters = signature_schema(function, name, documented)
    return Tool(
        name=name,
        description=description_of(documented),
        parameters=parameters,
        function=function,
        is_async=inspect.iscoroutinefunction(function),
        options=mark.options,
        validator=validator,
    )


def _check_options(timeout: object, retries: object, name: object) -> None:
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0
    ):
        raise ToolDefinitionError(
            f"@tool(timeout={timeout!r}) is no time", "give seconds above 0, or leave it out"
        )
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ToolDefinitionError(f"@tool(retries={retries!r}) is no count", "give a whole number, 0 or more")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ToolDefinitionError(
            f"@tool(name={name!r}) is no name that providers take", "use up to 64 letters, digits, _ and -"
        )


def _check_approval(requires_approval: object, editable_by_others: object) -> None:
    if not isinstance(editable_by_others, bool) or (editable_by_others and requires_approval is False):
        raise ToolDefinitionError(
            f"@tool(editable_by_others={editable_by_others!r:.80}) has no meaning here",
            "give True, with requires_approval=True: who approves a call may change its arguments then",
        )
    if isinstance(requires_approval, bool):
        return
    if not callable(requires_approval) or inspect.iscoroutinefunction(requires_approval):
        raise ToolDefinitionError(
            f"@tool(requires_approval={requires_approval!r:.80}) is no yes or no",
            "give True, or a plain function of the call's arguments: lambda amount, **_: amount > 100",
        )


def _check_function(function: Callable[..., Any], name: str | None, options: ToolOptions) -> str:
    """Return the name of the tool; raise ToolDefinitionError for a function that a model cannot call."""
    plain = inner_function(function)
    if not inspect.isroutine(plain):
        raise ToolDefinitionError(f"{function!r:.80} is no function", "put @tool on a def or an async def")
    own_name = getattr(plain, "__name__", "")
    if own_name == "<lambda>" and name is None:
        raise ToolDefinitionError(
            "a lambda has no name or description to offer", "write it as a def with a docstring"
        )
    used = name or own_name
    if not _NAME.fullmatch(used):
        raise ToolDefinitionError(
            f"{used!r} is no name that providers take",
            'give another with @tool(name="..."): letters, digits, _ and -',
        )
    _check_kind(plain, used, options)
    for parameter in parameters_of(function, used):
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            stars = "*" * (parameter.kind in _STARRED) + "*" * (parameter.kind is parameter.VAR_KEYWORD)
            what = "takes any number of arguments" if stars else "can only be given by position"
            raise ToolDefinitionError(
                f"{stars}{parameter.name} of {definition_site(function)} {what}, which no model can be told",
                "write out each parameter by name",
            )
    return used


def _check_kind(plain: object, name: str, options: ToolOptions) -> None:
    if options.main_thread and (inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)):
        raise ToolDefinitionError(
            f"{name!r} is async and asks for the main thread", "make it a plain def, or leave main_thread out"
        )
