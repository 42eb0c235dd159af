"""What a click in the table does: cancel many, retry, resume, retry a batch's rows. On the background loop.

Work that reads the store has a thread of its own. A command that fails tells the panels why, in its two
lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from nbagent import runtime
from nbagent.core import run_in_daemon_thread
from nbagent.errors import NBAgentError
from nbagent.panel.card import display
from nbagent.panel.commands import add_commands, cancel_runs
from nbagent.panel.table import batches
from nbagent.panel.table.widget import tables
from nbagent.runtime import Run

_log = logging.getLogger("nbagent")


async def _retry(content: Mapping[str, Any]) -> None:
    run_id = content["run_id"]
    run = await launch_again("retry", run_id, lambda: runtime.current().retry(run_id))
    if run is not None and content.get("card"):
        display.show_instead(run_id, run)


async def _resume(content: Mapping[str, Any]) -> None:
    run_id = content["run_id"]
    run = await launch_again("resume", run_id, lambda: runtime.current().resume(run_id))
    if run is not None:
        display.revive(run)


async def _decide(content: Mapping[str, Any]) -> None:
    """Decide on a call that waits, from a row as from a card."""
    problem = await display.decide(content)
    answer({"command": content["command"], "run_id": content["run_id"], "error": problem or None})


async def launch_again(command: str, run_id: str, work: Callable[[], Run]) -> Run | None:
    """Do the work, and tell the panels how it went."""
    told: dict[str, Any] = {"command": command, "run_id": run_id}
    try:
        run = await run_in_daemon_thread(work)
    except NBAgentError as error:
        answer({**told, "error": [f"{command}: {error.what}", error.todo]})
        await display.say_problem(run_id, [error.what, error.todo])
        return None
    except Exception as error:  # noqa: BLE001 - a click must get an answer; whatever it is, no run is hurt by it
        _log.exception("%s of run %s failed", command, run_id)
        answer({**told, "error": [f"{command} failed: {error!r:.300}", "the kernel's log has the traceback"]})
        return None
    answer({**told, "new_id": run.run_id})
    return run


def answer(told: dict[str, Any]) -> None:
    """Tell the panels what a command came to."""
    for table in tables():
        table.widget.send({"said": told})


async def _cancel_all(_: Mapping[str, Any]) -> None:
    for batch in batches.own_batches().values():
        batch.cancel()  # else it would ask its next rows
    for table in tables():
        await cancel_runs(table.model.unfinished())
    answer({"command": "cancel_all", "run_id": ""})


async def _cancel_batch(content: Mapping[str, Any]) -> None:
    batch_id = content["run_id"]
    if (batch := batches.own_batches().get(batch_id)) is not None:
        batch.cancel()
    for table in tables():
        await cancel_runs(table.model.unfinished(batch_id=batch_id))
    answer({"command": "cancel_batch", "run_id": batch_id})


async def _retry_batch(content: Mapping[str, Any]) -> None:
    """Ask the rows of this kernel's batch once more that have no answer."""
    batch_id = content["run_id"]
    told: dict[str, Any] = {"command": "retry_batch", "run_id": batch_id}
    batch = batches.own_batches().get(batch_id)
    if batch is None:
        answer(
            {
                **told,
                "error": ["the batch is not this kernel's", "map the table again: answered rows are reused"],
            }
        )
        return
    batch.retry_failed()
    answer(told)


async def _resend_table(_: Mapping[str, Any]) -> None:
    for table in tables():
        table.widget.send_state("table")


add_commands(
    approve=_decide,
    deny=_decide,
    retry=_retry,
    resume=_resume,
    cancel_all=_cancel_all,
    cancel_batch=_cancel_batch,
    retry_batch=_retry_batch,
    resend_table=_resend_table,
)
