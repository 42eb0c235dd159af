"""The clocks of a first run: what is imported and set up once is no part of its times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

ROOT = Path(__file__).parents[2]
SLOW_S = 1.5
CHILD = """
import json, sys, time
import nbagent as nb

class SlowImport:
    "Makes the import of one module take a while."
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            time.sleep(float(sys.argv[3]))

sys.meta_path.insert(0, SlowImport())
assert sys.argv[2] not in sys.modules
model = getattr(nb, sys.argv[4])(id="gpt-5-mini", base_url=sys.argv[1], api_key="x")
metrics = nb.Agent(model=model).run("Well?").metrics
assert sys.argv[2] in sys.modules
print(json.dumps([metrics.duration_s, metrics.ttft_s, metrics.queued_s]))
"""


@pytest.mark.parametrize("module", ["aiohttp", "genai_prices", "genai_prices.data"])
def test_an_import_is_no_part_of_a_first_runs_times(provider: ScriptedProvider, module: str) -> None:
    """Duration and time to first token begin when the request is handed over; a slow import counts as waiting."""
    provider.reply(text_reply("There."))
    child = subprocess.run(
        [sys.executable, "-c", CHILD, provider.base_url, module, str(SLOW_S), "OpenAIChat"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    duration_s, ttft_s, queue_s = json.loads(child.stdout)
    assert queue_s >= SLOW_S
    assert ttft_s <= duration_s < queue_s
    assert duration_s < SLOW_S


def test_a_model_that_prepares_itself_does_it_before_the_clock(provider: ScriptedProvider) -> None:
    """What a model's `prepare` raises is no failure of the run: the call itself says what is wrong."""
    import nbagent as nb

    model = nb.OpenAIChat(id="gpt-5-mini", base_url="http://127.0.0.1:1/v1", api_key="x")
    run = nb.Agent(model=model, limits=nb.Limits(model_retries=0)).start("Well?")
    output = run.wait(timeout=60)
    assert (output.status, output.error_type) == (nb.RunStatus.error, "ProviderUnreachableError")
    assert output.metrics.model_calls == 1
