"""What a person makes of an opened run: thumbs and notes, which are scores of it, and a fork from one of its steps.

Commands of the table, on the background loop; what reads or writes the store has a thread of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbagent import runtime
from nbagent.core import run_in_daemon_thread
from nbagent.errors import NBAgentError
from nbagent.panel.commands import add_commands
from nbagent.panel.details.view import send_details_again
from nbagent.panel.table.row_commands import answer, launch_again

THUMBS, NOTE = "thumbs", "note"


async def _score(content: Mapping[str, Any]) -> None:
    """Write thumbs up or down, with the note that stands beside them, or the note alone."""
    run_id, value = content["run_id"], content.get("value")
    note = str(content.get("note") or "").strip()
    name, given = (THUMBS, value) if isinstance(value, bool) else (NOTE, note)
    if given == "":
        return
    comment = note or None if name == THUMBS else None
    problem = []
    try:
        await run_in_daemon_thread(lambda: runtime.current().get(run_id).score(name, given, comment))
    except NBAgentError as error:
        problem = [error.what, error.todo]
    answer({"command": "score", "run_id": run_id, "error": problem or None})
    await send_details_again(run_id)


async def _fork(content: Mapping[str, Any]) -> None:
    """Launch a run that begins after that step, with the prompt as it was edited."""
    run_id, step = content["run_id"], content.get("step")
    prompt = str(content.get("prompt") or "").strip() or None
    if isinstance(step, int):
        await launch_again("fork", run_id, lambda: runtime.current().get(run_id).fork(step, prompt=prompt))


add_commands(score=_score, fork=_fork)
