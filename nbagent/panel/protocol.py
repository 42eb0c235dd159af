"""What a card's front ends have been told, and what to tell them next. Pure.

Held by one `RunCard`, asked at each flush. Messages are numbered; who misses one asks for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbagent.panel.card.data import CardRow

RESEND_S = 1.0


class NumberedChannel:
    """The numbered messages of one card. Used under one lock; `state` may be read on any thread.

    `state` is always what a front end has that heard every message: a page that loads later begins with it
    and the next message fits. A second after the last message the whole is said once more, so that a lost
    last message heals without anybody asking.
    """

    def __init__(self, row: CardRow, text: str) -> None:
        self.state: Mapping[str, Any] = {"seq": 0, "row": row, "text": text}
        self._resend_at: float | None = None

    def replace(self, row: CardRow, text: str) -> None:
        """Make the whole the next thing that front ends know."""
        self.state = {"seq": self.state["seq"] + 1, "row": row, "text": text}

    def next(self, row: CardRow, text: str, now_s: float) -> Mapping[str, Any] | None:
        """Return the message for a change, None for no change; the state then includes it.

        A message without `append` is a change that cannot be appended: send the whole state instead.
        """
        old = self.state
        if row == old["row"] and text == old["text"]:
            return None
        self.state = {"seq": old["seq"] + 1, "row": row, "text": text}
        self._resend_at = now_s + RESEND_S
        message: dict[str, Any] = {"seq": self.state["seq"]}
        if row != old["row"]:
            message["row"] = row
        if text.startswith(old["text"]):
            message["append"] = text[len(old["text"]) :]
        return message

    def resend_due(self, now_s: float) -> bool:
        """Return True once, a second after the last message."""
        if self._resend_at is None or now_s < self._resend_at:
            return False
        self._resend_at = None
        return True

    @property
    def settled(self) -> bool:
        """True once the last message has been said again."""
        return self._resend_at is None
