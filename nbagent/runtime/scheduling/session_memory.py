"""What was said in sessions that only this kernel has used, so that their next turn reads no file.

Kept from a session's first run on, for as long as nobody else launches in it (`nbagent/store/session_ids.py`) and
there is room; what is not kept is read from the record. On the background loop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from nbagent.store import StoredTurn

ROOM_BYTES = 8 << 20  # of text, over all sessions
MOST_SESSIONS = 2_000
ITEM_BYTES = 2_000  # what a provider's own item is taken for


@dataclass(slots=True)
class _Kept:
    turns: dict[int, StoredTurn] = field(default_factory=dict)
    size: int = 0


class SessionMemory:
    """The turns of sessions, by their key; the ones that were used longest ago go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._size = 0

    def begin(self, key: Hashable) -> None:
        """Keep a session from now on: nothing was said in it before."""
        self.drop(key)
        self._kept[key] = _Kept()
        self._trim()

    def add(self, key: Hashable, number: int | None, turn: StoredTurn) -> None:
        """Keep what an ended run has left, if its session is kept."""
        kept = self._kept.get(key)
        if kept is None:
            return
        if number is None or number in kept.turns:  # it was resumed: its place is for the record to say
            self.drop(key)
            return
        size = sum(_size(message.content) + _size(message.reasoning) for message in turn.messages)
        size += sum(len(file.data) for message in turn.messages for file in message.files)
        size += sum(ITEM_BYTES * len(message.provider_items) for message in turn.messages)
        kept.turns[number] = turn
        kept.size += size
        self._size += size
        self._trim()

    def drop(self, key: Hashable) -> None:
        """Keep a session no longer."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size

    def turns(self, key: Hashable, before: int) -> list[StoredTurn] | None:
        """Return the turns of a session before this one, in order; None where it is not kept."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return [kept.turns[number] for number in sorted(kept.turns) if number < before]

    def _trim(self) -> None:
        while self._kept and (self._size > ROOM_BYTES or len(self._kept) > MOST_SESSIONS):
            self.drop(next(iter(self._kept)))


def _size(text: str | None) -> int:
    return len(text or "")
