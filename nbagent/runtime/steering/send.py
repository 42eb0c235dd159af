"""`run.send`: a person's message to a run on the way, from any kernel. On any thread.

A run that is live here takes it at once; one that another kernel works on within a second, through the store, where it
also waits for a paused run whose kernel is gone.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping
from typing import Any

from nbagent.core import show_runs, uuid7
from nbagent.errors import ConfigurationError, PromptError, StoreBusyError, UnknownNameError
from nbagent.events import Message
from nbagent.run import RunStatus
from nbagent.runtime.ports import LiveRun, RuntimePort
from nbagent.runtime.steering.inbox import is_sent
from nbagent.runtime.timeouts import DECISION_WAIT_S
from nbagent.store import RunStore, SendMessage, load_stopped

_ANEW = "start a run that goes on in its session: agent.start(..., session_id=run.session_id)"


def send_message(
    runtime: RuntimePort, store: RunStore, run_id: str, live: LiveRun | None, text: object
) -> None:
    """Send `text` to a run. Raises PromptError, ConfigurationError, UnknownNameError and StoreError."""
    if not isinstance(text, str) or not text.strip():
        raise PromptError(f"the message is {text!r}", "write what the model should be told")
    message = SendMessage(run_id, str(uuid7()), text)
    if live is None:
        runtime.thread.forbid_blocking("run.send() to another kernel's run")
        _send_through(store, message)
    elif runtime.thread.is_current():
        put(live, message)
    else:
        runtime.thread.submit(_put(live, message)).result(DECISION_WAIT_S)


async def _put(live: LiveRun, message: SendMessage) -> None:
    put(live, message)


def put(live: LiveRun, message: SendMessage) -> None:
    """Hand a message to a live run. Raises ConfigurationError; on the background loop."""
    launch, record = live.record.launch, live.record
    refused = refusal(launch.run_id, launch.kind, launch.batch_id, record.status)
    if refused is None:
        if not live.receive(message):
            raise _ended(launch.run_id, "ending")
    # an answer given again has what its run was sent the first time: a notebook run again sends it again
    elif record.cached_from is None or not _has_heard(record.messages, message.text):
        raise refused


def _has_heard(messages: list[Message], text: str) -> bool:
    return any(is_sent(one) and one.content == text for one in tuple(messages))


def refusal(run_id: str, kind: str, batch_id: str | None, status: RunStatus) -> ConfigurationError | None:
    """Return why a run takes no message; None for one that does."""
    if status.is_final:
        return _ended(run_id, status.value)
    if kind not in {"agent", "team"}:
        return ConfigurationError(
            f"run {run_id!r} is one of a guest: its framework takes no message on the way",
            "cancel it and start it with another prompt",
        )
    if batch_id is not None:
        return ConfigurationError(
            f"run {run_id!r} is a row of batch {batch_id!r}: rows are asked alike",
            "say it in the batch's template, or start a run for this row alone",
        )
    return None


def _ended(run_id: str, status: str) -> ConfigurationError:
    return ConfigurationError(f"run {run_id!r} is {status}: it takes no message any more", _ANEW)


def _send_through(store: RunStore, message: SendMessage) -> None:
    """Let the kernel that works on a run know, or whoever takes it up."""
    stopped = load_stopped(store, message.run_id)
    if stopped is None:
        raise UnknownNameError(f"no run {message.run_id!r} in {str(store.name)!r}", show_runs())
    row: Mapping[str, Any] = stopped.row
    refused = refusal(message.run_id, row["kind"] or "agent", row["batch_id"], stopped.output.status)
    if refused is not None:
        raise refused
    try:
        store.submit(message).result(DECISION_WAIT_S)
    except concurrent.futures.TimeoutError:
        raise StoreBusyError(
            f"the message to run {message.run_id!r} is not recorded yet: {store.trouble or 'the store is busy'}",
            "it waits in memory and is written when the store can be",
        ) from None
