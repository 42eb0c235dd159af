"""The demo brain's own request and reply: what both wire formats are read into.

Made by `chat.py` and `responses.py`, read by the brain; frozen, any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool; `arguments` is JSON text as on the wire."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation; a tool's result names its call in `tool_call_id`."""

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool on offer; `parameters` is its JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for.

    `tool_choice` is "auto", "none", "required", or the name of the tool that must be called.
    `schema` is the JSON Schema asked for; `json_object` asks for some JSON object.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    schema: dict[str, Any] | None = None
    json_object: bool = False
    parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the demo model answers: a text, or tool calls."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class BadRequestError(Exception):
    """A request that the server refuses, in the form of OpenAI's errors.

    `status` is the HTTP status, `code` OpenAI's error code, `param` the field at fault.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
