"""Handoffs of openai-agents: whoever takes over has a run of its own under the guest's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbagent.guests.guest_spec import Description
from nbagent.guests.reporter import Reporter
from nbagent.guests.task import GuestTask


class Handoffs:
    """Who works now: the agent that was asked, or one that it was handed to. `report` is whom to tell of it."""

    def __init__(self, task: GuestTask, first: Any, describe: Callable[[Any], Description]) -> None:
        self.report: Reporter = task.report
        self.call_id: str | None = None  # of the latest call: the one that hands over
        self._task, self._describe = task, describe
        self._first = self._now = first.name
        self._number = 0

    async def go_to(self, agent: Any) -> Reporter:
        """Return whom to tell of what comes from this agent; the one before has done its part."""
        if agent.name == self._now:
            return self.report
        await self.end("")
        self._now = agent.name
        self._number += 1
        if agent.name == self._first:
            self.report = self._task.report
            return self.report
        about, before = self._describe(agent), self.report
        self.report = await self._task.members.begin(
            str(self._number), agent.name, self._task.prompt,
            provider=about.provider, model=about.model, tool_call=self.call_id,
        )  # fmt: skip
        before.pass_on(self.report)
        return self.report

    async def end(self, output: Any) -> None:
        """Whoever works has said the last of it."""
        await self._task.members.end(str(self._number), output)
