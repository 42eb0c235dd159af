"""How a run of agno's is asked, waited for, decided on and printed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

import nbagent as nb
from nbagent import RunStatus
from nbagent.compat.agno_outputs import RunOutput
from nbagent.core import dump_json
from nbagent.errors import ConfigurationError, UnknownOptionError, WaitTimeout

_LOOK_S = 0.1  # how often it is looked whether a person is waited for


def pprint_run_response(run_response: Any, **options: Any) -> None:
    """Print the answer of a run, or of the events of one as they come."""
    del options  # how agno lays it out
    if isinstance(run_response, RunOutput):
        print(run_response.get_content_as_string())  # noqa: T201 - that is what it is for
        return
    for event in run_response:
        if isinstance(event.content, str) and not event.event.endswith("RunCompleted"):
            print(event.content, end="", flush=True)  # noqa: T201 - the same
    print()  # noqa: T201 - the same


def text_of(given: Any) -> str:
    """Return the text of an input, that of data as JSON."""
    if isinstance(given, BaseModel):
        return given.model_dump_json()
    return dump_json(given, default=str).decode() if isinstance(given, dict | list) else str(given)


def settled(run: Any, decided: Collection[str] = ()) -> RunOutput:
    """Wait for the end of a run, or until a person must decide on a call that is none of those `decided` by id."""
    while True:
        with contextlib.suppress(WaitTimeout):
            return RunOutput(run.wait(_LOOK_S))
        if _waits(run, decided):
            return RunOutput(run.output)


def _waits(run: Any, decided: Collection[str]) -> bool:
    """Say whether a person is waited for; a call that was just decided on may stand in the record for a moment yet."""
    return any(call.tool_call_id not in decided for call in run.pending_approvals)


async def asettled(run: Any, decided: Collection[str] = ()) -> RunOutput:
    """Do the same without blocking; cancelled, it cancels the run."""
    end = asyncio.ensure_future(run.finished())
    try:
        while not (await asyncio.wait({end}, timeout=_LOOK_S))[0]:
            if _waits(run, decided):
                return RunOutput(run.output)
        return RunOutput(end.result())
    except asyncio.CancelledError:
        run.cancel()
        raise
    finally:
        end.cancel()


def decided_run(response: Any, run_id: str | None, options: dict[str, Any]) -> tuple[Any, set[str]]:
    """Approve or deny the calls of a run as a person has said; return it, and their ids. Raises ConfigurationError where none was decided on."""
    required = options.pop("requirements", None)
    calls = options.pop("updated_tools", None) or (response.tools if response is not None else [])
    calls = [one.tool_execution for one in required] if required else calls
    options.pop("session_id", None)
    for word in options:
        raise UnknownOptionError(f"continue_run({word}=...) is no option", "leave it out")
    decided = [one for one in calls if one.requires_confirmation and one.confirmed is not None]
    if not decided:
        raise ConfigurationError(
            "continue_run() has no call that a person has decided on",
            "confirm() or reject() each of run_response.active_requirements first",
        )
    run = nb.get(run_id or response.run_id)
    for one in decided:
        if one.confirmed:
            changed = one.tool_args if one.tool_args != dict(one.call.arguments) else None
            run.approve(one.tool_call_id, arguments=changed)
        else:
            run.deny(one.confirmation_note or "", one.tool_call_id)
    return run, {one.tool_call_id for one in decided}


def pending_run(run: Any) -> RunOutput:
    """Return a run as it was at its launch."""
    output = run.output
    return RunOutput(output.model_copy(update={"status": RunStatus.pending, "content": None}))
