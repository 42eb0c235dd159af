"""Who looks at whose text: runs that are looked at here, of which news are counted, and those of here that others look at.

Somebody who looks says so by a notice, and again while it lasts; the process that works on the run tells its text more often
for `HOLDS_S` then. Any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from time import monotonic

import orjson

HOLDS_S = 12.0
AGAIN_S = 5.0  # after so long somebody who still looks says so again
MOST = 1000  # runs of others that are remembered at a time


class Watching:
    """What is known of looks, in both directions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}  # when it was last said that a run is looked at here
        self._news: dict[str, int] = {}
        self._until: dict[str, float] = {}  # until when a run is looked at elsewhere

    def begin(self, run_id: str) -> bool:
        """Remember that a run is looked at here; whether that is to be said now."""
        now = monotonic()
        with self._lock:
            if now - self._said.get(run_id, float("-inf")) < AGAIN_S:
                return False
            if len(self._said) >= MOST:
                self._said = {one: at for one, at in self._said.items() if now - at < HOLDS_S}
                self._news = {one: self._news[one] for one in self._said}
            self._said[run_id] = now
            self._news.setdefault(run_id, 0)
        return True

    def notice(self, owner: str, run_id: str) -> str:
        """What is said of it."""
        return orjson.dumps({"owner": owner, "watch": [run_id]}).decode()

    def hear(self, run_ids: Sequence[str] | None) -> None:
        """Another process has written of these runs; None: of many."""
        with self._lock:
            for run_id in self._news if run_ids is None else run_ids:
                if run_id in self._news:
                    self._news[run_id] += 1

    def news(self, run_id: str) -> int:
        """How often a run that is looked at here was heard of."""
        return self._news.get(run_id, 0)

    def hear_watched(self, run_ids: Iterable[str]) -> bool:
        """Somebody looks at these runs elsewhere; whether one of them was not looked at before."""
        now = monotonic()
        with self._lock:
            if len(self._until) >= MOST:
                self._until = {one: until for one, until in self._until.items() if until > now}
            named = [str(one) for one in run_ids]
            is_new = any(self._until.get(one, 0.0) <= now for one in named)
            self._until.update(dict.fromkeys(named, now + HOLDS_S))
        return is_new

    def watched(self, run_ids: Iterable[str]) -> set[str]:
        """Which of these runs somebody looks at elsewhere."""
        if not self._until:
            return set()
        now = monotonic()
        return {one for one in run_ids if self._until.get(one, 0.0) > now}
