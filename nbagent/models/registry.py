"""From a model's name to a model: `"provider:id"` strings.

Called by `agent.py` and the magics on the main thread; it makes no request, starts nothing and reads no key.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbagent.errors import UnknownModelError, did_you_mean
from nbagent.models.openai.base import OpenAICompatibleModel
from nbagent.models.openai.chat import OpenAIChat
from nbagent.models.openai.responses import OpenAIResponses
from nbagent.models.protocol import Model
from nbagent.models.providers import Wire, provider_names, provider_row

DEMO_MODEL = "demo:assistant"
_MODELS: Mapping[Wire, type[OpenAIChat | OpenAIResponses]] = {
    "chat": OpenAIChat,
    "responses": OpenAIResponses,
}


def resolve_model(name: str | Model) -> Model:
    """Return the model that `name` names; a model object is returned as it is.

    Raises:
        UnknownModelError: no such provider, no model id, or no provider before a colon.
    """
    if not isinstance(name, str):
        if isinstance(name, OpenAICompatibleModel) or isinstance(name, Model):  # noqa: SIM101 - the protocol's check is slow
            return name
        raise UnknownModelError(
            f"{type(name).__name__} is no model: {name!r:.80}",
            'give a string such as "openai:gpt-5-mini", or a model object such as OpenAIChat(id=...)',
        )
    provider, colon, model_id = (part.strip() for part in name.strip().partition(":"))
    row = provider_row(provider)
    if not colon:
        raise _without_colon(name.strip(), is_provider=row is not None)
    if row is None:
        raise UnknownModelError(
            f"no provider {provider!r} in model {name!r}{did_you_mean(provider, provider_names())}",
            f"providers: {', '.join(provider_names())}; add one with register_provider(Provider(...))",
        )
    if not model_id:
        raise UnknownModelError(
            f"model {name!r} names no model of provider {provider!r}",
            f'write the model\'s name after the colon: "{provider}:NAME"',
        )
    return _MODELS[row.wire](id=model_id, provider=row)


def default_model_name(configured: str | None, env: Mapping[str, str]) -> str:
    """Return the model that was named in the configuration or in NBAGENT_MODEL, else the demo model."""
    return (configured or "").strip() or env.get("NBAGENT_MODEL", "").strip() or DEMO_MODEL


def _without_colon(name: str, *, is_provider: bool) -> UnknownModelError:
    if not name:
        return UnknownModelError("the model's name is empty", f'write "provider:model", or "{DEMO_MODEL}"')
    if is_provider:
        return UnknownModelError(
            f"model {name!r} names a provider and no model",
            f'write the model\'s name after a colon: "{name}:NAME"',
        )
    return UnknownModelError(
        f"model {name!r} does not say which provider serves it",
        f'write "openai:{name}", or another of: {", ".join(provider_names())}',
    )
