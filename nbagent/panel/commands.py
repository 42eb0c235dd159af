"""What a click in the table does: cancel many, retry, resume, a batch's rows again. On the background loop, the work in threads of its own.

Registered with `shown.py`, which hears commands on the control channel and the comm and performs each id once. A
command that fails tells the panels why, in its two lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from nbagent import runtime
from nbagent.core import run_in_daemon_thread
from nbagent.errors import NBAgentError
from nbagent.panel.card import display
from nbagent.panel.table import batches
from nbagent.panel.table.widget import tables
from nbagent.runtime import Run

_log = logging.getLogger("nbagent")


async def _retry(run_id: str) -> None:
    await _again("retry", run_id, lambda: runtime.current().retry(run_id))


async def _resume(run_id: str) -> None:
    run = await _again("resume", run_id, lambda: runtime.current().resume(run_id))
    if run is not None:
        display.revive(run)


async def _again(command: str, run_id: str, work: Callable[[], Run]) -> Run | None:
    """Do the work, and tell the panels how it went."""
    said: dict[str, Any] = {"command": command, "run_id": run_id}
    try:
        run = await run_in_daemon_thread(work)
    except NBAgentError as error:
        _tell({**said, "error": [f"{command}: {error.what}", error.todo]})
        return None
    except Exception as error:  # noqa: BLE001 - a click must get an answer; whatever it is, no run is hurt by it
        _log.exception("%s of run %s failed", command, run_id)
        _tell({**said, "error": [f"{command} failed: {error!r:.300}", "the kernel's log has the traceback"]})
        return None
    _tell({**said, "new_id": run.run_id})
    return run


def _tell(said: dict[str, Any]) -> None:
    for table in tables():
        table.widget.send({"said": said})


async def _cancel_all(_: str) -> None:
    for batch in batches.here().values():
        batch.cancel()  # else it would ask its next rows
    for table in tables():
        await _cancel_these(table.board.unfinished())
    _tell({"command": "cancel_all", "run_id": ""})


async def _cancel_batch(batch_id: str) -> None:
    if (batch := batches.here().get(batch_id)) is not None:
        batch.cancel()
    for table in tables():
        await _cancel_these(table.board.unfinished(batch_id=batch_id))
    _tell({"command": "cancel_batch", "run_id": batch_id})


async def _retry_batch(batch_id: str) -> None:
    """Ask the rows of this kernel's batch once more that have no answer."""
    said: dict[str, Any] = {"command": "retry_batch", "run_id": batch_id}
    batch = batches.here().get(batch_id)
    if batch is None:
        _tell(
            {
                **said,
                "error": ["the batch is not this kernel's", "map the table again: answered rows are reused"],
            }
        )
        return
    batch.retry_failed()
    _tell(said)


async def _cancel_these(run_ids: list[str]) -> None:
    """Stop this kernel's runs at once, then ask the others' kernels through the store."""
    current = runtime.current()
    here = [live for run_id in run_ids if (live := current.live(run_id)) is not None]
    for live in here:
        live.stop("cancelled")
    mine = {live.record.launch.run_id for live in here}
    elsewhere = [run_id for run_id in run_ids if run_id not in mine]
    if elsewhere:
        await run_in_daemon_thread(lambda: [current.cancel(run_id) for run_id in elsewhere])


async def _resend_table(_: str) -> None:
    for table in tables():
        table.widget.send_state("table")


display.add_commands(
    retry=_retry,
    resume=_resume,
    cancel_all=_cancel_all,
    cancel_batch=_cancel_batch,
    retry_batch=_retry_batch,
    resend_table=_resend_table,
)
