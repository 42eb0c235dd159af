"""OpenTelemetry spans of runs, model calls and tool calls (extra `otel`), off by default.

`%config NBAgent.traces = "on"` turns them on; they go wherever the user's own OpenTelemetry set-up sends
spans. A trace is begun where a run is launched, on the launching thread, and takes its events on the
background loop. A run's parent is the span that was current at its launch: a user's own, or the tool call in
which a member was started. Names are OpenTelemetry's for generative AI; prompts and answers are not put into
spans.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.core import how_to_set
from nbagent.errors import ConfigurationError
from nbagent.events import (
    AnswerReused,
    Event,
    ModelCall,
    ModelCallFinished,
    ModelCallStarted,
    RunFinished,
    RunStarted,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
)
from nbagent.run import RunLaunch, RunStatus, status_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Tracer

_USAGE = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read_tokens",
    "gen_ai.usage.cache_write.input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
}


def check_traces() -> None:
    """Raise ConfigurationError where traces are on and OpenTelemetry is not installed."""
    if settings.get("traces") == "on" and not _installed():
        raise ConfigurationError(
            "traces are on, but opentelemetry-api is not installed",
            'pip install "nbagent-jupyter[otel]", or ' + how_to_set("traces", '"off"'),
        )


def start_trace(launch: RunLaunch) -> RunTrace | None:
    """Return the trace of a run that is being launched; None where traces are off."""
    if settings.get("traces") != "on" or not _installed():
        return None
    from opentelemetry import context, trace

    return RunTrace(launch, trace.get_tracer("nbagent"), context.get_current())


@functools.cache
def _installed() -> bool:
    with contextlib.suppress(ImportError):
        import opentelemetry.trace  # noqa: F401 - whether it is there

        return True
    return False


class RunTrace:
    """The spans of one attempt of a run. Background loop only, but for its making."""

    def __init__(self, launch: RunLaunch, tracer: Tracer, parent: Context) -> None:
        self._launch = launch
        self._tracer = tracer
        self._parent = parent
        self._run: Span | None = None
        self._model: Span | None = None
        self._tools: dict[str, Span] = {}
        self._totals: dict[str, int] = {}
        self._cached_from: str | None = None

    def take(self, event: Event) -> None:
        """Begin or end the span that the event is about; called where the event happens, in its own context.

        What begins here is current for all that the same task does next: a tool's own spans, and the runs
        that it launches, become its children.
        """
        match event:
            case RunStarted():
                _make_current(self._begin_run(event.started_at))
            case ModelCallStarted():
                self._model = self._begin_model(event.provider, event.request_model, event.started_at)
            case ModelCallFinished():
                self._end_model(event.call)
            case ToolCallStarted():
                request = event.request
                span = self._begin_tool(request.name, request.tool_call_id, event.started_at)
                self._tools[request.tool_call_id] = span
                _make_current(span)
            case AnswerReused():
                self._cached_from = event.run_id
            case ToolCallFinished() if self._cached_from is None:  # else no tool was called
                self._end_tool(event.call)
            case RunFinished():
                self._finish(event)
            case _:
                pass

    # ------------------------------------------------------------------ spans

    def _begin_run(self, at: datetime) -> Span:
        launch = self._launch
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": launch.provider,
            "gen_ai.agent.name": launch.agent_name,
            "gen_ai.conversation.id": launch.session_id,
            "gen_ai.request.model": launch.model,
            "nbagent.run_id": launch.run_id,
            "nbagent.attempt": launch.attempt,
            "nbagent.queued_s": (at - (launch.resumed_at or launch.created_at)).total_seconds(),
        }
        self._run = self._tracer.start_span(
            f"invoke_agent {launch.agent_name or launch.kind}",
            context=self._parent,
            kind=_kind("INTERNAL"),
            attributes=_given(attributes),
            start_time=_nanoseconds(at),
        )
        return self._run

    def _begin_model(self, provider: str, model: str, at: datetime) -> Span:
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.conversation.id": self._launch.session_id,
        }
        return self._begin_child(f"chat {model}", "CLIENT", attributes, at)

    def _begin_tool(self, name: str, tool_call_id: str, at: datetime) -> Span:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": tool_call_id,
        }
        return self._begin_child(f"execute_tool {name}", "INTERNAL", attributes, at)

    def _begin_child(self, name: str, kind: str, attributes: Mapping[str, Any], at: datetime) -> Span:
        from opentelemetry.trace import set_span_in_context

        parent = self._parent if self._run is None else set_span_in_context(self._run, self._parent)
        return self._tracer.start_span(
            name, context=parent, kind=_kind(kind), attributes=_given(attributes), start_time=_nanoseconds(at)
        )

    # ------------------------------------------------------------------- ends

    def _end_model(self, call: ModelCall) -> None:
        span = self._model or self._begin_model(call.provider, call.request_model, call.started_at)
        self._model = None
        usage = _usage_of(call.usage)
        for name, count in usage.items():
            self._totals[name] = self._totals.get(name, 0) + count
        span.set_attributes(
            _given(
                {
                    "gen_ai.response.model": call.response_model,
                    "gen_ai.response.id": call.response_id,
                    "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
                    "nbagent.try": call.attempt,
                    "nbagent.cost_usd": call.cost_usd,
                    **usage,
                }
            )
        )
        _end(span, call.status, call.error_type, call.error, _nanoseconds(call.started_at, call.duration_s))

    def _end_tool(self, call: ToolCall) -> None:
        span = self._tools.pop(call.tool_call_id, None)
        span = span or self._begin_tool(call.name, call.tool_call_id, call.started_at)
        _end(span, call.status, call.error_type, call.error, _nanoseconds(call.started_at, call.duration_s))

    def _finish(self, event: RunFinished) -> None:
        """End the run's span, and before it whatever was cut off with it."""
        at = _nanoseconds(event.finished_at)
        status = status_of(event.stop_reason, event.error)
        for cut in [*self._tools.values(), *([self._model] if self._model is not None else [])]:
            _end(cut, "cancelled", status.value, None, at)
        self._tools, self._model = {}, None
        run = self._run or self._begin_run(event.finished_at)
        said = {"nbagent.status": status.value, "nbagent.stop_reason": event.stop_reason}
        run.set_attributes({**_given({**said, "nbagent.cached_from": self._cached_from}), **self._totals})
        completed = status is RunStatus.completed
        _end(run, status.value, None if completed else event.error_type or status.value, event.error, at)


def _make_current(span: Span) -> None:
    """Make a span the current one for the rest of this task; the task's context ends with it."""
    from opentelemetry import context, trace

    context.attach(trace.set_span_in_context(span))


def _end(span: Span, status: str, error_type: str | None, error: str | None, at: int) -> None:
    from opentelemetry.trace import Status, StatusCode

    if status != "completed":
        span.set_attribute("error.type", error_type or status)
        span.set_status(Status(StatusCode.ERROR, (error or status).splitlines()[0]))
    span.end(end_time=at)


def _usage_of(usage: Usage) -> dict[str, int]:
    counts = {name: getattr(usage, field) for name, field in _USAGE.items()}
    return {name: count for name, count in counts.items() if count is not None}


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _kind(name: str) -> SpanKind:
    from opentelemetry.trace import SpanKind

    return SpanKind[name]


def _nanoseconds(at: datetime, later_s: float = 0.0) -> int:
    return int((at.timestamp() + later_s) * 1_000_000_000)
