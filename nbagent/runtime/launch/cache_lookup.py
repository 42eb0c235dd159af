"""A run and earlier answers: whether it is given one, and what the launching cell is told of it.

A launch with `cache="use"` or `"replay"` is answered from the record where a completed run has its key (`cachekey.py`).
The keys need the session's history, so that the look-up is the run's first work, on the background loop; the
launching thread waits for its outcome unless the run has to wait for its turn. No model, no key of a provider and no
server is touched before it is known that there is no answer.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nbagent.core import by_place, one_line, run_in_daemon_thread, utc_now
from nbagent.errors import NoRecordedAnswerError, StoreError
from nbagent.events import (
    AnswerReused,
    Event,
    FilePart,
    Message,
    MessageAdded,
    NoticeGiven,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCallFinished,
    TypedAnswer,
)
from nbagent.run import RunOutput
from nbagent.runtime.launch.cache_key import cache_key
from nbagent.runtime.launch.request import ResolvedAgent, check_models
from nbagent.runtime.recovery.load import answer_of
from nbagent.runtime.recovery.persister import COMMIT_WAIT_S
from nbagent.schemas import InvalidOutputError, read_stored
from nbagent.store import AnswerKeys, find_answer

if TYPE_CHECKING:
    from nbagent.runtime.execution.active_run import ActiveRun
    from nbagent.runtime.execution.history import SessionHistory
    from nbagent.schemas import OutputSchema

READING: frozenset[str] = frozenset({"use", "replay"})  # the modes that look for an earlier answer
_PROMPT_SHOWN = 60


class CacheLookup:
    """One run's way to an earlier answer. `mode` None: the run is no answer for others either (a team's member).

    `decided` becomes True for a run that is given an answer, False for one that asks, or holds the error that ends
    it; it is resolved with the run's end at the latest.
    """

    def __init__(self, mode: str | None) -> None:
        self.mode = mode
        self.decided: concurrent.futures.Future[bool] = concurrent.futures.Future()

    # ------------------------------------------------------- the launching thread

    def tell_launch(self, live: ActiveRun) -> None:
        """Wait until it is known whether the run has an answer, and for its end if it has; for 2 s at most each.

        A run that waits for its turn is not waited for. Raises the error of a run that cannot have its answer.
        """
        if self.mode not in READING or live.session_turn.is_waiting:
            return
        concurrent.futures.wait([self.decided], timeout=COMMIT_WAIT_S)
        if not self.decided.done():
            return
        error = self.decided.exception()
        if error is not None or self.decided.result():
            concurrent.futures.wait([live.ended], timeout=COMMIT_WAIT_S)
        if error is not None:
            raise error

    # --------------------------------------------------------- the background loop

    async def keys_of(self, live: ActiveRun, before: SessionHistory) -> AnswerKeys | None:
        """Return the keys of the run's answer; None where it has none to give."""
        launch = live.record.launch
        if self.mode is None or launch.prompt is None or not launch.keeps_texts:
            return None
        crew = ResolvedAgent(spec=live.spec, model=live.model, members=live.members)
        files = live.files or _files(live.record.messages)
        one = partial(cache_key, crew, launch.prompt, files=files)

        def make() -> AnswerKeys:
            turn = one(history=before.own, session_id=launch.session_id) if live.has_history else None
            return AnswerKeys(one(history=before.shown), turn)

        try:
            # hashing megabytes takes tens of milliseconds
            return await run_in_daemon_thread(make) if files else make()
        except (TypeError, ValueError):  # settings that cannot be written down
            return None

    async def answer(self, live: ActiveRun, keys: AnswerKeys | None) -> bool:
        """Give the run an earlier answer, if it wants one and there is one; False if it is to ask its model.

        Raises NoRecordedAnswerError where there must be one, and ConfigurationError where no model could be asked.
        """
        if self.mode not in READING or live.resumed is not None:
            self.close()
            return False
        try:
            output, typed = await self._found(live, keys)
            if output is None:
                self._check_may_ask(live)
        except Exception as error:
            if not self.decided.done():
                self.decided.set_exception(error)
            raise
        if output is not None:
            _give(live, output, typed)
            if not self.decided.done():
                self.decided.set_result(True)
        self.close()
        return output is not None

    def close(self) -> None:
        """The run asks its model, or has ended."""
        if not self.decided.done():
            self.decided.set_result(False)

    def _check_may_ask(self, live: ActiveRun) -> None:
        if self.mode == "replay":
            raise _missed(live)
        check_models(ResolvedAgent(spec=live.spec, model=live.model, members=live.members))

    async def _found(
        self, live: ActiveRun, keys: AnswerKeys | None
    ) -> tuple[RunOutput | None, TypedAnswer | None]:
        """The newest answer that fits, with its value; None where there is none, or where it need not be read and cannot.

        An answer from a file may have been edited: then it may not fit.
        """
        if keys is None:
            return None, None
        try:
            found = await run_in_daemon_thread(partial(find_answer, live.services.store, keys))
        except StoreError as error:
            if self.mode == "replay":
                raise
            live.emit(NoticeGiven(text=f"earlier answers cannot be read: {error.what}"))
            return None, None
        if found is None or not found.output_valid:
            return found, None
        schema = live.spec.output_schema or _members_schema(live.members, found.content_type)
        if schema is None or schema.is_text:
            return found, None
        try:
            return found, await run_in_daemon_thread(partial(read_stored, schema, answer_of(found)))
        except InvalidOutputError:
            return None, None


def _give(live: ActiveRun, output: RunOutput, typed: TypedAnswer | None) -> None:
    """Let the run have happened as the one that was asked did, now and for nothing."""
    for member in output.member_responses:
        live.record.join(member)
    if live.spec.output_schema is None and output.output_valid:
        live.record.reused_schema = _members_schema(live.members, output.content_type)
    for event in _events(output, typed):
        live.emit(event)


def _events(output: RunOutput, typed: TypedAnswer | None) -> Iterator[Event]:
    at = utc_now()
    said = output.messages[1:]
    texts = [message.content for message in said if message.role == "assistant" and message.content]
    yield AnswerReused(output.run_id)
    yield RunStarted(started_at=at)
    for call in output.tool_calls:
        yield ToolCallFinished(call=call)
    for message in said:
        yield MessageAdded(message=message)
    if texts:
        yield TextAdded(texts[-1], 1)
    yield RunFinished(
        stop_reason=output.stop_reason or "end",
        content=output.content,
        output_valid=output.output_valid,
        typed=typed,
        finished_at=utc_now(),
    )


def _members_schema(members: Sequence[ResolvedAgent], content_type: str) -> OutputSchema | None:
    """The schema of the member whose answer a team's leader passed on."""
    for member in members:
        schema = member.spec.output_schema or _members_schema(member.members, content_type)
        if schema is not None and schema.content_type == content_type:
            return schema
    return None


def _missed(live: ActiveRun) -> NoRecordedAnswerError:
    launch = live.record.launch
    prompt = one_line(launch.prompt or "", _PROMPT_SHOWN)
    return NoRecordedAnswerError(
        f"no recorded answer for the prompt {prompt!r} (agent {launch.agent_name!r}, {launch.provider}:{launch.model})",
        by_place(
            python='ask once with cache="use", or nb.import_answers() of the file that holds it; ',
            magic="ask once with --cache use, or %agent record import the file that holds it; ",
        )
        + "a changed agent, tool, schema, model (or where it is) or history asks anew",
    )


def _files(messages: Sequence[Message]) -> tuple[FilePart, ...]:
    """The files that went with a resumed run's prompt."""
    return next((message.files for message in messages if message.role == "user"), ())
