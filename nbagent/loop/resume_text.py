"""Join partial text and its continuation into one text. Pure; for a run resumed from partial text.

A model that is asked to go on exactly where it stopped often says its last words, or everything, once more
first. What it repeats is left out, while it streams as well as in the whole reply.
"""

from __future__ import annotations

from nbagent.events import Message

CONTINUE_PROMPT = (
    "Continue exactly where you stopped. Repeat nothing of what you have written and add no remark: "
    "your text is appended to it as it is."
)
SHORTEST_REPEAT = 8  # characters; fewer may well be how the text goes on


def continuation_messages(messages: tuple[Message, ...], partial: str) -> tuple[Message, ...]:
    """Return `messages` with the partial answer and the request to continue it after them."""
    if not partial:
        return messages
    answer = Message(role="assistant", content=partial)
    return (*messages, answer, Message(role="user", content=CONTINUE_PROMPT))


class OverlapTrimmer:
    """Joins a continuation to `partial`: `feed` it the pieces, `rest` gives what is held back at the end.

    Without partial text everything is new.
    """

    def __init__(self, partial: str) -> None:
        self._partial = partial
        self._held = ""
        self._joined = not partial

    def feed(self, piece: str) -> str:
        """Return what of the text so far is new; a beginning that may yet be a repetition is held back."""
        if self._joined:
            return piece
        self._held += piece
        return "" if self._held in self._partial else self.rest()

    def rest(self) -> str:
        """Return what is still held back, without a repetition; once."""
        if self._joined:
            return ""
        self._joined = True
        return self._held[_repeated(self._partial, self._held) :]

    def whole(self, continuation: str) -> str:
        """Return partial text and continuation as one text."""
        return self._partial + continuation[_repeated(self._partial, continuation) :]


def _repeated(partial: str, continuation: str) -> int:
    """Count the characters at the start of `continuation` that are the end of `partial`."""
    for count in range(min(len(partial), len(continuation)), SHORTEST_REPEAT - 1, -1):
        if partial.endswith(continuation[:count]):
            return count
    return 0
