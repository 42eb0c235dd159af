"""What a guest's run needs to start, as data; the object itself goes along, and is found again only in this kernel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nbagent.errors import ConfigurationError
from nbagent.models import ModelEvent, ModelRequest, ReplyFinished
from nbagent.schemas import OutputSchema
from nbagent.spec import AgentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a framework tells of one of its agents before it runs; None is untold.

    `output_type` is the type of its answers where it has one, `tools` the names of its tools.
    """

    name: str | None = None
    instructions: str = ""
    provider: str | None = None
    model: str | None = None
    output_type: Any = None
    tools: tuple[str, ...] = ()


def names_of(tools: Any) -> tuple[str, ...]:
    """Return the names of a framework's tools, of those that have one: objects, functions, or a mapping by name."""
    found = tools if isinstance(tools, Mapping | list | tuple) else ()
    named = (
        one if isinstance(one, str) else getattr(one, "name", None) or getattr(one, "__name__", None)
        for one in found
    )
    return tuple(str(one) for one in named if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSpec(AgentSpec):
    """An agent of another framework as one run uses it: `obj` is the user's own object.

    `input` makes of prompt and history what it is called with, `output` an answer of what it gives. `own_schema`
    is that of the object itself; any other `output_schema` is told to the framework.
    """

    kind: ClassVar[str] = "guest"
    resumable: ClassVar[bool] = False
    framework: str
    obj: Any = field(compare=False, repr=False)
    input: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    output: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    own_schema: OutputSchema | None = field(default=None, compare=False, repr=False)
    tool_names: tuple[str, ...] = ()

    @property
    def asked(self) -> OutputSchema | None:
        """Return the schema that a launch, a team or a retry wants; None where it is the object's own."""
        return None if self.output_schema == self.own_schema else self.output_schema

    def to_data(self) -> dict[str, Any]:
        """JSON data for the store: what ran, by name."""
        of = type(self.obj)
        told = {"framework": self.framework, "type": f"{of.__module__}.{of.__qualname__}"}
        return {**AgentSpec.to_data(self), "guest": {**told, "tools": list(self.tool_names)}}


@dataclass(slots=True)
class GuestModel:
    """The model that a guest asks by itself; nbagent never does. `provider` is the framework's where it is untold."""

    provider: str
    id: str
    is_told: bool = True  # False where the framework tells its model only when it asks it

    def check(self) -> None:
        """Leave key and address to the framework."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Refuse. Raises ConfigurationError."""
        del request
        if self.id:
            raise ConfigurationError(
                f"model {self.provider}:{self.id} is a guest's own, which asks it by itself",
                'give this agent a model of its own: Agent(model="openai:gpt-5-mini", ...)',
            )
        yield ReplyFinished(
            text="", finish_reason="error"
        )  # what makes this a generator, as the protocol has it
