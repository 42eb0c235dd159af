"""Rows that were taken in and not sent yet: packed into prompts, equal prompts told apart. Pure; owned by a runner."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbagent.batch.row_outcome import NOTHING_SPENT, RowOutcome, RowSpend


@dataclass(frozen=True, slots=True)
class RowRequest:
    """One prompt to send: of one row, or of several.

    `spent` is what a row has cost already, `earlier` the outcome that it keeps where it is not asked again
    after all.
    """

    positions: tuple[int, ...]
    prompts: tuple[str, ...]
    keys: tuple[str, ...]
    spent: RowSpend = NOTHING_SPENT
    earlier: RowOutcome | None = None


class RowQueue:
    """Requests in the order in which they are sent; `pack` rows share one."""

    def __init__(self, pack: int) -> None:
        self._pack = pack
        self._unpacked: list[tuple[int, str, str]] = []
        self._ready: deque[RowRequest] = deque()

    def __bool__(self) -> bool:
        return bool(self._ready)

    def __iter__(self) -> Iterator[RowRequest]:
        return iter(self._ready)

    def add(self, position: int, prompt: str, key: str) -> None:
        """Add a row; it is ready once its prompt has as many rows as it may have."""
        self._unpacked.append((position, prompt, key))
        if len(self._unpacked) == self._pack:
            self.close_pack()

    def close_pack(self) -> None:
        """Make a request of the rows that wait for more of them."""
        if self._unpacked:
            positions, prompts, keys = zip(*self._unpacked, strict=True)
            self._unpacked.clear()
            self._ready.append(RowRequest(positions, prompts, keys))

    def put(self, request: RowRequest) -> None:
        """Add a request at the end."""
        self._ready.append(request)

    def pop(self) -> RowRequest:
        """Take the next request."""
        return self._ready.popleft()

    def take_all(self) -> list[RowRequest]:
        """Take all requests that are ready."""
        taken = list(self._ready)
        self._ready.clear()
        return taken


class EqualPrompts:
    """With `dedupe`: the rows that wait for the outcome of an equal prompt, and the outcomes."""

    def __init__(self) -> None:
        self._known: dict[str, list[int] | RowOutcome] = {}

    def expect(self, key: str) -> None:
        """Note that a row with this key is asked."""
        self._known.setdefault(key, [])

    def join(self, key: str, position: int) -> RowOutcome | None:
        """Return the outcome of an equal prompt; None where the row waits for it from now on, or none is asked."""
        known = self._known.get(key)
        if isinstance(known, list):
            known.append(position)
            return None
        return known

    def is_waiting(self, key: str) -> bool:
        """Say whether a prompt with this key is being asked."""
        return isinstance(self._known.get(key), list)

    def settle(self, key: str, outcome: RowOutcome) -> Iterable[int]:
        """Keep a prompt's outcome, and return the positions of the rows that have waited for it."""
        waiting = self._known.get(key)
        self._known[key] = outcome
        return waiting if isinstance(waiting, list) else ()

    def ask_again(self, request: RowRequest) -> bool:
        """Say whether a row is to be asked once more: one whose prompt is asked already waits for that one."""
        if self.is_waiting(request.keys[0]):
            self.join(request.keys[0], request.positions[0])
            return False
        self._known[request.keys[0]] = []
        return True
