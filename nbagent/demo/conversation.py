"""Reads a conversation: what is asked now, what came before, what the tools have said.

Used by the brain; pure, any thread. The turn begins at the last message of the user that is not
a request to repair a reply, so that a repaired answer is still an answer to the question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from nbagent.demo.facts import entities
from nbagent.demo.request import Message, Request, ToolCall

_REPAIR: Final = re.compile(
    r"\b(in)?valid|validation|schema|correct(ed)? json|missing|required|did not (match|parse)", re.I
)
_CONTINUE: Final = re.compile(r"^\W*(please )?(continue|go on|carry on|keep going)\b", re.I)
_FOLLOW_UP: Final = re.compile(r"^(and|what about|how about|and what about|same for)\b", re.I)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool said: the call, the text, its JSON value (the text itself if it is none)."""

    call: ToolCall
    text: str
    value: Any

    @property
    def arguments(self) -> dict[str, Any]:
        """The call's arguments; empty if they are not a JSON object."""
        value = load_json(self.call.arguments)
        return value if isinstance(value, dict) else {}

    @property
    def failed(self) -> bool:
        """Whether the result reports an error."""
        if isinstance(self.value, dict):
            return bool(self.value.get("error"))
        return re.match(r"\W*(\w+Error\b|error\b|traceback|failed\b)", self.text, re.I) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The conversation as the brain sees it.

    `prompt` is what is asked now (a follow-up such as "And Germany?" is already spelled out),
    `system` the instructions, `history` the messages before this turn, `results` the tools' results
    in this turn, `called` every tool call of this turn, `repairs` how often a repair was asked for,
    `partial` the text that an answer has to go on from.
    """

    prompt: str
    system: str
    history: tuple[Message, ...]
    results: tuple[ToolResult, ...]
    called: tuple[ToolCall, ...]
    repairs: int
    partial: str


def load_json(text: str) -> Any:
    """Parse JSON; a text that is none comes back as it is."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def read_turn(request: Request) -> Turn:
    """Read a request's messages into the turn that is to be answered."""
    system = "\n".join(m.text for m in request.messages if m.role == "system")
    talk = [m for m in request.messages if m.role != "system"]
    start, repairs = _turn_start(talk)
    partial = talk[-1].text if talk and talk[-1].role == "assistant" else ""
    prompt = talk[start].text if talk else ""
    if _CONTINUE.match(prompt) and start >= 2 and talk[start - 1].role == "assistant":
        partial = talk[start - 1].text
        start = _last_user(talk, start - 1)
        prompt = talk[start].text
    history, now = tuple(talk[:start]), talk[start:]
    called = tuple(call for m in now for call in m.tool_calls)
    by_id = {call.call_id: call for call in called}
    results = tuple(
        ToolResult(by_id[m.tool_call_id], m.text, load_json(m.text))
        for m in now
        if m.role == "tool" and m.tool_call_id in by_id
    )
    return Turn(
        prompt=_spelled_out(prompt, history),
        system=system,
        history=history,
        results=results,
        called=called,
        repairs=repairs,
        partial=partial,
    )


def _last_user(talk: list[Message], end: int) -> int:
    return next((i for i in range(end - 1, -1, -1) if talk[i].role == "user"), 0)


def _turn_start(talk: list[Message]) -> tuple[int, int]:
    """Give the index of the question and the number of repairs asked for after it."""
    repairs = 0
    index = _last_user(talk, len(talk))
    while index > 0 and _is_repair(talk[index - 1], talk[index]):
        repairs += 1
        index = _last_user(talk, index)
    return index, repairs


def _is_repair(before: Message, message: Message) -> bool:
    looks_json = before.role == "assistant" and before.text.lstrip("` \njson")[:1] in ("{", "[")
    return looks_json and _REPAIR.search(message.text) is not None


def _spelled_out(prompt: str, history: tuple[Message, ...]) -> str:
    """Spell out "What about Germany?" with the question before it."""
    before = next((m.text for m in reversed(history) if m.role == "user"), "")
    if not before or len(prompt) > 80 or not _FOLLOW_UP.match(prompt):
        return prompt
    for kind in ("country", "city", "ticker"):
        new, old = entities(prompt, kind), entities(before, kind)
        if new and old:
            names = " and ".join(entity.name for entity in new)
            return before[: old[0].start] + names + before[old[-1].end :]
    return prompt
