"""Workflows of agent-framework as agents: each agent in one has a run of its own while it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbagent.guests.frameworks.agent_framework_updates import UpdateFollower
from nbagent.guests.guest_spec import Description
from nbagent.guests.task import GuestTask


class Authors:
    """The agents of a workflow: each has a run of its own while it works; a plain agent is the guest's run."""

    def __init__(self, agent: Any, task: GuestTask, describe: Callable[[Any], Description]) -> None:
        self._task, self._own = task, UpdateFollower(task.report)
        self._at_work: dict[str, UpdateFollower] = {}
        self._number = 0
        workflow = getattr(agent, "workflow", None)
        self._is_alone = workflow is None
        executors: dict[str, Any] = getattr(workflow, "executors", {})
        inner: list[Any] = [getattr(one, "agent", None) for one in executors.values()]
        self._plain = {
            name
            for name, one in executors.items()
            if not hasattr(one, "agent") and not hasattr(one, "workflow")
        }
        self._known = {one.name: describe(one) for one in inner if getattr(one, "name", None)}

    async def take(self, update: Any) -> None:
        """Tell one update to the run of whoever wrote it."""
        author = update.author_name
        texts = [one.text or "" for one in update.contents if one.type == "text"]
        if author in self._plain and len(texts) == len(update.contents):
            self._task.report.text("".join(texts))  # which was asked of no model
            return
        if self._is_alone or author not in self._known:
            await self._own.take(update)
            return
        follower = self._at_work.get(author) or await self._begin(author)
        await follower.take(update)
        if follower.is_done:
            await self._end(author)

    async def end(self) -> None:
        """Tell the end of the stream."""
        for name in list(self._at_work):
            await self._end(name)
        await self._own.end()

    async def _begin(self, name: str) -> UpdateFollower:
        about = self._known[name]
        report = await self._task.members.begin(
            name, name, self._task.prompt, provider=about.provider, model=about.model
        )
        self._task.report.pass_on(report)
        follower = self._at_work[name] = UpdateFollower(report)
        return follower

    async def _end(self, name: str) -> None:
        follower = self._at_work.pop(name)
        await follower.end()
        await self._task.members.end(name, follower.text)
        self._task.report.ready()
