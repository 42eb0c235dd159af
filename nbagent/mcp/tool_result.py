"""What an MCP tool returned, as a value for the model and the record. Pure; called on the background loop."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.events import FilePart
from nbagent.mcp.errors import MCPToolError
from nbagent.prompts import file_of

if TYPE_CHECKING:
    import mcp


def value_of(result: mcp.types.CallToolResult) -> Any:
    """Return the structured content as JSON data, or the content as text, or both as text.

    Text that only repeats the structured content, as servers send it for older clients, is left out. Pictures
    and PDFs come after it as files, in one list; other binary parts are named with type and size. Raises
    MCPToolError for a result that says it is an error.
    """
    files = [file for block in result.content if (file := _file(block)) is not None]
    parts = [_shown(block) for block in result.content if result.is_error or _file(block) is None]
    if result.is_error:
        raise MCPToolError("\n".join(parts) or "the tool failed and did not say why")
    value = _without_repeats(parts, result.structured_content)
    return [*([] if value == "" else [value]), *files] if files else value


def _without_repeats(parts: list[str], data: Any) -> Any:
    if data is None:
        return "\n".join(parts)
    repeated = set(_repeated_texts(data))
    rest = [part for part in parts if part and _canonical(part) not in repeated]
    if not rest:
        return data
    return "\n".join([json.dumps(data, ensure_ascii=False), *rest])


def _file(block: Any) -> FilePart | None:
    """Return a picture or PDF, known by its first bytes; None for any other block."""
    data = block.data if block.type == "image" else getattr(getattr(block, "resource", None), "blob", None)
    if not data:
        return None
    try:
        return file_of(base64.b64decode(data, validate=True), block.type)
    except ValueError:
        return None


def _shown(block: Any) -> str:
    """Return one content block as text."""
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return f"[{block.type}, {block.mime_type}, {_size(block.data):,} bytes]"
        case "resource_link":
            return f"[resource {block.name!r}: {block.uri}]"
        case "resource":
            found = block.resource
            text = getattr(found, "text", None)
            if text is not None:
                return f"[resource {found.uri}]\n{text}"
            return f"[resource {found.uri}, {found.mime_type or 'unknown type'}, {_size(found.blob):,} bytes]"
        case other:  # a later version of the protocol may have more
            return f"[{other}]"


def _size(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text[-2:].count("=")


def _repeated_texts(data: Any) -> Iterator[str]:
    """Yield what texts beside structured content usually repeat: all of it, its only value, that one's items."""
    yield _canonical(data)
    if isinstance(data, dict) and len(data) == 1:
        (only,) = data.values()
        yield _canonical(only)
        if isinstance(only, Sequence) and not isinstance(only, str):
            yield from map(_canonical, only)


def _canonical(value: Any) -> str:
    """Return JSON data, or a text that may be JSON, in one spelling."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value).strip()
    return json.dumps(value, sort_keys=True)
