"""Which workers serve an agent, as the record's table of workers has it. Any thread; reads the record."""

from __future__ import annotations

from time import monotonic

from nbagent.core import one_line
from nbagent.errors import StoreError
from nbagent.store import RunStore, WorkerRow, load_waiting, load_workers

SEEN_S = 5.0  # who launches many asks no more often
_seen: dict[tuple[str, str], float] = {}  # when an address of a record was seen to be served


def served_addresses(store: RunStore) -> frozenset[str]:
    """Return the addresses that some worker takes runs of; none where the record cannot be read now."""
    try:
        return frozenset(address for worker in _at_work(store) for address in worker.addresses)
    except StoreError:
        return frozenset()


def nobody_serves(store: RunStore, address: str) -> str | None:
    """Return what to tell of a run that waits for a worker where there is none for it, in two lines; else None."""
    if monotonic() - _seen.get((store.name, address), -SEEN_S) < SEEN_S:
        return None
    found = _at_work(store)
    if any(address in worker.addresses for worker in found):
        _seen[store.name, address] = monotonic()
        return None
    others = "none is at work" if not found else f"{len(found)} at work, for other agents"
    return (
        f"no worker serves {address!r} ({others}): the run waits\n"
        f"start one: nbagent worker {address} --store {store.name}"
    )


def waits_for_worker(store: RunStore, run_id: str) -> str | None:
    """Return in a line what a run waits for where that is a worker; None for all others, and where nobody can say."""
    try:
        waiting = next((one for one in load_waiting(store) if one.run_id == run_id), None)
        if waiting is None:
            return None
        told = waiting.waits_for or nobody_serves(store, waiting.address)
    except StoreError:
        return None
    first = told.splitlines()[0] if told else ""
    return one_line(": ".join(filter(None, ("waits for a worker", first))))


def _at_work(store: RunStore) -> list[WorkerRow]:
    return [one for one in load_workers(store) if not one.is_gone and not one.draining]
