"""A live team's members: started as child runs, found again after a resume, their ends turned into answers.

The team's loop (`loop/team_loop.py`) decides whom to ask, and calls a `MemberRunner` to start it. On the
background loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from nbagent.core import run_in_daemon_thread
from nbagent.errors import MemberError, NBAgentError
from nbagent.events import FilePart
from nbagent.loop import Answer, current_tool_call
from nbagent.run import RunOutput, RunRecord, RunStatus
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent
from nbagent.runtime.ports import LiveRun
from nbagent.runtime.recovery.load import answer_of as stored_answer
from nbagent.schemas import InvalidOutputError, OutputSchema, read_stored
from nbagent.spec import TeamSpec

# these ends are not tried again
_FINAL = frozenset({RunStatus.completed, RunStatus.error, RunStatus.timeout})


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRunner:
    """Hands work to the members of one live team: called with a member's place and a task.

    `record` and `files` are the team's. `earlier` says which run a tool call of an earlier attempt had
    started, by the call's step and id. `start` launches a member's run, `resume` goes on with one in a thread
    of its own.
    """

    team: ResolvedAgent
    record: RunRecord
    files: tuple[FilePart, ...]
    earlier: Mapping[tuple[int, str], str]
    start: Callable[[ResolvedAgent, LaunchRequest], LiveRun]
    resume: Callable[[str, ResolvedAgent], LiveRun]
    notice: Callable[[str], None]

    async def __call__(self, place: int, task: str) -> Answer:
        """Have a member work on `task`, and return how that ended. Raises MemberError if it cannot start."""
        member = self._member(place)
        before = self._found()
        if before is not None and before.status in _FINAL:
            return await answer_of_stored(before, member.spec.output_schema)
        try:
            child = await self._resumed(before, member) if before is not None else None
            child = child or self._started(member, task)
        except NBAgentError as error:
            raise MemberError(
                f"member {member.spec.name!r} cannot start: {error.what}", error.todo
            ) from error
        await child.until_ended()
        return answer_of(child.record)

    def _member(self, place: int) -> ResolvedAgent:
        """Return the member; where its answer is the team's, it has the form that the team was asked for."""
        member, spec = self.team.members[place], cast("TeamSpec", self.team.spec)
        if spec.mode == "route" and spec.output_schema is not None:
            return replace(member, spec=replace(member.spec, output_schema=spec.output_schema))
        return member

    def _started(self, member: ResolvedAgent, task: str) -> LiveRun:
        spec = cast("TeamSpec", self.team.spec)
        files = self.files if spec.mode != "coordinate" else ()
        return self.launch(member, task, files=files, keeps_texts=spec.store_member_responses)

    def launch(
        self,
        member: ResolvedAgent,
        task: str,
        *,
        under: str | None = None,
        files: tuple[FilePart, ...] = (),
        keeps_texts: bool = True,
        tool_call: tuple[int, str] | None = None,
    ) -> LiveRun:
        """Launch a run of a member: of the team's own, or of one that leads others, `under` by its run's id.

        `tool_call` is the call that hands it out where the calling code is not that of the call.
        """
        launch = self.record.launch
        request = LaunchRequest(
            prompt=task,
            session_id=launch.session_id,
            parent_run_id=under or launch.run_id,
            files=files,
            tags=launch.tags,
            member_of_turn=self.record.turn or 1,
            keeps_texts=keeps_texts and launch.keeps_texts,
            tool_call=tool_call,
        )
        return self.start(member, request)

    def _found(self) -> RunOutput | None:
        """Return the run that this very tool call started in an earlier attempt."""
        call = current_tool_call()
        run_id = self.earlier.get(call) if call is not None else None
        for member in self.record.member_responses:
            if isinstance(member, RunOutput) and member.run_id == run_id:
                return member
        return None

    async def _resumed(self, before: RunOutput, member: ResolvedAgent) -> LiveRun | None:
        """Go on with a member that was cut off or waited for a person; None if it has to start anew."""
        if before.status is RunStatus.cancelled or before.prompt is None:
            return None
        try:
            return await run_in_daemon_thread(partial(self.resume, before.run_id, member))
        except NBAgentError as error:
            self.notice(f"member {member.spec.name!r} starts anew: {error.what}")
            return None


def answer_of(record: RunRecord) -> Answer:
    """Return how a live run ended."""
    end = record.end
    assert end is not None
    return Answer(
        run_id=record.launch.run_id,
        stop_reason=end.stop_reason,
        content=end.content,
        output_valid=end.output_valid,
        error=end.error,
        partial=record.text,
        typed=end.typed,
    )


async def answer_of_stored(output: RunOutput, schema: OutputSchema | None) -> Answer:
    """Return how a run of an earlier attempt ended."""
    typed = None
    if output.output_valid and schema is not None:
        with contextlib.suppress(InvalidOutputError):  # its class has changed: the data stands
            typed = await run_in_daemon_thread(partial(read_stored, schema, stored_answer(output)))
    return Answer(
        run_id=output.run_id,
        stop_reason=output.stop_reason or "error",
        content=output.content,
        output_valid=output.output_valid,
        error=output.error,
        partial=output.content if isinstance(output.content, str) else "",
        typed=typed,
    )
