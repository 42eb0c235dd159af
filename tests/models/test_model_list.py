"""The models that a provider says it serves, as `%agent models PROVIDER` shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from nbagent.errors import ConfigurationError, MissingKeyError, ModelError, UnknownModelError
from nbagent.models import Provider, listed_names, model_list, register_provider, served_models
from nbagent.models.catalog import table
from nbagent.runtime import current
from tests.harness.waiting import until
from tests.magics.shell import loaded_shell
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Head, Raw, answer, error

AT = datetime(2026, 11, 1, tzinfo=UTC)
# as OpenAI, vLLM, Gemini's compatible endpoint, llama.cpp and Anthropic write their lists
LISTS: dict[str, tuple[Any, list[tuple[str, str | None, datetime | None]]]] = {
    "openai": (
        {"object": "list", "data": [{"id": "gpt-5-mini", "object": "model", "created": int(AT.timestamp()), "owned_by": "system"}]},
        [("vllm:gpt-5-mini", "system", AT)],
    ),
    "vllm": (
        {"object": "list", "data": [{"id": "Qwen/Qwen3-8B", "created": 0, "owned_by": "vllm", "root": "/m", "permission": [{}]}]},
        [("vllm:Qwen/Qwen3-8B", "vllm", None)],
    ),
    "gemini": (
        {"object": "list", "data": [{"id": "models/gemini-3-flash", "object": "model", "owned_by": "google"}]},
        [("vllm:gemini-3-flash", "google", None)],
    ),
    "anthropic": (
        {"data": [{"type": "model", "id": "claude-x", "display_name": "X", "created_at": "2026-11-01T00:00:00Z"}], "has_more": False},
        [("vllm:claude-x", None, AT)],
    ),
    "odd": (
        {"data": [{"id": 7}, "x", None, {"id": "ünï/模型:7b", "owned_by": 3, "created": 1e300}], "models": [{"name": "y"}]},
        [("vllm:ünï/模型:7b", None, None)],
    ),
    "empty": ({"object": "list", "data": []}, []),
}  # fmt: skip


def served(provider: str) -> list[dict[str, Any]]:
    """Ask on the background loop, as the magic does."""
    return current().thread.submit(served_models(provider)).result(60)


@pytest.mark.parametrize("kind", LISTS)
def test_each_providers_list_is_read(
    kind: str, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are those that a launch takes; what a server does not say is unknown, and odd entries are left out."""
    monkeypatch.setenv("VLLM_BASE_URL", provider.base_url)
    monkeypatch.setenv("VLLM_API_KEY", "sk-list-0123456789")
    body, expected = LISTS[kind]
    provider.reply(answer(200, body))
    assert [(one["model"], one["owner"], one["created_at"]) for one in served("vllm")] == expected
    (request,) = provider.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.headers["authorization"] == "Bearer sk-list-0123456789"


@pytest.mark.parametrize(
    "script",
    [
        answer(200, {"models": [{"name": "llama3"}]}),
        answer(200, "[1]"),
        error(401, "bad key sk-list-0123456789"),
        error(404, "no such page"),
        error(503, "busy"),
    ],
    ids=["another form", "a list", "401", "404", "503"],
)
def test_what_is_no_list_is_an_error_without_the_key(
    script: Any, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that refuses, or has no such list, is an error of two lines that shows no key."""
    monkeypatch.setenv("VLLM_BASE_URL", provider.base_url)
    monkeypatch.setenv("VLLM_API_KEY", "sk-list-0123456789")
    provider.reply(script)
    with pytest.raises(ModelError) as raised:
        served("vllm")
    lines = str(raised.value).splitlines()
    assert len(lines) == 2, lines
    assert "vllm" in lines[0] or provider.base_url in lines[0]
    assert "sk-list" not in str(raised.value)


def test_an_unknown_provider_and_a_missing_key_are_said_before_anybody_is_asked() -> None:
    """No request is made for a provider that is not there or whose key is not set."""
    with pytest.raises(UnknownModelError, match="did you mean 'ollama'"):
        served("olama")
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
        served("openai")


def test_the_verb_gives_a_frame() -> None:
    """`%agent models demo` lists the demo model's own names, with or without the colon."""
    with loaded_shell() as shell:
        frame = shell.run_line_magic("agent", "models demo:")
        assert "demo:assistant" in set(frame["model"])
        assert "provider" in shell.run_line_magic("agent", "models").columns
        with pytest.raises(UnknownModelError, match="no provider 'nobody'"):
            shell.run_line_magic("agent", "models nobody")


def test_a_list_without_data_is_read(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together's list and GitHub's catalog are arrays: the same entries, without an object around them."""
    monkeypatch.setenv("VLLM_BASE_URL", provider.base_url)
    provider.reply((Head(200, {"content-type": "application/json"}), Raw(b'[{"id": "a/b"}, {"id": "c"}]')))
    assert [one["model"] for one in served("vllm")] == ["vllm:a/b", "vllm:c"]


def test_a_row_says_where_the_list_is(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path of its own, a whole address, or none at all, which is said in two lines."""
    monkeypatch.setattr(table, "_rows", dict(table._rows))
    here = f"http://127.0.0.1:{provider.port}"
    for path in ("/catalog", f"{here}/catalog", None):
        register_provider(
            Provider(name="house", base_url=provider.base_url, models_path=path, key_required=False)
        )
        provider.reply(answer(200, {"data": [{"id": "m"}]}))
        if path is not None:
            assert [one["model"] for one in served("house")] == ["house:m"]
    assert [request.path for request in provider.requests] == ["/v1/catalog", "/catalog"]
    with pytest.raises(ConfigurationError) as raised:
        served("house")
    assert len(str(raised.value).splitlines()) == 2


def test_names_are_asked_once_and_fail_silently(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Completion asks a provider once for a while; nobody is asked without a key, nothing is started."""
    monkeypatch.setattr(model_list, "_names", {})
    monkeypatch.setenv("VLLM_BASE_URL", provider.base_url)
    provider.reply(answer(200, {"data": [{"id": "m"}]}))
    assert [listed_names("vllm"), listed_names("vllm")] == [["vllm:m"], ["vllm:m"]]
    assert len(provider.requests) == 1
    for name in ("openai", "demo", "zai", "nobody", "bedrock", ""):
        assert listed_names(name) == []
    monkeypatch.setenv("VLLM_BASE_URL", f"{provider.base_url}/other")
    provider.reply(error(401, "no"))
    assert listed_names("vllm") == []


def test_tab_offers_what_a_provider_lists(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the colon, and after a comma; the first press only asks where the provider is slow."""
    monkeypatch.setattr(model_list, "_names", {})
    monkeypatch.setenv("VLLM_BASE_URL", provider.base_url)
    provider.otherwise(answer(200, {"data": [{"id": "served-1"}, {"id": "served-2"}]}))
    with loaded_shell() as shell:

        def tab(text: str) -> list[str]:
            with provisionalcompleter():
                found = shell.Completer.completions(text, len(text))
                return [one.text for one in found if "served" in one.text]

        assert until(lambda: tab("%%agent_bg -m vllm:"), "the list") == ["vllm:served-1", "vllm:served-2"]
        found = until(lambda: tab("%%agent_bg -m demo:assistant,vllm:s"), "the list")
        assert [one.rpartition(",")[2] for one in found] == ["vllm:served-1", "vllm:served-2"]
