"""Answers that can be given again: found by their key, written out as recordings, read in as such.

On any thread but the writer's. A run of this record is its own recording; an imported one is a line of JSON in the
table `answers`. Both come as a `RunOutput` whose prompt, messages and tool calls are those of the run that was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbagent.run import RunOutput, RunStatus, in_asked_order
from nbagent.store.commands import AnswerKeys, ImportAnswers
from nbagent.store.duckdb.codec import message_of, tool_call_of
from nbagent.store.duckdb.read.runs import answer_json, content_of, read_run
from nbagent.store.duckdb.recorded_answers import Recording, recorded_output, recording_of

if TYPE_CHECKING:
    from nbagent.store.ports import Ask, Reader, ReaderAndSubmitter

COMMIT_WAIT_S = 10.0
_NEWEST = """
    select run_id, recording from answers where cache_key = $1 or session_key = $2
    order by cache_key = $1 desc, since desc, run_id desc limit 1
"""
# each by an id as a plain value, which DuckDB finds by its index or its zone maps: the view `runs` costs 10 ms more
_END = """
    select stop_reason, content, content_type, content_source, output_valid, finished_at from attempt_ends
    where run_id = ? and status = 'completed' order by attempt desc limit 1
"""
_TOOLS = "select * from tool_calls where run_id = ? order by attempt, step, started_at"
_MESSAGES = "select * from messages where run_id = ? and attempt > 0 order by seq"
_HAS_MEMBERS = "select true from launches where parent_run_id = ? limit 1"
# what a kernel's runs were answered with: an answer of theirs, or the one that they were given
_CHOSEN = """
    select cache_key, session_key, run_id, recording from (
        select a.*, row_number() over (partition by a.cache_key order by a.since desc, a.run_id desc) as rank
        from answers a where {where}
    ) ranked where rank = 1
"""
_OF_OWNER = "a.run_id in (select coalesce(cached_from, run_id) from launches where owner = ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """An answer under its keys; `output` is the run that gave it."""

    keys: AnswerKeys
    output: RunOutput


def find_answer(store: Reader, keys: AnswerKeys, *, timeout_s: float = 10.0) -> RunOutput | None:
    """The newest answer under a key, as far as a run is given it; None if there is none. Raises StoreError.

    One to exactly the same comes before one to the same turn of a session that has gone on since.
    Sees what is committed, as every answer is that somebody has seen: it waits for no rows that are on their way.
    """
    with store.reader(flush=False, timeout_s=timeout_s) as ask:
        for row in ask(_NEWEST, [keys.cache_key, keys.session_key]):
            if row["recording"] is not None:
                return recorded_output(row["recording"])
            return _briefly(ask, row["run_id"])
    return None


def _briefly(ask: Ask, run_id: str) -> RunOutput | None:
    """A run's end, tool calls and messages; a team whole."""
    if ask(_HAS_MEMBERS, [run_id]):
        return read_run(ask, run_id)
    ends = ask(_END, [run_id])
    if not ends:
        return None
    end = ends[0]
    said = tuple(map(message_of, ask(_MESSAGES, [run_id])))
    output = RunOutput(
        run_id=run_id,
        session_id="",
        status=RunStatus.completed,
        stop_reason=end["stop_reason"],
        content=content_of(end),
        content_type=end["content_type"],
        output_valid=end["output_valid"],
        finished_at=end["finished_at"],
        messages=said,
        tool_calls=in_asked_order(tuple(map(tool_call_of, ask(_TOOLS, [run_id]))), said),
    )
    return output.with_answer_json(answer_json(end))


def all_answers(store: Reader, *, owner: str | None = None) -> list[CachedAnswer]:
    """The newest answer of each key: of the runs that `owner` launched, or of all.

    A run that was itself answered from an earlier one stands for that one. Raises StoreError.
    """
    where, params = ("true", []) if owner is None else (_OF_OWNER, [owner])
    with store.reader() as ask:
        rows = ask(_CHOSEN.format(where=where), params)
        found = [(AnswerKeys(row["cache_key"], row["session_key"]), _output(ask, row)) for row in rows]
    return [CachedAnswer(keys=keys, output=output) for keys, output in found if output is not None]


def recordings_of(answers: Iterable[CachedAnswer]) -> list[Recording]:
    """The answers as recordings, in an order that does not depend on when they were given."""
    made = [recording_of(answer.keys, answer.output) for answer in answers]
    return sorted(made, key=lambda one: (one["agent_name"] or "", one["prompt"] or "", one["cache_key"]))


def import_recordings(store: ReaderAndSubmitter, recordings: Sequence[Recording]) -> int:
    """Make recordings the newest answers under their keys, all or none; return how many there are.

    Those of the same key and run that were imported before are replaced. Returns once they are durable. Raises
    StoreError.
    """
    doing = f"importing {len(recordings)} answers"
    count: int = store.write(ImportAnswers(tuple(recordings)), doing, timeout_s=COMMIT_WAIT_S)
    return count


def _output(ask: Ask, row: dict[str, Any]) -> RunOutput | None:
    """The run of a row of `answers`; None where it was deleted by hand."""
    if row["recording"] is not None:
        return recorded_output(row["recording"])
    return read_run(ask, row["run_id"])
