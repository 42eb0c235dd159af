"""The models that a provider itself says it has: `GET /models` below its address, or where its row says.

`served_models` is called by `%agent models PROVIDER` on the background loop, `listed_names` by completion on a thread
of its own. What OpenAI's form of the list has (`data`, each entry an object with an `id`, or these without `data`) is
read; entries of other forms are left out.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from nbagent.core import load_json
from nbagent.errors import ConfigurationError, NBAgentError
from nbagent.models.endpoint import Endpoint
from nbagent.models.plugins import find_provider, no_provider
from nbagent.models.transport.client import close_connections
from nbagent.models.transport.errors import Api, RequestTarget, error_from_reply
from nbagent.models.transport.stream import fetch_json

_API = Api("list-of-models")
TIMEOUT_S = 20.0
_FRESH_S = 300.0  # how long a list is not asked for again
_names: dict[tuple[str, str | None], tuple[float, list[str]]] = {}  # by provider and address


async def served_models(provider: str, *, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
    """Return a dict for each model that the provider serves: `model` ("provider:name"), `owner`, `created_at`.

    In the order of the provider's list; what it does not say is None.

    Raises:
        UnknownModelError: there is no such provider. ConfigurationError: its address or key is not known, or it
        has no such list. ModelError: it cannot be reached or refuses.
    """
    row = find_provider(provider)
    if row is None:
        raise no_provider(provider)
    path = row.models_path
    if path is None:
        raise ConfigurationError(
            f"provider {provider!r} does not list its models", "its documentation names them"
        )
    target = await Endpoint("(all)", provider, None, None, api=_API).target()
    if "://" in path:
        parts = urlsplit(path)
        target, path = replace(target, base_url=f"{parts.scheme}://{parts.netloc}"), parts.path
    found = load_json(await fetch_json(target, path, None, timeout_s, arrays=True))
    return [_entry(provider, one) for one in _listed(found, target) if isinstance(one.get("id"), str)]


def listed_names(provider: str) -> list[str]:
    """Return "provider:name" of what the provider lists, asked once in five minutes; nothing where it cannot be.

    It blocks; nobody is asked whose key is not set, and no server is started for it.
    """
    row = find_provider(provider)
    if row is None or row.find_base_url is not None or row.models_path is None:
        return []
    key = provider, row.url_of(None, os.environ)
    asked_at, names = _names.get(key, (float("-inf"), []))
    if time.monotonic() - asked_at > _FRESH_S:
        names = asyncio.run(_ask_alone(provider))
        _names[key] = time.monotonic(), names
    return names


async def _ask_alone(provider: str) -> list[str]:
    """Ask on a loop of its own, and leave no connection behind."""
    try:
        return [one["model"] for one in await served_models(provider)]
    except NBAgentError:  # no key, no network, no list: completion offers what else it knows
        return []
    finally:
        await close_connections()


def _listed(found: Any, target: RequestTarget) -> list[Mapping[str, Any]]:
    listed = found.get("data") if isinstance(found, Mapping) else found
    if not isinstance(listed, list) or (listed and not any(isinstance(one, Mapping) for one in listed)):
        raise error_from_reply("it holds no list of models", target)
    return [one for one in listed if isinstance(one, Mapping)]


def _entry(provider: str, one: Mapping[str, Any]) -> dict[str, Any]:
    owner = one.get("owned_by")
    return {
        # Gemini's compatible list says "models/gemini-..." of what requests name without it
        "model": f"{provider}:{one['id'].removeprefix('models/')}",
        "owner": owner if isinstance(owner, str) and owner else None,
        "created_at": _moment(one.get("created", one.get("created_at"))),
    }


def _moment(told: Any) -> datetime | None:
    """Return a time of the list, in seconds or as ISO text; servers that do not know it say 0, or nothing."""
    try:
        if isinstance(told, str):
            at = datetime.fromisoformat(told)
            return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return datetime.fromtimestamp(told, UTC) if told else None
    except (TypeError, OverflowError, OSError, ValueError):
        return None
