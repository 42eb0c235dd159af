"""agno's events of a run, made of nbagent's."""

from __future__ import annotations

from enum import Enum
from typing import Any

from nbagent import events as told
from nbagent.compat.agno_outputs import ToolExecution

_EVENTS: dict[type, str] = {
    told.RunStarted: "RunStarted",
    told.TextAdded: "RunContent",
    told.ReasoningAdded: "ReasoningContentDelta",
    told.ModelCallStarted: "ModelRequestStarted",
    told.ModelCallFinished: "ModelRequestCompleted",
    told.ToolCallStarted: "ToolCallStarted",
    told.ToolCallFinished: "ToolCallCompleted",
    told.ApprovalRequested: "RunPaused",
}
_NAMES = {
    "run_started": "RunStarted",
    "run_content": "RunContent",
    "run_completed": "RunCompleted",
    "run_error": "RunError",
    "run_cancelled": "RunCancelled",
    "run_paused": "RunPaused",
    "reasoning_content_delta": "ReasoningContentDelta",
    "model_request_started": "ModelRequestStarted",
    "model_request_completed": "ModelRequestCompleted",
    "tool_call_started": "ToolCallStarted",
    "tool_call_completed": "ToolCallCompleted",
    "tool_call_error": "ToolCallError",
}

# the names of an agent's events and of a team's; both are texts
RunEvent = Enum("RunEvent", _NAMES, type=str)  # type: ignore[misc] # names that are made here
TeamRunEvent = Enum("TeamRunEvent", {name: f"Team{value}" for name, value in _NAMES.items()}, type=str)  # type: ignore[misc]


class RunOutputEvent:
    """One event of a run, with agno's name for it in `event` and what it brings in `content`."""

    def __init__(self, event: str, content: Any = None, **more: Any) -> None:
        self.event, self.content = event, content
        self.__dict__.update(more)


def event_of(event: Any, run: Any, prefix: str, *, whole: bool) -> RunOutputEvent | None:
    """Return agno's event for one of ours; None for one that it has not, or that was not asked for."""
    about = {"run_id": run.run_id, "session_id": run.session_id, "agent_name": run.agent_name}
    if isinstance(event, told.RunFinished):
        ended = {"error": "RunError", "timeout": "RunError", "cancelled": "RunCancelled"}
        name = ended.get(run.status.value, "RunCompleted")
        content = event.error if name == "RunError" else run.content
        return RunOutputEvent(prefix + name, content, **about) if whole or name == "RunError" else None
    kind = _EVENTS.get(type(event))
    if kind is None or not (whole or kind == "RunContent"):
        return None
    call: Any = getattr(event, "call", None) or getattr(event, "request", None)
    if kind.startswith("ToolCall") or kind == "RunPaused":
        about["tool"] = tool = ToolExecution(call)
        about["tools"] = [tool]
        kind = "ToolCallError" if tool.tool_call_error else kind
    elif kind == "ModelRequestCompleted":
        about |= {
            name: getattr(call.usage, name) for name in ("input_tokens", "output_tokens", "total_tokens")
        }
    return RunOutputEvent(prefix + kind, getattr(event, "text", None), **about)
