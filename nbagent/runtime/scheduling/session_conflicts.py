"""The unfinished runs of a session that a launch finds, here and in other kernels: refused for, or cancelled.

For `on_busy="reject"` and `"cancel"`, on the launching thread. On the background thread, which waits for no
file, only the claim is asked about other kernels. Where the record cannot be read the claim is the only word,
too.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbagent.errors import SessionBusyError, StoreError
from nbagent.runtime.recovery.abandoned import cancel_abandoned
from nbagent.runtime.scheduling.session_queue import SessionQueue
from nbagent.runtime.timeouts import LOOK_IN_TROUBLE_S, LOOK_S
from nbagent.store import (
    PLACED,
    CancelRequest,
    RunStore,
    SessionClaim,
    UnfinishedRun,
    load_stopped,
    load_unfinished,
    process_name,
)


def claim_idle(
    store: RunStore, session_id: str, sessions: SessionQueue, *, may_read: bool
) -> SessionClaim | None:
    """Take the claim of a session without unfinished runs of other kernels; of two kernels one gets it.

    None where this kernel has it already, for runs that have just ended. Raises SessionBusyError.
    """
    here = sessions.is_here(store, session_id)
    claim = None if here else store.claims.take(session_id)
    if claim is None and not here:
        note = store.claims.note(session_id)
        raise busy_error(session_id, *((note.label or note.run_id, note.owner) if note is not None else ()))
    found = unfinished_elsewhere(store, session_id) if may_read else ()
    if found:
        if claim is not None:
            claim.release()
        raise busy_error(session_id, found[0].label or found[0].run_id, found[0].owner)
    return claim


def busy_error(session_id: str, run: str | None = None, owner: str | None = None) -> SessionBusyError:
    """Return the refusal of a launch; `run` and `owner` name the run of another kernel."""
    where = f": {run!r} of {process_name(owner)}" if owner else ""
    return SessionBusyError(
        f"session {session_id!r} has an unfinished run{where}", 'wait for it, or use on_busy="queue"'
    )


def unfinished_elsewhere(store: RunStore, session_id: str) -> tuple[UnfinishedRun, ...]:
    """The runs of a session that other kernels work on, and paused ones that they have left."""
    timeout_s = LOOK_S if store.trouble is None else LOOK_IN_TROUBLE_S
    try:
        found = load_unfinished(store, session_id, timeout_s=timeout_s)
    except StoreError:
        return ()
    return tuple(one for one in found if one.paused or not one.is_left)


def cancel_elsewhere(store: RunStore, found: Sequence[UnfinishedRun]) -> None:
    """Ask the kernels of these runs to cancel them; one that nobody has is cancelled here and now."""
    for one in reversed(found):  # the last first, so that none of them begins
        nobodys = one.owner == PLACED or (one.paused and one.is_left)
        if not (nobodys and _cancel_left(store, one.run_id)):
            store.submit(CancelRequest(run_id=one.run_id))


def _cancel_left(store: RunStore, run_id: str) -> bool:
    try:
        stopped = load_stopped(store, run_id)
        return stopped is not None and cancel_abandoned(store, stopped)
    except StoreError:
        return False
