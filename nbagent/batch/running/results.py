"""What has become of a batch's rows so far: written by the feed on the background loop, read and waited for anywhere.

A row has a position, in the order of the source. What is kept of a row is its index label and its
`RowOutcome`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbagent.batch.row_outcome import CANCELLED, NOT_ASKED, RowOutcome
from nbagent.batch.running.budget import BatchBudget

# the rate is that of the last rows, and of the last seconds where they hold enough of them
RATE_OVER = 200
RECENT_S = 30.0
FEW = 5
SETTLED_S = 1.0  # before, a rate says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """Where a batch stands. `total` and what follows from it is None while a generator still gives rows.

    `done` rows have an answer (`reused` of them from an earlier batch), `failed` ones have none, `cancelled`
    ones were stopped by a person, `not_asked` ones were left out because the batch ended before them;
    `statuses` counts the statuses that occur. `cost_usd` and `tokens` are what this batch has spent itself,
    on failed tries too; beside them are the estimates for calls of which their server told no usage.
    `rate_per_s` counts rows asked, lately; 0 in the first second. `pace_per_s` is how many requests a second
    it sends at most while the provider limits it.
    """

    total: int | None
    done: int
    failed: int
    cancelled: int
    not_asked: int
    running: int
    reused: int
    cost_usd: float | None
    tokens: int
    elapsed_s: float
    rate_per_s: float
    pace_per_s: float | None
    finished: bool
    statuses: Mapping[str, int] = field(default_factory=dict)
    estimated_cost_usd: float | None = None
    estimated_tokens: int = 0

    @property
    def left(self) -> int | None:
        """Rows that have no end yet."""
        return None if self.total is None else self.total - self.ended

    @property
    def ended(self) -> int:
        """Rows that have an end, whichever."""
        return self.done + self.failed + self.cancelled + self.not_asked

    @property
    def eta_s(self) -> float | None:
        """Seconds until the end at the present rate."""
        if self.finished or self.left is None or not self.rate_per_s:
            return 0.0 if self.finished else None
        return self.left / self.rate_per_s

    def __repr__(self) -> str:
        return f"<BatchProgress {self}>"

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total}"
        parts = [f"{self.done}{of} done"]
        parts += [f"{count} {name}" for name, count in self._others if count]
        if self.cost_usd:
            parts.append(f"${self.cost_usd:.4f}")
        if self.estimated_cost_usd:
            parts.append(f"about ${self.estimated_cost_usd:.4f} by estimate")
        if not self.finished and self.rate_per_s:
            parts.append(f"{self.rate_per_s:.1f} rows/s")
            parts += [f"{_clock(self.eta_s)} left"] if self.eta_s is not None else []
        if self.pace_per_s is not None and not self.finished:
            parts.append(f"slowed to {self.pace_per_s:.1f} requests/s")
        return ", ".join(parts)

    @property
    def _others(self) -> list[tuple[str, int]]:
        return [
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("not asked", self.not_asked),
            ("from earlier", self.reused),
            ("running", self.running),
        ]


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Results:
    """See the module. `arrived` lists positions in the order in which their outcomes came; it only grows."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.labels: list[Any] = []
        self.keys: list[Any] = []  # each row's key as the user wrote it: its label, or its key columns
        self.outcomes: list[RowOutcome | None] = []
        self.arrived: list[int] = []
        self.notices: list[str] = []
        self.finished = False
        self.changed = threading.Condition()
        self._wakes: list[Callable[[], object]] = []
        self.cut = 0  # answers that ended at the output token limit
        self._reused = 0
        self._counts: Counter[str] = Counter()
        self._began_s = time.monotonic()
        self._ended_s: float | None = None
        self._asked_count = 0
        self._last: deque[float] = deque([self._began_s], maxlen=RATE_OVER + 1)

    # the background loop ------------------------------------------------------------------------------

    def add(self, label: Any, key: Any) -> int:
        """Take in the next row of the source; return its position."""
        self.labels.append(label)
        self.keys.append(key)
        self.outcomes.append(None)
        return len(self.labels) - 1

    def put(self, position: int, outcome: RowOutcome) -> None:
        """Take in the end of a row."""
        with self.changed:
            self.outcomes[position] = outcome
            self.arrived.append(position)
            self._count(outcome, 1)
            if not outcome.reused and outcome.status != NOT_ASKED:
                self._asked_count += 1
                self._last.append(time.monotonic())
        self._wake()

    def reopen(self, positions: list[int]) -> None:
        """Forget the ends of rows that are asked again."""
        with self.changed:
            for position in positions:
                outcome = self.outcomes[position]
                assert outcome is not None
                self._count(outcome, -1)
                self.outcomes[position] = None
            self.finished, self._ended_s = False, None
            self._began_s, self._asked_count = time.monotonic(), 0
            self._last.clear()
            self._last.append(self._began_s)

    def take(self, outcomes: Sequence[RowOutcome | None], keys: Sequence[Any], total: int | None) -> None:
        """Take in all rows as the record has them now; those that came to an end arrive."""
        with self.changed:
            self.total = total
            self.labels, self.keys = list(keys), list(keys)
            before, self.outcomes = self.outcomes, list(outcomes)
            self._counts.clear()
            self._reused = self.cut = 0
            for position, outcome in enumerate(outcomes):
                if outcome is None:
                    continue
                self._count(outcome, 1)
                if position >= len(before) or before[position] is None:
                    self.arrived.append(position)
                    if not outcome.reused and outcome.status != NOT_ASKED:
                        self._asked_count += 1
                        self._last.append(time.monotonic())
        self._wake()

    def lasted(self, elapsed_s: float) -> None:
        """Say how long it has worked, of a batch that began elsewhere."""
        self._began_s = time.monotonic() - elapsed_s

    def note(self, text: str) -> None:
        """Keep a sentence for the person."""
        if text not in self.notices:
            self.notices.append(text)
        self._wake()

    def finish(self) -> None:
        """Nothing more comes."""
        with self.changed:
            self.finished = True
            self._ended_s = time.monotonic()
            if self.total is None:
                self.total = len(self.labels)
        self._wake()

    def _count(self, outcome: RowOutcome, by: int) -> None:
        self._counts[outcome.status] += by
        self._reused += by * outcome.reused
        self.cut += by * outcome.is_cut

    def _wake(self) -> None:
        with self.changed:
            self.changed.notify_all()
            wakes = list(self._wakes)
        for wake in wakes:
            wake()

    # any thread ---------------------------------------------------------------------------------------

    def listen(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Call `wake` on the background loop whenever something has changed; return how to stop that."""
        with self.changed:
            self._wakes.append(wake)

        def stop() -> None:
            with self.changed:
                if wake in self._wakes:
                    self._wakes.remove(wake)

        return stop

    def progress(self, budget: BatchBudget, *, running: int, pace_per_s: float | None) -> BatchProgress:
        """Return where the batch stands now."""
        with self.changed:
            counts = {status: count for status, count in self._counts.items() if count}
            now_s = self._ended_s if self._ended_s is not None else time.monotonic()
            rate_per_s = self._rate_per_s(now_s)
        done, cancelled, not_asked = (counts.get(one, 0) for one in ("completed", CANCELLED, NOT_ASKED))
        return BatchProgress(
            total=self.total,
            done=done,
            failed=sum(counts.values()) - done - cancelled - not_asked,
            cancelled=cancelled,
            not_asked=not_asked,
            running=running,
            reused=self._reused,
            statuses=counts,
            cost_usd=budget.cost_usd if budget.cost_known else None,
            tokens=budget.tokens,
            estimated_cost_usd=budget.estimated_cost_usd or None,
            estimated_tokens=budget.estimated_tokens,
            elapsed_s=now_s - self._began_s,
            rate_per_s=rate_per_s,
            pace_per_s=pace_per_s,
            finished=self.finished,
        )

    def _rate_per_s(self, now_s: float) -> float:
        """Return the rows a second: lately while it goes on, over all of them once it has ended."""
        if self._ended_s is not None:
            elapsed_s = self._ended_s - self._began_s
            return self._asked_count / elapsed_s if elapsed_s > 0 else 0.0
        if now_s - self._began_s < SETTLED_S:
            return 0.0
        return recent_rate(self._last, now_s)


def recent_rate(times: Sequence[float], now_s: float) -> float:
    """Return how many a second came lately; the first of `times` is when the first of them began."""
    recent = [one for one in times if one >= now_s - RECENT_S]
    if len(recent) <= FEW:
        recent = list(times)[-FEW - 1 :]
    span_s = now_s - recent[0] if recent else 0.0
    return (len(recent) - 1) / span_s if span_s > 0 else 0.0
