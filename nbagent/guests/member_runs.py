"""Members of a guest as runs of their own: its framework works on them, here they are launched, told of and ended.

A member's run asks no model by itself. It lends its `Reporter` to the guest's file, which tells it what the member
does, and waits for its end. It holds no slot beside the guest's, and the guest's limits hold for it. It cannot be
stopped alone: whoever cancels it cancels the guest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

from nbagent.core import mask, utc_now
from nbagent.events import RunFinished, RunStarted
from nbagent.guests.answers import end_of
from nbagent.guests.guest_spec import GuestModel
from nbagent.guests.reporter import Reporter
from nbagent.loop import LoopContext, LoopState
from nbagent.models import prepare_prices
from nbagent.runtime import LiveRun, MemberRunner, ResolvedAgent, current
from nbagent.spec import AgentSpec


class _Told:
    """What passes between the guest's file and a member's run: the run's reporter, then the member's end."""

    def __init__(self, above: Reporter, guest_id: str) -> None:
        loop = asyncio.get_running_loop()
        self.above, self.guest_id = above, guest_id
        self.run_id = ""
        self.reporter: asyncio.Future[Reporter] = loop.create_future()
        self.end: asyncio.Future[tuple[RunFinished, str]] = loop.create_future()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec(AgentSpec):
    """A member of a guest as one run of it: whatever it is made of is its framework's."""

    kind: ClassVar[str] = "guest"
    resumable: ClassVar[bool] = False
    framework: str
    told: _Told = field(compare=False, repr=False)

    def to_data(self) -> dict[str, Any]:
        """JSON data for the store: what ran, by name."""
        told = {"framework": self.framework, "type": "member", "tools": []}
        return {**AgentSpec.to_data(self), "guest": told}


@dataclass(slots=True)
class _Member:
    live: LiveRun
    told: _Told
    report: Reporter


class MemberRuns:
    """The members of one guest's run, each by the key that its framework knows it by."""

    def __init__(self, spec: AgentSpec, framework: str, above: Reporter, runner: MemberRunner) -> None:
        self._spec, self._framework = spec, framework
        self._above, self._runner = above, runner
        self.guest_id = runner.record.launch.run_id
        self._at_work: dict[str, _Member] = {}

    def report_of(self, key: str) -> Reporter:
        """Return whom to tell of a member that is at work; of any other key that is the guest's own run."""
        member = self._at_work.get(key)
        return self._above if member is None else member.report

    def is_at_work(self, key: str) -> bool:
        """Say whether a member of that key has begun and not ended."""
        return key in self._at_work

    async def begin(
        self,
        key: str,
        name: str,
        task: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        under: str = "",
        tool_call: str | None = None,
    ) -> Reporter:
        """Launch a member's run, and return whom to tell of it once it is at work.

        `under` is the key of the member that leads it, `tool_call` the id of the call that hands the task out.
        """
        leader = self._at_work.get(under)
        above = self._above if leader is None else leader.report
        above.begun = True
        asked = GuestModel(
            provider or self._framework, model or name, is_told=provider is not None and model is not None
        )
        told = _Told(above, self.guest_id)
        limits = replace(
            self._spec.limits, max_total_tokens=None, max_cost_usd=None, queue_timeout_s=None
        )  # the guest's own are looked at for all
        spec = MemberSpec(
            name=name, model=f"{asked.provider}:{asked.id}", limits=limits, model_named=False,
            framework=self._framework, told=told,
        )  # fmt: skip
        await prepare_prices(asked.provider)
        live = self._runner.launch(
            ResolvedAgent(spec=spec, model=asked),
            task if task.strip() else name,
            under=None if leader is None else leader.told.run_id,
            tool_call=None if tool_call is None else (max(1, above.step), tool_call),
        )
        told.run_id = live.record.launch.run_id
        ended = asyncio.ensure_future(live.until_ended())
        either: set[asyncio.Future[Any]] = {told.reporter, ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not told.reporter.done():  # it was stopped before it began, and the guest with it
            raise asyncio.CancelledError
        member = self._at_work[key] = _Member(live, told, told.reporter.result())
        return member.report

    async def end(self, key: str, content: Any) -> None:
        """A member is done, with what it says as its answer; nothing for one that is not at work."""
        await self._end(key, *await end_of(content))

    async def fail(self, key: str, kind: str, error: str) -> None:
        """A member has failed; the guest may go on without it."""
        end = RunFinished(stop_reason="error", error_type=kind, error=mask(error), finished_at=utc_now())
        await self._end(key, end, "")

    async def stop(self, error: Exception | None = None) -> None:
        """End the members that are at work still: the guest has ended before them, with an error of the only one."""
        if error is not None and len(self._at_work) == 1:
            await self.fail(next(iter(self._at_work)), type(error).__name__, str(error))
        end = RunFinished(stop_reason="cancelled", finished_at=utc_now())
        for key in reversed(list(self._at_work)):
            await self._end(key, end, "")

    async def _end(self, key: str, end: RunFinished, text: str) -> None:
        """End a member's run; its rows are on their way by then, before any of its leader's end."""
        member = self._at_work.pop(key, None)
        if member is not None and not member.told.end.done():
            member.told.end.set_result((end, text))
            await member.live.until_ended()


async def run_member(agent: ResolvedAgent, state: LoopState, context: LoopContext) -> None:
    """Be at work for as long as a member's framework tells of it."""
    spec = cast("MemberSpec", agent.spec)
    told, report = spec.told, Reporter(spec, agent.model, state, context, above=spec.told.above)
    context.emit(RunStarted(started_at=utc_now()))
    told.reporter.set_result(report)
    try:
        end, text = await told.end
    except asyncio.CancelledError:
        report.cut("cancelled")
        _stop_guest(told)
        raise
    if end.stop_reason == "end":
        report.finish(end, text)
        return
    report.cut("cancelled" if end.stop_reason == "cancelled" else "error", end.error_type, end.error)
    context.emit(end)


def _stop_guest(told: _Told) -> None:
    """Stop the guest whose member was stopped: nothing else ends what its framework does for that member."""
    runtime = current()
    member, guest = runtime.live(told.run_id), runtime.live(told.guest_id)
    if member is not None and guest is not None:
        guest.stop(member.stop_reason or "cancelled", member.why)
