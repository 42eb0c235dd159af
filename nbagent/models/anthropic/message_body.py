"""A request as the body of the Messages API, and the headers that it asks for.

Used by `messages.py`; pure. The facts are of https://platform.claude.com/docs/en/api/messages/create,
.../build-with-claude/prompt-caching and .../api/versioning, 2026-11-30.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbagent.models.anthropic.message_history import THOUGHTS, HistoryWriter, Turn, lacks_thoughts, text_block
from nbagent.models.anthropic.output_schema import output_schema
from nbagent.models.capabilities import SCHEMA, Concession, RequestOptions
from nbagent.models.protocol import ModelRequest
from nbagent.models.providers import Provider
from nbagent.models.wire.request_content import schema_prompt, sent_description
from nbagent.spec import ModelSettings

DEFAULT_MAX_TOKENS = 16_000  # the API wants a limit; after the thoughts, where these have a budget
_VERSION = "2026-10-21"
_VERSION_WITH_SAMPLING = "2023-06-01"  # the last one that takes temperature, top_p and top_k
_SAMPLING = ("temperature", "top_p", "top_k")
_EFFORTS = {"minimal": "low", "none": "low"}  # words of other APIs
_BINDING_BETA = "thinking-binding-controls-2026-08-01"
_LARGEST, _UNBOUND, _UNSAMPLED = "max_tokens", "drop_block", "no_sampling"
_SCHEMA_PROPERTIES = {"type": "object", "properties": {}}

# .../api/errors and .../preserved-thinking/fix-bound-to-a-different-conversation, 2026-11-30
CONCESSIONS = (
    Concession(refusal=re.compile(r"output_config\.format|output_format"), option=SCHEMA),
    Concession(
        refusal=re.compile(r"max_tokens: \d+ > (\d+)"),
        option=_LARGEST,
        notice="this model of provider {provider!r} writes {0} tokens at most: that is its limit now",
    ),
    Concession(
        refusal=re.compile(r"bound to a different conversation"),
        option=_UNBOUND,
        notice="what is before earlier thoughts of this model has changed: provider {provider!r} is asked to leave them out",
    ),
    Concession(
        refusal=re.compile(
            r"(?:temperature|top_p|top_k)\b.{0,60}(?:not supported|deprecated|not permitted|removed)"
        ),
        option=_UNSAMPLED,
        notice="this model of provider {provider!r} takes no temperature and no top_p: they are left out",
    ),
)


def messages_body(request: ModelRequest, model: str, row: Provider, plan: RequestOptions) -> dict[str, Any]:
    """Return the request's body as JSON data; the user's `extra_body` has the last word."""
    settings, maker = request.settings, f"{row.name}:{model}"
    history = HistoryWriter(maker, tool_files=plan.tool_files)
    for message in request.messages:
        if message.role != "system":
            history.add(message)
    thinking = _thinking(request, maker, plan)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": _max_tokens(settings, thinking, plan),
        "messages": history.finish(),
        "stream": True,
    }
    if thinking:
        body["thinking"] = thinking
    _add_system_and_format(body, request, plan)
    if request.tools:
        _add_tools(body, request, plan)
    for name in ("temperature", "top_p"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    _add_extra(body, settings.extra_body)
    if _UNSAMPLED in plan.conceded:
        body = {name: value for name, value in body.items() if name not in _SAMPLING}
    if settings.prompt_cache:
        _mark_for_cache(body, settings)
    return body


def message_headers(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the version of the API that takes this body, and the beta that it needs."""
    version = _VERSION_WITH_SAMPLING if any(name in body for name in _SAMPLING) else _VERSION
    binds = isinstance(body.get("thinking"), Mapping) and "block_binding" in body["thinking"]
    return {"anthropic-version": version, **({"anthropic-beta": _BINDING_BETA} if binds else {})}


def left_out(request: ModelRequest) -> tuple[str, ...]:
    """Return notices, on a run's first step, for settings that this wire format does not have."""
    if request.settings.seed is None or not request.messages or request.messages[-1].role != "user":
        return ()
    return ("the Messages API takes no seed: it is left out",)


def _add_system_and_format(body: dict[str, Any], request: ModelRequest, plan: RequestOptions) -> None:
    """Add what the model is told before all else, and what its answer must look like."""
    system = [message.content for message in request.messages if message.role == "system"]
    config: dict[str, Any] = {}
    if request.schema is not None:
        schema = output_schema(request.schema.json_schema) if plan.rung == "json_schema" else None
        if schema is None:
            system.append(schema_prompt(request.schema))
        else:
            config["format"] = {"type": "json_schema", "schema": schema}
    if (effort := request.settings.reasoning_effort) is not None:
        config["effort"] = _EFFORTS.get(effort, effort)
    if said := [text for text in system if text.strip()]:
        body["system"] = [text_block("\n\n".join(said))]
    if config:
        body["output_config"] = config


def _thinking(request: ModelRequest, maker: str, plan: RequestOptions) -> dict[str, Any]:
    given = request.settings.extra_body.get("thinking", request.settings.thinking)
    if isinstance(given, Mapping):
        thinking = dict(given)
    elif isinstance(given, int):
        thinking = {"type": "enabled", "budget_tokens": given}
    else:
        thinking = {"type": given} if given else {}
    if thinking.get("type") == "enabled" and lacks_thoughts(request.messages, maker):
        return {}
    if _UNBOUND in plan.conceded and thinking.get("type") != "disabled":
        thinking.setdefault("type", "adaptive")
        thinking["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
    return thinking


def _max_tokens(settings: ModelSettings, thinking: Mapping[str, Any], plan: RequestOptions) -> int:
    budget = thinking.get("budget_tokens")
    most = settings.max_output_tokens
    if most is None:
        most = DEFAULT_MAX_TOKENS + (budget if isinstance(budget, int) else 0)
    return min(most, int(plan.conceded.get(_LARGEST, most)))


def _add_tools(body: dict[str, Any], request: ModelRequest, plan: RequestOptions) -> None:
    body["tools"] = [
        {
            "name": tool.name,
            "description": sent_description(tool, plan.longest_description),
            "input_schema": {**_SCHEMA_PROPERTIES, **tool.parameters},
        }
        for tool in request.tools
    ]
    if (parallel := request.settings.parallel_tool_calls) is not None:
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": not parallel}


def _add_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Add the user's own fields: `output_config` and `tools` (the provider's own ones) join what is there."""
    for name, value in extra.items():
        if name == "output_config" and isinstance(value, Mapping):
            body[name] = {**body.get(name, {}), **value}
        elif name == "tools" and isinstance(value, list):
            body[name] = [*body.get(name, ()), *value]
        elif name != "thinking":  # is in it, as far as the history allows
            body[name] = value


def _mark_for_cache(body: dict[str, Any], settings: ModelSettings) -> None:
    """Have the prompt kept up to two places: what all prompts of an agent share, and the whole history."""
    kept = settings.prompt_cache
    mark = {"type": "ephemeral", **({"ttl": kept} if isinstance(kept, str) else {})}
    shared = body.get("system") or body.get("tools")
    if isinstance(shared, list) and shared:
        shared[-1] = {**shared[-1], "cache_control": mark}
    turns: list[Turn] = body["messages"]
    last = turns[-1]["content"] if turns else []
    if isinstance(last, list) and last and last[-1].get("type") not in THOUGHTS:
        last[-1] = {**last[-1], "cache_control": mark}
