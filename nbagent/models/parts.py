"""What both wire formats put into a request in the same words: files as text or data URLs, a schema as a prompt.

Used when a request body is built; pure.
"""

from __future__ import annotations

import base64
import binascii
import json
import re

from nbagent.events import FilePart
from nbagent.models.protocol import SchemaOffer

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


def schema_prompt(schema: SchemaOffer) -> str:
    """Return the words that ask for JSON where the wire format cannot."""
    return (
        "Answer with one JSON value and nothing else: no explanation, no Markdown fences. "
        f"It must be valid against this JSON Schema:\n{json.dumps(schema.json_schema, ensure_ascii=False)}"
    )
