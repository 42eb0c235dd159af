"""A run as a trace: its model calls, tool calls, pauses and members on one clock, each with what went in and came out. Pure.

Built for `data.py`; rows are plain, bounded data. A member's rows follow its own, one deeper.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nbagent.core import call_text, format_seconds, format_usd, one_line, utc_now, utf8_safe
from nbagent.events import Message, ModelCall, ToolCall
from nbagent.run import RunOutput, RunStatus

ROWS = 200  # the last so many
TEXT_CHARS = 4_000  # of one message in a row
ALL_CHARS = 400_000  # of all rows together
PAUSE_S = 0.1  # a shorter gap between a request and its tool is no person's
NAME_CHARS = 80
Data = dict[str, Any]


def trace_of(output: RunOutput) -> Data:
    """Return the rows of a run and of those under it: where each began and how long it took, in milliseconds."""
    rows = list(_rows_of(output, 0))[-ROWS:]
    if not rows:
        return {"span_ms": 0, "rows": []}
    begin = min(row.at for row in rows)
    budget = [ALL_CHARS]
    data = [row.data(begin, budget) for row in rows]
    return {"span_ms": max(1, *(row["at_ms"] + row["ms"] for row in data)), "rows": data}


@dataclass(slots=True, kw_only=True)
class TraceRow:
    """One bar. `given` and `came` are what went in and came out, as (role, text); `kind` is model, tool, pause or member."""

    kind: str
    step: int
    name: str
    status: str
    at: datetime
    lasted_s: float
    depth: int
    note: str = ""
    about: str = ""
    given: list[tuple[str, str]] = field(default_factory=list)
    came: list[tuple[str, str]] = field(default_factory=list)

    def data(self, begin: datetime, budget: list[int]) -> Data:
        """Return the row as plain data; texts only as long as the budget of all rows lasts."""
        return {
            "kind": self.kind,
            "step": self.step,
            "name": one_line(self.name, NAME_CHARS),
            "status": self.status,
            "at_ms": round((self.at - begin).total_seconds() * 1000),
            "ms": round(self.lasted_s * 1000),
            "depth": self.depth,
            "note": self.note,
            "about": one_line(self.about, 200),
            "given": _texts(self.given, budget),
            "came": _texts(self.came, budget),
        }


def _texts(texts: list[tuple[str, str]], budget: list[int]) -> list[Data]:
    shown = []
    for role, text in texts:
        cut = text[: min(TEXT_CHARS, budget[0])]
        budget[0] -= len(cut)
        left = len(text) - len(cut)
        more = f"\n[{left:,} more characters]" if left else ""
        shown.append({"role": one_line(role, NAME_CHARS), "text": utf8_safe(cut + more)})
    return shown


def _rows_of(output: RunOutput, depth: int) -> Iterator[TraceRow]:
    own = [*_model_rows(output, depth), *(_tool_row(call, depth) for call in output.tool_calls)]
    groups = [[row] for row in [*own, *_pauses(output, depth)]]
    groups += [list(_member_rows(member, depth)) for member in output.member_responses]
    for group in sorted(groups, key=lambda group: group[0].at):
        yield from group


# ---------------------------------------------------------------- calls of models


def _model_rows(output: RunOutput, depth: int) -> Iterator[TraceRow]:
    """Yield the model calls: the replies in the history are those of the calls that came to an end, in their order."""
    said, rest = _exchanges(output.messages)
    replies = iter(said)
    upcoming = next(replies, None)
    for call in output.model_calls:
        given, reply = upcoming if upcoming is not None else (rest, None)
        if call.status == "completed" and upcoming is not None:
            upcoming = next(replies, None)
        else:
            reply = None
        yield _model_row(call, given, reply, depth)


def _exchanges(
    messages: tuple[Message, ...],
) -> tuple[list[tuple[list[Message], Message | None]], list[Message]]:
    """Return each reply with what was new before it, and what no reply has come to."""
    said: list[tuple[list[Message], Message | None]] = []
    new: list[Message] = []
    for message in messages:
        if message.role == "assistant":
            said.append((new, message))
            new = []
        else:
            new.append(message)
    return said, new


def _model_row(call: ModelCall, given: list[Message], reply: Message | None, depth: int) -> TraceRow:
    usage = call.usage
    notes = [
        format_seconds(call.duration_s),
        f"{usage.total_tokens:,} tokens" if usage.total_tokens is not None else "",
        format_usd(call.cost_usd),
        f"first token {format_seconds(call.ttft_s)}" if call.ttft_s is not None else "",
        one_line((call.error or "").partition("\n")[0], 120),
    ]
    model = f"{call.provider}:{call.request_model}"
    again = f", try {call.attempt}" if call.attempt > 1 else ""
    ended = f", finish reason {call.finish_reason}" if call.finish_reason else ""
    return TraceRow(
        kind="model",
        step=call.step,
        name=_model_name(reply) or model,
        status=call.status,
        at=call.started_at,
        lasted_s=call.duration_s,
        depth=depth,
        note=" · ".join(filter(None, notes)),
        about=f"{model}{again}{ended}",
        given=[(_role(message), _text_of(message)) for message in given],
        came=[("reply", _text_of(reply))] if reply is not None else [("error", call.error or "")],
    )


def _model_name(reply: Message | None) -> str:
    """Say what the model did in this step."""
    if reply is None:
        return ""
    if not reply.tool_requests:
        return "answers"
    counts: dict[str, int] = {}
    for request in reply.tool_requests:
        counts[request.name] = counts.get(request.name, 0) + 1
    return "asks for " + ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in counts.items())


def _role(message: Message) -> str:
    return " · ".join(filter(None, (message.role, message.name)))


def _text_of(message: Message) -> str:
    calls = [f"calls {call_text(request.name, request.arguments)}" for request in message.tool_requests]
    return "\n".join(part for part in (message.content, *calls) if part)


# ------------------------------------------------------- tools, pauses, members


def _tool_row(call: ToolCall, depth: int) -> TraceRow:
    return TraceRow(
        kind="tool",
        step=call.step,
        name=call_text(call.name, call.arguments),
        status=call.status,
        at=call.started_at,
        lasted_s=call.duration_s,
        depth=depth,
        note=format_seconds(call.duration_s),
        given=[("arguments", _pretty(call.arguments or "{}"))],
        came=[
            *([("error", call.error)] if call.error else []),
            *([("result", _pretty(call.result))] if call.result else []),
        ],
    )


def _pretty(text: str) -> str:
    """Return JSON indented, anything else as it is."""
    if len(text) > TEXT_CHARS or text[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def _pauses(output: RunOutput, depth: int) -> Iterator[TraceRow]:
    """Yield the times in which a person was waited for: between a step's request and the first of its tools."""
    if not output.metrics.paused_s and output.status is not RunStatus.paused:
        return
    asked = {call.step: call.started_at + timedelta(seconds=call.duration_s) for call in output.model_calls}
    begun: dict[int, datetime] = {}
    for call in output.tool_calls:
        begun[call.step] = min(begun.get(call.step, call.started_at), call.started_at)
    if output.pending_approvals:
        begun[output.pending_approvals[0].step] = utc_now()
    for step, until in sorted(begun.items()):
        since = asked.get(step, until)
        waited_s = (until - since).total_seconds()
        if waited_s >= PAUSE_S:
            goes_on = bool(output.pending_approvals) and step == output.pending_approvals[0].step
            yield TraceRow(
                kind="pause", step=step, name="waits for you", status="paused" if goes_on else "completed", at=since,
                lasted_s=waited_s, depth=depth, note=format_seconds(waited_s),
            )  # fmt: skip


def _member_rows(member: RunOutput, depth: int) -> Iterator[TraceRow]:
    began = member.started_at or member.created_at
    if began is None:
        return
    lasted_s = ((member.finished_at or utc_now()) - began).total_seconds()
    tokens = member.metrics.total_tokens
    notes = [format_seconds(lasted_s), f"{tokens:,} tokens" if tokens is not None else ""]
    text = member.content if isinstance(member.content, str) else repr(member.content or "")
    yield TraceRow(
        kind="member",
        step=0,
        name=member.agent_name or "run",
        status=member.status.value,
        at=began,
        lasted_s=max(0.0, lasted_s),
        depth=depth,
        note=" · ".join(filter(None, notes)),
        about=f"run {member.run_id}",
        given=[("prompt", member.prompt or "")],
        came=[("error", member.error)] if member.error else [("answer", text)],
    )
    yield from _rows_of(member, depth + 1)
