"""One run as one row of the table: short cells of plain data in a fixed order. Pure.

Made from a live record on the background loop at each tick, and from rows of the store for all other runs;
both give the same row for the same run. Texts are plain and cut: the front end shows them as text.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from nbagent.core import escaped, last_line, load_json, one_line, truncate_end, utf8_safe
from nbagent.events import PendingApproval
from nbagent.models import can_cost
from nbagent.run import FINISHED, RunRecord, sum_known
from nbagent.store import PLACED, current_process_id, process_name

# the order of a row's cells; the first message tells it to the front end
COLUMNS = (
    "id", "title", "agent", "model", "status", "reason", "session", "parent", "batch", "created_ms", "began_ms",
    "ended_ms", "tokens", "cost", "priced", "says", "prompt", "error", "attempt", "asks",
    "owner",
)  # fmt: skip
TableRow = tuple[Any, ...]

NAME_CHARS, TEXT_CHARS = 80, 140
APPROVAL_LIMIT = 4_000  # of one call that waits for a person
CODE_LIMIT = (
    250_000  # of code: ten times what run_python takes, for each character may have to be written out
)
_CODE_TOOL = "run_python"
_MORE = "; run.pending_approvals has all"
CACHED = "from cache"  # beside the status of a run that was given an answer
_PLAIN_REASONS = frozenset({"end", "error", "cancelled", "timeout", "kernel_died"})  # the status says it
_STATUS, _BATCH, _ATTEMPT = (COLUMNS.index(name) for name in ("status", "batch", "attempt"))


def row_of(record: RunRecord) -> TableRow:
    """Return a run of this kernel as a row."""
    launch, end, calls = record.launch, record.end, tuple(record.model_calls)
    priced = sum(call.cost_usd is not None for call in calls)
    tokens = sum_known(
        call.usage.total_tokens
        if call.usage.total_tokens is not None
        else _sum(call.usage.input_tokens, call.usage.output_tokens)
        for call in calls
    )
    return _row(
        run_id=launch.run_id,
        label=launch.label,
        agent_name=launch.agent_name,
        provider=launch.provider,
        model=launch.model,
        status=record.status.value,
        stop_reason=end.stop_reason if end else None,
        session_id=launch.session_id,
        parent_run_id=launch.parent_run_id,
        batch_id=getattr(launch, "batch_id", None),  # a launch knows of batches once there are any
        created_at=launch.created_at,
        started_at=record.started_at,
        finished_at=end.finished_at if end else None,
        attempt=launch.attempt,
        total_tokens=tokens,
        cost_usd=sum_known(call.cost_usd for call in calls),
        calls=len(calls),
        priced=priced,
        prompt=launch.prompt,
        says=_answer_text(
            end.content if end and isinstance(end.content, str) else record.text, final=end is not None
        ),
        error=end.error if end else None,
        cached_from=record.cached_from,
        asks=record.pending_approvals,
        owner="",
    )


def row_of_stored(row: Mapping[str, Any]) -> TableRow:
    """Return a run of the store's `RunSummary` as a row."""
    final = row["status"] in FINISHED
    text = row["content"] if row["content"] is not None else row["partial_text"]
    names = ("run_id", "label", "agent_name", "provider", "model", "status", "stop_reason", "session_id",
             "parent_run_id", "batch_id", "created_at", "started_at", "finished_at", "attempt", "total_tokens",
             "cost_usd", "calls", "priced", "prompt", "error")  # fmt: skip
    cached_from = row.get("cached_from")
    return _row(
        **{name: row[name] for name in names},
        says=_answer_text(text or "", final=final),
        cached_from=cached_from,
        asks=[PendingApproval(**call) for call in load_json(row.get("pending_approvals") or "[]")],
        owner=_owner_text(row, final=final),
    )


def _owner_text(row: Mapping[str, Any], *, final: bool) -> str:
    """Return who works on a run where that is another process, and which worker did; "" for all else."""
    owner, placed = row.get("owner"), row.get("placed")
    if owner == PLACED:
        return "" if final else "waits for a worker"
    if owner is None or owner == _own_id(os.getpid()) or (final and not placed):
        return ""
    name = process_name(owner)
    return name.replace("process", "worker", 1) if placed else name


@functools.lru_cache(maxsize=4)
def _own_id(_pid: int) -> str:
    return current_process_id()


def is_final(row: TableRow) -> bool:
    """Return True if the row's run has ended."""
    return row[_STATUS] in FINISHED


def is_older(row: TableRow, known: TableRow | None) -> bool:
    """True if a run's row is from before one that is known: an earlier attempt, or the same one not yet ended."""
    if known is None or row[_ATTEMPT] != known[_ATTEMPT]:
        return known is not None and bool(row[_ATTEMPT] < known[_ATTEMPT])
    return is_final(known) and not is_final(row)


def batch_of(row: TableRow) -> str | None:
    """Return the batch that the row's run belongs to."""
    found: str | None = row[_BATCH]
    return found


def _is_priced(of: Mapping[str, Any]) -> bool | None:
    """Say whether the cost of each call is known; None without calls, and where nothing can cost anything."""
    if not of["calls"] or (not of["priced"] and not can_cost(of["provider"] or "")):
        return None
    return bool(of["priced"] == of["calls"])


def approval_text(call: PendingApproval) -> str:
    """Return a call as a person has to see it before it runs: in full, and nothing in it that hides or turns text."""
    if call.name == _CODE_TOOL and call.code is not None:  # code is shown whole, in its own lines
        (name,) = call.arguments
        return truncate_end(f"{call.name}({name}):\n{escaped(call.code)}", CODE_LIMIT, _MORE)
    limit = CODE_LIMIT if call.name == _CODE_TOOL else APPROVAL_LIMIT
    return truncate_end(utf8_safe(str(call)), limit, _MORE)


def _asks(calls: Iterable[PendingApproval]) -> list[Any] | None:
    """Return what a row shows of the calls that wait: how many, and the one that can be decided on in the row."""
    waiting = list(calls)
    if not waiting:
        return None
    first, text = waiting[0], approval_text(waiting[0])
    line = one_line(text, TEXT_CHARS)
    # what does not stand there in full is decided on in the run's card
    whole = len(waiting) == 1 and line == text
    return [len(waiting), line, *([first.step, first.tool_call_id] if whole else [])]


def _row(**of: Any) -> TableRow:
    """Build the row; the one place where its cells are put in their order."""
    label, agent = of["label"], of["agent_name"]
    cached = of["cached_from"] is not None
    reason = of["stop_reason"] or ""
    reason = "" if reason in _PLAIN_REASONS else reason.replace("_", " ")
    tokens, cost = (0, 0.0) if cached else (of["total_tokens"], of["cost_usd"])
    what = (of["error"] or "").partition("\n")[0]
    return (
        of["run_id"],
        one_line(label or agent or "run", NAME_CHARS),
        one_line(agent or "", NAME_CHARS),
        one_line(":".join(filter(None, (of["provider"], of["model"]))), NAME_CHARS),
        of["status"],
        ", ".join(filter(None, (reason, CACHED if cached else ""))),
        of["session_id"],
        of["parent_run_id"],
        of["batch_id"],
        _epoch_ms(of["created_at"]),
        _epoch_ms(of["started_at"]),
        _epoch_ms(of["finished_at"]),
        None if tokens is None else int(tokens),
        cost,
        _is_priced(of),
        of["says"],
        one_line(of["prompt"] or "", TEXT_CHARS),
        one_line(what, TEXT_CHARS),
        of["attempt"],
        _asks(of["asks"]),
        one_line(of["owner"], NAME_CHARS),
    )


def _answer_text(text: str, *, final: bool) -> str:
    """Return the beginning of an answer that is there, or the end of one that is coming."""
    return one_line(text[: 2 * TEXT_CHARS], TEXT_CHARS) if final else last_line(text, TEXT_CHARS)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
