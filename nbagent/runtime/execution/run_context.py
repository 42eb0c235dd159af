"""Which run a launch comes from: a run launched inside a tool is a child of the run that called the tool.

A context variable, set in each run's task and copied into its tools' threads. A child takes no turn in any
session: its parent, or a run that waits for its parent, may hold that session until the child has ended. What
is stopped with what is in `run_tree.py`.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import replace

from nbagent.errors import ConfigurationError
from nbagent.loop import current_tool_call
from nbagent.runtime.launch.request import LaunchRequest

RUN_TASK = "nbagent-run-"  # what the name of each run's task begins with
MAX_DEPTH = 16  # a tool that launches the agent whose tool it is would never come to an end

_ancestors: ContextVar[tuple[str, ...]] = ContextVar("nbagent_ancestors", default=())


def set_current_run(run_id: str) -> None:
    """Say that what follows in this context is the work of this run."""
    _ancestors.set((*_ancestors.get(), run_id))


def parent_run_id() -> str | None:
    """Return the run that the calling code belongs to, None outside of tools."""
    ancestors = _ancestors.get()
    return ancestors[-1] if ancestors else None


def ancestor_ids() -> tuple[str, ...]:
    """Return the runs that the calling code belongs to, the outermost first."""
    return _ancestors.get()


def as_child(request: LaunchRequest) -> LaunchRequest:
    """Return the launch as that of a child where it is one. Raises ConfigurationError if nested too deep."""
    parent = request.parent_run_id or parent_run_id()
    if parent is None:
        return request
    if len(_ancestors.get()) >= MAX_DEPTH:
        raise ConfigurationError(
            f"runs are nested {MAX_DEPTH} deep: tools launch runs whose tools launch runs",
            "give the inner agent other tools",
        )
    call = request.tool_call or current_tool_call()
    return replace(request, parent_run_id=parent, on_busy="parallel", tool_call=call)
