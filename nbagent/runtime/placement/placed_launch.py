"""Launch a run for workers: its row is committed with nobody at work on it, and a worker that serves it takes it up.

Called by `agent.start(on="workers")`, on any thread; on the background loop nothing is waited for. What a worker
needs is in the row: the spec as of every run, the agent's address, and the files of the prompt.
"""

from __future__ import annotations

import concurrent.futures
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from nbagent import settings
from nbagent.core import MASK, how_to_set, uuid7
from nbagent.errors import ConfigurationError, PromptError, StoreError
from nbagent.models import alternatives
from nbagent.runtime.execution.callbacks import Callbacks
from nbagent.runtime.execution.run_context import parent_run_id
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, run_launch
from nbagent.runtime.placement.addresses import address_of
from nbagent.runtime.placement.who_serves import nobody_serves, served_addresses
from nbagent.runtime.ports import LiveRun, RuntimePort
from nbagent.runtime.recovery.standing_approvals import kernel_bound_tools
from nbagent.runtime.recovery.write_builders import launch_write
from nbagent.runtime.run_handle import Run
from nbagent.runtime.scheduling.session_conflicts import busy_error, cancel_elsewhere, unfinished_elsewhere
from nbagent.runtime.timeouts import COMMIT_WAIT_S
from nbagent.spec import On
from nbagent.store import PLACED, Launch, LaunchResult, RunStore, UnfinishedRun
from nbagent.tools import Tool

FILES_MAX_BYTES = 4_000_000  # of a prompt, as base64: they are a part of the launch's row
_HERE = 'launch it in this kernel: on="kernel"'


def address_for(store: RunStore, agent: Any, on: On | None) -> str | None:
    """Return the address of an agent whose launch goes to workers; None for one that this kernel works on.

    A run that a tool launches stays with its tool unless `on` itself says otherwise. Raises ConfigurationError.
    """
    chosen = settings.get("on", on)
    if chosen == "kernel" or (on is None and parent_run_id() is not None):
        return None
    if store.mirror is None:
        raise ConfigurationError(
            f"workers take runs from a record on Postgres, and this one is the file {store.name!r}",
            f"""set {how_to_set("store", '"postgresql://host/team"')}, or {_HERE}""",
        )
    source = getattr(agent, "changed_from", None) or agent
    address = address_of(source, partial(served_addresses, store))
    if source is not agent:
        _check_same_tools(agent.resolved(), source.resolved(), address)
    return address


def launch_placed(
    runtime: RuntimePort,
    agent: ResolvedAgent,
    request: LaunchRequest,
    *,
    here: Callable[[str], Sequence[LiveRun]],
    callbacks: Callbacks | None = None,
) -> Run:
    """Launch for workers and return the run's handle, once the row is committed, or after 2 s with a warning.

    `here` are the unfinished runs of this kernel in a session. Raises ConfigurationError for what this kernel
    alone can work on, PromptError, RunIdInUseError and SessionBusyError.
    """
    if not request.prompt.strip():
        raise PromptError("the prompt is empty", "write what the agent should do")
    if callbacks is not None:
        raise ConfigurationError(
            "on_event and on_text hear of runs that this kernel works on, and a worker works on this one",
            f"read run.text, wait for it, or {_HERE}",
        )
    check_placed(agent)
    _check_files(request)
    session_id = request.session_id or str(uuid7())
    if request.in_session and request.on_busy in {"reject", "cancel"}:
        elsewhere = () if runtime.thread.is_current() else unfinished_elsewhere(runtime.store, session_id)
        _make_room(runtime, session_id, request.on_busy, here(session_id), elsewhere)
    launch = run_launch(agent, request, session_id)
    return commit_placed(runtime, _row(launch_write(launch, agent, request), request))


def commit_placed(runtime: RuntimePort, write: Launch) -> Run:
    """Write the row of a launch for workers and return the run's handle; see `launch_placed`."""
    store, run_id = runtime.store, write.row["run_id"]
    written: concurrent.futures.Future[LaunchResult] = store.submit(write)
    run = Run(run_id, write.row["session_id"], runtime=runtime)
    if runtime.thread.is_current():
        return run
    try:
        if written.result(COMMIT_WAIT_S).cancelled:
            runtime.cancel(run_id)
    except concurrent.futures.TimeoutError:
        trouble = store.trouble or f"the record {store.name!r} is busy"
        warnings.warn(f"run {run_id} waits for workers, but is not recorded yet: {trouble}", stacklevel=5)
        return run
    warn_if_unserved(store, write.row["address"])
    return run


def _row(write: Launch, request: LaunchRequest) -> Launch:
    placed: dict[str, Any] = {"address": request.address, "cache": request.cache, "on_busy": request.on_busy}
    if request.files:
        placed["files"] = [asdict(file) for file in request.files]
    row = {**write.row, "owner": PLACED, "placement": PLACED, "address": request.address, "placed": placed}
    return replace(write, row=row)


def _make_room(
    runtime: RuntimePort,
    session_id: str,
    on_busy: str,
    here: Sequence[LiveRun],
    elsewhere: Sequence[UnfinishedRun],
) -> None:
    """Do what a launch does while its session is busy; one that queues has its turn by its number."""
    if on_busy == "reject" and (here or elsewhere):
        first = elsewhere[0] if elsewhere else None
        raise busy_error(session_id, *((first.label or first.run_id, first.owner) if first else ()))
    if on_busy == "cancel":
        for one in reversed(here):
            runtime.thread.soon(one.stop, "cancelled")
        cancel_elsewhere(runtime.store, elsewhere)


def warn_if_unserved(store: RunStore, address: str) -> None:
    """Say of a launch that no worker takes its runs, where that is known."""
    try:
        told = nobody_serves(store, address)
    except StoreError:  # the launch is there; who serves it is asked again by whoever looks
        return
    if told:
        warnings.warn(told, stacklevel=6)


# ------------------------------------------------------------------------------- what cannot go


def check_placed(agent: ResolvedAgent) -> None:
    """Refuse an agent with what only this kernel has. Raises ConfigurationError."""
    for one in _family(agent):
        name = one.spec.name
        if any(getattr(model, "has_given_key", False) for model in alternatives(one.model)):
            raise ConfigurationError(
                f"agent {name!r} has its key as api_key=, and keys go to no worker",
                "leave api_key= out: a worker reads the provider's variable from its own environment",
            )
        if MASK in str(one.spec.settings.shown().get("extra_body", "")):
            raise ConfigurationError(
                f"agent {name!r} has a secret in extra_body, which is not in the record for a worker to find",
                f"leave it out, or {_HERE}",
            )
        schema = one.spec.output_schema
        if schema is not None and "__main__." in (schema.content_type or ""):
            raise ConfigurationError(
                f"the output schema {schema.content_type!r} was made in this notebook, where no worker finds it",
                "write it into the agent's module (%%agent_module does), or give its JSON Schema",
            )
    if bound := kernel_bound_tools(agent):
        raise ConfigurationError(
            f"{', '.join(dict.fromkeys(tool.name for tool in bound))}: tools of nb.notebook belong to this kernel",
            f"leave them out, or {_HERE}",
        )


def _check_files(request: LaunchRequest) -> None:
    size = sum(len(file.data) for file in request.files)
    if size > FILES_MAX_BYTES:
        raise ConfigurationError(
            f"the files of the prompt have {size:,} bytes, and a launch for workers takes {FILES_MAX_BYTES:,}",
            f"put them where the worker's tools read them, or {_HERE}",
        )


def _family(agent: ResolvedAgent) -> Iterable[ResolvedAgent]:
    yield agent
    for member in agent.members:
        yield from _family(member)


def _check_same_tools(changed: ResolvedAgent, source: ResolvedAgent, address: str) -> None:
    """Refuse tools that the agent at the address has not: a worker has no others. Raises ConfigurationError."""
    theirs = {tool.fingerprint for tool in _tools(source)}
    missing = [tool.name for tool in _tools(changed) if tool.fingerprint not in theirs]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)}: no tools of {address!r}, which is what a worker runs",
            f"give them to the agent in its module, or {_HERE}",
        )


def _tools(agent: ResolvedAgent) -> tuple[Tool, ...]:
    return tuple(getattr(agent.spec, "tools", ()))
