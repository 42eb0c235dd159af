"""The runs under a run as lines of its card: who, how it stands, its tokens, what it asks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbagent.events import PendingApproval
from nbagent.run import RunMetrics, RunOutput, RunRecord, RunStatus

MEMBERS_LIMIT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSnapshot:
    """One run under another at one moment; `depth` is 1 for a member, 2 for a member's member."""

    run_id: str
    name: str
    status: RunStatus
    metrics: RunMetrics
    depth: int
    approvals: Sequence[PendingApproval] = ()


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
        {"name": one.name, "status": one.status.value, "tokens": _tokens(one.metrics), "depth": one.depth}
        for one in members[:MEMBERS_LIMIT]
    ]
    if len(members) > MEMBERS_LIMIT:
        more = f"and {len(members) - MEMBERS_LIMIT:,} more"
        rows.append({"name": more, "status": "", "tokens": "", "depth": 1})
    return rows


def _tokens(metrics: RunMetrics) -> str:
    return "" if metrics.total_tokens is None else f"{metrics.total_tokens:,} tokens"
