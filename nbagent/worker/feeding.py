"""The batches that this worker has: taken up on its threads, confirmed with each word that it gives of itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from nbagent.batch import Feeder, FeedLease, take_up_batch
from nbagent.runtime import ResolvedAgent
from nbagent.store import RunStore, placed_batches


class Feeders:
    """One worker's. `left_by` says of a process why it works no longer on what it has begun."""

    def __init__(
        self,
        store: RunStore,
        left_by: Callable[[str], str | None],
        is_draining: Callable[[], bool],
    ) -> None:
        self._store = store
        self._lease = FeedLease(left_by=left_by, is_draining=is_draining, claim=self._claim)
        self._at_work: dict[str, Feeder] = {}
        self._taking = threading.Lock()

    def take_up(self, batch_id: str, agents: Sequence[ResolvedAgent]) -> Feeder | None:
        """Take up a batch; None where it is none, or somebody works on it. Raises as `take_up_batch`."""
        with self._taking:  # the engine may hand out a batch twice at once
            feeder = self._at_work.get(batch_id) or take_up_batch(batch_id, agents, self._lease)
            if feeder is not None:
                self._at_work[batch_id] = feeder
            return feeder

    def confirm(self, connection: Any) -> None:
        """Look whose the batches are that are at work here."""
        feeders = dict(self._at_work)
        if not feeders:
            return
        asked_s = monotonic()
        owned = placed_batches.owned_batches(connection, feeders, self._store.owner)
        for batch_id, feeder in feeders.items():
            if batch_id in owned:
                feeder.confirm(asked_s)
            elif not feeder.finished.done():
                feeder.lose()

    def let_go(self, feeder: Feeder) -> None:
        """Have one no longer; one that was given up is for any worker again."""
        if self._at_work.get(feeder.batch_id) is feeder:
            del self._at_work[feeder.batch_id]
        if feeder.is_given_up:
            with self._server() as connection:
                placed_batches.release_batch(connection, feeder.batch_id, self._store.owner)

    def _claim(self, batch_id: str, before: str) -> bool:
        with self._server() as connection:
            return placed_batches.claim_batch(connection, batch_id, owner=self._store.owner, before=before)

    def _server(self) -> Any:
        assert self._store.mirror is not None
        return self._store.mirror.server()
