"""`RunOutput`: the frozen snapshot of a run, the same for a live run and for one read from the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from nbagent.core import printable, truncate_end
from nbagent.events import Message, ModelCall, PendingApproval, ToolCall
from nbagent.run.metrics import RunMetrics
from nbagent.run.status import RunStatus

REPR_CHARS = 300  # of an answer


def shown(value: Any, form: Callable[[Any], str] = repr) -> str:
    """Return a value as text, whatever its class does when it is asked for that."""
    try:
        return form(value)
    except Exception as error:  # noqa: BLE001 - the user's own class
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


class RunOutput(BaseModel):
    """A run as it stood at one moment: frozen, and the same whether the run is live or read from the store.

    `content` is the answer's text (so far, while the run goes on), or the typed value where the run had an
    output schema: an instance of the class where this kernel defines it, else plain data. `kind` is "agent"
    or "team"; `member_responses` are the runs that it started, in launch order, each with metrics of its own.
    A team with `store_member_responses=False` keeps no prompt, message or answer of these.
    `pending_approvals` are the tool calls that a paused run waits for. `cached_from` is the run whose answer
    it was given instead of asking a model: messages, tool calls and members are that run's, and its metrics
    are 0. `forked_from` is the run whose first `forked_step` steps it shares: their messages are here too, their
    calls are that run's alone.

    >>> output = Agent(model="demo:assistant").run("What is the capital of Japan?")
    >>> output.content, output.metrics.total_tokens, len(output.messages)
    ('The capital of Japan is Tokyo.', 20, 2)
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    run_id: str
    session_id: str
    status: RunStatus
    agent_name: str | None = None
    kind: str = "agent"
    label: str | None = None
    parent_run_id: str | None = None
    provider: str | None = None
    model: str | None = None
    prompt: str | None = None
    content: Any = None
    content_type: str = "text"
    output_valid: bool | None = None
    stop_reason: str | None = None
    error_type: str | None = None
    error: str | None = None
    traceback: str | None = None
    attempt: int = 1
    cached_from: str | None = None
    forked_from: str | None = None
    forked_step: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    metrics: RunMetrics = Field(default_factory=RunMetrics)  # a default object is copied deeply, each time
    messages: tuple[Message, ...] = ()
    model_calls: tuple[ModelCall, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    pending_approvals: tuple[PendingApproval, ...] = ()
    member_responses: tuple[RunOutput, ...] = ()
    _answer_json: str | None = PrivateAttr(None)

    @property
    def answer_json(self) -> str | None:
        """The JSON that a typed `content` was read from, as the model wrote it; None for text."""
        return self._answer_json

    def with_answer_json(self, text: str | None) -> RunOutput:
        """Keep the JSON of a typed answer; called by whoever makes the snapshot. Returns the same."""
        self._answer_json = text
        return self

    def __repr__(self) -> str:
        cached = f", cached_from={self.cached_from!r}" if self.cached_from else ""
        content = truncate_end(shown(self.content), REPR_CHARS)
        return f"RunOutput({self.status.value}, content={content}, run_id={self.run_id!r}{cached})"

    def __str__(self) -> str:
        """The run in a few lines; `model_dump()` has all of it."""
        tokens = f"{self.metrics.input_tokens} in, {self.metrics.output_tokens} out"
        head = (
            f"{self.label or self.run_id}: {self.status.value}, {self.provider}:{self.model}, tokens {tokens}"
        )
        return printable("\n".join([head, self.error or shown(self.content, str)]))

    @property
    def text(self) -> str:
        """The answer as text: that of a typed one is its JSON."""
        if isinstance(self.content, str):
            return self.content
        return self._answer_json or ("" if self.content is None else shown(self.content, str))

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain JSON data, its answer too."""
        data: dict[str, Any] = pydantic_core.to_jsonable_python(
            self.__dict__, by_alias=False, serialize_unknown=True
        )
        return data

    @property
    def is_cancelled(self) -> bool:
        """True if somebody cancelled the run."""
        return self.status is RunStatus.cancelled

    @property
    def is_final(self) -> bool:
        """True once the run has ended."""
        return self.status.is_final
