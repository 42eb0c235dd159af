"""What a card shows of a run, as plain data: the row and the text. Pure.

The widget sends it to the page and `static_html.py` writes it as HTML, so both say the same words. Built
on the background thread at each flush; reads a live record, or a `RunOutput` of another kernel's run. Every
value is plain text: whoever shows it escapes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbagent import runtime
from nbagent.core import call_text, format_seconds, format_usd, one_line, utf8_safe
from nbagent.events import PendingApproval, ToolCall, ToolRequest
from nbagent.models import can_cost, lines_to_real
from nbagent.panel.card.structured import structure_of
from nbagent.panel.table.row import CACHED, approval_text
from nbagent.run import EarlierRun, RunLaunch, RunMetrics, RunOutput, RunRecord, RunStatus

CardRow = dict[str, Any]

DEMO_BANNER = "demo model: canned answers, no key needed"
TEXT_LIMIT, TEXT_STEP = 100_000, 20_000  # a longer text loses its beginning, a step at a time
NAME_LIMIT, NOTICES_LIMIT = 160, 5
APPROVALS_LIMIT = 20
MEMBERS_LIMIT = 40
_STEERABLE = frozenset({"agent", "team"})
_DIME = 0.1
_UNSTRUCTURED = {"table": None, "tree": None, "more": "", "form": ""}
_PLAIN_REASONS = frozenset({"end", "error", "cancelled", "timeout"})  # say no more than the status does


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSnapshot:
    """One run under another at one moment; `depth` is 1 for a member, 2 for a member's member."""

    run_id: str
    name: str
    status: RunStatus
    metrics: RunMetrics
    depth: int
    approvals: Sequence[PendingApproval] = ()


def _launch_fields(launch: RunLaunch | RunOutput) -> dict[str, Any]:
    names = ("run_id", "label", "agent_name", "provider", "model", "created_at")
    return {name: getattr(launch, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSnapshot:
    """A run at one moment, as far as a card shows it."""

    run_id: str
    status: RunStatus
    label: str | None
    agent_name: str | None
    provider: str | None
    model: str | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    stop_reason: str | None
    error: str | None
    text: str
    value: Any  # the validated value of a structured answer, else None
    metrics: RunMetrics | None
    tool_calls: Sequence[ToolCall] = ()
    running_tools: Sequence[ToolRequest] = ()
    notices: Sequence[str] = ()
    retry: str | None = None
    queue_position: int | None = None
    members: Sequence[MemberSnapshot] = ()
    approvals: Sequence[PendingApproval] = ()
    waits_for: EarlierRun | None = None
    others_wait: bool = False
    cached_from: str | None = None
    sent: Sequence[str] = ()
    takes_messages: bool = False
    always: Sequence[
        str
    ] = ()  # tools that its agent calls without asking: a person has said so in this kernel

    @classmethod
    def of_record(cls, record: RunRecord) -> RunSnapshot:
        """Look at a live run; from any thread."""
        launch, end, calls = record.launch, record.end, tuple(record.model_calls)
        return cls(
            **_launch_fields(launch),
            status=record.status,
            started_at=record.started_at,
            finished_at=end.finished_at if end else None,
            stop_reason=end.stop_reason if end else None,
            error=end.error if end else None,
            text=end.content if end and isinstance(end.content, str) else record.text,
            value=record.content if end and end.output_valid and launch.output_schema is not None else None,
            metrics=record.metrics if calls or end or record.member_responses else None,
            tool_calls=record.tool_calls_as_asked(),
            running_tools=tuple(record.running_tools.values()),
            notices=tuple(record.notices),
            retry=_retry_note(calls[-1].error, record.retry_in_s) if calls and not end else None,
            queue_position=record.queue_position,
            members=tuple(members_of(record)),
            approvals=record.pending_approvals,
            waits_for=record.waits_for,
            others_wait=record.others_wait,
            cached_from=record.cached_from,
            sent=tuple(record.sent.values()),
            takes_messages=launch.kind in _STEERABLE and launch.batch_id is None and end is None,
            always=runtime.granted_to(launch.agent_name or ""),
        )

    @classmethod
    def of_output(cls, output: RunOutput) -> RunSnapshot:
        """Look at a run that this kernel has only from the store."""
        structured = bool(output.output_valid)
        plain = output.content if isinstance(output.content, str) else None
        return cls(
            **_launch_fields(output),
            status=output.status,
            started_at=output.started_at,
            finished_at=output.finished_at,
            stop_reason=output.stop_reason,
            error=output.error,
            text=plain if plain is not None else _raw_answer(output),
            value=output.content if structured else None,
            metrics=output.metrics,
            tool_calls=output.tool_calls,
            members=tuple(members_of(output)),
            approvals=output.pending_approvals,
            cached_from=output.cached_from,
            takes_messages=output.kind in _STEERABLE and not output.status.is_final,
        )


def members_of(run: RunRecord | RunOutput, depth: int = 1) -> Iterator[MemberSnapshot]:
    """Yield the runs under a run in launch order, each followed by those under it. From any thread."""
    for member in tuple(run.member_responses):
        known = member.launch if isinstance(member, RunRecord) else member
        yield MemberSnapshot(
            run_id=known.run_id,
            name=known.agent_name or "run",
            status=member.status,
            metrics=member.metrics,
            depth=depth,
            approvals=member.pending_approvals,
        )
        yield from members_of(member, depth + 1)


def member_rows(members: Sequence[MemberSnapshot]) -> list[dict[str, str | int]]:
    """Return a card's lines: the first ones, and a last one that counts the rest."""
    rows: list[dict[str, str | int]] = [
        {
            "name": one.name,
            "status": one.status.value,
            "tokens": _member_tokens(one.metrics),
            "depth": one.depth,
        }
        for one in members[:MEMBERS_LIMIT]
    ]
    if len(members) > MEMBERS_LIMIT:
        more = f"and {len(members) - MEMBERS_LIMIT:,} more"
        rows.append({"name": more, "status": "", "tokens": "", "depth": 1})
    return rows


def _member_tokens(metrics: RunMetrics) -> str:
    return "" if metrics.total_tokens is None else f"{metrics.total_tokens:,} tokens"


# ---------------------------------------------------------------------- rows


def card_row(snapshot: RunSnapshot) -> CardRow:
    """Return what a card shows beside the text, as JSON data.

    `html`, the laid out answer, is None: it is made where it is shown, once the run has ended.
    """
    final = snapshot.status.is_final
    what, _, todo = (snapshot.error or "").partition("\n")
    begin = snapshot.started_at or snapshot.created_at
    return {
        "run_id": snapshot.run_id,
        "title": one_line(snapshot.label or snapshot.agent_name or "run"),
        "agent": one_line(snapshot.agent_name or "") if snapshot.label else "",
        "model": one_line(":".join(filter(None, (snapshot.provider, snapshot.model)))),
        "banner": demo_banner() if snapshot.provider == "demo" else "",
        "status": snapshot.status.value,
        "reason": ", ".join(filter(None, (_reason(snapshot), CACHED if snapshot.cached_from else ""))),
        "final": final,
        "began_ms": _epoch_ms(begin),
        "waiting": _waiting_text(snapshot),
        "approvals": _approvals(snapshot),
        "always": list(snapshot.always),
        "calls": []
        if final
        else [f"calling {call_text(r.name, r.arguments)}" for r in snapshot.running_tools],
        "called": _called(snapshot.tool_calls),
        "members": [{**row, "name": one_line(str(row["name"]))} for row in member_rows(snapshot.members)],
        "sent": [one_line(text) for text in snapshot.sent],
        "takes_messages": snapshot.takes_messages,
        "retry": one_line(snapshot.retry or ""),
        "notices": [one_line(notice) for notice in snapshot.notices[-NOTICES_LIMIT:]],
        "error": [one_line(what), one_line(todo)] if what else [],
        **(_UNSTRUCTURED if snapshot.value is None else structure_of(snapshot.value)),
        "html": None,
        "took": "" if snapshot.cached_from else _took(snapshot),
        "facts": _facts(snapshot),
        "code": code_of(snapshot),
    }


def demo_banner() -> str:
    """Return what stands on a card of the demo model: what it is, and on lines of their own what to type for another."""
    lines = lines_to_real()
    if len(lines) == 1:
        return f"{DEMO_BANNER}. {lines[0]}"
    return "\n".join([f"{DEMO_BANNER}. For a real model type:", *lines])


def code_of(snapshot: RunSnapshot) -> str:
    """Return the expression that gets the result, in this notebook or another."""
    return f"nb.get({json.dumps(utf8_safe(snapshot.label or snapshot.run_id), ensure_ascii=False)}).content"


def facts_of(metrics: RunMetrics, *, final: bool, can_cost: bool = True) -> list[list[str]]:
    """Return what a run cost as [name, value] pairs; unknown is "?" once it is final, and left out before.

    Where nothing can cost anything an unknown cost is not said.
    """
    known = [
        ("tokens", _tokens(metrics.input_tokens, metrics.output_tokens)),
        ("cost", format_usd(metrics.cost_usd)),
        ("first token", format_seconds(metrics.ttft_s)),
    ]
    return [
        [name, value or "?"] for name, value in known if value or (final and (can_cost or name != "cost"))
    ]


def _tokens(into: int | None, out: int | None) -> str:
    if into is None and out is None:
        return ""
    ways = ((into, "in"), (out, "out"))
    return ", ".join(f"{'?' if count is None else format(count, ',')} {way}" for count, way in ways)


def _called(calls: Sequence[ToolCall]) -> str:
    if not calls:
        return ""
    counts: dict[str, int] = {}
    for call in calls:
        counts[call.name] = counts.get(call.name, 0) + 1
    denied = sum(call.status == "denied" for call in calls)
    failed = sum(call.status != "completed" for call in calls) - denied
    names = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in counts.items())
    ends = (f"; {failed} failed" if failed else "") + (f"; {denied} denied" if denied else "")
    return one_line(f"called {names}{ends}")


def _facts(snapshot: RunSnapshot) -> list[list[str]]:
    if snapshot.cached_from is not None:
        return [["cost", format_usd(0)]]
    if snapshot.metrics is None:
        return []
    # a run that came to nothing has no empty fields
    answered = snapshot.status is RunStatus.completed
    return facts_of(snapshot.metrics, final=answered, can_cost=can_cost(snapshot.provider or ""))


def _reason(snapshot: RunSnapshot) -> str:
    reason = snapshot.stop_reason
    return reason.replace("_", " ") if reason and reason not in _PLAIN_REASONS else ""


def _approvals(snapshot: RunSnapshot) -> list[CardRow]:
    """Return the calls that wait for a person, the run's own and its members', each with the run to decide on."""
    own = [(snapshot.run_id, "", call) for call in snapshot.approvals]
    members = [
        (one.run_id, one_line(one.name, NAME_LIMIT), call)
        for one in snapshot.members
        for call in one.approvals
    ]
    return [
        {
            "run_id": run_id,
            "by": by,
            "step": call.step,
            "tool_call_id": call.tool_call_id,
            "call": approval_text(call),
            "always": _allows_always(run_id, call),
        }
        for run_id, by, call in [*own, *members][:APPROVALS_LIMIT]
    ]


def _allows_always(run_id: str, call: PendingApproval) -> bool:
    """Say whether a call can be approved together with all that follow: a tool's of this kernel."""
    live = runtime.current().live(run_id)
    return live is not None and runtime.is_kernel_bound(live.agent, call.name)


def _waiting_text(snapshot: RunSnapshot) -> str:
    """Return what stands where the text will be."""
    if snapshot.approvals:
        return "waits for your approval" + (
            "; runs of its session wait for it" if snapshot.others_wait else ""
        )
    asking = [one.name for one in snapshot.members if one.approvals]
    if asking:
        return one_line(
            f"{', '.join(dict.fromkeys(asking))} {'wait' if len(asking) > 1 else 'waits'} for your approval"
        )
    if snapshot.text or snapshot.running_tools or snapshot.retry or snapshot.status.is_final:
        return ""
    if snapshot.waits_for is not None:
        return one_line(f"waiting for its turn: {snapshot.waits_for.told_with_time}")
    if snapshot.queue_position is not None:
        return f"waiting: {_ordinal(snapshot.queue_position)} in the queue"
    return "waiting for its turn" if snapshot.status is RunStatus.pending else "waiting for the first word"


def _ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st and so on."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _raw_answer(output: RunOutput) -> str:
    """Return the text that a structured answer was read from."""
    said = [message.content for message in output.messages if message.role == "assistant" and message.content]
    return said[-1] if said else ""


def _took(snapshot: RunSnapshot) -> str:
    """Return how long the finished work took; queueing apart."""
    if snapshot.started_at is None or snapshot.finished_at is None:
        return ""
    return format_seconds((snapshot.finished_at - snapshot.started_at).total_seconds())


def _retry_note(error: str | None, retry_in_s: float | None) -> str | None:
    if retry_in_s is None:
        return None
    what = (error or "the model call failed").partition("\n")[0]
    return f"{what}; trying again in {retry_in_s:.1f} s"


def _epoch_ms(moment: datetime | None) -> float | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def shown_text(text: str) -> str:
    """Return the part of a text that a card holds: all, or the end of a very long one with a first line that says so."""
    text = utf8_safe(text)
    if len(text) <= TEXT_LIMIT:
        return text
    start = -((TEXT_LIMIT - len(text)) // TEXT_STEP) * TEXT_STEP
    return f"[the first {start:,} characters are not shown]\n{text[start:]}"
