"""The facts a run emits, in the past tense, and the records they carry. All frozen.

The agent loop emits these and nothing else; the live record, the store's rows, the panel and every metric
are folds over them. Unknown counts are None, never 0. Times are aware UTC datetimes; `_s` are seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from nbagent.core import escaped

Role = Literal["system", "user", "assistant", "tool"]
SENT = "sent"  # the name of a user's message that a person sent to a run on the way
CallStatus = Literal["completed", "error", "cancelled", "abandoned", "denied"]
UsageSource = Literal["reported", "estimated", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one model call, inclusive: cached tokens are part of input, reasoning of output.

    `cache_write_1h_tokens` are those of the written ones that are kept for an hour, where that costs more.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None  # only where the provider itself says what the call cost


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """One call of a tool that a model asked for; `arguments` is the JSON text as it came."""

    tool_call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file or picture that goes with a user's message or a tool's result: its media type and base64 data."""

    media_type: str
    data: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One entry of a session's history, in no vendor's format.

    `reasoning` is text some providers want back on tool turns; `provider_items` are a provider's own items
    (reasoning items of the Responses API) that only its adapter reads.
    """

    role: Role
    content: str = ""
    tool_requests: tuple[ToolRequest, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str | None = None
    files: tuple[FilePart, ...] = ()
    provider_items: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One request to a model, ended in any way; one row of `model_calls`.

    `server_finish_reason` is the server's own word where `finish_reason` is one of ours. Where the server reported no
    usage, `usage_source` is "estimated" and the `estimated_` fields hold what limits are bound by; `usage` and
    `cost_usd` hold what is known alone. `fallback_reason` says why this model was asked: what became of the one
    before it in a list of models.
    """

    step: int
    attempt: int
    provider: str
    request_model: str
    status: CallStatus
    started_at: datetime
    duration_s: float
    response_model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    ttft_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    usage_source: UsageSource = "missing"
    cost_usd: float | None = None
    error_type: str | None = None
    error: str | None = None
    server_finish_reason: str | None = None
    estimated_input_tokens: int | None = None
    estimated_output_tokens: int | None = None
    estimated_cost_usd: float | None = None
    fallback_reason: str | None = None

    @property
    def estimated_tokens(self) -> int | None:
        """What the call is taken to have used, None where its server said."""
        if self.estimated_input_tokens is None or self.estimated_output_tokens is None:
            return None
        return self.estimated_input_tokens + self.estimated_output_tokens

    @property
    def bounded_tokens(self) -> int | None:
        """The tokens that count against limits: those reported, else the estimate."""
        return self.estimated_tokens if self.usage.total_tokens is None else self.usage.total_tokens

    @property
    def bounded_cost_usd(self) -> float | None:
        """The dollars that count against limits: those known, else the estimate."""
        return self.estimated_cost_usd if self.cost_usd is None else self.cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool, ended in any way; one row of `tool_calls`. `result` is what the model was told."""

    step: int
    tool_call_id: str
    name: str
    arguments: str
    status: CallStatus
    started_at: datetime
    duration_s: float
    result: str | None = None
    error_type: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingApproval:
    """A tool call that runs only if a person agrees; `arguments` are the model's, as plain JSON data."""

    step: int
    tool_call_id: str
    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        """The call as it would stand in Python: `pay(amount=5)`."""
        given = (
            f"{name if name.isidentifier() else repr(name)}={value!r}"
            for name, value in self.arguments.items()
        )
        return escaped(f"{self.name}({', '.join(given)})")

    @property
    def code(self) -> str | None:
        """The text of a call with one argument that has lines, such as `run_python`'s, else None."""
        texts = list(self.arguments.values())
        return (
            texts[0] if len(texts) == 1 and isinstance(texts[0], str) and "\n" in texts[0].strip() else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run left the queue and began to work."""

    started_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerReused:
    """The run was given the answer of an earlier one: no model is asked, and what follows cost nothing again."""

    run_id: str


@dataclass(frozen=True, slots=True)
class TextAdded:
    """A piece of the answer's text came."""

    text: str
    step: int


@dataclass(frozen=True, slots=True)
class ReasoningAdded:
    """A piece of the model's reasoning came; it is no part of the answer."""

    text: str
    step: int


@dataclass(frozen=True, slots=True)
class TextReclassified:
    """What had come as text of this step was reasoning, and comes as such; the answer's text begins after it."""

    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallStarted:
    """A request is about to be sent."""

    step: int
    attempt: int
    provider: str
    request_model: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallFinished:
    """A request ended; `retry_in_s` is set when the same call will be tried again after that time."""

    call: ModelCall
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStarted:
    """A tool began to work."""

    step: int
    request: ToolRequest
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallFinished:
    """A tool ended."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested:
    """A tool call waits for a person; the run is paused as long as one does."""

    call: PendingApproval


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """A person approved a call, with these arguments; its tool is about to begin."""

    call: PendingApproval


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDenied:
    """A person denied a call: it never runs, and the model is told why."""

    call: PendingApproval
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    """A person sent the run a message; its next model call has it, after a `MessageAdded` that is named `SENT`."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """A message became part of the run's history."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAttached:
    """The model call lives at the provider: with these two it can be taken up again by another kernel."""

    step: int
    response_id: str
    sequence_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeGiven:
    """Something a person should know that is no failure: a mode that is not in effect, a step down."""

    text: str


@dataclass(frozen=True, slots=True)
class TypedAnswer:
    """An answer that fits its schema: its JSON as the model wrote it, and the `value` that one validation of it gave."""

    json: str
    value: Any = field(compare=False)

    @property
    def data(self) -> Any:
        """The JSON as plain data."""
        return json.loads(self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The attempt's only end. `content` is the text, or a validated answer's JSON as plain data; `typed` is that answer.

    `answered_by` is the run of the member whose answer it is, where a team's leader passed it on. `error_fields` are
    the fields of an invalid answer that do not fit, and how.
    """

    stop_reason: str
    content: Any = None
    output_valid: bool | None = None
    error_type: str | None = None
    error: str | None = None
    error_fields: str | None = None
    traceback: str | None = None
    finished_at: datetime
    answered_by: str | None = None
    typed: TypedAnswer | None = None


Event = (
    RunStarted
    | AnswerReused
    | TextAdded
    | ReasoningAdded
    | TextReclassified
    | ModelCallStarted
    | ModelCallFinished
    | ToolCallStarted
    | ToolCallFinished
    | ApprovalRequested
    | ApprovalGiven
    | ApprovalDenied
    | MessageSent
    | MessageAdded
    | CallAttached
    | NoticeGiven
    | RunFinished
)
