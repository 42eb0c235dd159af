"""Names of models and rows of providers: what resolves, what is refused, and where keys and addresses come from."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from nbagent.errors import ConfigurationError, MissingKeyError, UnknownModelError
from nbagent.models import (
    Model,
    OpenAIChat,
    Provider,
    default_model_name,
    provider_names,
    provider_row,
    register_provider,
    resolve_model,
)
from nbagent.models.catalog import table as providers_module
from nbagent.models.providers import is_loopback


@pytest.mark.parametrize("name", [*provider_names()])
def test_each_provider_resolves(name):
    """Every row of the table gives a model that knows its name; nothing is started and no key is read."""
    model = resolve_model(f"{name}:some/model:8b")
    assert isinstance(model, Model)
    assert (model.provider, model.id) == (name, "some/model:8b")


def test_a_model_object_is_itself():
    """What is a model already is returned as it is."""
    model = OpenAIChat(id="m")
    assert resolve_model(model) is model


@pytest.mark.parametrize(
    ("name", "what", "todo"),
    [
        ("opnai:gpt-5-mini", "no provider 'opnai' in model 'opnai:gpt-5-mini' (did you mean 'openai'?)", 'write "openai:gpt-5-mini"; %agent models'),
        ("nowhere:m", "no provider 'nowhere' in model 'nowhere:m'", "register_provider"),
        ("zhipu:m", "no provider 'zhipu' in model 'zhipu:m' (did you mean 'zai'?)", 'write "zai:m"'),
        ("openai:", "model 'openai:' names no model of provider 'openai'", '"openai:NAME"'),
        ("openai", "model 'openai' names a provider and no model", '"openai:NAME"'),
        ("gpt-5-mini", "model 'gpt-5-mini' does not say which provider serves it", '"openai:gpt-5-mini"'),
        ("", "the model's name is empty", "demo:assistant"),
        (7, "int is no model: 7", "openai:gpt-5-mini"),
    ],
)  # fmt: skip
def test_names_that_name_nothing(name, what, todo):
    """Each mistake in a name has its own two lines."""
    with pytest.raises(UnknownModelError) as raised:
        resolve_model(name)
    assert raised.value.what == what
    assert todo in raised.value.todo
    assert len(raised.value.todo) < 180  # two lines, whatever the number of providers


def test_unknown_provider_of_a_model_object():
    """A model object with a provider that no row has is refused as a name is, and so is an empty id."""
    with pytest.raises(UnknownModelError, match=r"did you mean 'deepseek'\?"):
        OpenAIChat(id="m", provider="deepsek")
    with pytest.raises(UnknownModelError, match="id is empty"):
        OpenAIChat(id="")


@pytest.mark.parametrize(
    ("configured", "env", "name"),
    [
        ("openai:x", {"NBAGENT_MODEL": "ollama:y"}, "openai:x"),
        (None, {"NBAGENT_MODEL": "ollama:y"}, "ollama:y"),
        ("", {}, "demo:assistant"),
        (None, {"OPENAI_API_KEY": "k"}, "demo:assistant"),
    ],
)
def test_default_model(configured, env, name):
    """The demo model is the default only where no model was named anywhere; a key alone names none."""
    assert default_model_name(configured, env) == name


def test_missing_key(monkeypatch):
    """Without a key the check says which variable to set; with one, or where none is needed, it is silent."""
    with pytest.raises(MissingKeyError) as raised:
        resolve_model("openai-chat:m").check()
    assert str(raised.value) == (
        "no API key for provider 'openai-chat'\nset OPENAI_API_KEY or use model=\"demo:assistant\""
    )
    resolve_model("ollama:m").check()
    resolve_model("demo:assistant").check()
    OpenAIChat(id="m", api_key="given").check()
    OpenAIChat(id="m", base_url="http://127.0.0.1:1/v1").check()
    monkeypatch.setenv("OPENAI_API_KEY", "set later")
    resolve_model("openai-chat:m").check()


def test_base_url_variable(monkeypatch):
    """OPENAI_BASE_URL is honoured for both OpenAI rows; on this machine no key is needed then."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9/v1/")
    for name in ("openai", "openai-chat"):
        resolve_model(f"{name}:m").check()
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    with pytest.raises(MissingKeyError):
        resolve_model("openai:m").check()


def test_azure_needs_an_address(monkeypatch):
    """A row without an address of its own says which variable gives it, and adds the API's path."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    with pytest.raises(
        ConfigurationError, match="no base URL for provider 'azure'\nset AZURE_OPENAI_ENDPOINT"
    ):
        resolve_model("azure:m").check()
    row = provider_row("azure")
    url = "https://x.openai.azure.com/openai/v1"
    assert row.url_of("https://x.openai.azure.com/", {}) == url
    assert row.url_of(None, {"AZURE_OPENAI_ENDPOINT": url}) == url


def test_a_user_adds_a_row(monkeypatch):
    """A registered row resolves like a built-in one; a row that cannot work is refused when it is added."""
    monkeypatch.setattr(providers_module, "_rows", dict(providers_module._rows))
    register_provider(Provider(name="mine", base_url="http://127.0.0.1:1/v1", key_variable="MINE_KEY"))
    assert resolve_model("mine:m").row.key_variable == "MINE_KEY"
    for row in (
        Provider(name="a:b", base_url="http://x"),
        Provider(name="", base_url="http://x"),
        Provider(name="lost"),
    ):
        with pytest.raises(ConfigurationError):
            register_provider(row)


def test_no_key_in_a_repr():
    """A model's repr says where it is and shows no key."""
    model = OpenAIChat(id="m", base_url="http://127.0.0.1:1/v1", api_key="sk-very-secret")
    assert repr(model) == "OpenAIChat(id='m', provider='openai-chat', base_url='http://127.0.0.1:1/v1')"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.0.0.9/v1", True),
        ("http://[::1]:80/", True),
        ("https://127.example.com", False),
        ("https://api.openai.com/v1", False),
        ("not a url", False),
    ],
)
def test_loopback(url, local):
    """Only addresses of this machine count as loopback."""
    assert is_loopback(url) is local


def test_importing_models_is_light():
    """No HTTP library is loaded before the first request."""
    code = (
        "import sys, nbagent.models as m; m.resolve_model('openai:x'); m.resolve_model('demo:assistant').check()\n"
        "print([n for n in ('openai', 'httpx', 'httpx2', 'aiohttp', 'genai_prices') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("kimi", "moonshot"), ("qwen", "dashscope"), ("Grok", "xai"), ("glm", "zai"), ("zhipu", "zai"),
        ("google", "gemini"), ("hugging", "huggingface"), ("amazon", "bedrock"), ("mistrall", "mistral"),
    ],
)  # fmt: skip
def test_a_provider_is_found_by_what_it_is_called_otherwise(name, meant):
    """The name of its models or its maker is understood, too."""
    with pytest.raises(UnknownModelError, match=f"did you mean '{meant}'"):
        resolve_model(f"{name}:m")


@pytest.mark.skipif(find_spec("pydantic_ai") is not None, reason="it is installed here")
@pytest.mark.parametrize("name", ["pydantic-ai:test", "pydantic-ai:openai:gpt-5-mini"])
def test_a_library_that_is_not_installed_is_named(name):
    """Two lines: what is missing, and the extra that brings it."""
    with pytest.raises(ConfigurationError) as raised:
        resolve_model(name).check()
    assert "pydantic-ai is not installed" in raised.value.what
    assert 'pip install "nbagent-jupyter[pydantic-ai]"' in raised.value.todo
