"""The table of providers as a person reads it."""

from __future__ import annotations

import json

import pytest

from nbagent.models import (
    OpenAIChat,
    OpenAIResponses,
    Provider,
    provider_names,
    provider_status,
    resolve_model,
)
from nbagent.models.catalog import table as providers_module


def entry(name: str):
    """Return one provider's entry."""
    return next(entry for entry in provider_status() if entry["provider"] == name)


def test_every_provider_has_an_entry():
    """All rows are listed, in the table's order, with the same keys."""
    listed = provider_status()
    assert [one["provider"] for one in listed] == list(provider_names())
    assert {frozenset(one) for one in listed} == {
        frozenset(
            "provider label wire_formats key_variable configured base_url schema_rungs native_background usage notes".split()
        )
    }


@pytest.mark.parametrize(
    ("name", "env", "configured"),
    [
        ("openai", {}, False),
        ("openai", {"OPENAI_API_KEY": "sk-secret-1"}, True),
        ("openai", {"OPENAI_BASE_URL": "http://localhost:1/v1"}, True),
        ("openai", {"OPENAI_BASE_URL": "https://gateway.example/v1"}, False),
        ("azure", {"AZURE_OPENAI_API_KEY": "k"}, False),
        ("azure", {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.example"}, True),
        ("ollama", {}, True),
        ("demo", {}, True),
    ],
)
def test_configured(monkeypatch, name, env, configured):
    """Configured means that a call can be tried: there is an address, and a key where one is needed."""
    for variable, value in env.items():
        monkeypatch.setenv(variable, value)
    assert entry(name)["configured"] is configured


def test_no_key_is_in_it(monkeypatch):
    """Names of variables are shown, never what is in them."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-key-1234")
    assert "sk-secret" not in json.dumps(provider_status())
    assert entry("openai")["key_variable"] == "OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("openai", OpenAIResponses),
        ("azure", OpenAIResponses),
        ("openai-chat", OpenAIChat),
        ("demo", OpenAIChat),
    ],
)
def test_the_first_wire_format_is_what_a_name_means(name, kind):
    """`openai:` and `azure:` speak the Responses API, everybody else Chat Completions."""
    assert type(resolve_model(f"{name}:m")) is kind
    wires = {"chat": OpenAIChat, "responses": OpenAIResponses}
    assert wires[entry(name)["wire_formats"][0]] is kind


def test_a_users_row_is_listed(monkeypatch):
    """A row that a user adds is an entry, and resolves in its own wire format."""
    monkeypatch.setattr(providers_module, "_rows", dict(providers_module._rows))
    row = Provider(
        name="mine", base_url="https://x/v1", wires=("responses",), native_background=True, key_required=False
    )
    providers_module.register_provider(row)
    assert (entry("mine")["native_background"], entry("mine")["configured"]) == (True, True)
    assert type(resolve_model("mine:m")) is OpenAIResponses
