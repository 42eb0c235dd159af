"""The hard cases on demand: rate limits and dropped connections (`flaky`), invalid JSON (`badjson`).

Used by the demo server's endpoints, on its event loop. Deterministic: what happens depends on the
conversation and on how often it was tried.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any, Final, Literal

import orjson

from nbagent.demo.brain import answer, asked_schema
from nbagent.demo.personas import Persona
from nbagent.demo.request import BadRequestError, Reply, Request
from nbagent.demo.schema_check import Schema, conforms, deref, type_names

Fault = Literal["rate_limit", "drop"]
RETRY_AFTER_S: Final = 0.2
_SEQUENCE: Final[tuple[Fault, ...]] = ("rate_limit", "drop")
_MOST_KEYS: Final = 10_000


class Faults:
    """How often each conversation was tried: first a rate limit, then a drop, then success."""

    def __init__(self) -> None:
        self._tries: OrderedDict[bytes, int] = OrderedDict()

    def next_fault(self, request: Request) -> Fault | None:
        """Give the fault of this try; after a success the conversation starts afresh."""
        key = conversation_key(request)
        tried = self._tries.pop(key, 0)
        if tried >= len(_SEQUENCE):
            return None
        self._tries[key] = tried + 1
        if len(self._tries) > _MOST_KEYS:
            self._tries.popitem(last=False)
        return _SEQUENCE[tried]


def conversation_key(request: Request) -> bytes:
    """Hash the messages of a request."""
    digest = hashlib.sha256()
    for message in request.messages:
        calls = "".join(call.name + call.arguments for call in message.tool_calls)
        digest.update(f"{message.role}\0{message.text}\0{calls}\1".encode(errors="replace"))
    return digest.digest()


def reply_to(request: Request, persona: Persona) -> Reply:
    """Answer as a persona does.

    Raises:
        BadRequestError: the brain stumbled over the request (500).
    """
    try:
        reply = answer(request)
        return spoiled(request, reply) if persona.name == "badjson" else reply
    except Exception as error:  # the border of the brain: whatever it is, the client is told
        raise BadRequestError(
            f"the demo model stumbled over this request: {error!r}", status=500, code="server_error"
        ) from error


def spoiled(request: Request, reply: Reply) -> Reply:
    """Make a structured reply invalid, unless a repair was asked for in this turn.

    Which way depends on the prompt: a value of the wrong type, a missing field, or cut-off text.
    """
    schema, turn = asked_schema(request)
    if schema is None or reply.tool_calls or turn.repairs:
        return reply
    variant = hashlib.sha256(turn.prompt.encode(errors="replace")).digest()[0] % 3
    return Reply(text=spoil(reply.text, schema, variant))


def spoil(text: str, schema: Schema, variant: int) -> str:
    """Break a valid JSON text: 0 wrong type, 1 missing field, 2 cut off; what cannot be is cut off."""
    value = orjson.loads(text)
    broken = _wrong_type(value, schema, schema) if variant == 0 else value
    if variant == 1 and isinstance(value, dict):
        required = _plain(schema, schema).get("required", ())
        broken = {k: v for k, v in value.items() if k not in list(required)[:1]}
    if variant < 2 and not conforms(broken, schema, schema):
        return orjson.dumps(broken).decode()
    return text[: max(1, len(text) * 2 // 3)] if text[:1] in '{["' else "{"


def _wrong_type(value: Any, schema: Schema, root: Schema) -> Any:
    """Replace the first leaf whose type can be missed; numbers become words, words numbers."""
    schema = _plain(schema, root)
    if isinstance(value, dict):
        for key, item in value.items():
            changed = _wrong_type(item, schema.get("properties", {}).get(key, {}), root)
            if changed != item:
                return value | {key: changed}
        return value
    if isinstance(value, list) and value and isinstance(schema.get("items"), dict):
        return [_wrong_type(value[0], schema["items"], root), *value[1:]]
    if isinstance(value, int | float) and type_names(schema):
        return "not a number"
    return value


def _plain(schema: Any, root: Schema) -> Schema:
    if not isinstance(schema, dict):
        return {}
    return _plain(deref(schema["$ref"], root), root) if "$ref" in schema else schema
