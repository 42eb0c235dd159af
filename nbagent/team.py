"""`Team`: agents under a leader, an `Agent` whose model hands out work; each task is a run of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from nbagent.agent import Agent
from nbagent.core import explains_keywords
from nbagent.errors import ConfigurationError, UnknownOptionError, did_you_mean
from nbagent.runtime import HasModel, ResolvedAgent, Runnable
from nbagent.spec import Mode, OnApproval, TeamSpec


@explains_keywords
@dataclass(kw_only=True, repr=False)
class Team(Agent):
    """A leader with members, ready to run in the background of a notebook; its verbs are those of `Agent`.

    `members` are agents, teams or guests with names of their own; agents of other frameworks as they are. In mode "coordinate" the leader hands out work, to
    several at once where it likes, and writes the answer; in "route" one member's answer is the answer; in
    "broadcast" all members get the prompt at once and the leader merges what they say. `model`,
    `instructions`, `tools`, `output_schema` and `settings` are the leader's; a member without a model uses
    the leader's. `limits` bound the whole team: tokens, cost and time of leader and members together. A
    member sees nothing but the task that it is given; one that fails is told to the leader.
    `run.member_responses` holds the members' runs, without their texts if `store_member_responses` is False.

    >>> capitals = Agent(model="demo:assistant", name="capitals", instructions="You know capitals.")
    >>> team = Team(model="demo:assistant", members=[capitals])
    >>> run = team.start("What is the capital of France?")
    >>> [member.content for member in run.result(timeout=30).member_responses]
    ['The capital of France is Paris.']
    """

    members: Sequence[Any] = ()
    mode: Mode = "coordinate"
    name: str = "team"
    store_member_responses: bool = True

    def resolved(
        self, *, output_schema: Any = None, timeout: float | None = None, leader: HasModel | None = None
    ) -> ResolvedAgent:
        """Return the team's spec and model, and its members'. Raises ConfigurationError."""
        self._check()
        own = super().resolved(output_schema=output_schema, timeout=timeout, leader=leader)
        try:
            above: HasModel = self if self.model is not None or leader is None else leader
            members = tuple(member.resolved(leader=above) for member in self._runnables())
        except RecursionError:
            raise ConfigurationError(
                f"team {self.name!r} is a member of itself", "leave it out of the members of its members"
            ) from None
        if own.spec.on_approval != "wait":
            members = tuple(_not_waiting(member, own.spec.on_approval) for member in members)
        spec = TeamSpec(
            **{one.name: getattr(own.spec, one.name) for one in fields(own.spec)},
            members=tuple(member.spec for member in members),
            mode=self.mode,
            store_member_responses=self.store_member_responses,
        )
        return ResolvedAgent(spec=spec, model=own.model, members=members)

    def _check(self) -> None:
        if self.mode not in get_args(Mode):
            raise UnknownOptionError(
                f"mode={self.mode!r} is no way to lead a team{did_you_mean(str(self.mode), get_args(Mode))}",
                f"it is one of {', '.join(get_args(Mode))}",
            )
        if not isinstance(self.members, list | tuple) or not self.members:
            raise ConfigurationError(
                f"team {self.name!r} has members={self.members!r:.80}",
                "give a list of agents: members=[analyst, writer]",
            )
        name, times = Counter(member.name for member in self._runnables()).most_common(1)[0]
        if times > 1:
            raise ConfigurationError(
                f"{times} members of team {self.name!r} are named {name!r}",
                'give each a name of its own: Agent(name="analyst", ...)',
            )

    def _runnables(self) -> tuple[Runnable, ...]:
        """Return the members, objects of other frameworks as guests. Raises ConfigurationError."""
        if all(isinstance(member, Agent) for member in self.members):
            return tuple(self.members)
        from nbagent.guests import as_runnable  # other frameworks' objects: not at import

        found = [(member, as_runnable(member)) for member in self.members]
        for member, runnable in found:
            if runnable is None:
                raise ConfigurationError(
                    f"{member!r:.80} is a member of team {self.name!r} and no Agent",
                    "give agents, teams or guests: members=[Agent(...), ...]",
                )
        return tuple(runnable for _, runnable in found if runnable is not None)


def _not_waiting(member: ResolvedAgent, on_approval: OnApproval) -> ResolvedAgent:
    """Return the member with its leader's way for calls that need a person, where it would wait itself."""
    members = tuple(_not_waiting(one, on_approval) for one in member.members)
    spec = member.spec if member.spec.on_approval != "wait" else replace(member.spec, on_approval=on_approval)
    if isinstance(spec, TeamSpec):
        spec = replace(spec, members=tuple(one.spec for one in members))
    return replace(member, spec=spec, members=members)
