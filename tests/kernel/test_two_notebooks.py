"""Two notebooks and a script on one record: what one does the others see, and can cancel, within seconds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.kernel import RealKernel
from tests.harness.waiting import until
from tests.provider.chat_wire import text, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence

pytestmark = pytest.mark.kernel

SCRIPT = "import sys, nbagent as nb; print(nb.cancel_run(sys.argv[1]))"


@pytest.fixture
def notebooks(tmp_path: Path, provider: ScriptedProvider) -> Iterator[tuple[RealKernel, RealKernel]]:
    """Two kernels on one store."""
    store = {"NBAGENT_STORE": str(tmp_path / "shared" / "runs.duckdb")}
    with (
        RealKernel(tmp_path / "first", env=store) as first,
        RealKernel(tmp_path / "second", env=store) as second,
    ):
        for one in (first, second):
            one.run(
                "%load_ext nbagent\nimport nbagent as nb\n"
                f"import os; os.environ.update(OPENAI_BASE_URL={provider.base_url!r}, OPENAI_API_KEY='sk-test')\n"
                "%config NBAgent.model = 'openai-chat:scripted-1'\n%config NBAgent.model_retries = 0"
            )
            one.run("len(nb.runs())")
        yield first, second


def value(kernel: RealKernel, code: str) -> str:
    """What an expression is in a kernel, as text."""
    return kernel.run(f"print({code})").stdout.strip()


def seconds_until(holds: Callable[[], bool]) -> float:
    """How long it takes until something holds that another process brings about."""
    began = time.monotonic()
    until(holds, pause_s=0.02)
    return time.monotonic() - began


def test_a_run_is_seen_and_cancelled_from_the_other_notebook(
    notebooks: tuple[RealKernel, RealKernel], provider: ScriptedProvider
) -> None:
    """`runs()`, the metrics and a handle know it; `%agent list --here` does not; a cancel ends it where it runs."""
    first, second = notebooks
    provider.reply(text_reply("yes"))
    provider.otherwise((*text("once"), Silence()))
    first.run("done = nb.Agent().start('One'); done.wait(timeout=60)")
    run_id = value(first, "(run := nb.Agent().start('Two')).run_id")
    seen = seconds_until(lambda: value(second, f"{run_id!r} in set(nb.runs().run_id)") == "True")
    assert value(second, "sorted(nb.runs().status)") in (
        "['completed', 'running']",
        "['completed', 'pending']",
    )
    assert value(second, "int(nb.metrics.by_model().model_calls.sum())") == "1"
    for kernel, here in ((first, "2"), (second, "0")):
        assert value(kernel, "len(get_ipython().run_line_magic('agent', 'list --here'))") == here
        assert value(kernel, "len(get_ipython().run_line_magic('agent', 'list'))") == "2"
    provider.wait_for_requests(2)
    assert value(second, f"nb.get({run_id!r}).cancel()") == "True"
    ended = seconds_until(lambda: value(first, "run.status.value") == "cancelled")
    told = seconds_until(lambda: value(second, f"nb.get({run_id!r}).status.value") == "cancelled")
    print(f"\nseen after {seen:.2f} s; after the cancel ended in {ended:.2f} s, told in {told:.2f} s more")


def test_a_run_is_cancelled_from_a_plain_script(
    notebooks: tuple[RealKernel, RealKernel], provider: ScriptedProvider
) -> None:
    """`nb.cancel_run(run_id)` without a kernel, which then ends at once."""
    first, second = notebooks
    provider.otherwise((*text("once"), Silence()))
    run_id = value(first, "(run := nb.Agent().start('One')).run_id")
    provider.wait_for_requests(1)
    command = [sys.executable, "-c", SCRIPT, run_id]
    environment = {**first.env, "NBAGENT_STORE": str(first.store)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "True", done.stderr
    ended = seconds_until(lambda: value(first, "run.status.value") == "cancelled")
    until(lambda: value(second, f"nb.get({run_id!r}).status.value") == "cancelled")
    print(f"\nended {ended:.2f} s after the script did")
