"""What all wire formats put into a request in the same words.

Files as text or data URLs, a schema as a prompt, arguments that can be parsed, a word where nothing was said.

Used when a request body is built; pure.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any

import orjson

from nbagent.core import dump_json, load_json, truncate
from nbagent.events import FilePart, Message
from nbagent.models.protocol import SchemaDefinition, ToolDefinition
from nbagent.models.transport.wire_json import whole_text

NO_RESULT = "(no output)"  # gateways to Anthropic's API refuse empty text, and text that is all blanks
NO_TEXT = "(no text)"
FROM_TOOLS = "Files that the tools returned:"
UNREADABLE = "unreadable_arguments"

_TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/toml",
        "application/x-ndjson",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
        "image/svg+xml",
    }
)


def text_of(part: FilePart) -> str | None:
    """Return a text file as text under its name; None for a file that is no text."""
    kind = part.media_type.partition(";")[0].strip().lower()
    if not (kind.startswith("text/") or kind in _TEXT_TYPES):
        return None
    try:
        text = base64.b64decode(part.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return f"[file {part.name or 'without a name'}]\n{text}"


def data_url(part: FilePart) -> str:
    """Return a file as a data URL."""
    return f"data:{part.media_type};base64,{part.data}"


def schema_name(name: str) -> str:
    """Return a schema's name in the characters that providers take."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "answer"


def schema_prompt(schema: SchemaDefinition) -> str:
    """Return the words that ask for JSON where the wire format cannot."""
    return (
        "Answer with one JSON value and nothing else: no explanation, no Markdown fences. "
        f"It must be valid against this JSON Schema:\n{json.dumps(schema.json_schema, ensure_ascii=False)}"
    )


def sent_description(tool: ToolDefinition, longest: int | None) -> str:
    """Return a tool's description, its middle cut out where the provider limits its length."""
    return tool.description if longest is None else truncate(tool.description, longest)


def sent_result(message: Message, *, shows_files: bool) -> str:
    """Return the text of a tool's result, a word where there is none."""
    text = message.content if message.content.strip() else NO_RESULT
    return f"{text}\n(the file cannot be shown to you)" if message.files and not shows_files else text


def sent_arguments(text: str) -> str:
    """Return a tool call's arguments as they are sent back: JSON text of an object, whatever came.

    vLLM, llama.cpp and others parse the arguments that they once wrote, and refuse the whole request where
    they cannot. What is no object stands in one under `unreadable_arguments`, so that the model sees what it
    wrote.
    """
    try:
        if isinstance(orjson.loads(text), dict):
            return text
    except ValueError:
        pass
    return dump_json(sent_arguments_data(text)).decode()


def sent_arguments_data(text: str) -> dict[str, Any]:
    """Return a tool call's arguments as `sent_arguments` does, as data."""
    body = text.strip()
    if not body or body == "null":
        return {}
    try:
        if isinstance(data := orjson.loads(body), dict):
            return data
    except ValueError:
        data = _leniently(body)
    if isinstance(data, str):  # JSON text as a JSON string
        data = _leniently(data)
    try:
        made: Any = _plain(data if isinstance(data, dict) else {UNREADABLE: text})
        dump_json(made)
    except (ValueError, RecursionError):
        return {UNREADABLE: ascii(text)}
    return dict(made)


def _leniently(text: str) -> object:
    """Return JSON data read leniently (NaN, raw line ends in text, half an emoji); None for no JSON."""
    try:
        return load_json(text)
    except (ValueError, TypeError):
        pass
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _plain(data: object) -> object:
    """Return JSON data that strict parsers take: infinite numbers are null, half an emoji is a mark."""
    if isinstance(data, dict):
        return {_plain(key): _plain(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return whole_text(data) if isinstance(data, str) else data
