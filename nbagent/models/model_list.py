"""The models that a provider itself says it has: `GET /models` below its address. On the background loop.

Called by `%agent models PROVIDER` and `nb.doctor()`. What OpenAI's form of the list has (`data`, each entry an
object with an `id`) is read; entries of other forms are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nbagent.core import load_json
from nbagent.errors import UnknownModelError, did_you_mean
from nbagent.models.endpoint import Endpoint
from nbagent.models.plugins import all_provider_names, find_provider
from nbagent.models.transport.errors import Api, RequestTarget, error_from_reply
from nbagent.models.transport.stream import fetch_json

PATH = "/models"
_API = Api("list-of-models")
TIMEOUT_S = 20.0


async def served_models(provider: str, *, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
    """Return a dict for each model that the provider serves: `model` ("provider:name"), `owner`, `created_at`.

    In the order of the provider's list; what it does not say is None.

    Raises:
        UnknownModelError: there is no such provider. ConfigurationError: its address or key is not known.
        ModelError: it cannot be reached, refuses, or has no such list.
    """
    if find_provider(provider) is None:
        raise UnknownModelError(
            f"no provider {provider!r}{did_you_mean(provider, all_provider_names())}",
            f"providers: {', '.join(all_provider_names())}; add one with register_provider(Provider(...))",
        )
    target = await Endpoint("(all)", provider, None, None, api=_API).target()
    found = load_json(await fetch_json(target, PATH, None, timeout_s))
    return [_entry(provider, one) for one in _listed(found, target) if isinstance(one.get("id"), str)]


def _listed(found: Any, target: RequestTarget) -> list[Mapping[str, Any]]:
    listed = found.get("data") if isinstance(found, Mapping) else None
    if not isinstance(listed, list):
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
