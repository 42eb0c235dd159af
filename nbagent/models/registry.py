"""From a model's name to a model: `"provider:id"` strings.

Called by `agent.py` and the magics on the main thread; it makes no request, starts nothing and reads no key.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbagent.errors import ConfigurationError, UnknownModelError, did_you_mean
from nbagent.models.openai.base import OpenAICompatibleModel
from nbagent.models.openai.chat import OpenAIChat
from nbagent.models.openai.responses import OpenAIResponses
from nbagent.models.plugins import all_provider_names, find_provider
from nbagent.models.protocol import Model
from nbagent.models.providers import Provider, provider_names

DEMO_MODEL = "demo:assistant"
_OURS: Mapping[str, type[OpenAIChat | OpenAIResponses]] = {"chat": OpenAIChat, "responses": OpenAIResponses}


def resolve_model(name: str | Model) -> Model:
    """Return the model that `name` names; a model object is returned as it is.

    Raises:
        UnknownModelError: no such provider, no model id, or no provider before a colon.
        ConfigurationError: the package that brings the provider cannot be loaded, or its wire format makes no model.
    """
    if not isinstance(name, str):
        if isinstance(name, OpenAICompatibleModel) or isinstance(name, Model):  # noqa: SIM101 - the protocol's check is slow
            return name
        raise UnknownModelError(
            f"{type(name).__name__} is no model: {name!r:.80}",
            'give a string such as "openai:gpt-5-mini", or a model object such as OpenAIChat(id=...)',
        )
    provider, colon, model_id = (part.strip() for part in name.strip().partition(":"))
    row = find_provider(provider)
    if not colon:
        raise _without_colon(name.strip(), is_provider=row is not None)
    if row is None:
        raise UnknownModelError(
            f"no provider {provider!r} in model {name!r}{did_you_mean(provider, all_provider_names())}",
            f"providers: {', '.join(all_provider_names())}; add one with register_provider(Provider(...))",
        )
    if not model_id:
        raise UnknownModelError(
            f"model {name!r} names no model of provider {provider!r}",
            f'write the model\'s name after the colon: "{provider}:NAME"',
        )
    return _model_of(row, model_id)


def _model_of(row: Provider, model_id: str) -> Model:
    wire = row.wires[0]
    if isinstance(wire, str):
        return _OURS[wire](id=model_id, provider=row)
    model = wire(id=model_id, provider=row)
    if not isinstance(model, Model):
        raise ConfigurationError(
            f"the wire format of provider {row.name!r} made no model of {model_id!r}: {model!r:.80}",
            "a model has provider, id, check() and stream(request): see nbagent.models.Model",
        )
    return model


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
