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
    """A model that can be asked: any object with these four. `provider` and `id` name it, "provider:id".

    `stream` makes one request and yields what comes: `ReplyStarted` before the first piece, `TextDelta` and
    `ReasoningDelta` for each, a `Notice` for what the person should know, and last of all one `ReplyFinished`
    with the whole reply: its text, the tools that it asks for (`tool_requests`), why it ended, its usage. What
    the provider wants back with the next turn goes into `provider_items`, marked with who made it. It runs on
    the background loop, so it must not block, and closes its connection when its task is cancelled. It raises
    `ProviderOverloadedError` or `ProviderUnreachableError` for what may go well if tried again (retries,
    fallbacks and pauses are not its business), `ProviderRefusedError` for what will not. `check` is called at the
    launch, on the caller's thread, and makes no request. Optional: `async def prepare()`, called once a try
    before its clock starts; `address` and `server`, texts that tell apart models with one name and servers
    whose requests are counted together; `requests_at_once`.

    An object of it is a model wherever one is given: `Agent`, `Team`, `compare`, `map`, `evaluate`, the magics.
    `register_model` lets it be named; a class of them is a provider's wire format (`Provider(wire=...)`, or an
    entry point of the group `nbagent.models`), so that "provider:anything" makes one.

    >>> from collections.abc import AsyncGenerator
    >>> from nbagent.errors import ProviderRefusedError
    >>> from nbagent.events import ToolRequest, Usage
    >>> from nbagent.models import ModelEvent, ModelRequest, ReplyFinished, ReplyStarted, TextDelta
    >>> class Caller:
    ...     "Calls each tool once with the prompt, then says what the tools said."
    ...
    ...     def __init__(self, id: str, *, provider: Provider | str = "caller") -> None:
    ...         self.id, self.provider = id, getattr(provider, "name", provider)
    ...
    ...     def check(self) -> None:
    ...         "Nothing can be missing: no key, no address."
    ...
    ...     async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    ...         asked = [one for one in request.messages if one.role == "user"][-1].content
    ...         told = [one.content for one in request.messages if one.role == "tool"]
    ...         if not asked.isprintable():
    ...             raise ProviderRefusedError(f"model {self.id!r} cannot read {asked!r}", "send text")
    ...         calls = () if told else tuple(
    ...             ToolRequest(tool_call_id=f"call-{number}", name=tool.name, arguments='{"text": "%s"}' % asked)
    ...             for number, tool in enumerate(request.tools)
    ...         )
    ...         text = "" if calls else " and ".join(told or [asked])
    ...         yield ReplyStarted()
    ...         for word in text.split(" "):
    ...             yield TextDelta(word + " ")  # a piece at a time, as it comes
    ...         yield ReplyFinished(
    ...             text=text,
    ...             tool_requests=calls,
    ...             finish_reason="tool_calls" if calls else "stop",
    ...             usage=Usage(input_tokens=len(asked), output_tokens=len(text)),
    ...             usage_source="reported",
    ...         )
    >>> def shout(text: str) -> str:
    ...     return text.upper() + "!"
    >>> Agent(model=Caller("v1"), tools=[shout]).run("hello").content
    'HELLO!'
    """

    provider: str
    id: str

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Send `request`, yield what comes; the last event is a `ReplyFinished`."""
        ...

    def check(self) -> None:
        """Raise a ConfigurationError if a call cannot even be tried (no key); make no request."""
        ...
