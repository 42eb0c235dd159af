"""What a run was set up with: its system prompt, its tools with their definitions, its settings. Plain, bounded data. Pure.

Made of a live run's spec, or of what the record keeps of it (tools without their descriptions).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nbagent.core import one_line, utf8_safe
from nbagent.spec import AgentSpec, Limits

TEXT_CHARS = 20_000
TOOLS = 100
Data = dict[str, Any]
NO_SETUP: Data = {"instructions": "", "tools": [], "settings": []}
_USUAL = {name: getattr(Limits(), name) for name in Limits.__slots__}


def setup_of(spec: AgentSpec | Mapping[str, Any]) -> Data:
    """Return instructions, tools and settings, as [name, value] pairs; what is as by default is left out."""
    data = spec if isinstance(spec, Mapping) else spec.to_data()
    described = {} if isinstance(spec, Mapping) else {tool.name: tool.description for tool in spec.tools}
    return {
        "instructions": utf8_safe(str(data.get("instructions") or "")[:TEXT_CHARS]),
        "tools": [_tool(tool, described) for tool in (data.get("tools") or [])[:TOOLS]],
        "settings": [[name, one_line(_shown(value), 500)] for name, value in _settings(data)],
    }


def _tool(tool: Mapping[str, Any], described: Mapping[str, str]) -> Data:
    name = str(tool.get("name", ""))
    parameters = json.dumps(tool.get("parameters", {}), ensure_ascii=False, indent=2, default=str)
    return {
        "name": one_line(name, 80),
        "description": utf8_safe(described.get(name, "")[:TEXT_CHARS]),
        "parameters": utf8_safe(parameters[:TEXT_CHARS]),
    }


def _settings(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    limits = {name: value for name, value in (data.get("limits") or {}).items() if value != _USUAL.get(name)}
    members = [one.get("name", "") for one in data.get("members") or [] if isinstance(one, Mapping)]
    pairs = {
        "model": data.get("model"),
        "answer's type": data.get("output_type"),
        "members": ", ".join(members),
        "mode": data.get("mode"),
        "earlier runs shown": data.get("history_runs"),
        **(data.get("settings") or {}),
        **limits,
    }
    return [(name, value) for name, value in pairs.items() if value not in (None, "", {}, [])]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
