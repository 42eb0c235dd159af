"""What the agent loop asks of a model, and what a model answers: no vendor's words here.

A `Model` turns one `ModelRequest` into a stream of `ModelEvent`s, always ended by exactly one
`ReplyFinished`, or raises a `ModelError`. It makes one request: retries, tool calls and repairs belong to the
loop. It runs on the background thread's event loop; cancelling the consuming task closes the connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from nbagent.events import Message, ToolRequest, Usage, UsageSource
from nbagent.spec import AgentSpec, ModelSettings

# `unknown` is a server's word that is in no table, `missing` the end of a reply that no word ended
FinishReason = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "error", "unknown", "missing"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """A tool as the model is told of it; `parameters` is its JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaDefinition:
    """The JSON Schema the answer must have."""

    name: str
    json_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """Where a call that lives at the provider is taken up again, and the text that had come by then."""

    response_id: str
    sequence_number: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to a model. `messages` hold the whole history, a system message first if there is one."""

    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...] = ()
    schema: SchemaDefinition | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    idle_timeout_s: float | None = None
    resume: ResumePoint | None = None

    @classmethod
    def for_agent(
        cls, spec: AgentSpec, messages: Iterable[Message], *, resume: ResumePoint | None = None
    ) -> ModelRequest:
        """Return an agent's request: its instructions before `messages`, its tools, schema and settings."""
        system = (Message(role="system", content=spec.instructions),) if spec.instructions else ()
        schema = spec.output_schema
        return cls(
            messages=(*system, *messages),
            tools=tuple(
                ToolDefinition(name=tool.name, description=tool.description, parameters=tool.parameters)
                for tool in spec.tools
            ),
            schema=SchemaDefinition(name=schema.name, json_schema=schema.json_schema)
            if schema is not None and not schema.is_text
            else None,
            settings=spec.settings,
            idle_timeout_s=spec.limits.idle_timeout_s,
            resume=resume,
        )


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The first text, reasoning or tool call has come; sent once, before the piece itself."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of reasoning text."""

    text: str


@dataclass(frozen=True, slots=True)
class TextReclassified:
    """All text so far was reasoning: a closing tag came without an opening one. It follows as reasoning."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know: a mode that is not in effect, a step down the ladder."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAttached:
    """The call lives at the provider under this id; what came up to `sequence_number` has been yielded."""

    response_id: str
    sequence_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFinished:
    """The last event: the whole reply and its usage. `server_finish_reason` is the server's own word."""

    text: str
    finish_reason: FinishReason
    server_finish_reason: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_requests: tuple[ToolRequest, ...] = ()
    usage: Usage = field(default_factory=Usage)
    usage_source: UsageSource = "missing"
    response_model: str | None = None
    response_id: str | None = None
    provider_items: tuple[Mapping[str, Any], ...] = ()


ModelEvent = (
    ReplyStarted | TextDelta | ReasoningDelta | TextReclassified | Notice | ResponseAttached | ReplyFinished
)


async def prepare(model: Model) -> None:
    """Make a model ready for its next request; times of the request are taken after this.

    A model may have `async def prepare(self) -> None` for what is done once and belongs to no call, such as
    importing a client. It raises nothing: the call itself says what is wrong.
    """
    make_ready = getattr(model, "prepare", None)
    if make_ready is not None:
        await make_ready()


@runtime_checkable
class Model(Protocol):
    """A model that the loop can ask. `provider` and `id` name it: "provider:id"."""

    provider: str
    id: str

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request`, yield what comes; the last event is a `ReplyFinished`."""
        ...

    def check(self) -> None:
        """Raise a ConfigurationError if a call cannot even be tried (no key); make no request."""
        ...
