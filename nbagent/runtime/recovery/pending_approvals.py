"""The calls of one live run that wait for a person: the loop waits here, a person's decision wakes it.

Owned by an `ActiveRun`; everything runs on the background loop. What waits is shown by the run's record,
which is what a person decides on; `decide_approvals.py` brings their decisions here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.run import StopReason
from nbagent.runtime.timeouts import HEARD_WAIT_S
from nbagent.spec import AgentSpec


def _future() -> asyncio.Future[Decision]:
    return asyncio.get_running_loop().create_future()


def unapproved(call: PendingApproval, how: str, given_s: float | None) -> tuple[StopReason, str]:
    """Return how a run ends, and why, where nobody has decided on a call; a denial has the same words."""
    waited = (
        f"nobody decided on it within {given_s:g} s" if given_s is not None else f"on_approval is {how!r}"
    )
    if how == "deny":
        return "error", waited
    what = f"{call!s:.200} needs a person's approval, and {waited}"
    todo = 'approve it with run.approve() in a notebook, or launch it with on_approval="wait" or "deny"'
    return ("timeout" if how == "wait" else "error"), f"{what}\n{todo}"


async def decision_in_time(
    approvals: PendingApprovals,
    call: PendingApproval,
    spec: AgentSpec,
    stop: Callable[[StopReason, str], None],
) -> Decision:
    """Return what a person decides, or what is done where nobody has in the time that the agent gives."""
    decided = await approvals.ask_within(call, spec.on_approval, spec.limits.approval_timeout_s)
    if isinstance(decided, Decision):
        return decided
    stop(*decided)
    stopped: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
    return await stopped  # it is cancelled there


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    """One call's decision, and that the loop has taken it."""

    made: asyncio.Future[Decision] = field(default_factory=_future)
    taken: asyncio.Future[Decision] = field(default_factory=_future)


class PendingApprovals:
    """Decisions on the calls that are `shown` as waiting, which is the record's own mapping.

    A call is shown a moment before the loop asks, so that a decision may come first. `given` are those that
    were made before the run began (it was adopted with them): each holds for the call that was shown then,
    with its arguments, and for no other with the same id.
    """

    def __init__(
        self,
        shown: Mapping[str, PendingApproval],
        given: Mapping[str, tuple[PendingApproval, Decision]] | None = None,
    ) -> None:
        self._shown = shown
        self._given = dict(given or {})
        self._waits: dict[str, _Wait] = {}

    async def ask(self, call: PendingApproval) -> Decision:
        """Return what a person decides on this call, however long that takes."""
        before, decision = self._given.pop(call.tool_call_id, (None, None))
        if decision is not None and before == call:
            return decision
        wait = self._waits.setdefault(call.tool_call_id, _Wait())
        try:
            decision = await wait.made
        finally:
            del self._waits[call.tool_call_id]
        wait.taken.set_result(decision)
        return decision

    async def ask_within(
        self, call: PendingApproval, how: str, given_s: float | None
    ) -> Decision | tuple[StopReason, str]:
        """Return what a person decides, or the end that it means where nobody has in the time that the agent gives."""
        if how == "wait" and given_s is None:
            return await self.ask(call)
        try:
            async with asyncio.timeout(given_s or 0.0):
                return await self.ask(call)
        except TimeoutError:
            reason, why = unapproved(call, how, given_s)
        return Decision(approved=False, reason=why) if how == "deny" else (reason, why)

    def decide(self, step: int, tool_call_id: str, decision: Decision) -> bool:
        """Decide on the call that is shown; False if none of this step and id is, or it is decided."""
        call = self._shown.get(tool_call_id)
        if call is None or call.step != step:
            return False
        wait = self._waits.setdefault(tool_call_id, _Wait())
        if wait.made.done():
            return False
        wait.made.set_result(decision)
        return True

    async def decide_all(self, calls: Iterable[PendingApproval], decision: Decision) -> list[PendingApproval]:
        """Decide on these calls and return those that waited; by then the run's record knows."""
        decided = [call for call in calls if self.decide(call.step, call.tool_call_id, decision)]
        taken = [self._waits[call.tool_call_id].taken for call in decided]
        if taken:
            await asyncio.wait(taken, timeout=HEARD_WAIT_S)
        return decided
