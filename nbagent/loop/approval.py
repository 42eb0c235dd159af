"""Tool calls that wait for a person: which ones, with which arguments, and what a denied one tells the model.

Called by `agent_loop.py` on the background loop. A guarded call's arguments are read once: what a person has
agreed to is what the function gets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbagent.core import dump_json, run_in_daemon_thread, utc_now
from nbagent.events import Message, PendingApproval, ToolCall, ToolRequest
from nbagent.spec import AgentSpec
from nbagent.tools import Tool, parse_arguments, plain_arguments

_CHANGED = "A person changed the arguments to {arguments} and approved the call. Its result:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's decision on one call; `arguments` replace the model's, None keeps them.

    `always` approves further calls of this tool too, by agents of this name in this kernel: only a tool that is
    bound to the kernel can be approved so, and it is kept nowhere else. `by_other`: somebody decided who is another
    user of a team's record than the run's.
    """

    approved: bool
    reason: str = ""
    arguments: Mapping[str, Any] | None = None
    always: bool = False
    by_other: bool = False


Approve = Callable[[PendingApproval], Awaitable[Decision]]


async def deny_all(call: PendingApproval) -> Decision:
    """Deny: what needs a person must not run where there is none."""
    return Decision(approved=False, reason=f"nobody is there to approve {call.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedCalls:
    """A call of a tool that wants approval. `call` is what a person is shown, None where nobody has to agree.

    `arguments` are in the types of the signature; `error` is why there are none. `shown` is what a person decides
    on, as text that nothing can change afterwards.
    """

    request: ToolRequest
    call: PendingApproval | None = None
    arguments: Mapping[str, Any] | None = None
    error: BaseException | None = None
    note: str = ""
    shown: str = ""

    @property
    def is_as_shown(self) -> bool:
        """True if the call that a person looked at still says what it said when it was put before them."""
        return self.call is None or _text_of(self.call.arguments) == self.shown

    def read(self, tool: Tool, text: str) -> Mapping[str, Any]:
        """Return the arguments, in the place of `parse_arguments`. Raises what reading them raised."""
        if self.error is not None:
            raise self.error
        return self.arguments if self.arguments is not None else parse_arguments(tool, text)

    def changed(self, arguments: Mapping[str, Any] | None) -> GuardedCalls:
        """Return the call with what a person made of its arguments; None leaves them."""
        if arguments is None or self.call is None:
            return self
        text = _text_of(arguments)
        return GuardedCalls(
            request=replace(self.request, arguments=text),
            call=replace(self.call, arguments=dict(arguments)),
            note=_CHANGED.format(arguments=text),
            shown=text,
        )


def _text_of(arguments: Mapping[str, Any]) -> str:
    return dump_json(arguments).decode()


async def guard(spec: AgentSpec, request: ToolRequest, step: int, *, held: bool) -> GuardedCalls:
    """Read a call's arguments and find out whether a person has to agree to it; `held` calls waited before.

    Arguments that do not fit are the model's to mend: no person is asked. Where the tool's own function
    cannot say whether a call needs approval, it does.
    """
    tool = next((tool for tool in spec.tools if tool.name == request.name), None)
    if tool is None:
        return GuardedCalls(request=request)
    try:
        arguments = parse_arguments(tool, request.arguments)
    except Exception as error:  # noqa: BLE001 - the border of user code: a validator may be the user's own
        return GuardedCalls(request=request, error=error)
    call = None
    if held or await _needs_a_person(tool, arguments):
        call = PendingApproval(
            step=step,
            tool_call_id=request.tool_call_id,
            name=request.name,
            arguments=plain_arguments(tool, request.arguments),
        )
    shown = _text_of(call.arguments) if call is not None else ""
    return GuardedCalls(request=request, call=call, arguments=arguments, shown=shown)


async def _needs_a_person(tool: Tool, arguments: Mapping[str, Any]) -> bool:
    says = tool.options.requires_approval
    if isinstance(says, bool):
        return says
    try:
        return bool(
            await run_in_daemon_thread(lambda: says(**arguments), name=f"nbagent-approval-{tool.name}")
        )
    except Exception:  # noqa: BLE001 - user code; whoever cannot say whether it is harmless asks
        return True


def denied(call: PendingApproval, request: ToolRequest, reason: str) -> tuple[ToolCall, Message]:
    """Return the row of a call that was denied, and what the model is told."""
    said = f": {reason}" if reason else ""
    text = f"Error: a person denied this call of {call.name!r}{said}\nIt was not run."
    row = ToolCall(
        step=call.step,
        tool_call_id=call.tool_call_id,
        name=call.name,
        arguments=request.arguments,
        status="denied",
        started_at=utc_now(),
        duration_s=0.0,
        result=text,
        error_type="ApprovalDenied",
        error=reason or "denied",
    )
    return row, Message(role="tool", content=text, tool_call_id=call.tool_call_id, name=call.name)
