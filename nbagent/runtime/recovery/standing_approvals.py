"""Which tools a person has approved for all calls ("Always"): in this kernel, by agents of one name. Any thread.

Held in memory alone, never stored: it ends with the kernel, or when a person ends it. Only a tool that is bound to
the kernel can be approved so.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.tools import Tool

_lock = threading.Lock()
_granted: dict[tuple[str, str], Callable[..., Any]] = {}  # by agent and tool: the function that was approved


def kernel_bound_tools(agent: ResolvedAgent) -> tuple[Tool, ...]:
    """Return the tools of an agent that work on this kernel's variables, its members' included."""
    own = tuple(tool for tool in getattr(agent.spec, "tools", ()) if tool.options.kernel_bound)
    return own + tuple(tool for member in agent.members for tool in kernel_bound_tools(member))


def is_kernel_bound(agent: ResolvedAgent, tool_name: str) -> bool:
    """Say whether the agent's tool of this name is one."""
    return _tool(agent, tool_name) is not None


async def decided(
    agent: ResolvedAgent, tool_name: str, ask: Callable[[], Awaitable[Decision]], *, stands: bool
) -> Decision:
    """Return what a person has decided for all calls, where that `stands`, or what is decided on this one now."""
    if stands and holds(agent, tool_name):
        return Decision(approved=True, reason="approved for all calls")
    decision = await ask()
    if decision.approved and decision.always and (tool := _tool(agent, tool_name)) is not None:
        with _lock:
            _granted[agent.spec.name, tool_name] = tool.function
    return decision


def refusal(agent: ResolvedAgent, call: PendingApproval | None, decision: Decision) -> str | None:
    """Say why a decision that comes through the record is not heard: who can write to that would have code run here."""
    if not decision.approved or call is None:
        return None
    if is_kernel_bound(agent, call.name):
        return f"an approval of {call.name} that came through the record was refused"
    if decision.by_other and decision.arguments is not None and not _is_editable(agent, call.name):
        return f"an approval of {call.name} by another user, with changed arguments, was refused"
    return None


def holds(agent: ResolvedAgent, tool_name: str) -> bool:
    """Say whether a call needs no person any more: the very function that was approved, not another of its name."""
    tool = _tool(agent, tool_name)
    with _lock:
        return tool is not None and _granted.get((agent.spec.name, tool_name)) == tool.function


def granted_to(agent_name: str) -> tuple[str, ...]:
    """Return the names of the tools that agents of this name call without asking."""
    with _lock:
        return tuple(tool for agent, tool in _granted if agent == agent_name)


def end(agent_name: str | None = None) -> tuple[str, ...]:
    """Ask again from now on, for this agent's calls or for all; return the names of the tools."""
    with _lock:
        ended = [key for key in _granted if agent_name in (None, key[0])]
        for key in ended:
            del _granted[key]
    return tuple(tool for _, tool in ended)


def _is_editable(agent: ResolvedAgent, name: str) -> bool:
    own = [tool for tool in getattr(agent.spec, "tools", ()) if tool.name == name]
    return bool(own) and all(tool.options.editable_by_others for tool in own)


def _tool(agent: ResolvedAgent, name: str) -> Tool | None:
    own = (tool for tool in getattr(agent.spec, "tools", ()) if tool.name == name)
    return next((tool for tool in own if tool.options.kernel_bound), None)
