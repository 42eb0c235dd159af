"""A request of either wire format, read into one form, and the turn of its conversation. Pure functions, any thread.

`wire.json` holds the JSON Schema of both formats; what does not fit is refused as OpenAI does, naming the parameter.
The tokenizer is the demo's own: a token is up to six letters or three digits with the blank before them, one other
sign, or white space. Its counts are stable and plausible, and no real model's. A turn begins at the last message of the
user that does not ask to repair a reply, so that a repaired answer is still an answer to the question.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsonschema_rs
import orjson

from nbagent.demo.facts import SCRIPT, find_places

WIRE: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "wire.json").read_text(encoding="utf-8")
)
_TOKEN: Final = re.compile(r" ?[^\W\d]{1,6}| ?\d{1,3}| ?[^\w\s]|\s+")
_PER_MESSAGE: Final = 4  # role and separators, as real chat formats have them
_REPAIR: Final = re.compile(
    r"\b(in)?valid|schema|correct(ed)? json|missing|required|did not (match|parse)", re.I
)
_CONTINUE: Final = re.compile(r"^\W*(please )?(continue|go on|carry on|keep going)\b", re.I)
_FOLLOW_UP: Final = re.compile(r"^(and|what about|how about|and what about|same for)\b", re.I)
_ERROR: Final = re.compile(r"\W*(\w+Error\b|error\b|traceback|failed\b)", re.I)
_KINDS: Final = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error"}


class BadRequestError(Exception):
    """A request that the server refuses: the HTTP status, OpenAI's error code, and the field at fault."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = _KINDS.get(status, "invalid_request_error")
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def failure() -> BadRequestError:
    """Make the error of the model that always fails."""
    return BadRequestError("the demo model failed, as this one always does", status=500, code="server_error")


class ToolCall(NamedTuple):
    """One call of a tool; `arguments` is JSON text as on the wire."""

    call_id: str
    name: str
    arguments: str


class Message(NamedTuple):
    """One message of a conversation; a tool's result names its call in `tool_call_id`."""

    role: str
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


class Request(NamedTuple):
    """What a client asks for: `body` is all of it as it came, `tools` are functions, `schema` is a JSON Schema."""

    body: dict[str, Any]
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    schema: dict[str, Any] | None
    most_tokens: int | None

    @property
    def persona(self) -> str:
        """The model's name, without the demo's prefix."""
        return str(self.body["model"]).removeprefix("demo:").removeprefix("demo-")

    def due_s(self, piece: int) -> float:
        """Say when a piece of the reply is due, in seconds after the work began."""
        pace = SCRIPT["personas"][self.persona]
        return float(pace["first_s"] + piece / pace["per_s"])


class Reply(NamedTuple):
    """What the demo model answers: a text, or tool calls; `cut` where a limit ended the text."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    cut: bool = False


def read_chat(body: dict[str, Any]) -> Request:
    """Read the body of a Chat Completions request; BadRequestError where something is missing or malformed."""
    form = (body.get("response_format") or {}) if _check(body, "chat") else {}
    tools = [tool["function"] for tool in body.get("tools") or []]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return _request(body, body["messages"], tools, (form.get("json_schema") or {}).get("schema"), limit)


def read_responses(body: dict[str, Any]) -> Request:
    """Read the body of a Responses request; BadRequestError where something is missing or malformed."""
    form = ((body.get("text") or {}).get("format") or {}) if _check(body, "responses") else {}
    said: list[dict[str, Any]] = []
    if body.get("instructions"):
        said.append({"role": "system", "content": body["instructions"]})
    asked = body["input"]
    for item in [{"role": "user", "content": asked}] if isinstance(asked, str) else asked:
        match item.get("type"):  # each as the message that it is in Chat Completions
            case "function_call":
                said.append({"role": "assistant", "tool_calls": [{"id": item["call_id"], "function": item}]})
            case "function_call_output":
                said.append({"role": "tool", "tool_call_id": item["call_id"], "content": item.get("output")})
            case None | "message":
                said.append(item)
    return _request(body, said, body.get("tools") or [], form.get("schema"), body.get("max_output_tokens"))


def _request(body: dict[str, Any], said: list[Any], tools: list[Any], schema: Any, limit: Any) -> Request:
    functions = [{key: tool[key] for key in tool if tool[key] is not None} for tool in tools]
    offered = tuple({"description": "", "parameters": {}} | function for function in functions)
    return Request(body, tuple(map(_message, said)), offered, schema, limit)


@cache
def _validator(wire: str) -> Any:
    return jsonschema_rs.validator_for(WIRE[wire] | {"$defs": WIRE["$defs"]})


def _check(body: dict[str, Any], wire: str) -> bool:
    for error in _validator(wire).iter_errors(body):
        path = [*error.instance_path, *([error.kind.property] if hasattr(error.kind, "property") else [])]
        param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        no_model = param == "model" and isinstance(body.get("model"), str)
        status, code = (404, "model_not_found") if no_model else (400, None)
        raise BadRequestError(f"{param}: {error.message:.300}", status=status, code=code, param=param)
    return True


def _message(message: dict[str, Any]) -> Message:
    """Read a message; media that the demo cannot look at become a note."""
    content, role = message.get("content") or "", message["role"].replace("developer", "system")
    if not isinstance(content, str):
        parts = (p.get("text") or p.get("refusal") or f"[{p.get('type')}: not read]" for p in content)
        content = "\n".join(map(str, parts))
    functions = [(call["id"], call["function"]) for call in message.get("tool_calls") or []]
    calls = tuple(ToolCall(call_id, f["name"], f["arguments"] or "{}") for call_id, f in functions)
    return Message(role, content, calls, message.get("tool_call_id") or "")


def count_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def cut_tokens(text: str, most: int) -> tuple[str, bool]:
    """Cut a text to at most `most` tokens; say whether something was cut off."""
    last = next(islice(_TOKEN.finditer(text), most, None), None)
    return (text, False) if last is None else (text[: last.start()], True)


def split_pieces(text: str) -> list[str]:
    """Split a text into the word-like pieces that are streamed; they join to the text exactly."""
    return re.findall(r"\s*[^\s]{1,14}|\s+", text)


def usage(request: Request, reply: Reply) -> tuple[int, int]:
    """Count the input's tokens (messages, tool calls, tools on offer, schema) and the output's."""
    asked = sum(_size(message) + _PER_MESSAGE for message in request.messages)
    asked += sum(count_tokens(f"{tool['name']} {tool['description']}") for tool in request.tools)
    parts = [tool["parameters"] for tool in request.tools] + [request.schema]
    return asked + sum(count_tokens(orjson.dumps(part).decode()) for part in parts if part), _size(reply)


def _size(said: Message | Reply) -> int:
    texts = (text for call in said.tool_calls for text in (call.name, call.arguments))
    return count_tokens(said.text) + sum(map(count_tokens, texts))


class ToolResult(NamedTuple):
    """What a tool said: its name, the call's arguments, the JSON value (the text if it is none), the error in it."""

    name: str
    arguments: dict[str, Any]
    value: Any
    error: str | None


class Turn(NamedTuple):
    """What is asked in `prompt`, with a follow-up such as "And Germany?" spelled out.

    `history` are the messages before this turn, `results` the tools' results in it, `called` every tool call of it,
    `repairs` how often a repair was asked for, `partial` the text that an answer has to go on from.
    """

    prompt: str = ""
    system: str = ""
    history: tuple[Message, ...] = ()
    results: tuple[ToolResult, ...] = ()
    called: tuple[ToolCall, ...] = ()
    repairs: int = 0
    partial: str = ""


def load_json(text: str | bytes) -> Any:
    """Parse JSON; what is none comes back as it is."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def read_turn(messages: tuple[Message, ...]) -> Turn:
    """Read a request's messages into the turn that is to be answered."""
    talk = [message for message in messages if message.role != "system"]
    start, repairs = _last_user(talk, len(talk)), 0
    while start > 0 and _is_repair(talk[start - 1], talk[start]):
        start, repairs = _last_user(talk, start), repairs + 1
    partial = talk[-1].text if talk and talk[-1].role == "assistant" else ""
    if start >= 2 and _CONTINUE.match(talk[start].text) and talk[start - 1].role == "assistant":
        partial, start = talk[start - 1].text, _last_user(talk, start - 1)
    history, now = tuple(talk[:start]), talk[start:]
    called = tuple(call for message in now for call in message.tool_calls)
    by_id = {call.call_id: call for call in called}
    return Turn(
        prompt=_spelled_out(now[0].text, history) if now else "",
        system="\n".join(message.text for message in messages if message.role == "system"),
        history=history,
        results=tuple(_result(by_id[m.tool_call_id], m.text) for m in now if m.tool_call_id in by_id),
        called=called,
        repairs=repairs,
        partial=partial,
    )


def _last_user(talk: list[Message], end: int) -> int:
    return next((i for i in range(end - 1, -1, -1) if talk[i].role == "user"), 0)


def _is_repair(before: Message, message: Message) -> bool:
    looks_json = before.role == "assistant" and before.text.lstrip("` \njson")[:1] in ("{", "[")
    return looks_json and _REPAIR.search(message.text) is not None


def _result(call: ToolCall, text: str) -> ToolResult:
    arguments, value = load_json(call.arguments), load_json(text)
    arguments = arguments if isinstance(arguments, dict) else {}
    error = value.get("error") if isinstance(value, dict) else text if _ERROR.match(text) else None
    return ToolResult(call.name, arguments, value, str(error) if error else None)


def _spelled_out(prompt: str, history: tuple[Message, ...]) -> str:
    """Spell out "What about Germany?" with the question before it."""
    before = next((m.text for m in reversed(history) if m.role == "user"), "")
    if len(prompt) <= 80 and _FOLLOW_UP.match(prompt):
        for kind in ("country", "city", "ticker"):
            new, old = find_places(prompt, kind), find_places(before, kind)
            if new and old:
                return before[: old[0][1]] + " and ".join(name for name, _, _ in new) + before[old[-1][2] :]
    return prompt
