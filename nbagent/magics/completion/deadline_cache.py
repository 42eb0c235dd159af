"""Run a lookup in a thread with a deadline; on timeout return the previous answer and cache the new one.

Called by completion on the kernel's main thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

WAIT_S = 0.05


class DeadlineCache(Generic[T]):
    """The last answer of each lookup, and the lookups under way, by their keys."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Sequence[T]] = {}
        self._asking: dict[Hashable, threading.Thread] = {}

    def ask(self, key: Hashable, look: Callable[[], Sequence[T]]) -> Sequence[T]:
        """Return what `look()` gives within 50 ms, else its last answer, at first nothing; never raises.

        One that takes longer goes on, is not asked a second time meanwhile, and is the answer of a later ask.
        """
        asking = self._asking.get(key)
        if asking is None or not asking.is_alive():

            def answer() -> None:
                # a record that is busy or damaged: the last answer is good enough
                with contextlib.suppress(Exception):
                    self._answers[key] = look()

            asking = threading.Thread(target=answer, name="nbagent completion", daemon=True)
            self._asking[key] = asking
            asking.start()
        asking.join(WAIT_S)
        return self._answers.get(key, ())
