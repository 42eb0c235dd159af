"""A session's history made fit to be sent: called before a run joins its session and by `Session`.

Providers refuse a history in which a tool call has no result, and many one in which two turns of a user
follow each other. However a run ended, what it leaves is therefore a whole turn: it begins with its prompt,
each tool call has its answer, and its last word is the model's: the text that had come, or a note that none
came. A run of which there is nothing but its prompt leaves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models import tokens_of_messages
from nbagent.run import RunRecord
from nbagent.store import SessionState, StoredTurn

OUTCOME_UNKNOWN = (
    "Error: this call of {name!r} was interrupted and its outcome is unknown: it may have taken effect. "
    "It was not run again."
)
NO_ANSWER = "(There is no answer: the run ended here, {status}.)"


@dataclass(frozen=True, slots=True)
class SessionHistory:
    """The messages of a session before a run: those its model is shown, and of them this kernel's own."""

    shown: Sequence[Message] = ()
    own: Sequence[Message] = ()


def before_of(state: SessionState, *, last: int | None = None, tokens: int | None = None) -> SessionHistory:
    """Return what a run's model is shown of its session as the record has it."""
    own = [turn for turn in state.turns if turn.run_id in state.own]
    return SessionHistory(
        as_sent(state.turns, last=last, tokens=tokens), as_sent(own, last=last, tokens=tokens)
    )


def turn_of(record: RunRecord) -> StoredTurn:
    """Return what an ended run of this kernel left in its session, as the store will have it."""
    end = record.end
    cut_off = end is not None and end.content is None and not end.output_valid
    return StoredTurn(
        run_id=record.launch.run_id,
        status=record.status,
        partial_text=(record.text or None) if cut_off else None,
        messages=tuple(record.messages) if record.launch.keeps_texts else (),
    )


def as_sent(turns: Sequence[StoredTurn], last: int | None = None, tokens: int | None = None) -> list[Message]:
    """Return what a model is shown of these turns, of the `last` so many that left something; None is all.

    `tokens` bounds it by an estimate: whole turns, the newest ones; a turn that alone is larger is not shown.
    """
    parts = [part for turn in turns if (part := whole(turn))]
    if last is not None:
        parts = parts[max(0, len(parts) - last) :]
    if tokens is not None:
        parts = _newest_within(parts, tokens)
    return [message for part in parts for message in part]


def _newest_within(parts: list[list[Message]], tokens: int) -> list[list[Message]]:
    """Return the newest turns that are estimated to fit together."""
    left = tokens
    for place in range(len(parts) - 1, -1, -1):
        left -= tokens_of_messages(parts[place])
        if left < 0:
            return parts[place + 1 :]
    return parts


def whole(turn: StoredTurn) -> list[Message]:
    """Return one run's messages as a whole turn, empty where it left nothing."""
    kept = answered([message for message in turn.messages if _says_something(message)])
    if turn.status is None:
        return kept
    text = turn.partial_text or ""
    if any(message.role == "assistant" and message.content == text for message in kept):
        text = ""  # that of a finished step: the one that was cut off had given none
    if text and kept:
        return [*kept, Message(role="assistant", content=text)]
    while kept and kept[-1].role == "user":
        kept.pop()
    if kept and kept[-1].role == "tool":
        kept.append(Message(role="assistant", content=NO_ANSWER.format(status=turn.status.value)))
    return kept


def answered(messages: Sequence[Message]) -> list[Message]:
    """Give every tool request an answer after its message, drop answers to no request. Ids may come twice."""
    kept: list[Message] = []
    waiting: dict[str, ToolRequest] = {}
    for message in messages:
        if message.role == "tool":
            if waiting.pop(message.tool_call_id or "", None) is not None:
                kept.append(message)
            continue
        kept += map(_unknown, waiting.values())
        kept.append(message)
        waiting = {request.tool_call_id: request for request in message.tool_requests}
    return [*kept, *map(_unknown, waiting.values())]


def _says_something(message: Message) -> bool:
    return message.role != "assistant" or bool(message.content or message.tool_requests)


def _unknown(request: ToolRequest) -> Message:
    return Message(
        role="tool",
        content=OUTCOME_UNKNOWN.format(name=request.name),
        tool_call_id=request.tool_call_id,
        name=request.name,
    )


def files_of_prompt(messages: Sequence[Message]) -> tuple[FilePart, ...]:
    """Return the files that went with a run's prompt."""
    return next((message.files for message in messages if message.role == "user"), ())
