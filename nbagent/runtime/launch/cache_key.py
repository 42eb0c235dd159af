"""The key of a run's answer: one hash of everything that decides it. Pure; called on the background loop.

Two launches with one key would send a model the same: the same agent (name, instructions, model, settings,
output schema, tools, and a team's members likewise), the same prompt with the same files, the same history
before it. What says when and for how long a run works is no part of it: ids, labels, tags, time limits,
bounds on cost, a key, retries, turns and sessions as such. Where the model is, is part of it: two servers may
call two models alike.

A run in a session has a second key, that of its turn: of the history only what the same kernel's runs left,
and the session's name. A notebook run again goes on in a session that its first execution has left longer: by
this key its turns are given the answers that they had then. What was said in between by others is left out of
it on purpose.

A tool counts by its name, schema and source; what its function reads from outside itself does not. An MCP
server counts as it was given, since its tools are known only once it is started. Of history counts what was
said, asked of tools and answered by them: the ids that a provider makes up for calls differ each time and
mean nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from nbagent.events import FilePart, Message
from nbagent.models import model_identity
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.spec import AgentSpec, TeamSpec
from nbagent.tools import Tool

# part of every key: a change of what goes into it makes earlier answers misses, never wrong hits
KEY_VERSION = 2


def cache_key(
    agent: ResolvedAgent,
    prompt: str,
    *,
    files: Sequence[FilePart] = (),
    history: Iterable[Message] = (),
    session_id: str | None = None,
) -> str:
    """Return the key, 64 hex digits: SHA-256 of the canonical JSON of `key_parts`.

    With `session_id` it is the key of a session's turn: `history` then holds only what one kernel's runs left
    there.
    """
    parts = key_parts(agent, prompt, files=files, history=history)
    if session_id is not None:
        parts["session"] = session_id
    # the escapes of ASCII also hold what is no valid Unicode
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def key_parts(
    agent: ResolvedAgent, prompt: str, *, files: Sequence[FilePart] = (), history: Iterable[Message] = ()
) -> dict[str, Any]:
    """Return what goes into the key, as JSON data; files as their hashes."""
    return {
        "version": KEY_VERSION,
        "agent": _agent(agent),
        "prompt": prompt,
        "files": [_file(one) for one in files],
        "history": [_message(one) for one in history],
    }


def _agent(agent: ResolvedAgent) -> dict[str, Any]:
    spec = agent.spec
    return {
        "name": spec.name,
        "instructions": spec.instructions,
        "model": model_identity(agent.model),
        "settings": spec.settings.given(),
        "output_schema": spec.output_schema.json_schema if spec.output_schema is not None else None,
        "tools": [_tool(one) for one in spec.tools],
        **_team(spec, agent.members),
    }


def _tool(tool: Tool) -> list[Any]:
    if tool.expands:  # its function is ours, and changes with our releases
        return [tool.name, tool.description]
    return [tool.name, tool.description, tool.parameters, tool.fingerprint]


def _team(spec: AgentSpec, members: Sequence[ResolvedAgent]) -> dict[str, Any]:
    if not isinstance(spec, TeamSpec):
        return {}
    return {"mode": spec.mode, "members": [_agent(member) for member in members]}


def _file(file: FilePart) -> list[str]:
    return [file.media_type, file.name, hashlib.sha256(file.data.encode("utf-8", "replace")).hexdigest()]


def _message(message: Message) -> list[Any]:
    return [
        message.role,
        message.content,
        [[request.name, request.arguments] for request in message.tool_requests],
        [_file(one) for one in message.files],
    ]
