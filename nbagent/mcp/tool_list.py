"""What an MCP server lists, as tools. Called when a listing came, in a thread of its own: a listing may be long.

A server's schemas and names are its own affair: names are made such as providers take, arguments are checked
against the schema as JSON, and no reference of a schema is ever fetched.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, TypeAdapter
from pydantic_core import PydanticCustomError

from nbagent.errors import ToolDefinitionError, did_you_mean
from nbagent.schemas import SchemaChecker, WrongSchemaError
from nbagent.tools import Tool, ToolOptions

if TYPE_CHECKING:
    import mcp

Call = Callable[[str, dict[str, Any]], Awaitable[Any]]

_NAME_MAX = 64
_PROBLEMS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilter:
    """Which of a server's tools are offered, and how they are run.

    `only` None takes all. `requires_approval` and `idempotent` hold for every tool, or for those named.
    """

    only: tuple[str, ...] | None = None
    prefix: str = ""
    timeout_s: float | None = None
    requires_approval: bool | Collection[str] = False
    idempotent: bool | Collection[str] = False

    def options(self, tool: str) -> ToolOptions:
        """Return what was said about one tool."""
        return ToolOptions(
            timeout_s=self.timeout_s,
            requires_approval=_holds(self.requires_approval, tool),
            idempotent=_holds(self.idempotent, tool),
        )

    def named(self) -> set[str]:
        """Return every tool that was named anywhere."""
        lists = (self.only or (), self.requires_approval, self.idempotent)
        return {name for names in lists if not isinstance(names, bool) for name in names}


def tools_from(server: str, listing: Sequence[mcp.Tool], choice: ToolFilter, call: Call) -> tuple[Tool, ...]:
    """Return the chosen tools of a listing. Raises ToolDefinitionError for names and schemas that cannot be used."""
    known = [offered.name for offered in listing]
    for name in sorted(choice.named() - set(known)):
        raise ToolDefinitionError(
            f"MCP server {server!r} has no tool {name!r}{did_you_mean(name, known)}",
            f"its tools are: {', '.join(known) or 'none'}",
        )
    made: dict[str, str] = {}
    tools = []
    for offered in listing:
        if choice.only is not None and offered.name not in choice.only:
            continue
        name = usable_name(choice.prefix + offered.name)
        if name in made:
            raise ToolDefinitionError(
                f"the tools {made[name]!r} and {offered.name!r} of MCP server {server!r} are both named {name!r}",
                "leave one of them out with tools=[...]",
            )
        made[name] = offered.name
        tools.append(_tool(server, name, offered, choice.options(offered.name), call))
    return tuple(tools)


def usable_name(name: str) -> str:
    """Return a name as every provider takes it: 1 to 64 letters, digits, `_` and `-`."""
    usable = re.sub(r"[^a-zA-Z0-9_-]", "_", name) or "_"
    if len(usable) <= _NAME_MAX:
        return usable
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{usable[: _NAME_MAX - 9]}_{digest}"


def _holds(answer: bool | Collection[str], tool: str) -> bool:  # noqa: FBT001 - the value is what it is about
    return answer if isinstance(answer, bool) else tool in answer


def _tool(server: str, name: str, offered: mcp.Tool, options: ToolOptions, call: Call) -> Tool:
    async def call_server(**arguments: Any) -> Any:
        return await call(offered.name, arguments)

    call_server.__module__, call_server.__qualname__ = "mcp", f"{server}.{offered.name}"
    schema = {key: value for key, value in offered.input_schema.items() if key not in {"$schema", "title"}}
    schema.setdefault("properties", {})
    return Tool(
        name=name,
        description=(offered.description or offered.title or "").strip(),
        parameters=schema,
        function=call_server,
        is_async=True,
        options=options,
        validator=_validator(server, offered.name, offered.input_schema),
    )


class _Arguments:
    """A validator of a call's arguments: JSON data as it came, checked against the server's schema.

    pydantic's part is made with the first call: of a thousand tools few are called.
    """

    def __init__(self, checker: SchemaChecker) -> None:
        self._checker = checker

    def validate_json(self, data: bytes, /) -> Any:
        return self._adapter.validate_json(data)

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(Annotated[dict[str, Any], AfterValidator(self._checked)])

    def _checked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        problems = self._checker.problems(arguments, _PROBLEMS)
        if problems:
            raise PydanticCustomError("schema", "{problems}", {"problems": "; ".join(problems)})
        return arguments


def _validator(server: str, tool: str, schema: dict[str, Any]) -> _Arguments:
    try:
        return _Arguments(SchemaChecker(schema))
    except WrongSchemaError as error:
        raise ToolDefinitionError(
            f"the schema of tool {tool!r} of MCP server {server!r} is wrong at {error.place}: {error!s:.200}",
            "leave it out with tools=[...], and tell the server's author",
        ) from None
