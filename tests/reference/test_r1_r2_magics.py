"""R1 and R2 as a person types them into a notebook, in a real kernel, on each wire format; and the launching flags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.kernel import RealKernel
from tests.provider.server import ScriptedProvider
from tests.reference.wire_formats import WIRES, Wire

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;]*m")
CLASSES = {
    "chat": "nb.OpenAIChat",
    "responses": "nb.OpenAIResponses",
    "messages": "nb.models.anthropic.AnthropicMessages",
}
CITIES = """
from pydantic import BaseModel

class CityFact(BaseModel):
    city: str
    country: str
    population: int
    fun_fact: str

class CityFactsResponse(BaseModel):
    cities: list[CityFact]
"""


def agent_code(wire: Wire, url: str, model: str = "assistant") -> str:
    """A cell that loads the extension and makes `desk`, an agent on this wire."""
    return (
        "%load_ext nbagent\nimport nbagent as nb, nbagent.models.anthropic\n"
        f"desk = nb.Agent(model={CLASSES[wire.name]}(id={model!r}, base_url={url!r}, api_key='not-needed'))"
    )


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[RealKernel]:
    """A kernel of the newest ipykernel."""
    with RealKernel(tmp_path / "kernel") as running:
        yield running


def said(kernel: RealKernel, code: str) -> str:
    """What a cell prints."""
    return kernel.run(code).stdout.strip()


def shown(kernel: RealKernel, code: str) -> list[str]:
    """The lines that a failing cell shows."""
    error = kernel.execute(code).error
    assert error is not None, f"{code!r} did not fail"
    return [line for line in ANSI.sub("", "\n".join(error.traceback)).splitlines() if line.strip()]


def test_r1_from_the_magics(kernel: RealKernel, wire: Wire, demo_url: str) -> None:
    """Launch, go on, wait, read; cancel while it runs, before it starts, and when it is over; list."""
    kernel.run(agent_code(wire, demo_url))
    kernel.run("%%agent_bg desk -o capital\nWhat is the capital of France? Answer in one sentence.")
    assert said(kernel, "%agent wait capital") == "1 run: 1 completed"
    assert said(kernel, "print(capital.status, capital.content)") == (
        "RunStatus.completed The capital of France is Paris."
    )
    kernel.run("%%agent_bg desk -o story\nWrite 5,000 words about the sea.")
    kernel.run("import time\nwhile len(story.text) < 100: time.sleep(0.01)")
    assert said(kernel, "%agent cancel story") == "cancelled 1 of 1 run"
    assert said(kernel, "print(story.status.value, len(story.content) >= 100)") == "cancelled True"
    assert said(kernel, "%agent cancel capital") == "cancelled 0 of 1 run"
    assert said(kernel, "print(nb.cancel_run('later'))") == "True"
    kernel.run("%%agent_bg desk -o later --run-id later\nWhat is the capital of France?")
    assert said(kernel, "%agent wait later") == "1 run: 1 cancelled"
    assert said(kernel, "print(later.output.model_calls)") == "()"
    listed = said(kernel, "runs = %agent list\nprint(*runs['label'], *runs['status'])")
    assert listed.split() == ["capital", "story", "later", "completed", "cancelled", "cancelled"]


def test_r2_from_the_magics(kernel: RealKernel, wire: Wire, demo_url: str) -> None:
    """A typed answer as a frame, three at once, a repaired one; in a new kernel an instance, or a dict without the class."""
    kernel.run(agent_code(wire, demo_url) + CITIES)
    kernel.run("cities = ['Tokyo', 'Paris', 'New York']")
    kernel.run(
        "%%agent_bg desk -o facts --schema CityFactsResponse\nGive me facts about {{ cities | join(', ') }}."
    )
    for n, question in enumerate(("capital of France", "tallest mountain", "longest river")):
        kernel.run(f"%%agent_bg desk -q -o q{n}\nWhat is the {question}?")
    assert said(kernel, "%agent wait facts q0 q1 q2") == "4 runs: 4 completed"
    assert said(kernel, "print(isinstance(facts.content, CityFactsResponse))") == "True"
    assert said(kernel, "print(*facts.to_frame()['city'], sep='|')") == "Tokyo|Paris|New York"
    assert said(kernel, "print(len({run.session_id for run in (facts, q0, q1, q2)}))") == "4"
    kernel.run(agent_code(wire, demo_url, "badjson"))
    kernel.run(
        "%%agent desk -o fixed --schema list[CityFact]\nGive me facts about Tokyo, Paris and New York."
    )
    assert said(kernel, "print(len(fixed.content), fixed.metrics.model_calls)") == "3 2"
    kernel.restart()
    kernel.run("import nbagent as nb")
    reading = "facts = nb.get('facts')\nprint(type(facts.content).__name__, len(facts.to_frame()))"
    assert said(kernel, reading) == "dict 3"
    kernel.run(CITIES)
    assert said(kernel, reading) == "CityFactsResponse 3"


def test_context_from_the_magics(kernel: RealKernel, provider: ScriptedProvider) -> None:
    """`-c` sends variables and files, says their sizes first, prefers the notebook's name, and fails in two lines."""
    wire = WIRES["chat"]
    provider.otherwise(wire.reply("I see."))
    kernel.run(agent_code(wire, provider.base_url, "scripted-1"))
    kernel.run(
        "import pandas as pd\nfrom matplotlib.figure import Figure\n"
        "df = pd.DataFrame({name: range(1_000) for name in 'abcde'})\n"
        "fig = Figure(figsize=(2, 1)); fig.subplots().plot([1, 2])\n"
        "open('notes.md', 'w').write('# {{ df }}'); open('df', 'w').write('a file'); hello = 'Hello {{ df }}'"
    )
    printed = said(kernel, "%%agent_bg desk -c fig -c df --context notes.md -c hello -o seen\nWhat is this?")
    assert re.fullmatch(
        r"context: fig \(PNG, \d KB\), df \(DataFrame 1,000 x 5, \d+ B\), "
        r"notes\.md \(Markdown 1 line, 10 B\), hello \(text 1 line, 14 B\)",
        printed,
    )
    assert said(kernel, "%agent wait seen") == "1 run: 1 completed"
    ((_, content),) = wire.said(provider.bodies[0])
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert "# {{ df }}\n</data-" in content[0]["text"]
    assert "950 rows left out" in content[0]["text"]
    for code, mentioned in {
        "-c dff": "did you mean 'df'",
        "-c note.md": "did you mean 'notes.md'",
        "-c .": "is a folder",
        "-c fig -c df --max-steps no": "max_steps takes a whole number",
    }.items():
        lines = shown(kernel, f"%%agent_bg desk {code}\nWhat is this?")
        assert len(lines) == 2, lines
        assert mentioned in " ".join(lines)
    kernel.run("%config NBAgent.max_context_bytes = 100")
    lines = shown(kernel, "%%agent_bg desk -c df\nWhat is this?")
    assert lines[0].startswith("PromptError: df has 823 B, more than max_context_bytes (100 B)")
    assert len(provider.requests) == 1


def test_limits_and_settings_from_the_magics(
    kernel: RealKernel, wire: Wire, provider: ScriptedProvider
) -> None:
    """Flags reach the request and the run; they win over `%config`, which wins where the agent says nothing."""
    provider.otherwise(wire.reply("yes"))
    priced = "claude-sonnet-5" if wire.name == "messages" else "gpt-4o-mini"  # max_cost needs a price
    kernel.run(agent_code(wire, provider.base_url, priced))
    kernel.run("%config NBAgent.max_output_tokens = 70\n%config NBAgent.max_steps = 5")
    kernel.run("%%agent desk --temperature 0.5 --reasoning-effort low -o first\nWell?")
    kernel.run(
        "%%agent desk --max-output-tokens 40 --max-steps 3 --max-cost 0.5 --max-total-tokens 9000 -o second\nWell?"
    )
    first, second = (wire.tuned(body) for body in provider.bodies)
    assert (first["temperature"], first["reasoning_effort"], first["max_output_tokens"]) == (0.5, "low", 70)
    assert second["max_output_tokens"] == 40
    limits = said(
        kernel,
        "import json\nfor text in nb.sql('select spec from runs order by created_at')['spec']:\n"
        "    limits = json.loads(text)['limits']\n"
        "    print(limits['max_steps'], limits['max_cost_usd'], limits['max_total_tokens'])",
    )
    assert limits.splitlines() == ["5 None None", "3 0.5 9000"]
    assert said(kernel, "print(desk.limits, desk.settings.max_output_tokens)") == "None None"


def test_models_are_listed_without_a_key(tmp_path: Path) -> None:
    """`%agent models` is a DataFrame with a row for each provider, and no key is in it."""
    with RealKernel(tmp_path / "keyed", env={"GROQ_API_KEY": "gsk-secret-value"}) as kernel:
        kernel.run("%load_ext nbagent")
        text = said(
            kernel,
            "models = %agent models\nprint(type(models).__name__)\n"
            "rows = models.set_index('provider')\n"
            "print(rows['configured'][['groq', 'deepseek', 'ollama', 'demo']].tolist())\n"
            "print(models.to_csv())",
        )
    kind, configured, table = text.split("\n", 2)
    assert (kind, configured) == ("DataFrame", "[True, False, True, True]")
    assert "GROQ_API_KEY" in table
    assert "gsk-secret-value" not in table
    assert len(shown_providers := table.splitlines()[1:]) >= 10, shown_providers
