"""When to look again, while a run waits for other kernels' runs of its session. Pure.

The record says in which order a session's runs work, and is dear to read; the claim
(`store/session_claim.py`) says who works now, and costs microseconds. So whoever waits tries the claim often,
and reads the record only when that may have news: when it has not yet looked, when a run that it knows to be
before it is over or its process is gone, and once a second, for what leaves no note. Times are of the
monotonic clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nbagent.store import ClaimNote, UnfinishedRun

LOOK_EVERY_S = 1.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25
LATE_BY = 0.05  # a wait lasts at most this part longer than it must


@dataclass(slots=True)
class TurnWatch:
    """What a waiting run knows: `ahead`, the runs before it at the last read; what the claim's note said."""

    since: float
    ahead: tuple[UnfinishedRun, ...] = ()
    note: ClaimNote | None = None
    _looked_at: float | None = None
    _changed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._changed_at = self.since

    def saw(self, note: ClaimNote | None, now: float) -> None:
        """Know what the claim's note says."""
        if note != self.note:
            self.note, self._changed_at = note, now

    def looked(self, ahead: Sequence[UnfinishedRun], now: float) -> None:
        """Know what is before the run in the record."""
        if tuple(ahead) != self.ahead:
            self._changed_at = now
        self.ahead, self._looked_at = tuple(ahead), now

    def may_look(self, now: float) -> bool:
        """Whether the record may have news, nobody having the claim."""
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY_S:
            return True
        if self.note is None:  # the last one who had the claim saw nobody wait
            return self._changed_at > self._looked_at
        if self.note.state != "over":  # who left it is gone
            return self.note.run_id in {one.run_id for one in self.ahead}
        return self.note.turn is not None and all(one.turn <= self.note.turn for one in self.ahead)

    def pause_s(self, now: float) -> float:
        """How long to wait before the claim is tried again: longer, the longer nothing has happened."""
        return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, LATE_BY * (now - self._changed_at)))
