"""What agno gives of a run, over nbagent's own snapshot: output, metrics, messages, tool calls, and calls that wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

import nbagent as nb
from nbagent import RunStatus


class ToolExecution:
    """A tool call with agno's names; `call` is nbagent's own. `confirmed` is what a person says of one that waits."""

    def __init__(self, call: Any) -> None:
        given = call.arguments
        self.call = call
        self.tool_call_id, self.tool_name = call.tool_call_id, call.name
        self.tool_args = dict(given) if isinstance(given, Mapping) else _plain(given)
        self.result = getattr(call, "result", None) or getattr(call, "error", None)
        self.tool_call_error = getattr(call, "status", "") == "error"
        self.requires_confirmation = isinstance(call, nb.events.PendingApproval)
        self.confirmed: bool | None = None
        self.confirmation_note: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.call, name)


class Requirement:
    """A call that waits for a person: `confirm()` or `reject("why")`, then the agent's `continue_run`."""

    needs_confirmation, needs_user_input, needs_external_execution = True, False, False

    def __init__(self, tool: ToolExecution) -> None:
        self.tool_execution = tool

    def confirm(self) -> None:
        """Agree to the call."""
        self.tool_execution.confirmed = True

    def reject(self, note: str | None = None) -> None:
        """Refuse it; the model is told why."""
        self.tool_execution.confirmed, self.tool_execution.confirmation_note = False, note


class Message:
    """One message of a run with agno's names; `metrics` are those of the model call that gave it."""

    def __init__(self, message: Any, metrics: Metrics | None) -> None:
        self.message, self.metrics = message, metrics
        self.tool_calls = [
            {
                "id": one.tool_call_id,
                "type": "function",
                "function": {"name": one.name, "arguments": one.arguments},
            }
            for one in message.tool_requests
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.message, name)


class Metrics:
    """A run's metrics with agno's names and details: models alone, by the kind of model."""

    def __init__(self, metrics: Any, details: Any = None) -> None:
        self._metrics = metrics
        self.details = {"model": details or []}
        self.cost = metrics.cost_usd
        self.time_to_first_token = getattr(metrics, "ttft_s", None)
        self.duration = getattr(metrics, "duration_s", None)

    @classmethod
    def of(cls, metrics: nb.RunMetrics) -> Metrics:
        """Return those of a run, or of a session."""
        return cls(metrics, metrics.details.get("model", []))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metrics, name)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known."""
        known = {name: getattr(self, name) for name in _COUNTED}
        return {name: value for name, value in known.items() if value is not None}


_COUNTED = (
    "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost", "time_to_first_token", "duration",
)  # fmt: skip


class RunOutput:
    """A run as it stood at one moment, with agno's names; `output` is nbagent's own snapshot."""

    def __init__(self, output: nb.RunOutput) -> None:
        self.output = output
        failed = output.status is RunStatus.error and not output.content
        pending = output.status is RunStatus.pending and not output.content
        self.content = output.error if failed else None if pending else output.content
        self.metrics = Metrics.of(output.metrics)
        self.member_responses = [RunOutput(member) for member in output.member_responses]
        waiting = [ToolExecution(call) for call in output.pending_approvals]
        self.tools = [*map(ToolExecution, output.tool_calls), *waiting]
        self.active_requirements = [Requirement(one) for one in waiting]
        self.requirements = self.active_requirements
        self.is_paused = bool(waiting)
        self.session_state: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)

    @property
    def tools_requiring_confirmation(self) -> list[ToolExecution]:
        """The calls that wait for a person."""
        return [one for one in self.tools if one.requires_confirmation]

    @property
    def messages(self) -> list[Message]:
        """What was said, with the metrics of each reply."""
        calls = iter([call for call in self.output.model_calls if call.status == "completed"])
        made: list[Message] = []
        for one in self.output.messages or ():
            call = next(calls, None) if one.role == "assistant" else None
            made.append(Message(one, None if call is None else Metrics(_Call(call))))
        return made

    def get_content_as_string(self) -> str:
        """Return the answer as text."""
        return self.content if isinstance(self.content, str) else self.output.text


class _Call:
    """One model call's counts, as a run's metrics have them."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.cost_usd, self.ttft_s, self.duration_s = call.cost_usd, call.ttft_s, call.duration_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call.usage, name)


def _plain(text: Any) -> Any:
    try:
        return orjson.loads(text or "{}")
    except ValueError:
        return text
