"""How many requests a server takes at a time: as its provider's row says, or as it was found out. Pure.

Some local servers (llama.cpp's Python server, by its default) end the stream under way, in order, when the
next request comes. A row may say so; of a server that is given by its address alone it is learned: streams
that ended early after a later request had begun, several in a row, and not one that outlived a later request.
"""

from __future__ import annotations

from collections import deque

FEW = 3  # interruptions before a server is asked one thing at a time
OUTLIVED_S = 0.2  # a stream that went on for so long after a later request began was not ended by it
_PAUSE_S = 0.05


class Server:
    """The requests to one server: `held` are under way, `at_once` is how many it takes, None any number."""

    __slots__ = ("_begun", "_begun_at_s", "_interruptions", "_takes_several", "at_once", "held")

    def __init__(self, at_once: int | None = None) -> None:
        self.at_once = at_once
        self.held = 0
        self._begun = 0
        self._begun_at_s: deque[float] = deque(maxlen=64)  # the last of them
        self._interruptions = 0
        self._takes_several = False

    @property
    def takes_another(self) -> bool:
        """True where one more request may go."""
        return self.at_once is None or self.held < self.at_once

    def begin(self, now_s: float) -> int:
        """Count a request that goes now; return its number."""
        self._begun += 1
        self._begun_at_s.append(now_s)
        return self._begun

    def answered(self, number: int, now_s: float) -> None:
        """Count an answered request: one that outlived a later one shows that the server takes both."""
        if not self._takes_several and number < self._begun:
            later = self._begun - number  # that many have begun after it
            first = self._begun_at_s[-later] if later <= len(self._begun_at_s) else self._begun_at_s[0]
            self._takes_several = now_s - first > OUTLIVED_S

    def interrupted(self, number: int) -> float | None:
        """Count a stream that ended early; return the pause before it is asked again.

        None where no later request had begun meanwhile, or the server was seen to take several: then it ended
        by itself.
        """
        if self._takes_several or number == self._begun:
            return None
        self._interruptions += 1
        if self._interruptions >= FEW:
            self.at_once = 1
        return _PAUSE_S
