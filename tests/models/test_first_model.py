"""From the demo to a real model: what the banner, the demo's answer and the doctor say to type."""

from __future__ import annotations

import pytest

import nbagent as nb
from nbagent.demo.facts import SCRIPT
from nbagent.models import first_model, keys_set, known_models, lines_to_real, provider_names, resolve_model
from nbagent.panel import summary_html
from tests.provider.server import ScriptedProvider
from tests.provider.steps import answer, error

SECRET = "sk-never-shown-0123456789"  # noqa: S105 - of nobody
KEYS = {
    "OPENAI_API_KEY": "openai:gpt-5-mini",
    "DEEPSEEK_API_KEY": "deepseek:deepseek-chat",
    "SILICONFLOW_API_KEY": "siliconflow:NAME",
}


@pytest.mark.parametrize("provider", [name for name in provider_names() if "NAME" not in first_model(name)])
def test_what_is_proposed_can_be_named(provider: str) -> None:
    """Each proposed name is one that a launch takes; where there is a price list it stands there."""
    name = first_model(provider)
    assert resolve_model(name).id
    assert not known_models(provider) or name in known_models(provider)


def test_without_a_key_two_lines_are_said() -> None:
    """The first asks for the key without showing it, the second names the model; both are Python or magic as they stand."""
    first, second = lines_to_real()
    compile(first, "the line", "exec")
    assert "getpass" in first
    assert "openai:gpt-5-mini" in second
    assert first in SCRIPT["honest"]["lines"]


@pytest.mark.parametrize("variable", KEYS)
def test_a_key_that_is_set_is_named_and_not_shown(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line is enough then, on the card and from the doctor, and the key stands in none of them."""
    monkeypatch.setenv(variable, SECRET)
    assert variable in keys_set()
    (line,) = lines_to_real()
    assert line.startswith(f"{variable} is set: use it with ")
    assert KEYS[variable] in line
    told = nb.doctor()["model"]
    assert line in told.values()
    assert told["answers now"].startswith("demo:assistant")
    from nbagent.panel.card.data import demo_banner

    assert line in demo_banner()
    assert SECRET not in f"{line}{dict(told)}{demo_banner()}"


def test_a_result_compares_equal_whatever_keys_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTML of a waiting cell, which nbval compares, does not depend on the machine's keys."""
    output = nb.Agent(model="demo:assistant").run("What is the capital of Peru?")
    before = summary_html(output)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert summary_html(output) == before


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("Explain quantum physics.", "Two lines set a real model"),
        ("What was the first van der Waals force?", "Two lines set a real model"),
        ("Erkläre mir die Quantenphysik.", "Zwei Zeilen stellen ein echtes Modell ein"),
        ("Was ist der Sinn des Lebens?", "Zwei Zeilen stellen ein echtes Modell ein"),
        ("请解释量子物理。", "输入下面两行"),
        ("什么是 Python 的 GIL?", "输入下面两行"),
        ("量子力学を説明してください", "Two lines set a real model"),
        ("¿Qué es la física cuántica?", "Two lines set a real model"),
    ],
)
def test_the_demo_says_the_lines_in_the_prompts_language(prompt: str, word: str) -> None:
    """What the demo cannot answer it says so in German and Chinese, too, and the lines to type stand as code."""
    said = nb.Agent(model="demo:assistant").run(prompt).content
    assert word in said
    assert prompt in said
    lines = said.splitlines()
    assert [line.strip() for line in lines[-2:]] == SCRIPT["honest"]["lines"].strip().split("\n    ")
    assert all(line.startswith("    ") for line in lines[-2:])


def test_the_doctor_says_which_model_answers_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is configured, from where, and what it lacks."""
    monkeypatch.setenv("NBAGENT_MODEL", "openai:gpt-5-mini")
    told = nb.doctor()["model"]
    assert told["answers now"].startswith("openai:gpt-5-mini (")
    assert "OPENAI_API_KEY" in told["but"]
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert "but" not in nb.doctor()["model"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (answer(200, {"data": [{"id": "qwen3"}, {"id": "llama"}]}), "ready: answers at {} with 2 models"),
        (answer(200, {"data": []}), "ready: answers at {} with 0 models"),
        (error(404, "no such page"), "answers at {}, but: "),
        (None, "nobody answers at {}"),
    ],
    ids=["models", "none", "no list", "nobody"],
)
def test_a_local_server_is_ready_only_if_it_answers(
    script: object, said: str, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor asks servers on this machine, and no other."""
    url = provider.base_url if script is not None else "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OLLAMA_BASE_URL", url)
    if script is not None:
        provider.reply(script)  # type: ignore[arg-type]
    told = nb.doctor()["providers"]
    assert said.format(url) in told["ollama"]
    assert "ready" not in told["openai"]
