"""Tab in JupyterLab's own words: `complete_request`, on ipykernel 6 and 7."""

from __future__ import annotations

import pytest

from tests.harness.kernel import RealKernel

pytestmark = pytest.mark.kernel


def test_a_front_end_completes_the_magics(kernel: RealKernel) -> None:
    """Flags, verbs, choices, and an agent and a run of the notebook; nothing of it after the extension is unloaded."""
    kernel.run("%load_ext nbagent\nimport nbagent as nb\nanalyst = nb.Agent(model='demo:assistant')")
    kernel.run("%%agent_bg analyst -o capital -q\nWhat is the capital of France?")
    assert kernel.complete("%%agent_bg --sch") == ["--schema"]
    assert kernel.complete("%%agent_bg ana") == ["analyst"]
    assert kernel.complete("%%agent_bg --mode br") == ["broadcast"]
    assert kernel.complete("%agent res") == ["resume"]
    assert kernel.complete("%agent show cap") == ["capital"]
    kernel.run("%unload_ext nbagent")
    assert "--schema" not in kernel.complete("%%agent_bg --sch")
