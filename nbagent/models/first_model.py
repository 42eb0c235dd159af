"""From the demo to a real model: which keys are set here, and the lines to type. Asks nobody, shows no key. Any thread.

Called by the card's banner and by `nb.doctor()`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from nbagent.core import how_to_set
from nbagent.models.catalog.table import provider_names, provider_row

# a model of each that is quick and not dear, to begin with: names on the price list of November 2026
_FIRST_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "gpt-5-mini",
        "anthropic": "claude-sonnet-5",
        "gemini": "gemini-2.5-flash",
        "deepseek": "deepseek-chat",
        "groq": "openai/gpt-oss-120b",
        "mistral": "mistral-small-latest",
        "xai": "grok-4.3",
        "cerebras": "gpt-oss-120b",
        "moonshot": "kimi-k2.6",
    }
)
_SAMPLE = "openai"


def first_model(provider: str) -> str:
    """Return a model of a provider to begin with, as "provider:name"; NAME where none is known."""
    return f"{provider}:{_FIRST_MODELS.get(provider, 'NAME')}"


def keys_set() -> dict[str, str]:
    """Return the variables of keys that are set here, each with the provider that it opens, in the table's order."""
    found: dict[str, str] = {}
    for name in provider_names():
        row = provider_row(name)
        variable = row.key_variable if row is not None else None
        if variable and os.environ.get(variable, "").strip():
            found.setdefault(variable, name)
    return found


def lines_to_real() -> list[str]:
    """Return what to type for a real model: two lines, or one where a key is set."""
    known_first = sorted(keys_set().items(), key=lambda pair: pair[1] not in _FIRST_MODELS)
    for variable, provider in known_first:
        line = how_to_set("model", f'"{first_model(provider)}"')
        more = f"; %agent models {provider} lists NAMEs" if provider not in _FIRST_MODELS else ""
        return [f"{variable} is set: use it with {line}{more}"]
    return [
        'import getpass, os; os.environ["OPENAI_API_KEY"] = getpass.getpass("OpenAI API key: ")',
        how_to_set("model", f'"{first_model(_SAMPLE)}"'),
    ]
