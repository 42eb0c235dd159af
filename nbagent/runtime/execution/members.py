"""A live team's members: started as child runs, found again after a resume, their ends turned into answers.

`delegate.py` decides whom to ask; a `MemberRunner` is the `start_child` that it is given. On the background loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nbagent.core import run_in_daemon_thread
from nbagent.errors import MemberError, NBAgentError
from nbagent.events import NoticeGiven
from nbagent.loop import Answer, current_tool_call
from nbagent.run import RunOutput, RunRecord, RunStatus
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent
from nbagent.runtime.recovery.load import answer_of as stored_answer
from nbagent.schemas import InvalidOutputError, OutputSchema, read_stored
from nbagent.spec import TeamSpec

if TYPE_CHECKING:
    from nbagent.runtime.execution.active_run import ActiveRun

# these ends are not tried again
_STANDS = frozenset({RunStatus.completed, RunStatus.error, RunStatus.timeout})


class MemberRunner:
    """Hands work to the members of one live team.

    `earlier` says which run a tool call of an earlier attempt had started, by the call's step and id.
    """

    def __init__(self, team: ActiveRun, earlier: Mapping[tuple[int, str], str]) -> None:
        self._team = team
        self._earlier = earlier

    async def __call__(self, place: int, task: str) -> Answer:
        """Have a member work on `task`, and return how that ended. Raises MemberError if it cannot start."""
        crew = self._crew(place)
        before = self._found()
        if before is not None and before.status in _STANDS:
            return await answer_of_stored(before, crew.spec.output_schema)
        try:
            child = await self._resumed(before, crew) if before is not None else None
            child = child or self._started(crew, task)
        except NBAgentError as error:
            raise MemberError(f"member {crew.spec.name!r} cannot start: {error.what}", error.todo) from error
        await child.until_ended()
        return answer_of(child.record)

    def _crew(self, place: int) -> ResolvedAgent:
        """The member; where its answer is the team's, the answer has the form that the team was asked for."""
        crew, spec = self._team.members[place], self._team.spec
        if isinstance(spec, TeamSpec) and spec.mode == "route" and spec.output_schema is not None:
            return replace(crew, spec=replace(crew.spec, output_schema=spec.output_schema))
        return crew

    def _started(self, crew: ResolvedAgent, task: str) -> ActiveRun:
        team, spec = self._team, self._team.spec
        assert isinstance(spec, TeamSpec)
        launching = LaunchRequest(
            prompt=task,
            session_id=team.record.launch.session_id,
            parent_run_id=team.record.launch.run_id,
            files=team.files if spec.mode != "coordinate" else (),
            tags=team.record.launch.tags,
            members=crew.members,
            member_of_turn=team.rows.turn or 1,
            keeps_texts=spec.store_member_responses and team.record.launch.keeps_texts,
        )
        return team.services.start(crew.spec, crew.model, launching)

    def _found(self) -> RunOutput | None:
        """The run that this very tool call started in an earlier attempt."""
        call = current_tool_call()
        run_id = self._earlier.get(call) if call is not None else None
        for member in self._team.record.member_responses:
            if isinstance(member, RunOutput) and member.run_id == run_id:
                return member
        return None

    async def _resumed(self, before: RunOutput, crew: ResolvedAgent) -> ActiveRun | None:
        """Go on with a member that was cut off, also while it waited for a person; None where it has to start anew."""
        if before.status is RunStatus.cancelled or before.prompt is None:
            return None
        try:
            return await run_in_daemon_thread(partial(self._team.services.resume, before.run_id, crew))
        except NBAgentError as error:
            why = f"member {crew.spec.name!r} starts anew: {error.what}"
            self._team.emit(NoticeGiven(text=why))
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
