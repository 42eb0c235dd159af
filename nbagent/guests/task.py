"""What a guest's file is given of a run, and our history in the forms that frameworks take."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nbagent.events import Message
from nbagent.guests.guest_spec import Description
from nbagent.guests.member_runs import MemberRuns
from nbagent.guests.reporter import Reporter
from nbagent.schemas import OutputSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestTask:
    """One run of a guest: `schema` is the one that was asked for, None where that is the guest's own.

    `report` is told what happens in it, `members` who works for it in a run of its own.
    What a framework does not take as a type it is given as JSON Schema; the answer is checked here in any case.
    """

    run_id: str
    prompt: str
    history: Sequence[Message]
    schema: OutputSchema | None
    report: Reporter
    members: MemberRuns
    input: Callable[..., Any] | None = None
    output: Callable[..., Any] | None = None

    def called_with(self, otherwise: Callable[[], Any]) -> Any:
        """Return what the guest is called with: what `input` makes of prompt and history, else the usual."""
        return otherwise() if self.input is None else call_fitting(self.input, self.prompt, self.history)


class Framework(Protocol):
    """A guest's file: one framework's agents. None of its functions is called before an object of it is there."""

    FRAMEWORK: str

    def describe(self, obj: Any) -> Description:
        """Say what is known before a run. Raises ConfigurationError for an object that cannot be a guest."""
        ...

    async def run(self, obj: Any, task: GuestTask) -> Any:
        """Run it, report what happens and return its output."""
        ...


def call_fitting(function: Callable[..., Any], prompt: str, history: Sequence[Message]) -> Any:
    """Call a user's function with the prompt, and with the history too where it takes a second argument."""
    try:
        taken = [
            one for one in inspect.signature(function).parameters.values()
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]  # fmt: skip
    except (TypeError, ValueError):  # a callable without a signature
        return function(prompt)
    if len(taken) > 1 and (taken[1].default is taken[1].empty or taken[1].name == "history"):
        return function(prompt, as_dicts(history))
    return function(prompt)


def as_dicts(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages as most frameworks take them: those of Chat Completions."""
    return [_as_dict(message) for message in messages]


def _as_dict(message: Message) -> dict[str, Any]:
    data: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_requests:
        data["tool_calls"] = [
            {
                "id": one.tool_call_id,
                "type": "function",
                "function": {"name": one.name, "arguments": one.arguments},
            }
            for one in message.tool_requests
        ]
    if message.role == "tool":
        data |= {"tool_call_id": message.tool_call_id, "name": message.name}
    return data


def arguments_of(text: Any) -> Any:
    """Return a tool call's arguments as data; text that is no JSON object stays text."""
    if not isinstance(text, str):
        return text or {}
    try:
        data = json.loads(text or "{}")
    except ValueError:
        return text
    return data if isinstance(data, dict) else text
