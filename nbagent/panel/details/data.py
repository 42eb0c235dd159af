"""What an opened run shows beside its card: steps, tool calls, messages, traceback, names. Plain, bounded data. Pure.

Built from a `RunOutput` when the run is opened and whenever it has got further; read by `frontend/src/details/`, which
shows every text as text. The answer itself stands on the card.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from nbagent.core import format_seconds, format_usd, one_line, utf8_safe
from nbagent.events import Message, ModelCall, ToolCall
from nbagent.panel.card.data import call_text
from nbagent.run import RunOutput, RunRecord

TEXT_CHARS = 20_000  # of one message, argument or result
SHORT_S = 0.01  # a wait that is not worth a line
MESSAGES, CALLS, STEPS = 200, 200, 200  # the last so many
Data = dict[str, Any]


def details_of(output: RunOutput) -> Data:
    """Return what is shown of the run as it stands."""
    has_text = output.is_final and isinstance(output.content, str)
    return {
        "answer": _text(output.content) if has_text else "",
        "steps": _steps(output),
        "tools": [_tool(call) for call in output.tool_calls[-CALLS:]],
        "messages": [_message(message) for message in output.messages[-MESSAGES:]],
        "left": max(0, len(output.messages) - MESSAGES),
        "prompt": _text(output.prompt or ""),
        "traceback": _text(output.traceback or ""),
        "about": _about(output),
        "code": f"nb.get({json.dumps(output.run_id)})",
    }


def _about(output: RunOutput) -> list[list[str]]:
    """Return the run's names and counts as [name, value]; what is unknown is left out."""
    metrics = output.metrics
    counts = (
        ("cached tokens", metrics.cache_read_tokens),
        ("reasoning tokens", metrics.reasoning_tokens),
    )
    pairs = [
        ("run id", output.run_id),
        ("session", output.session_id),
        ("part of", output.parent_run_id),
        ("agent", output.agent_name),
        ("attempt", str(output.attempt) if output.attempt > 1 else None),
        ("launched", _moment(output.created_at)),
        ("waited", format_seconds(metrics.queued_s) if (metrics.queued_s or 0) >= SHORT_S else None),
        ("worked", format_seconds(metrics.duration_s)),
        *((name, format(count, ",")) for name, count in counts if count),
        ("error type", output.error_type),
    ]
    return [[name, one_line(value, 300)] for name, value in pairs if value]


def _steps(output: RunOutput) -> Data:
    """Return the calls on one clock: where each began and how long it took, in milliseconds from the first."""
    calls: list[ModelCall | ToolCall] = [*output.model_calls, *output.tool_calls]
    calls = sorted(calls, key=lambda call: call.started_at)[-STEPS:]
    if not calls:
        return {"span_ms": 0, "rows": []}
    begin = calls[0].started_at
    rows = [_step(call, _ms(call.started_at, begin)) for call in calls]
    return {"span_ms": max(1, *(row["at_ms"] + row["ms"] for row in rows)), "rows": rows}


def _step(call: ModelCall | ToolCall, at_ms: int) -> Data:
    row = {"step": call.step, "status": call.status, "at_ms": at_ms, "ms": round(call.duration_s * 1000)}
    if isinstance(call, ToolCall):
        return {
            **row,
            "kind": "tool",
            "name": one_line(call.name, 80),
            "note": format_seconds(call.duration_s),
        }
    usage = call.usage
    notes = [
        format_seconds(call.duration_s),
        f"{usage.total_tokens:,} tokens" if usage.total_tokens is not None else "",
        format_usd(call.cost_usd),
        f"first token {format_seconds(call.ttft_s)}" if call.ttft_s is not None else "",
        one_line((call.error or "").partition("\n")[0], 120),
    ]
    name = one_line(f"{call.provider}:{call.request_model}", 80)
    return {**row, "kind": "model", "name": name, "note": " · ".join(filter(None, notes))}


def _tool(call: ToolCall) -> Data:
    return {
        "call": call_text(call.name, call.arguments),
        "arguments": _text(_pretty(call.arguments)),
        "result": _text(_pretty(call.result or "")),
        "status": call.status,
        "error": one_line(call.error or "", 500),
        "took": format_seconds(call.duration_s),
    }


def _message(message: Message) -> Data:
    return {
        "role": message.role,
        "name": one_line(message.name or "", 80),
        "text": _text(message.content),
        "calls": [call_text(request.name, request.arguments) for request in message.tool_requests],
        "files": _files(message),
    }


def _files(message: Message) -> list[str]:
    return [one_line(f"{part.name or 'file'} ({part.media_type})", 120) for part in message.files]


def _pretty(text: str) -> str:
    """Return JSON indented, anything else as it is."""
    if len(text) > TEXT_CHARS or text[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def _text(text: str) -> str:
    """Return a text that can be sent, its middle left out if it is very long."""
    if len(text) > TEXT_CHARS:
        text = f"{text[: TEXT_CHARS - 2000]}\n[{len(text) - TEXT_CHARS:,} characters are not shown]\n{text[-2000:]}"
    return utf8_safe(text)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _ms(moment: datetime, begin: datetime) -> int:
    return round((moment - begin).total_seconds() * 1000)


def stage_of(shown_result: RunOutput | RunRecord) -> tuple[Any, ...]:
    """Return what decides whether the details have changed: the streaming text does not."""
    counts = len(shown_result.model_calls), len(shown_result.tool_calls), len(shown_result.messages)
    attempt = shown_result.attempt if isinstance(shown_result, RunOutput) else shown_result.launch.attempt
    return (*counts, shown_result.status, attempt)
