"""Answer a run from the record, where a completed run has its key (`cache_key.py`).

The keys need the session's history, so that the look-up is the run's first work, on the background loop; the
launching thread waits for its outcome unless the run has to wait for its turn. No model, no key of a provider
and no server is touched before it is known that there is no answer.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from nbagent.core import by_place, one_line, run_in_daemon_thread, utc_now
from nbagent.errors import NoRecordedAnswerError, StoreError
from nbagent.events import (
    AnswerReused,
    Event,
    FilePart,
    Message,
    MessageAdded,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCallFinished,
    TypedAnswer,
)
from nbagent.run import RunLaunch, RunOutput
from nbagent.runtime.launch.cache_key import cache_key
from nbagent.runtime.launch.request import ResolvedAgent, check_models
from nbagent.runtime.recovery.load import answer_of
from nbagent.runtime.timeouts import COMMIT_WAIT_S
from nbagent.schemas import InvalidOutputError, OutputSchema, read_stored
from nbagent.store import AnswerKeys, RunStore, find_answer

READING: frozenset[str] = frozenset({"use", "replay"})  # the modes that look for an earlier answer
_PROMPT_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAnswer:
    """A run that asked the same, its validated value, and that one's schema where the new run has none."""

    output: RunOutput
    typed: TypedAnswer | None
    schema: OutputSchema | None

    def events(self) -> Iterator[Event]:
        """Yield what replays it into another run, now and for nothing; no tokens are charged."""
        output = self.output
        replies = output.messages[1:]
        texts = [message.content for message in replies if message.role == "assistant" and message.content]
        yield AnswerReused(output.run_id)
        yield RunStarted(started_at=utc_now())
        for call in output.tool_calls:
            yield ToolCallFinished(call=call)
        for message in replies:
            yield MessageAdded(message=message)
        if texts:
            yield TextAdded(texts[-1], 1)
        yield RunFinished(
            stop_reason=output.stop_reason or "end",
            content=output.content,
            output_valid=output.output_valid,
            typed=self.typed,
            finished_at=utc_now(),
        )


_DECIDED: concurrent.futures.Future[bool] = concurrent.futures.Future()  # of every run that asks its model
_DECIDED.set_result(False)


class CacheLookup:
    """One run's look-up. `mode` None: the run is no answer for others either (a team's member).

    `decided` becomes True for a run that is given an answer, False for one that asks, or holds the error that
    ends it; it is resolved with the run's end at the latest.
    """

    def __init__(self, mode: str | None, agent: ResolvedAgent, launch: RunLaunch) -> None:
        self.decided: concurrent.futures.Future[bool] = _DECIDED
        if mode in READING:
            self.decided = concurrent.futures.Future()
        self._mode = mode
        self._agent = agent
        self._launch = launch

    # ------------------------------------------------------- the launching thread

    def wait_for_decision(self, ended: concurrent.futures.Future[None]) -> None:
        """Wait until it is known whether the run has an answer, then for its end if it has; at most 2 s each.

        Raises the error of a run that cannot have its answer.
        """
        if self._mode not in READING:
            return
        concurrent.futures.wait([self.decided], timeout=COMMIT_WAIT_S)
        if not self.decided.done():
            return
        error = self.decided.exception()
        if error is not None or self.decided.result():
            concurrent.futures.wait([ended], timeout=COMMIT_WAIT_S)
        if error is not None:
            raise error

    # --------------------------------------------------------- the background loop

    async def keys(
        self, shown: Sequence[Message], own: Sequence[Message] | None, files: Sequence[FilePart]
    ) -> AnswerKeys | None:
        """Return the keys of the run's answer; None where it has none to give.

        `shown` is the history that its model is shown, `own` that which this kernel's runs left, None outside
        of a session.
        """
        launch = self._launch
        if self._mode is None or launch.prompt is None or not launch.keeps_texts:
            return None
        one = partial(cache_key, self._agent, launch.prompt, files=files)

        def make() -> AnswerKeys:
            turn = one(history=own, session_id=launch.session_id) if own is not None else None
            return AnswerKeys(one(history=shown), turn)

        try:
            # hashing megabytes takes tens of milliseconds
            return await run_in_daemon_thread(make) if files else make()
        except (TypeError, ValueError):  # settings that cannot be written down
            return None

    async def find(
        self, store: RunStore, keys: AnswerKeys | None, notice: Callable[[str], None]
    ) -> EarlierAnswer | None:
        """Return an earlier answer, if the run wants one and there is one; None if it is to ask its model.

        Raises NoRecordedAnswerError where there must be one, and ConfigurationError where no model could be
        asked.
        """
        if self._mode not in READING:
            return None
        try:
            found = await self._find(store, keys, notice)
            if found is None:
                self._check_may_ask()
        except Exception as error:
            if not self.decided.done():
                self.decided.set_exception(error)
            raise
        return found

    def decide(self, *, found: bool) -> None:
        """Let the launching thread know that the run has its answer, or asks its model, or has ended."""
        if not self.decided.done():
            self.decided.set_result(found)

    async def _find(
        self, store: RunStore, keys: AnswerKeys | None, notice: Callable[[str], None]
    ) -> EarlierAnswer | None:
        """Return the newest answer that fits; None where there is none, or where the store cannot be read.

        An answer from a file may have been edited: then it may not fit.
        """
        if keys is None:
            return None
        try:
            output = await run_in_daemon_thread(partial(find_answer, store, keys))
            if output is None and self._mode == "replay":
                output = await run_in_daemon_thread(partial(find_answer, store, keys.steered))
        except StoreError as error:
            if self._mode == "replay":
                raise
            notice(f"earlier answers cannot be read: {error.what}")
            return None
        if output is None:
            return None
        spec = self._agent.spec
        members = _members_schema(self._agent.members, output.content_type)
        reused = members if spec.output_schema is None and output.output_valid else None
        schema = spec.output_schema or members
        typed = None
        if output.output_valid and schema is not None and not schema.is_text:
            try:
                typed = await run_in_daemon_thread(partial(read_stored, schema, answer_of(output)))
            except InvalidOutputError:
                return None
        return EarlierAnswer(output=output, typed=typed, schema=reused)

    def _check_may_ask(self) -> None:
        if self._mode == "replay":
            raise self._missed()
        check_models(self._agent)

    def _missed(self) -> NoRecordedAnswerError:
        launch = self._launch
        prompt = one_line(launch.prompt or "", _PROMPT_SHOWN)
        return NoRecordedAnswerError(
            f"no recorded answer for the prompt {prompt!r} "
            f"(agent {launch.agent_name!r}, {launch.provider}:{launch.model})",
            by_place(
                python='ask once with cache="use", or nb.import_answers() of the file that holds it; ',
                magic="ask once with --cache use, or %agent record import the file that holds it; ",
            )
            + "a changed agent, tool, schema, model (or where it is) or history asks anew",
        )


def _members_schema(members: Sequence[ResolvedAgent], content_type: str) -> OutputSchema | None:
    """Return the schema of the member whose answer a team's leader passed on."""
    for member in members:
        schema = member.spec.output_schema or _members_schema(member.members, content_type)
        if schema is not None and schema.content_type == content_type:
            return schema
    return None
