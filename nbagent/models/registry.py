"""Models by name: "provider:id" strings, model identity, the names and providers known here.

Called by `agent.py` and the magics on the main thread; it makes no request, starts nothing and shows no key.
Names are those of the price list, of the user's own prices and of the configured model: for completion, never
for refusing one.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from nbagent import settings
from nbagent.core import masked_url
from nbagent.errors import ConfigurationError, UnknownModelError
from nbagent.models.catalog.table import provider_names, provider_row, wire_label
from nbagent.models.fallback import SEPARATOR, FallbackModel, alternatives, names_in
from nbagent.models.openai.chat import OpenAIChat
from nbagent.models.openai.responses import OpenAIResponses
from nbagent.models.plugins import all_provider_names, find_provider, no_provider
from nbagent.models.pricing import price_as
from nbagent.models.pricing import price_key as key_of_price
from nbagent.models.protocol import Model
from nbagent.models.providers import Provider, is_loopback
from nbagent.models.wire.streamed_model import StreamedModel

DEMO_MODEL = "demo:assistant"
ModelGiven: TypeAlias = str | Model | Sequence[str | Model]  # what a user may give as a model
_registered: dict[str, Model] = {}  # objects by the names that they were given
_OURS: Mapping[str, type[OpenAIChat | OpenAIResponses]] = {"chat": OpenAIChat, "responses": OpenAIResponses}


def resolve_model(name: ModelGiven) -> Model:
    """Return the model that `name` names; a model object is returned as it is.

    A list of names and objects, or several names in one text with commas, is one model of which the next is
    asked where one cannot answer.

    Raises:
        UnknownModelError: no such provider, no model id, no provider before a colon, or a list without models
        or with one twice. ConfigurationError: the package that brings the provider cannot be loaded, or its
        wire format makes no model.
    """
    if isinstance(name, str):
        return _several(names_in(name), name) if SEPARATOR in name else _named(name)
    if isinstance(name, StreamedModel) or isinstance(name, Model):  # noqa: SIM101 - the protocol's check is slow
        return name
    if isinstance(name, list | tuple):
        return _several(name, name)
    raise UnknownModelError(
        f"{type(name).__name__} is no model: {name!r:.80}",
        'give a string such as "openai:gpt-5-mini", a model object such as OpenAIChat(id=...), or a list of these',
    )


def _several(given: Sequence[Any], whole: object) -> Model:
    """Return the models of a list as one; of a list of one, that one."""
    for odd in (one for one in given if not isinstance(one, str | Model)):
        raise UnknownModelError(
            f"the list of models holds {odd!r:.80}, which is none",
            'give strings such as "openai:gpt-5-mini" and model objects, the first to be asked first',
        )
    if not given or not all(one.strip() for one in given if isinstance(one, str)):
        raise UnknownModelError(
            f"the list of models {whole!r:.80} {'holds an empty name' if given else 'is empty'}",
            'name each: ["openai:gpt-5-mini", "anthropic:claude-sonnet-4-5"], the first to be asked first',
        )
    for place, one in enumerate(given):  # objects that are alike may differ in their key
        if any(one is other or (isinstance(one, str) and one == other) for other in given[:place]):
            raise UnknownModelError(
                f"the list of models {whole!r:.120} holds {one!r:.60} twice",
                "name each once: a model is tried again by itself, as limits.model_retries says",
            )
    models = [one for named in given for one in alternatives(resolve_model(named))]
    return models[0] if len(models) == 1 else FallbackModel(models)


def register_model(model: Model, *, price_key: str | None = None) -> None:
    """Let this object be named from now on: "provider:id" of it is this model, in place of what it was before.

    So it can be named in magics, options and lists of models, and a stopped run of it goes on in another kernel
    that has registered it. `price_key` is the "provider:model" whose prices it has on the price list; its own
    name in the option `prices` comes first.

    Raises:
        UnknownModelError: it is no model. ConfigurationError: its name or the key cannot be read again.

    >>> from nbagent.models import OpenAIChat
    >>> nb.register_model(
    ...     OpenAIChat(id="qwen3", base_url="http://localhost:8000/v1"), price_key="together:Qwen/Qwen3-235B"
    ... )
    >>> Agent(model="openai-chat:qwen3").resolved().model
    OpenAIChat(id='qwen3', provider='openai-chat', base_url='http://localhost:8000/v1')
    """
    if not isinstance(model, Model):
        raise UnknownModelError(
            f"{type(model).__name__} is no model: {model!r:.80}",
            "a model has provider, id, check() and stream(request): see nbagent.Model",
        )
    provider, name = model.provider, model.id
    if any(map(_is_odd, (provider, name))) or ":" in provider:
        raise ConfigurationError(
            f"a model cannot be named {provider!r:.60}, {name!r:.60}",
            "its provider and id are texts without commas and spaces around them, the provider without a colon",
        )
    if price_key is not None:
        price_as(provider, name, price_key)
    _registered[f"{provider}:{name}"] = model


def _is_odd(name: object) -> bool:
    return not isinstance(name, str) or not name or name != name.strip() or SEPARATOR in name


def is_named(given: ModelGiven | None) -> bool:
    """True where the name alone makes the model again: a text, a registered object, a list of these, or nothing."""
    if given is None or isinstance(given, str):
        return True
    if not isinstance(given, Model):
        return all(is_named(one) for one in given)
    return all(_registered.get(f"{one.provider}:{one.id}") is one for one in alternatives(given))


def _named(name: str) -> Model:
    if (known := _registered.get(name.strip())) is not None:
        return known
    provider, colon, model_id = (part.strip() for part in name.strip().partition(":"))
    row = find_provider(provider)
    if not colon:
        raise _without_colon(name.strip(), is_provider=row is not None)
    if row is None:
        raise no_provider(provider, where=f" in model {name!r}", model_id=model_id or "NAME")
    if not model_id:
        raise UnknownModelError(
            f"model {name!r} names no model of provider {provider!r}",
            f'write the model\'s name after the colon: "{provider}:NAME"',
        )
    return _model_of(row, model_id)


def _model_of(row: Provider, model_id: str) -> Model:
    wire = _class_of(row)
    model = wire(id=model_id, provider=row)
    if not isinstance(model, Model):
        raise ConfigurationError(
            f"the wire format of provider {row.name!r} made no model of {model_id!r}: {model!r:.80}",
            "a model has provider, id, check() and stream(request): see nbagent.models.Model",
        )
    return model


def _class_of(row: Provider) -> Callable[..., Model]:
    """Return what makes the models of a row's first wire format, imported where the row says where it is."""
    wire = row.wires[0]
    if not isinstance(wire, str):
        return wire
    if wire in _OURS:
        return _OURS[wire]
    place, _, name = wire.partition(":")
    try:
        made: Callable[..., Model] = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the wire format of provider {row.name!r} cannot be loaded from {wire!r}: {error}",
            "install the package that brings it, or give the row a class of models as wire=",
        ) from error
    return made


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
        f'write "openai:{name}", or another provider before the colon; %agent models lists all {len(provider_names())}',
    )


def model_identity(model: Model) -> list[Any]:
    """Return provider, id, kind and address: two servers that call their model alike are two models.

    Of several models, one of which answers, it is a list of theirs.

    The kind is the wire format that it speaks, or the class of a model of somebody else's. The address is the
    base URL without user and password, with a deployment's path or query; None where the provider's own
    server is started on this machine, and for models that tell none (`address`).
    """
    if isinstance(model, FallbackModel):
        return [model_identity(one) for one in model.models]
    wire = getattr(getattr(model, "wire", None), "name", None)
    address = getattr(model, "address", None)
    return [
        model.provider,
        model.id,
        wire or type(model).__qualname__,
        address if isinstance(address, str) else None,
    ]


def named_providers() -> tuple[str, ...]:
    """Return the providers that a model may be named of: the table's, those of packages, those of registered objects."""
    given = (name.partition(":")[0] for name in _registered)
    return tuple(dict.fromkeys((*all_provider_names(), *given)))


def known_models(provider: str) -> list[str]:
    """Return the models of a provider as "provider:name", the user's own first; an unknown provider has none.

    The first call loads the price list: 0.2 s.
    """
    own = [DEMO_MODEL, *_registered, *_configured("prices"), *names_in(_configured("model") or "")]
    names = [name for name in own if name.startswith(f"{provider}:")]
    return list(dict.fromkeys([*names, *(f"{provider}:{model}" for model in _on_the_list(provider))]))


def _configured(option: str) -> Any:
    try:
        return settings.get(option)
    except ConfigurationError:  # said at the next launch
        return ()


def _on_the_list(provider: str) -> list[str]:
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return []
    found = (one for one in get_snapshot().providers if one.id == key_of_price(provider, "")[0])
    return [model.id for one in found for model in one.models if not model.deprecated]


def provider_status() -> list[dict[str, Any]]:
    """Return one dict for each provider, in the table's order.

    Keys: `provider`, `label`, `wire_formats` (the first is what "provider:model" means), `key_variable` (None where
    there is none), `configured` (True where a call can be tried: its key is set or not needed, and it is
    known where the server is), `base_url` (None where it is not known or not started yet), `schema_rungs`
    (the ways to ask for JSON, best first), `native_background`, `usage` (`include_usage`, `always`, `never`),
    `notes`.
    """
    rows = (provider_row(name) for name in provider_names())
    return [_entry(row) for row in rows if row is not None]


def _entry(row: Provider) -> dict[str, Any]:
    url = row.url_of(None, os.environ)
    key = bool(row.key_variable and os.environ.get(row.key_variable, "").strip())
    # a class of models may know the address itself
    knows_where = not isinstance(row.wires[0], str) or ":" in row.wires[0]
    reachable = url is not None or row.find_base_url is not None or knows_where
    keyless = not row.key_required or (url is not None and is_loopback(url))
    return {
        "provider": row.name,
        "label": row.label,
        "wire_formats": tuple(map(wire_label, row.wires)),
        "key_variable": row.key_variable,
        "configured": reachable and (key or keyless),
        "base_url": masked_url(url) if url is not None else None,
        "schema_rungs": row.schema_rungs,
        "native_background": row.native_background,
        "usage": row.usage,
        "notes": row.notes,
    }
