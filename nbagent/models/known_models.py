"""Models by name, as far as this machine knows them: for completion, never for refusing a name. Any thread.

Nobody is asked: the names are those of the price list, of the user's own prices and of the configured model.
"""

from __future__ import annotations

from typing import Any

from nbagent import settings
from nbagent.errors import ConfigurationError
from nbagent.models.pricing import price_key
from nbagent.models.registry import DEMO_MODEL


def known_models(provider: str) -> list[str]:
    """Return the models of a provider as "provider:name", the user's own first; an unknown provider has none.

    The first call loads the price list: 0.2 s.
    """
    own = [DEMO_MODEL, *_configured("prices"), _configured("model") or ""]
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
    found = (one for one in get_snapshot().providers if one.id == price_key(provider))
    return [model.id for one in found for model in one.models if not model.deprecated]
