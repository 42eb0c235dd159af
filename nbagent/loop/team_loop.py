"""How a team's leader hands out work: one tool for each member, and what a member's end means for the leader.

`run_team` is called by a live run in the place of `run_loop`, on the background loop. It starts members
through the `start_child` that it is given; it knows neither store nor runtime. The modes differ in three
decisions only: coordinate leaves all to the leader, route ends the run with the first member's answer,
broadcast begins the run as if the leader had asked every member.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from nbagent.core import truncate
from nbagent.errors import MemberError
from nbagent.events import Message, MessageAdded, ToolRequest, TypedAnswer
from nbagent.loop.agent_loop import LoopContext, run_loop
from nbagent.loop.policy import Finish, LoopState
from nbagent.models import Model, ReplyFinished
from nbagent.prompts import render_result
from nbagent.run import RunStatus, StopReason, status_of
from nbagent.spec import AgentSpec, TeamSpec
from nbagent.tools import Tool, tool, tools_of

NAME_LIMIT = 64  # characters that providers take in a tool's name
ABOUT_LIMIT = 400  # characters of a member's instructions that the leader is shown
SAID_LIMIT = 2_000  # characters of a failed member's text that the leader is told
_PREFIX = "delegate_to_"

_GUIDES = {
    "coordinate": (
        "You lead a team. Hand work to its members with the {prefix}* tools; where pieces of work do not depend "
        "on each other, call several tools at once: the members then work at the same time. A member sees nothing "
        "but the task that you write, so put everything into it that it needs. If a member fails, ask another "
        "one or go on with what you have. You write the final answer yourself."
    ),
    "route": (
        "You lead a team. Choose the one member that suits the request best and hand the whole request to it with "
        "exactly one call of a {prefix}* tool. The member sees nothing but the task that you write. Its answer "
        "goes to the person as it is: do not answer yourself."
    ),
    "broadcast": (
        "You lead a team. Every member has been given the request at the same time; the results of the {prefix}* "
        "tools are their answers. Do not call these tools again. Merge the answers into one final answer, and "
        "say where they disagree."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a member's run ended: `content` is its text, or plain data where its output was validated."""

    run_id: str
    stop_reason: str
    content: Any = None
    output_valid: bool | None = None
    error: str | None = None
    partial: str = ""
    typed: TypedAnswer | None = None

    @property
    def completed(self) -> bool:
        """True if the member has done its work."""
        return status_of(self.stop_reason, self.error) is RunStatus.completed


StartChild = Callable[[int, str], Awaitable[Answer]]  # the member's place in the spec, and its task


async def run_team(
    spec: TeamSpec, model: Model, state: LoopState, context: LoopContext, start_child: StartChild
) -> None:
    """Run one attempt of a team to its end: the leader's loop with tools that start members."""
    if spec.mode == "broadcast" and state.step == 0:
        _ask_everybody(spec, state, context)
    desk = _Delegation(spec=spec, state=state, start_child=start_child)
    guide = _GUIDES[spec.mode].format(prefix=_PREFIX)
    leader = replace(
        spec,
        tools=(*spec.tools, *desk.tools()),
        instructions=f"{spec.instructions}\n\n{guide}" if spec.instructions else guide,
    )
    await run_loop(leader, model, state, context)


def tool_names(spec: TeamSpec) -> tuple[str, ...]:
    """Return the name of each member's tool: what providers take, each different, in the members' order."""
    names: list[str] = []
    for number, member in enumerate(spec.members, start=1):
        plain = re.sub(r"[^a-zA-Z0-9]+", "_", member.name).strip("_") or f"member_{number}"
        name = (_PREFIX + plain)[:NAME_LIMIT]
        if name in names:
            ending = f"_{number}"
            name = name[: NAME_LIMIT - len(ending)] + ending
        names.append(name)
    return tuple(names)


def member_description(member: AgentSpec) -> str:
    """Return what the leader is told of a member: its name, what it is for, what it can use."""
    said = " ".join(member.instructions.split())
    parts = [f"Hand a task to {member.name!r} and get its answer."]
    if said:
        parts.append(truncate(said, ABOUT_LIMIT))
    if isinstance(member, TeamSpec):
        parts.append(f"It leads a team of {', '.join(repr(one.name) for one in member.members)}.")
    if member.tools:
        parts.append(f"It has the tools {', '.join(one.name for one in member.tools)}.")
    return " ".join(parts)


def broadcast_calls(spec: TeamSpec, prompt: str) -> tuple[ToolRequest, ...]:
    """Return the calls that give every member the whole prompt."""
    task = orjson.dumps({"task": prompt}).decode()
    return tuple(
        ToolRequest(tool_call_id=f"broadcast_{number}", name=name, arguments=task)
        for number, name in enumerate(tool_names(spec), start=1)
    )


def failure(member: AgentSpec, answer: Answer) -> MemberError:
    """Return what the leader is told of a member that did not complete."""
    what = (answer.error or answer.stop_reason.replace("_", " ")).partition("\n")[0]
    wrote = (
        f"; until then it had written: {truncate(answer.partial, SAID_LIMIT)}"
        if answer.partial.strip()
        else ""
    )
    return MemberError(f"member {member.name!r} gave no answer: {what}{wrote}")


def _ask_everybody(spec: TeamSpec, state: LoopState, context: LoopContext) -> None:
    """Begin as if the leader had asked every member; this step costs no model call."""
    prompt = state.messages[-1].content
    state.step += 1
    state.steps_before += 1
    state.reply = ReplyFinished(
        text="", finish_reason="tool_calls", tool_requests=broadcast_calls(spec, prompt)
    )
    message = Message(role="assistant", tool_requests=state.reply.tool_requests)
    state.messages.append(message)
    context.emit(MessageAdded(message=message))


@dataclass(slots=True, kw_only=True)
class _Delegation:
    """The leader's side of handing out: its tools, and what they do to the loop's state.

    `working` is True while a member that the run was routed to works.
    """

    spec: TeamSpec
    state: LoopState
    start_child: StartChild
    working: bool = False

    def tools(self) -> list[Tool]:
        """Return one tool for each member."""
        made = _pattern()
        return [
            replace(
                made,
                name=name,
                description=member_description(member),
                function=functools.partial(self._hand_out, place),
            )
            for place, (name, member) in enumerate(zip(tool_names(self.spec), self.spec.members, strict=True))
        ]

    async def _hand_out(self, place: int, task: str) -> str:
        """Have a member work, and return its answer. Raises MemberError if there is none."""
        self._check()
        self.working = True
        member = self.spec.members[place]
        try:
            answer = await self.start_child(place, task)
        finally:
            self.working = False
        if not answer.completed:
            raise failure(member, answer)
        if self.spec.mode == "route":
            self.state.final = Finish(
                stop_reason=cast("StopReason", answer.stop_reason),
                content=answer.content,
                output_valid=answer.output_valid,
                answered_by=answer.run_id,
                typed=answer.typed,
            )
        if answer.typed is not None:
            return answer.typed.json
        return answer.content if isinstance(answer.content, str) else render_result(answer.content)

    def _check(self) -> None:
        if self.spec.mode == "route" and (self.working or self.state.final is not None):
            raise MemberError("only one member answers, and another one was asked already")
        if self.spec.mode == "broadcast" and self.state.step > 1:
            raise MemberError(
                "every member has answered already", "write the final answer from their answers"
            )


@functools.cache
def _pattern() -> Tool:
    """Return the tool that each member's is a copy of: its schema and its check cost a millisecond."""

    @tool(timeout=math.inf)  # a member has a time limit of its own
    async def hand_out(task: str) -> str:
        """Hand a task to a member.

        Args:
            task: The whole task in words; the member sees nothing else.
        """
        return task

    (made,) = tools_of(hand_out)
    return made
