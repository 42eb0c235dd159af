"""`Session`: a name for a conversation, and the conversation as data that moves to another store or machine.

What a session holds is in the record; a `Session` is a view of it by id, so that two of one id are the same.
Used from any thread but the background one, as every call reads the record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nbagent import runtime
from nbagent.core import one_line, uuid7
from nbagent.errors import ConfigurationError, StoreError, UnknownNameError
from nbagent.events import Message
from nbagent.run import html_repr
from nbagent.runtime import Run, as_sent, whole
from nbagent.store import carry_over, load_turns, session_runs

_MESSAGE = TypeAdapter(Message)
_FORM = (
    'give what Session.to_dict() returned: {"session_id": "...", "messages": [{"role": ..., "content": ...}]}'
)


class Session:
    """Runs that share message history: `agent.start(..., session=session)`; without an id it gets a new one.

    >>> session = Session("trip")
    >>> Session.from_dict(session.to_dict()) == session
    True
    """

    def __init__(self, session_id: str | None = None) -> None:
        given: object = session_id
        if given is not None and not (isinstance(given, str) and given.strip()):
            raise ConfigurationError(
                f"{session_id!r} is no session id", "give a text, or leave it out for a new one"
            )
        self.session_id = session_id or str(uuid7())

    def messages(self) -> list[Message]:
        """Return the messages as the next run would see them, before `history_runs` and `history_tokens`.

        Instructions are the agent's and not among them. Runs that go on are no history yet. Raises
        StoreError.

        >>> session = Session("greetings")
        >>> _ = Agent(model="demo:assistant").run("My name is Ada.", session=session)
        >>> [message.role for message in session.messages()]
        ['user', 'assistant']
        """
        return as_sent(load_turns(runtime.current().store, self.session_id))

    @property
    def run_ids(self) -> list[str]:
        """The ids of the runs launched in it here, in turn order, without those that these started."""
        return session_runs(runtime.current().store, self.session_id)

    def runs(self) -> list[Run]:
        """Return handles on these runs, finished or not."""
        current = runtime.current()
        return [current.get(run_id) for run_id in self.run_ids]

    def to_dict(self) -> dict[str, Any]:
        """Return the conversation as JSON data: `session_id`, and `messages`, each with its run's id."""
        turns = load_turns(runtime.current().store, self.session_id)
        messages = [
            {"run_id": turn.run_id, **_MESSAGE.dump_python(message, mode="json", exclude_defaults=True)}
            for turn in turns
            for message in whole(turn)
        ]
        return {"version": 1, "session_id": self.session_id, "messages": messages}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, session_id: str | None = None) -> Session:
        """Return the session of `to_dict()`'s data, its messages put into this record: runs in it see them.

        Runs whose messages the session has here are not put in twice; the others come after its last turn.
        `session_id` gives it another id, so that a conversation goes on in two ways. Raises
        ConfigurationError for data of another form, and StoreError.
        """
        parts = _parts(data)
        session = cls(session_id or data.get("session_id"))
        current = runtime.current()
        current.thread.forbid_blocking("Session.from_dict()")
        own_part = f"messages of {session.session_id}"
        named = [(run_id or own_part, messages) for run_id, messages in parts.items()]
        carry_over(current.store, session.session_id, named)
        return session

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and other.session_id == self.session_id

    def __hash__(self) -> int:
        return hash(self.session_id)

    def __repr__(self) -> str:
        return f"Session({self.session_id!r})"

    def _repr_html_(self) -> str:
        told: list[tuple[str, Any]] = [("session_id", self.session_id)]
        with contextlib.suppress(StoreError, UnknownNameError):  # what cannot be read now is left out
            runs = self.run_ids
            told.append(("runs", len(runs)))
            if runs:
                first = runtime.current().get(runs[0]).output
                told.append(("first prompt", one_line(first.label or first.prompt or "", 120)))
        return html_repr("Session", told)


def id_of(session: Session | str | None, session_id: Session | str | None = None) -> str | None:
    """Return the id that a call names, by either of two arguments, or None. Raises ConfigurationError."""
    named = [one for one in (session, session_id) if one is not None]
    ids = {one.session_id if isinstance(one, Session) else Session(one).session_id for one in named}
    if len(ids) > 1:
        raise ConfigurationError(
            f"two sessions are named: session={session!r} and session_id={session_id!r}", "give one of them"
        )
    return ids.pop() if ids else None


def _parts(data: object) -> dict[str, list[Message]]:
    """Return the messages by their runs' ids, "" for those without. Raises ConfigurationError."""
    if not isinstance(data, Mapping) or not isinstance(data.get("messages"), list | tuple):
        raise ConfigurationError(f"this is no session's data: {data!r:.80}", _FORM)
    parts: dict[str, list[Message]] = {}
    for place, item in enumerate(data["messages"]):
        fields = dict(item) if isinstance(item, Mapping) else {"role": item}
        run_id = str(fields.pop("run_id", None) or "")
        try:
            message = _message(fields)
        except ValueError as error:
            raise ConfigurationError(f"message {place} of the session's data: {error}", _FORM) from None
        parts.setdefault(run_id, []).append(message)
    return parts


def _message(fields: Mapping[str, Any]) -> Message:
    """Return the message. Raises ValueError, which says what is wrong with it."""
    if unknown := sorted(fields.keys() - set(Message.__slots__)):
        raise ValueError(f"{unknown[0]!r} is no part of a message")
    if fields.get("role") == "system":
        raise ValueError("a system message is no part of a session, instructions are the agent's own")
    try:
        return _MESSAGE.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
