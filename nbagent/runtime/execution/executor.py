"""Who works on an attempt: this process's loop, a kernel's or a worker's.

What an executor is handed is plain data (`Work`); callbacks and what this kernel has resolved already travel
beside it. An executor elsewhere finds the agent by the run's id in the record, as resume in another kernel
does.

How a spec is run says its `kind`: an agent by its loop, a team by its leader's, any other kind by the
function that an installed package names for it in the entry point group `nbagent.runnables`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, cast

from nbagent.core import broken_entry_point, find_entry_point, load_entry_point, run_in_daemon_thread
from nbagent.errors import ConfigurationError
from nbagent.loop import LoopContext, LoopState, StartChild, run_loop, run_team
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.spec import TeamSpec

GROUP = "nbagent.runnables"
Runner = Callable[[ResolvedAgent, LoopState, LoopContext, StartChild], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One attempt of a run: where its loop begins, and the runs that its tool calls had started."""

    run_id: str
    attempt: int
    kind: str
    state: LoopState
    started: Mapping[tuple[int, str], str] = field(default_factory=dict)


class Executor(Protocol):
    """Works on attempts. What happens goes to `context`; members are started by `start_member`.

    `hands_over`: when its process ends another one goes on with its runs, so that they get no end there, and no
    tool begins before the record has its request, however long that takes.
    """

    hands_over: bool

    async def execute(
        self, work: Work, agent: ResolvedAgent, context: LoopContext, start_member: StartChild
    ) -> None:
        """Work on one attempt to its end, or until it is cancelled."""
        ...


class KernelExecutor:
    """Works on this kernel's background loop."""

    hands_over = False

    async def execute(
        self, work: Work, agent: ResolvedAgent, context: LoopContext, start_member: StartChild
    ) -> None:
        """Work on one attempt here. Raises ConfigurationError for a kind that nothing installed can run."""
        runner = _RUNNERS.get(work.kind)
        if runner is None:  # a package is imported: not on the loop that all runs share
            runner = await run_in_daemon_thread(partial(runner_of, work.kind))
        await runner(agent, work.state, context, start_member)


class WorkerExecutor(KernelExecutor):
    """Does the same in a process that others can replace."""

    hands_over = True


def runner_of(kind: str) -> Runner:
    """Return what runs specs of this kind. Raises ConfigurationError."""
    entry = find_entry_point(GROUP, kind)
    if entry is None:
        raise ConfigurationError(
            f"nothing here runs {kind!r}",
            f"install the package that names it in its entry points, {GROUP}",
        )
    runner = load_entry_point(entry)
    if not callable(runner):
        raise broken_entry_point(entry, f"it is {runner!r:.80} and no function")
    return _RUNNERS.setdefault(kind, cast("Runner", runner))


def register_runner(kind: str, runner: Runner) -> None:
    """Say what runs specs of this kind; for kinds of this package's own rooms."""
    _RUNNERS[kind] = runner


async def _run_agent(
    agent: ResolvedAgent, state: LoopState, context: LoopContext, _start_member: StartChild
) -> None:
    await run_loop(agent.spec, agent.model, state, context)


async def _run_team(
    agent: ResolvedAgent, state: LoopState, context: LoopContext, start_member: StartChild
) -> None:
    await run_team(cast("TeamSpec", agent.spec), agent.model, state, context, start_member)


_RUNNERS: dict[str, Runner] = {"agent": _run_agent, "team": _run_team}
