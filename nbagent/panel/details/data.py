"""What an opened run shows beside its card: setup, trace, messages, traceback, names. Plain, bounded data. Pure.

Built from a `RunOutput` when the run is opened and whenever it has got further; read by `frontend/src/details/`, which
shows every text as text. The answer itself stands on the card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nbagent.core import call_text, format_seconds, one_line, utf8_safe
from nbagent.events import Message
from nbagent.panel.details.run_trace import trace_of
from nbagent.panel.details.setup import NO_SETUP
from nbagent.run import RunOutput, RunRecord, own_frames

TEXT_CHARS = 20_000  # of one message, argument or result
SHORT_S = 0.01  # a wait that is not worth a line
MESSAGES = 200  # the last so many
SCORES, TEXT_SCORE = 50, 500
Data = dict[str, Any]


def details_of(
    output: RunOutput, setup: Data | None = None, scores: Sequence[Mapping[str, Any]] = ()
) -> Data:
    """Return what is shown of the run as it stands; `setup` is what it was set up with, `scores` what people gave it."""
    has_text = output.is_final and isinstance(output.content, str)
    return {
        "answer": _text(output.content) if has_text else "",
        "setup": NO_SETUP if setup is None else setup,
        "steps": trace_of(output),
        "messages": [_message(message) for message in output.messages[-MESSAGES:]],
        "left": max(0, len(output.messages) - MESSAGES),
        "prompt": _text(output.prompt or ""),
        "traceback": _text(own_frames(output.traceback or "")),
        "about": _about(output),
        "scores": [_score(row) for row in scores[-SCORES:]],
        "code": f"nb.get({json.dumps(output.run_id)})",
    }


def _score(row: Mapping[str, Any]) -> Data:
    texts = {name: one_line(row[name] or "", TEXT_SCORE) for name in ("score", "comment", "author")}
    return {**texts, "value": one_line(_score_text(row["value"]), TEXT_SCORE)}


def _score_text(value: str) -> str:
    """Return a score's JSON as it is read."""
    try:
        plain = json.loads(value)
    except ValueError:
        return value
    return {True: "yes", False: "no"}[plain] if isinstance(plain, bool) else str(plain)


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


def _text(text: str) -> str:
    """Return a text that can be sent, its middle left out if it is very long."""
    if len(text) > TEXT_CHARS:
        text = f"{text[: TEXT_CHARS - 2000]}\n[{len(text) - TEXT_CHARS:,} characters are not shown]\n{text[-2000:]}"
    return utf8_safe(text)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def stage_of(shown_result: RunOutput | RunRecord) -> tuple[Any, ...]:
    """Return what decides whether the details have changed: the streaming text does not."""
    counts = (
        len(shown_result.model_calls),
        len(shown_result.tool_calls),
        len(shown_result.messages),
        *((member.status, len(member.model_calls)) for member in tuple(shown_result.member_responses)),
    )
    attempt = shown_result.attempt if isinstance(shown_result, RunOutput) else shown_result.launch.attempt
    return (*counts, shown_result.status, attempt)
