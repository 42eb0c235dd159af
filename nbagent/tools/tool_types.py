"""`Tool`: a function that a model may call, as the loop knows it, and what a user said about it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nbagent.tools.docstring import first_paragraph
from nbagent.tools.signature import definition_site, source_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOptions:
    """What the user said about a tool. `timeout_s` None leaves the run's own tool time limit.

    `retries` counts further tries after an exception; `idempotent` says that a call may be repeated when
    nobody knows how it ended; `main_thread` runs it on the kernel's main thread; `requires_approval` pauses
    the run until a person agrees: to each call, or to those for which a function of the arguments says so;
    with `editable_by_others` other users of a team's record may change the arguments as they approve.
    A `kernel_bound` tool works on the variables of the kernel that launched its run: nothing that stands in the
    record may start it, and no other kernel takes its run up with it.
    """

    timeout_s: float | None = None
    retries: int = 0
    idempotent: bool = False
    main_thread: bool = False
    requires_approval: bool | Callable[..., object] = False
    editable_by_others: bool = False
    kernel_bound: bool = False


class ArgumentsValidator(Protocol):
    """What makes arguments of the JSON text that a model wrote."""

    def validate_json(self, data: bytes, /) -> Any:
        """Return the arguments, a mapping. Raises pydantic's ValidationError."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Tool:
    """A function that a model may call. `parameters` is the JSON Schema of its arguments, an object.

    `function` takes the arguments by keyword; what it returns may be awaitable even where `is_async` is False
    (a wrapper), so a caller checks. `validator` is None for a tool whose arguments are not checked: they stay
    plain JSON data. One with `expands` is a stand-in for tools that have to be asked for first, such as a
    server's: its async `function` returns them (see `expand_sources`).
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    function: Callable[..., Any]
    is_async: bool = False
    options: ToolOptions = field(default_factory=ToolOptions)
    validator: TypeAdapter[Any] | ArgumentsValidator | None = field(default=None, repr=False)
    expands: bool = False

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of name, description, schema and source (or bytecode), the same in every process.

        What the function reads from outside itself (globals, an object's state) is not part of it.
        """
        # a function's source holds its docstring; its first paragraph is what older records hashed
        described = self.description if self.validator is None else first_paragraph(self.description)
        parts = [self.name, described, self.parameters, source_of(self.function)]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]

    @property
    def place(self) -> str:
        """Where the function is defined, as `module.name`, for messages."""
        return definition_site(self.function)
