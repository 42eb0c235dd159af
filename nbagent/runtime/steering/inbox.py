"""What a person has sent to one live run and its model has not had yet. Owned by an `ActiveRun`.

Everything runs on the background loop. A message is in the store from when it was sent until it is among the run's own
messages, so that a run which is cut off in between has it when it goes on, in whatever kernel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from nbagent.events import SENT, Event, Message, MessageSent
from nbagent.run import RunRecord
from nbagent.store import MessageTaken, RunStore, SendMessage


def is_sent(message: Message) -> bool:
    """Whether a person sent this message to the run on the way."""
    return message.role == "user" and message.name == SENT


class Inbox:
    """The messages sent to the run of `record`; each is taken once, however often it is heard of."""

    def __init__(self, record: RunRecord, store: RunStore, emit: Callable[[Event], None]) -> None:
        self._record = record
        self._store = store
        self._emit = emit
        self._known: set[str] = set()
        self._waiting: list[SendMessage] = []
        self._given: deque[str] = deque()  # ids of those that the loop has taken and not yet said

    def put(self, message: SendMessage, *, is_stored: bool) -> None:
        """Keep a message for the next model call."""
        if message.message_id in self._known:
            return
        self._known.add(message.message_id)
        self._waiting.append(message)
        if not is_stored:
            self._store.submit(message)
        self._emit(MessageSent(message_id=message.message_id, text=message.text))

    def load(self) -> None:
        """Take up what an earlier attempt was sent and had no step for; reads no file."""
        for one in self._store.messages_sent([self._record.launch.run_id]):
            self.put(one, is_stored=True)

    def take(self) -> tuple[Message, ...]:
        """Return what waits, as messages for the model; it waits no longer."""
        taken, self._waiting = self._waiting, []
        self._given.extend(one.message_id for one in taken)
        return tuple(Message(role="user", content=one.text, name=SENT) for one in taken)

    def said(self) -> None:
        """The next of those that were taken is among the run's messages, and on its way to the store."""
        if self._given:
            self._store.submit(MessageTaken(self._given.popleft()))

    def left_over(self) -> str | None:
        """Return what a person should know of messages for which there was no step; None for none."""
        if not self._waiting:
            return None
        texts = "; ".join(repr(one.text[:200]) for one in self._waiting)
        return f"the run ended before its model was told {texts}"
